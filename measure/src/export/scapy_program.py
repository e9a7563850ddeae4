#!/usr/bin/env python3
"""Streams of pinode for Scapy (2.5 and later).

Write the frames to a trace with nanosecond timestamps, send times counted from zero:

    python3 pinode_scapy.py --pcap streams.pcap

Send them, each at the instant at which it is due (needs root; some thousand frames/s):

    python3 pinode_scapy.py --interface IF

Send them all at the rate of the streams together, by tcpreplay, which must be installed:

    python3 pinode_scapy.py --interface IF --fast

The sink of pinode counts frames, loss, order, duplicates and changes. The send time in a frame is the instant at which
it is due, on a clock that begins at --start-ns when sending begins; the sink's latencies mean something only if its own
clock read that then. From Python:

    from pinode_scapy import STREAMS, PIH, PinodeSignature, frame
    frame(STREAMS[0], sequence=7, sent_ns=1000).show()
"""

import argparse
import heapq
import struct
import sys
import time

from scapy.all import Ether, Packet, PcapWriter, Raw, UDP, bind_layers, conf, sendpfast
from scapy.fields import BitField, ShortField, XIntField
from scapy.layers.inet6 import IPv6

WORD = (1 << 64) - 1


def mix(word):
    """A fixed bijection of 64-bit words: padding and random sizes are made of it."""
    word = word * 0x9E3779B97F4A7C15 & WORD
    word ^= word >> 32
    word = word * 0xD6E8FEB86659FD93 & WORD
    word ^= word >> 29
    return word * 0x9E3779B97F4A7C15 & WORD


def uniform(smallest, largest, seed):
    """Size number n of a stream whose sizes are spread evenly between the two."""
    span = largest - smallest + 1
    return lambda n: smallest + ((mix(seed + n + 1 & WORD) >> 32) * span >> 32)


def crc32c(octets):
    """CRC-32C (Castagnoli), as in RFC 3720 12.1."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class PIH(Packet):
    """Parallel Internet Header: one octet behind the Ethernet header."""

    name = "PIH"
    fields_desc = [BitField("pi", 1, 3), BitField("vn", 0, 5)]


class PinodeSignature(Packet):
    """What the tester's sink tells frames by: 20 octets; the check is computed where it is not given."""

    name = "PinodeSignature"
    fields_desc = [
        ShortField("stream", 0),
        BitField("version", 1, 4),
        BitField("epoch", 0, 4),
        BitField("sequence", 0, 48),
        BitField("time", 0, 56),
        XIntField("check", None),
    ]

    def post_build(self, packet, payload):
        if self.check is None:
            packet = packet[:16] + struct.pack("!I", crc32c(packet[:16])) + packet[20:]
        return packet + payload


# The streams of the export. Sizes are octets with FCS, which the interface adds; `pps` is the mean rate, `burst` how
# many frames are due at once.
STREAMS = []

for each in STREAMS:
    if each["pih"]:
        bind_layers(Ether, PIH, type=each["ethertype"])
    if each["udp"]:
        bind_layers(UDP, PinodeSignature, dport=each["udp"]["dport"])
bind_layers(PIH, IPv6)
bind_layers(IPv6, PinodeSignature, nh=253)

FCS = 4
_padding = bytes(mix(i) >> 56 for i in range(9018))


def size(stream, sequence):
    """Octets with FCS of a frame of the stream."""
    sizes = stream["sizes"]
    return sizes(sequence) if callable(sizes) else sizes[sequence % len(sizes)]


def headers(stream):
    """The layers in front of the signature."""
    dst, src = stream["mac"]
    packet = Ether(dst=dst, src=src, type=stream["ethertype"])
    if stream["pih"]:
        packet /= PIH(**stream["pih"])
    packet /= IPv6(**stream["ipv6"])
    if stream["udp"]:
        packet /= UDP(**stream["udp"])
    return packet


def frame(stream, sequence, sent_ns, epoch=0):
    """Frame number `sequence` of the stream, without FCS."""
    packet = headers(stream)
    packet /= PinodeSignature(stream=stream["stream"], epoch=epoch, sequence=sequence, time=sent_ns % (1 << 56))
    padding = size(stream, sequence) - FCS - len(packet)
    return packet / Raw(_padding[:padding]) if padding else packet


def due(count, start_ns):
    """(instant, stream, sequence) in the order of time: `count` frames of the slowest stream, from the others what is
    due meanwhile. Instants are exact to 2^-32 ns, so that nothing drifts."""
    end_ns = max(1, int(count * 1e9 / min(stream["pps"] for stream in STREAMS)))

    def of(place, stream):
        step = (int(1e9 / stream["pps"] * (1 << 32)) + 1) * stream["burst"]
        at = int(float(step) * (place / len(STREAMS)))
        sequence = 0
        while at >> 32 < end_ns:
            for _ in range(stream["burst"]):
                yield start_ns + (at >> 32), place, sequence
                sequence += 1
            at += step

    for instant, place, sequence in heapq.merge(*(of(*each) for each in enumerate(STREAMS))):
        yield instant, STREAMS[place], sequence


def frames(count, start_ns, epoch):
    """(nanoseconds since the start, frame) of all streams."""
    for instant, stream, sequence in due(count, start_ns):
        yield instant - start_ns, frame(stream, sequence, instant, epoch)


def write_trace(path, all_frames):
    with PcapWriter(path, nano=True, sync=False, linktype=1) as trace:
        trace.write_header(None)
        for after_ns, packet in all_frames:
            octets = bytes(packet)
            sec, nsec = divmod(after_ns, 1_000_000_000)
            trace.write_packet(octets, sec=sec, usec=nsec)


def send(interface, all_frames):
    """Sends each frame when it is due and says how late the latest was."""
    ready = [(after_ns, bytes(packet)) for after_ns, packet in all_frames]
    socket = conf.L2socket(iface=interface)
    latest = 0
    start = time.monotonic_ns()
    for after_ns, octets in ready:
        while (left := start + after_ns - time.monotonic_ns()) > 0:
            if left > 200_000:
                time.sleep((left - 100_000) / 1e9)
        latest = max(latest, -left)
        socket.send(octets)
    socket.close()
    print(f"sent {len(ready)} frames, the latest {latest / 1000:.0f} us late")


def main():
    parser = argparse.ArgumentParser(description="Streams of pinode: a trace, or traffic.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--pcap", metavar="FILE", help="write a trace")
    where.add_argument("--interface", metavar="IF", help="send")
    parser.add_argument("--count", type=int, default=FRAMES, help="frames of the slowest stream (default %(default)s)")
    parser.add_argument("--start-ns", type=int, default=0, help="send time of the first frame (default %(default)s)")
    parser.add_argument("--epoch", type=int, choices=range(16), default=0, help="number of the trial, 0 to 15")
    parser.add_argument("--fast", action="store_true", help="send by tcpreplay, evenly at the rate of all together")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"--count {options.count}: at least 1")
    if options.start_ns < 0:
        parser.error(f"--start-ns {options.start_ns}: at least 0")
    all_frames = frames(options.count, options.start_ns, options.epoch)
    if options.pcap:
        write_trace(options.pcap, all_frames)
    elif options.fast:
        pps = sum(stream["pps"] for stream in STREAMS)
        sendpfast([packet for _, packet in all_frames], pps=pps, iface=options.interface)
    else:
        send(options.interface, all_frames)
    return 0


if __name__ == "__main__":
    sys.exit(main())
