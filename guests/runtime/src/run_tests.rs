//! The main loop on a platform where the test decides what happens while the guest sleeps.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::control::{Config, EVENTS_UNHEARD, FromGuest};
use crate::function::{Frames, Function, Output, VifIndex};
use crate::run::{Exit, Platform, run};
use crate::unsafe_rig::{Host, rig};
use crate::usage::Clock;
use crate::vif::{Direction, Net};

struct Cross;

impl Function for Cross {
    fn name(&self) -> &'static str {
        "cross"
    }
    fn configure(&mut self, config: &Config) -> Result<(), String> {
        if config.vifs.len() == 2 {
            Ok(())
        } else {
            Err("two vifs wanted".to_string())
        }
    }
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        while let Some(frame) = frames.next() {
            out.send(VifIndex(1 - from.0), frame);
        }
    }
    fn request(&mut self, now_ns: u64, request: &Value) -> Result<Value, String> {
        match request.as_u64() {
            Some(octets) => Ok("x".repeat(octets as usize).into()),
            None => Err(format!("{now_ns}: a number wanted")),
        }
    }
}

/// What happens in each sleep, in order; after the last the guest is told to stop.
type Script = VecDeque<fn(&mut Fake)>;

struct Fake {
    net: Option<Net>,
    hosts: Vec<Host>,
    inbox: VecDeque<String>,
    said: Vec<String>,
    script: Script,
    sleeps: usize,
    clock: core::cell::Cell<u64>,
    /// Rounds in each of which a frame comes, and how long each of these takes.
    feed: usize,
    step_ns: u64,
}

const CONFIG: &str = concat!(
    r#"{"config":{"function":"cross","vifs":[{"name":"w","mac":"02:00:00:00:00:01","mtu":1500},"#,
    r#"{"name":"e","mac":"02:00:00:00:00:02","mtu":1500}]}}"#
);

impl Fake {
    fn new(lines: &[&str], script: &[fn(&mut Fake)]) -> Self {
        let (net, hosts) = rig(2, 64, 1 << 20);
        Fake {
            net: Some(net),
            hosts,
            inbox: lines.iter().map(|line| line.to_string()).collect(),
            said: Vec::new(),
            script: script.iter().copied().collect(),
            sleeps: 0,
            clock: core::cell::Cell::new(0),
            feed: 0,
            step_ns: 0,
        }
    }

    fn run(&mut self) -> Exit {
        run(self, &mut Cross)
    }
}

impl Clock for Fake {
    fn ticks(&self) -> u64 {
        self.clock.set(self.clock.get() + 10);
        self.clock.get()
    }
    fn nanoseconds(&self, ticks: u64) -> u64 {
        ticks
    }
    fn away_ns(&self) -> u64 {
        0
    }
}

