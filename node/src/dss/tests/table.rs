//! What the guest is to have, and what it has.

use pinode_guest_dss::control::MOST_ITEMS;
use pinode_signaling::daemon::switch::{Refusal, Way};

use super::super::table::Table;
use super::node::{Node, key, ports, way};

fn table() -> Table {
    Table::new("dss", ports(), 500)
}

/// Ways from port 0 with these labels.
fn ways(labels: impl IntoIterator<Item = u32>) -> Vec<Way> {
    let labels = labels.into_iter();
    labels
        .map(|label| way((0, label), (1, label + 1)))
        .collect()
}

#[test]
fn a_guest_that_comes_anew_is_told_all_of_it() {
    let (node, mut table) = (Node::new(), table());
    let many = MOST_ITEMS as u32 * 2 + 7;
    let all = ways(16..16 + many);
    assert!(table.set(&*node, &all).iter().all(Result::is_ok));
    let told = std::mem::take(&mut node.state().guest);
    assert_eq!(told.len(), many as usize);
    let first = told[&key(0, 16)];
    assert_eq!((first.to_port, first.to_label, first.police), (1, 17, true));
    assert_eq!(
        first.tolerance_ns, 2_500,
        "its own and what holds frames up"
    );
    table.guest_is_new(&*node);
    assert_eq!(node.state().guest, told);
    // Once: what it has it is not told again.
    let asked = node.state().asked;
    assert!(table.settle(&*node));
    assert_eq!(node.state().asked, asked);
}

#[test]
fn one_that_is_refused_does_not_take_the_others_with_it() {
    let (node, mut table) = (Node::new(), table());
    node.state().full.extend([key(0, 17), key(0, 19)]);
    let done = table.set(&*node, &ways(16..21));
    let all = || Refusal::Full("from port west to port east: all are taken".into());
    assert_eq!(done, [Ok(()), Err(all()), Ok(()), Err(all()), Ok(())]);
    assert_eq!((node.labels(), table.len()), (vec![16, 18, 20], 3));
}

#[test]
fn a_guest_that_did_not_answer_is_cleared_before_anything_else() {
    let (node, mut table) = (Node::new(), table());
    table.set(&*node, &ways([16]));
    // It does what it is told, and nobody hears of it: it has what it is not to have.
    node.state().deaf = true;
    let done = table.set(&*node, &ways(20..23));
    assert!(
        done.iter()
            .all(|done| matches!(done, Err(Refusal::Failed(_)))),
        "{done:?}"
    );
    assert_eq!((done.len(), node.labels()), (3, vec![16, 20, 21, 22]));
    let done = table.set(&*node, &ways([30]));
    assert!(matches!(done[..], [Err(Refusal::Failed(_))]));
    node.state().deaf = false;
    node.state().order.clear();
    assert_eq!(table.set(&*node, &ways([40])), [Ok(())]);
    assert_eq!(node.labels(), [16, 40]);
    assert_eq!(node.state().order, ["clear", "connect", "connect"]);
}

#[test]
fn what_is_unset_while_the_guest_is_silent_is_gone_when_it_answers() {
    let (node, mut table) = (Node::new(), table());
    table.set(&*node, &ways(16..19));
    node.state().silent_after = Some(0);
    table.unset(&*node, &ways([17]));
    assert_eq!((table.len(), node.labels()), (2, vec![16, 17, 18]));
    assert!(!table.settle(&*node));
    node.state().silent_after = None;
    assert!(table.settle(&*node));
    assert_eq!(node.labels(), [16, 18]);
}

#[test]
fn a_guest_that_falls_silent_while_it_is_told_again_is_told_all_of_it_later() {
    let (node, mut table) = (Node::new(), table());
    let all = ways(16..16 + 2 * MOST_ITEMS as u32);
    table.set(&*node, &all);
    node.state().guest.clear();
    // The clear and the first packet.
    node.state().silent_after = Some(2);
    table.guest_is_new(&*node);
    assert_eq!(node.state().guest.len(), MOST_ITEMS);
    assert_eq!(table.len(), all.len(), "none is forgotten");
    node.state().silent_after = None;
    assert!(table.settle(&*node));
    assert_eq!(node.state().guest.len(), all.len());
}

#[test]
fn one_that_is_not_taken_again_is_forgotten_and_the_others_are_told() {
    let (node, mut table) = (Node::new(), table());
    table.set(&*node, &ways(16..20));
    node.state().full.insert(key(0, 17));
    table.guest_is_new(&*node);
    assert_eq!((node.labels(), table.len()), (vec![16, 18, 19], 3));
    // Nothing is asked of what is forgotten.
    table.unset(&*node, &ways([17]));
    assert_eq!(table.len(), 3);
}

#[test]
fn what_nothing_comes_in_for_is_not_told() {
    let (node, mut table) = (Node::new(), table());
    let mut own = ways(16..19);
    own[1].from = None;
    assert_eq!(table.set(&*node, &own), [Ok(()), Ok(()), Ok(())]);
    assert_eq!(node.labels(), [16, 18]);
    table.unset(&*node, &own);
    assert_eq!((node.labels(), table.len()), (vec![], 0));
}

#[test]
fn a_guest_that_cannot_be_asked_for_a_while_is_not_doubted() {
    let (node, mut table) = (Node::new(), table());
    table.set(&*node, &ways(16..19));
    node.state().order.clear();
    node.state().busy = 3;
    assert_eq!(table.set(&*node, &ways([20])), [Ok(())]);
    node.state().busy = usize::MAX;
    let done = table.set(&*node, &ways([21]));
    assert!(matches!(done[..], [Err(Refusal::Failed(_))]), "{done:?}");
    table.unset(&*node, &ways([17]));
    assert_eq!((table.len(), node.labels()), (3, vec![16, 17, 18, 20]));
    node.state().busy = 0;
    // What it still has goes first: its label may be another's by now.
    assert_eq!(table.set(&*node, &ways([17])), [Ok(())]);
    assert_eq!(node.labels(), [16, 17, 18, 20]);
    assert_eq!(node.state().order, ["connect", "disconnect", "connect"]);
}
