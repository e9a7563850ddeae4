"""Streams of pinode for TRex, stateless mode.

    trex> start -f pinode_trex.py --port 0 -m 1 -d 60
    trex> stats

Frames carry a PIH behind their Ethernet header (EtherType 0x88B5), which TRex does not know. Its per-stream counters
(flow_stats) are for IPv4 and IPv6 directly behind Ethernet or VLAN; its latency streams take any packet if the server
runs with --software, and write their own 16 octets over the end of the packet:

    trex> start -f pinode_trex.py --port 0 -t --latency        (servers before 2.90: -t latency=1)

adds to each stream one of LATENCY_PPS frames/s of its packet that measures latency, loss and order. Without it the
ports' counters tell what was sent and what arrived. The octets of pinode's signature are zero: its sink takes these
frames for foreign or corrupted ones, and TRex counts.
"""

import argparse

from trex_stl_lib.api import *

# Octets of the packets are in hexadecimal, without FCS. A random size counts all octets without FCS; the IPv6 payload
# length at `length_at` is that less the `not_counted` octets up to the end of the IPv6 header.
STREAMS = []

LATENCY_PPS = 1000


def engine(random_size):
    """The field engine that draws a size, cuts the packet, and writes its length."""
    if random_size is None:
        return None
    return STLScVmRaw([
        STLVmFlowVar(name="size", min_value=random_size["smallest"], max_value=random_size["largest"], size=2,
                     op="random"),
        STLVmTrimPktSize("size"),
        STLVmWrFlowVar(fv_name="size", pkt_offset=random_size["length_at"], add_val=-random_size["not_counted"]),
    ])


class Pinode(object):
    def get_streams(self, tunables=(), direction=0, latency=0, **kwargs):
        if tunables:
            parser = argparse.ArgumentParser(description="Streams of pinode.")
            parser.add_argument("--latency", action="store_true", help="measure latency, with streams of its own")
            latency = parser.parse_args(tunables).latency
        streams = []
        for each in STREAMS:
            octets = bytes(bytearray.fromhex(each["octets"]))
            streams.append(STLStream(
                name=each["name"],
                packet=STLPktBuilder(pkt_buffer=octets, vm=engine(each["random_size"])),
                isg=each["isg_us"],
                mode=STLTXCont(pps=each["pps"])))
        measured = set()
        for each in STREAMS if latency else []:
            # A latency stream needs a number of its own: one for each stream of pinode, of its first packet.
            if each["pg_id"] in measured:
                continue
            measured.add(each["pg_id"])
            streams.append(STLStream(
                name=each["name"] + " latency",
                packet=STLPktBuilder(pkt_buffer=bytes(bytearray.fromhex(each["octets"]))),
                mode=STLTXCont(pps=LATENCY_PPS),
                flow_stats=STLFlowLatencyStats(pg_id=each["pg_id"])))
        return streams


def register():
    return Pinode()