impl Platform for Fake {
    fn receive_line(&mut self) -> Option<String> {
        if self.net.is_none() && self.feed > 0 {
            self.feed -= 1;
            self.clock.set(self.clock.get() + self.step_ns);
            assert!(self.hosts[0].give(&[2; 60]));
            self.hosts[1].take();
        }
        self.inbox.pop_front()
    }
    fn send_line(&mut self, line: &str) {
        self.said.push(line.to_string());
    }
    fn log(&mut self, _: &str) {}
    fn arm(&mut self) -> bool {
        !self.inbox.is_empty()
    }
    fn idle(&mut self) {
        self.sleeps += 1;
        if self.net.is_none() {
            assert!(
                self.hosts.iter().all(Host::sees_sleep),
                "sleeps without saying so"
            );
        }
        match self.script.pop_front() {
            Some(step) => step(self),
            None => self.inbox.push_back(r#"{"stop":{}}"#.to_string()),
        }
    }
    fn reserve(&mut self, octets: u64) -> Result<(), String> {
        assert_eq!(octets, 0);
        Ok(())
    }
    fn open(&mut self, _: &Config) -> Result<Net, String> {
        self.net.take().ok_or("open already".to_string())
    }
    fn kick(&mut self, _: usize, _: Direction) {}
}

#[test]
fn speaks_the_protocol() {
    let mut fake = Fake::new(
        &[r#"{"ping":1}"#, "nonsense", CONFIG, r#"{"ping":2}"#, CONFIG],
        &[],
    );
    assert_eq!(fake.run(), Exit::Stopped);
    let said: Vec<&str> = fake.said.iter().map(String::as_str).collect();
    assert_eq!(said[..2], [r#"{"hello":{"abi":1}}"#, r#"{"pong":1}"#]);
    assert!(said[2].starts_with(r#"{"usage":"#), "{}", said[2]);
    assert!(
        said[3].starts_with(r#"{"error":"line not understood"#),
        "{}",
        said[3]
    );
    assert_eq!(said[4..6], [r#"{"ready":{}}"#, r#"{"pong":2}"#]);
    assert!(said[7].contains("configured already"), "{}", said[7]);
}

#[test]
fn refuses_what_the_function_refuses() {
    let lone = r#"{"config":{"function":"cross","vifs":[]}}"#;
    let mut fake = Fake::new(&[lone], &[]);
    assert_eq!(fake.run(), Exit::Refused("two vifs wanted".to_string()));
    assert_eq!(fake.said[1], r#"{"error":"two vifs wanted"}"#);
    assert!(fake.net.is_some(), "no vif was brought up");
}

#[test]
fn stops_before_it_is_configured() {
    let mut fake = Fake::new(&[], &[|_| {}, |_| {}]);
    assert_eq!(fake.run(), Exit::Stopped);
    assert_eq!((fake.sleeps, fake.said.len()), (3, 1));
}

#[test]
fn wakes_for_each_frame_and_forwards_it() {
    fn deliver(fake: &mut Fake) {
        assert!(fake.hosts[0].give(&[1; 60]));
        assert!(
            fake.hosts[0].interrupts(),
            "the frame would not have woken it"
        );
    }
    fn check(fake: &mut Fake) {
        assert_eq!(fake.hosts[1].take(), [[1; 60]]);
        // A wake-up without a frame, as another device's interrupt would be.
    }
    let mut fake = Fake::new(&[CONFIG], &[deliver, check, deliver, check]);
    assert_eq!(fake.run(), Exit::Stopped);
    assert_eq!(fake.sleeps, 5);
}

#[test]
fn counts_time_on_frames_apart_from_polling() {
    fn deliver(fake: &mut Fake) {
        for _ in 0..10 {
            fake.hosts[0].give(&[1; 60]);
        }
    }
    fn ask(fake: &mut Fake) {
        fake.inbox.push_back(r#"{"ping":9}"#.to_string());
    }
    let mut fake = Fake::new(&[CONFIG], &[deliver, ask]);
    assert_eq!(fake.run(), Exit::Stopped);
    let usage = fake
        .said
        .iter()
        .rev()
        .find(|line| line.starts_with(r#"{"usage""#))
        .unwrap();
    let FromGuest::Usage(usage) = serde_json::from_str(usage).unwrap() else {
        panic!()
    };
    assert_eq!((usage.frames, usage.discarded, usage.wakeups), (10, 0, 2));
    assert_eq!(usage.busy_ns, 10, "one round with frames");
    // Each tick that was read passed 10: a round after each wake-up, and the arming before each sleep.
    let slept = 2 * 10;
    assert!(usage.poll_ns > 0);
    assert_eq!(usage.up_ns, usage.busy_ns + usage.poll_ns + slept);
}

#[test]
fn a_broken_ring_ends_it() {
    fn scramble(fake: &mut Fake) {
        let Host { ram, layouts, .. } = &fake.hosts[0];
        ram.write(layouts[0].used + 2, &999u16.to_le_bytes())
            .unwrap();
    }
    let mut fake = Fake::new(&[CONFIG], &[scramble]);
    assert!(matches!(fake.run(), Exit::Broken(_)));
    assert!(
        fake.said.last().unwrap().contains("broke its ring"),
        "{:?}",
        fake.said
    );
}

#[test]
fn never_sleeps_when_told_to_poll() {
    let config = CONFIG.replace(r#""vifs""#, r#""idle_after_rounds":4294967295,"vifs""#);
    // Sleeps only before it is configured: the script hands it the lines one by one.
    let mut fake = Fake::new(&[&config, r#"{"ping":1}"#, r#"{"stop":{}}"#], &[]);
    assert_eq!(fake.run(), Exit::Stopped);
    assert_eq!(fake.sleeps, 0);
    assert!(fake.said.contains(&format!(r#"{{"pong":{}}}"#, 1)));
}

/// Counts how often it is told the time.
#[derive(Default)]
struct Ticks(Vec<u64>);

impl Function for Ticks {
    fn name(&self) -> &'static str {
        "ticks"
    }
    fn configure(&mut self, _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn burst(&mut self, _: VifIndex, _: &mut Frames<'_>, _: &mut Output<'_>) {}
    fn tick(&mut self, _: &mut Frames<'_>, out: &mut Output<'_>) {
        self.0.push(out.now_ns());
    }
}

#[test]
fn time_is_told_at_once_and_each_tick_and_after_each_sleep() {
    fn later(fake: &mut Fake) {
        fake.clock.set(fake.clock.get() + 200_000_000);
    }
    let mut fake = Fake::new(&[CONFIG], &[later, |_| {}, later]);
    let mut ticks = Ticks::default();
    assert_eq!(run(&mut fake, &mut ticks), Exit::Stopped);
    assert_eq!(ticks.0.len(), 3, "{:?}", ticks.0);
    assert!(ticks.0[0] < 1000 && ticks.0[1] > 200_000_000 && ticks.0[2] > 400_000_000);
}

#[test]
fn requests_are_answered_one_by_one() {
    let ask = |id: u32, body: &str| format!(r#"{{"request":{{"id":{id},"body":{body}}}}}"#);
    let lines = [
        ask(1, "3"),
        CONFIG.to_string(),
        ask(2, "3"),
        ask(3, "\"no\""),
        ask(4, "70000"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut fake = Fake::new(&lines, &[]);
    assert_eq!(fake.run(), Exit::Stopped);
    let answers = fake
        .said
        .iter()
        .filter_map(|line| match serde_json::from_str(line).unwrap() {
            FromGuest::Response { id, result } => Some((id, result)),
            _ => None,
        });
    let answers: Vec<(u64, Result<Value, String>)> = answers.collect();
    assert_eq!(answers.len(), 4);
    let error = |n: usize| answers[n].1.clone().unwrap_err();
    assert_eq!(error(0), "the guest is not configured yet");
    assert_eq!(answers[1], (2, Ok("xxx".into())));
    assert!(error(2).ends_with("a number wanted"));
    assert!(error(3).ends_with("allowed: 65536"), "{}", error(3));
}

#[test]
fn a_function_without_requests_says_so() {
    let error = Ticks::default().request(0, &Value::Null).unwrap_err();
    assert_eq!(error, "ticks takes no requests");
}

/// Begins work that takes some calls, and notes before how many frames each came.
#[derive(Default)]
struct Slow {
    left: u64,
    frames: usize,
    worked_at: Vec<usize>,
}

impl Function for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn configure(&mut self, _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        while let Some(frame) = frames.next() {
            self.frames += 1;
            out.send(VifIndex(1 - from.0), frame);
        }
    }
    fn request(&mut self, _: u64, request: &Value) -> Result<Value, String> {
        self.left += request.as_u64().ok_or("a number wanted")?;
        Ok(request.clone())
    }
    fn work(&mut self) -> bool {
        self.worked_at.push(self.frames);
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }
}

#[test]
fn an_answer_comes_when_what_it_answers_is_done_and_nobody_sleeps_before() {
    fn ask(fake: &mut Fake) {
        let lines = [
            r#"{"request":{"id":1,"body":50}}"#,
            r#"{"ping":9}"#,
            r#"{"request":{"id":2,"body":"no"}}"#,
        ];
        fake.inbox.extend(lines.map(str::to_string));
    }
    fn look(fake: &mut Fake) {
        let said = |what: &str| fake.said.iter().position(|line| line.contains(what));
        let first = said(r#""id":1"#).expect("slept before it answered");
        assert!(said(r#""pong":9"#).unwrap() < first && first < said(r#""id":2"#).unwrap());
    }
    let mut fake = Fake::new(&[CONFIG], &[ask, look]);
    let mut slow = Slow::default();
    assert_eq!(run(&mut fake, &mut slow), Exit::Stopped);
    assert_eq!((slow.left, slow.worked_at.len(), fake.sleeps), (0, 50, 3));
}

#[test]
fn work_goes_on_now_and_then_while_frames_come_in_every_round() {
    let ask = r#"{"request":{"id":1,"body":5}}"#;
    let mut fake = Fake::new(&[CONFIG, ask], &[]);
    (fake.feed, fake.step_ns) = (40, 100_000);
    let mut slow = Slow::default();
    assert_eq!(run(&mut fake, &mut slow), Exit::Stopped);
    assert_eq!((slow.left, slow.frames), (0, 40));
    // A round of 100 us has a frame, and what is left is gone on with every 250 us; the first time behind the request.
    let mut between = slow.worked_at.windows(2).map(|at| at[1] - at[0]).skip(1);
    assert!(between.all(|frames| frames == 3), "{:?}", slow.worked_at);
}

/// Has some things to say, and notes how often it was asked for one.
struct Talker {
    left: u64,
    asked: usize,
}

impl Function for Talker {
    fn name(&self) -> &'static str {
        "talker"
    }
    fn configure(&mut self, _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn burst(&mut self, _: VifIndex, _: &mut Frames<'_>, _: &mut Output<'_>) {}
    fn has_event(&self) -> bool {
        self.left > 0
    }
    fn event(&mut self) -> Option<Value> {
        self.asked += 1;
        self.left -= 1;
        // One that does not fit.
        match self.left {
            7 => Some("x".repeat(70_000).into()),
            left => Some(left.into()),
        }
    }
}

#[test]
fn what_nobody_asked_for_is_said_as_far_as_the_host_has_room() {
    fn said(fake: &Fake) -> usize {
        fake.said
            .iter()
            .filter(|l| l.starts_with(r#"{"event":"#))
            .count()
    }
    fn hear_some(fake: &mut Fake) {
        assert_eq!(said(fake), EVENTS_UNHEARD as usize);
        fake.inbox.push_back(r#"{"heard":10}"#.to_string());
    }
    fn hear_all(fake: &mut Fake) {
        assert_eq!(said(fake), EVENTS_UNHEARD as usize + 10);
        // More than there were, and then fewer.
        fake.inbox.push_back(r#"{"heard":99999}"#.to_string());
        fake.inbox.push_back(r#"{"heard":0}"#.to_string());
    }
    let mut fake = Fake::new(&[CONFIG], &[hear_some, hear_all]);
    let mut talker = Talker { left: 60, asked: 0 };
    assert_eq!(run(&mut fake, &mut talker), Exit::Stopped);
    assert_eq!((talker.left, talker.asked, said(&fake)), (0, 60, 59));
    // Asleep only where there was nothing it might have said.
    assert_eq!(fake.sleeps, 3);
    let events = fake
        .said
        .iter()
        .filter_map(|line| match serde_json::from_str(line) {
            Ok(FromGuest::Event(event)) => event.as_u64(),
            _ => None,
        });
    assert!(events.eq((0..60).rev().filter(|left| *left != 7)));
}

#[test]
fn what_a_request_left_to_be_sent_is_sent_before_the_guest_sleeps() {
    let lines = [CONFIG, r#"{"request":{"id":1,"body":0}}"#];
    let mut fake = Fake::new(&lines, &[]);
    let mut ticks = Ticks::default();
    assert_eq!(run(&mut fake, &mut ticks), Exit::Stopped);
    assert!(ticks.0.len() >= 2, "{:?}", ticks.0);
}
