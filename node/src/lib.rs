//! pinode: a virtual network node for Parallel Internets.
