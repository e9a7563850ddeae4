//! Commands reach a worker that polls, from however many askers, and the last one that goes ends it.

mod rig;

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use pinode_node::dataplane::baton::Baton;
use pinode_node::dataplane::bell::Bell;
use pinode_node::dataplane::mailbox::{Command, Mailbox};
use pinode_node::dataplane::vif::VifPart;
use pinode_node::dataplane::worker::{Turn, Worker};
use rig::VirtualClock;

const ASKERS: usize = 4;
/// Longer than any machine takes, so that a lost command is a failure and not a test without end.
const LOST: Duration = Duration::from_secs(120);

/// A worker without ports.
fn worker() -> (Mailbox, Worker<VirtualClock>) {
    let (mailbox, inbox) = Mailbox::new(Bell::new().unwrap());
    let clock = VirtualClock::default();
    let events = Box::new(|_| ());
    let worker = Worker::new(0, clock, Vec::new(), Baton::at_once(), inbox, events);
    (mailbox, worker)
}

/// The worker on a thread of its own, turned until it says that it has stopped.
fn poll(mut worker: Worker<VirtualClock>) -> Receiver<()> {
    let (stopped, end) = channel();
    thread::spawn(move || {
        while worker.turn() != Turn::Stopped {
            thread::yield_now();
        }
        // The test may have failed meanwhile.
        let _ = stopped.send(());
    });
    end
}

/// A command that is answered and changes nothing.
fn question(reply: SyncSender<Vec<VifPart>>) -> Command {
    Command::Detach {
        slot: 0,
        port: None,
        reply,
    }
}

/// Posts `commands` and gives where their answers come.
fn ask(mailbox: &Mailbox, commands: usize) -> Receiver<Vec<VifPart>> {
    let (reply, answers) = sync_channel(commands);
    for _ in 0..commands {
        mailbox.post(question(reply.clone())).unwrap();
    }
    answers
}

fn await_all(answers: &Receiver<Vec<VifPart>>, commands: usize) {
    for answer in 0..commands {
        let came = answers.recv_timeout(LOST);
        assert!(came.is_ok(), "answer {answer} of {commands}");
    }
}

#[test]
fn every_command_of_several_askers_is_answered() {
    let (mailbox, worker) = worker();
    let end = poll(worker);
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let mailbox = mailbox.clone();
            thread::spawn(move || {
                for round in 0..500 {
                    let commands = 1 + (asker + round) % 12;
                    await_all(&ask(&mailbox, commands), commands);
                }
            })
        })
        .collect();
    for asker in askers {
        asker.join().unwrap();
    }
    assert!(end.try_recv().is_err(), "one mailbox is left");
    drop(mailbox);
    end.recv_timeout(LOST).unwrap();
}

/// The last one to go may do so at any moment of the worker's look.
#[test]
fn a_worker_whose_last_asker_goes_stops() {
    for round in 0..200 {
        let (mailbox, worker) = worker();
        let end = poll(worker);
        let answers = ask(&mailbox, round % 3);
        let askers: Vec<_> = (0..ASKERS)
            .map(|_| {
                let mailbox = mailbox.clone();
                thread::spawn(move || drop(ask(&mailbox, 1)))
            })
            .collect();
        drop(mailbox);
        end.recv_timeout(LOST).unwrap();
        await_all(&answers, round % 3);
        for asker in askers {
            asker.join().unwrap();
        }
    }
}

#[test]
fn a_turn_obeys_one_command_and_the_next_the_next() {
    let (mailbox, mut worker) = worker();
    assert_eq!(worker.turn(), Turn::Nothing);
    let answers = ask(&mailbox, 3);
    for _ in 0..3 {
        assert!(answers.try_recv().is_err());
        assert_eq!(worker.turn(), Turn::Worked);
        assert!(answers.try_recv().is_ok());
    }
    assert_eq!(worker.turn(), Turn::Nothing);
    assert_eq!(worker.turn(), Turn::Nothing);
}

#[test]
fn only_the_last_mailbox_ends_the_worker_and_not_before_its_commands() {
    let (mailbox, mut worker) = worker();
    let other = mailbox.clone();
    drop(mailbox);
    assert_eq!(worker.turn(), Turn::Nothing, "one is left");
    let answers = ask(&other, 2);
    drop(other);
    assert_eq!(worker.turn(), Turn::Worked);
    assert_eq!(worker.turn(), Turn::Worked);
    await_all(&answers, 2);
    assert_eq!(worker.turn(), Turn::Stopped);
}

#[test]
fn a_worker_that_is_told_to_stop_stops_whoever_is_left() {
    let (mailbox, mut worker) = worker();
    mailbox.stop();
    assert_eq!(worker.turn(), Turn::Stopped);
    drop(worker);
    let (reply, _answer) = sync_channel(1);
    assert!(mailbox.post(question(reply)).is_err(), "the worker is gone");
}
