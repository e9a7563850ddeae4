//! The plainest guest: every frame of one port goes out of the other, unchanged.
