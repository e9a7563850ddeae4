-- Wireshark dissector for the Parallel Internet Header (PIH) and for the tester's signature.
--
-- Use it once:        wireshark -X lua_script:docs/wireshark/pinode.lua FILE.pcapng
-- Or for good: copy it into the folder that Help > About Wireshark > Folders calls "Personal Lua Plugins".
--
-- Frame: Ethernet header, EtherType 0x88B5 (IEEE 802 local experimental 1; preference "EtherType"), then
--
--   octet 14   PIH: bits 7..5 PI code (0 is invalid), bits 4..0 VN (0 is the default network)
--   octet 15.. the PI's own PDU
--
-- What the PDU is handed to:
--
--   code 1 ipv6qos   "ipv6"
--   code 2 can       "ndn" where a plugin provides it, else "data"
--   code 3 dss       "mpls" (the label-switched form that access ports carry as EtherType 0x8847)
--   others           "data"
--
-- Heuristic (preference "Recognise IPv6 in every PI"): testers send IPv6 in every PI. A PDU of any PI
-- whose first four bits are 6 and whose octets 4..5 are exactly the length of what follows its first 40
-- octets is taken as IPv6. An exact 16-bit length at that place is by chance in an NDN packet or behind an
-- MPLS label once in 65,536 of those that begin with 6. Where the frame has the smallest Ethernet size
-- (60 octets), the length may be shorter: the rest is padding.
--
-- The tester's signature is looked for behind an IPv6 header with next header 253 (RFC 3692), with a PIH or
-- without, and in UDP datagrams of any port: version 1 and a CRC-32C that holds, otherwise the octets are left to
-- others.

local pinode = Proto("pinode", "Parallel Internet Header")

local PI_NAMES = {
    [0] = "invalid", [1] = "ipv6qos", [2] = "can", [3] = "dss",
    [4] = "free", [5] = "free", [6] = "free", [7] = "management",
}

local f = pinode.fields
f.pih = ProtoField.uint8("pinode.pih", "PIH", base.HEX)
f.pi = ProtoField.uint8("pinode.pi", "Parallel Internet", base.DEC, PI_NAMES, 0xe0)
f.vn = ProtoField.uint8("pinode.vn", "Virtual network", base.DEC, nil, 0x1f)
f.padding = ProtoField.bytes("pinode.padding", "Padding")

local invalid = ProtoExpert.new("pinode.invalid", "PI code 0 is invalid: a node drops this frame",
    expert.group.PROTOCOL, expert.severity.WARN)
local truncated = ProtoExpert.new("pinode.truncated", "The frame ends before the PIH",
    expert.group.MALFORMED, expert.severity.ERROR)
pinode.experts = { invalid, truncated }

pinode.prefs.ethertype = Pref.uint("EtherType", 0x88b5,
    "EtherType of frames with a PIH (decimal; 34997 is 0x88B5)")
pinode.prefs.ipv6_anywhere = Pref.bool("Recognise IPv6 in every PI", true,
    "Take a PDU of any PI as IPv6 if its version and its length say so")

local ETHERNET_HEADER = 14
local SMALLEST_FRAME = 60
local IPV6_HEADER = 40

-- Length of the IPv6 packet at the beginning of pdu, or nil if it is none.
local function ipv6_length(pdu)
    if pdu:len() < IPV6_HEADER or pdu(0, 1):bitfield(0, 4) ~= 6 then
        return nil
    end
    local length = IPV6_HEADER + pdu(4, 2):uint()
    local padded = pdu:len() + 1 + ETHERNET_HEADER == SMALLEST_FRAME
    if length == pdu:len() or (padded and length < pdu:len()) then
        return length
    end
    return nil
end

local function dissector_of(code)
    local name = ({ [1] = "ipv6", [2] = "ndn", [3] = "mpls" })[code]
    local found = nil
    if name then
        local known, dissector = pcall(Dissector.get, name)
        found = known and dissector or nil
    end
    return found or Dissector.get("data")
end

