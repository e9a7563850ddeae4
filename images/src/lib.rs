//! The built-in guest images, built with the node and embedded in it.
