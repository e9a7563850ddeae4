//! Calls between two neighbours, in virtual time: over a good link, over one that loses, and with a neighbour that
//! says anything.

mod link_loss;
mod neighbour;
mod pair;
mod sequences;
mod timers;
mod wrong_messages;