function pinode.dissector(tvb, pinfo, root)
    pinfo.cols.protocol = "PIH"
    if tvb:len() < 1 then
        root:add(pinode, tvb()):add_proto_expert_info(truncated)
        return 0
    end
    local pih = tvb(0, 1)
    local code, vn = pih:bitfield(0, 3), pih:bitfield(3, 5)
    local tree = root:add(pinode, pih,
        string.format("Parallel Internet Header: %s (%d), VN %d", PI_NAMES[code], code, vn))
    tree:add(f.pih, pih)
    tree:add(f.pi, pih)
    tree:add(f.vn, pih)
    if code == 0 then
        tree:add_proto_expert_info(invalid)
    end
    if tvb:len() == 1 then
        return 1
    end

    local pdu = tvb(1)
    pinfo.cols.info:set(string.format("%d octets", pdu:len()))
    local length = (code == 1 or pinode.prefs.ipv6_anywhere) and ipv6_length(pdu:tvb()) or nil
    if length then
        Dissector.get("ipv6"):call(tvb(1, length):tvb(), pinfo, root)
        if length < pdu:len() then
            tree:add(f.padding, tvb(1 + length))
        end
    else
        dissector_of(code):call(pdu:tvb(), pinfo, root)
    end
    pinfo.cols.info:prepend(string.format("[%s VN %d] ", PI_NAMES[code], vn))
    return tvb:len()
end

local ethertypes = DissectorTable.get("ethertype")
local registered = pinode.prefs.ethertype
ethertypes:add(registered, pinode)

function pinode.prefs_changed()
    if registered ~= pinode.prefs.ethertype then
        ethertypes:remove(registered, pinode)
        registered = pinode.prefs.ethertype
        ethertypes:add(registered, pinode)
    end
end

-- The tester's signature: 20 octets, see measure/src/signature.rs.

local signature = Proto("pinode_sig", "pinode tester signature")
local s = signature.fields
s.stream = ProtoField.uint16("pinode_sig.stream", "Stream", base.DEC)
s.version = ProtoField.uint8("pinode_sig.version", "Version", base.DEC, nil, 0xf0)
s.epoch = ProtoField.uint8("pinode_sig.epoch", "Epoch (number of the trial, modulo 16)", base.DEC, nil, 0x0f)
s.sequence = ProtoField.uint64("pinode_sig.sequence", "Sequence number", base.DEC)
s.time = ProtoField.uint64("pinode_sig.time", "Send time (ns, modulo 2^56)", base.DEC)
s.check = ProtoField.uint32("pinode_sig.check", "CRC-32C (holds)", base.HEX)
s.padding = ProtoField.bytes("pinode_sig.padding", "Padding")

local SIGNATURE_OCTETS = 20
local VERSION = 1
local bits = bit or bit32

-- CRC-32C (Castagnoli), reflected, bit by bit: 16 octets a frame need no table.
local function crc32c(range)
    local crc = 0xffffffff
    for i = 0, range:len() - 1 do
        crc = bits.bxor(crc, range(i, 1):uint())
        for _ = 1, 8 do
            local odd = bits.band(crc, 1) == 1
            crc = bits.rshift(crc, 1)
            if odd then
                crc = bits.bxor(crc, 0x82f63b78)
            end
        end
    end
    return bits.bxor(crc, 0xffffffff) % 0x100000000
end

local NO_STREAM = 0xffff

local function is_signature(tvb)
    return tvb:len() >= SIGNATURE_OCTETS and tvb(2, 1):bitfield(0, 4) == VERSION
        and crc32c(tvb(0, 16)) == tvb(16, 4):uint()
end

local function show(tvb, pinfo, root)
    local stream, sequence = tvb(0, 2):uint(), tvb(3, 6):uint64()
    local what = stream == NO_STREAM and "learning frame"
        or string.format("stream %d frame %s", stream, tostring(sequence))
    local tree = root:add(signature, tvb(0, SIGNATURE_OCTETS), "Tester signature: " .. what)
    tree:add(s.stream, tvb(0, 2))
    tree:add(s.version, tvb(2, 1))
    tree:add(s.epoch, tvb(2, 1))
    tree:add(s.sequence, tvb(3, 6))
    tree:add(s.time, tvb(9, 7))
    tree:add(s.check, tvb(16, 4))
    if tvb:len() > SIGNATURE_OCTETS then
        tree:add(s.padding, tvb(SIGNATURE_OCTETS))
    end
    pinfo.cols.info:set("tester " .. what)
    return tvb:len()
end

function signature.dissector(tvb, pinfo, root)
    if not is_signature(tvb) then
        return Dissector.get("data"):call(tvb, pinfo, root)
    end
    return show(tvb, pinfo, root)
end

DissectorTable.get("ip.proto"):add(253, signature)

-- By UDP the tester uses any ports, often that of echo (7): look before the dissector of the port does.
signature:register_heuristic("udp", function(tvb, pinfo, root)
    if not is_signature(tvb) then
        return false
    end
    show(tvb, pinfo, root)
    return true
end)
