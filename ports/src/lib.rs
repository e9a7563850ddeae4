//! Where frames enter and leave the node: memory, AF_XDP, AF_PACKET, TAP, pcap.
