"""Stand-in for TRex's stateless API: it keeps what it is given, refuses arguments that TRex does not have, and carries
out the field engine's instructions on a packet."""


class STLVmFlowVar:
    def __init__(self, name, init_value=None, min_value=0, max_value=255, size=4, step=1, op="inc"):
        assert op in ("inc", "dec", "random") and size in (1, 2, 4, 8)
        assert 0 <= min_value <= max_value < 1 << 8 * size
        self.name, self.ends, self.size = name, (min_value, max_value), size


class STLVmTrimPktSize:
    def __init__(self, fv_name):
        self.fv_name = fv_name


class STLVmWrFlowVar:
    def __init__(self, fv_name, pkt_offset, offset_fixup=0, add_val=0, is_big=True):
        self.fv_name, self.at, self.add, self.order = fv_name, pkt_offset + offset_fixup, add_val, "big" if is_big else "little"


class STLScVmRaw:
    def __init__(self, list_of_commands=None, split_by_field=None, cache_size=None):
        self.commands = list_of_commands or []

    def packets(self, packet):
        """The packet at both ends of the variable's range."""
        var = self.commands[0]
        assert isinstance(var, STLVmFlowVar) and var.ends[1] <= len(packet)
        for value in var.ends:
            octets = bytearray(packet)
            for command in self.commands[1:]:
                assert command.fv_name == var.name
                if isinstance(command, STLVmTrimPktSize):
                    del octets[value:]
                else:
                    octets[command.at : command.at + var.size] = (value + command.add).to_bytes(var.size, command.order)
            yield bytes(octets)


class STLPktBuilder:
    def __init__(self, pkt=None, pkt_buffer=None, vm=None, path_relative_to_profile=False, build_raw=False,
                 remove_fcs=True):
        assert pkt is None and isinstance(pkt_buffer, bytes) and isinstance(vm, (type(None), STLScVmRaw))
        self.frames = [pkt_buffer] if vm is None else list(vm.packets(pkt_buffer))


class STLTXCont:
    def __init__(self, pps=None, bps_L1=None, bps_L2=None, percentage=None):
        assert isinstance(pps, (int, float)) and pps > 0
        self.pps = pps


class STLFlowLatencyStats:
    def __init__(self, pg_id, vxlan=False, ieee_1588=False):
        self.pg_id = pg_id


class STLStream:
    def __init__(self, name=None, packet=None, mode=None, enabled=True, self_start=True, isg=0.0, flow_stats=None,
                 next=None, stream_id=None, action_count=0, random_seed=0):
        assert isinstance(packet, STLPktBuilder) and isinstance(mode, STLTXCont) and isg >= 0.0
        self.shown = {
            "name": name,
            "pps": mode.pps,
            "isg_us": isg,
            "latency_of": flow_stats.pg_id if flow_stats else None,
            "frames": [frame.hex() for frame in packet.frames],
        }
