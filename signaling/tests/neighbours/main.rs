//! Calls between two neighbours, in virtual time: over a good link, over one that loses, and with a neighbour that
//! says anything.

mod chaos;
mod hostile;
mod ledger;
mod link_loss;
mod neighbour;
mod pair;
mod script;
mod sequences;
mod timers;
mod wrong_messages;
