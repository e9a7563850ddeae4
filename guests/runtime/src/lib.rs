//! What a guest stands on: boot to ring 3, net driver, idle, control channel.
