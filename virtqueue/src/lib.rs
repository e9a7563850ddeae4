//! Split virtqueues in bursts, device side and driver side, for untrusted peers (VIRTIO 1.2, 2.7).
