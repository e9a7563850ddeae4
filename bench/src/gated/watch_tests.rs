use super::*;

const US: u64 = 1_000;

/// Three windows of 100 us; frames of 79 octets at 1 Gb/s hold the link for 792 ns.
fn windows() -> Windows {
    Windows {
        base_ns: 1_000_000 * US,
        cycle_ns: 300 * US,
        spans: [0, 100, 200].map(|at| Span {
            opens_ns: at * US,
            usable_ns: 100 * US,
        }),
    }
}

const WIRE_PS: u64 = 792_000;

/// A frame that leaves when it is to.
fn at(start_ns: u64, wire_ps: u64) -> Departure {
    Departure {
        handed_ns: start_ns,
        start_ns,
        left_ns: start_ns,
        wire_ps,
    }
}

/// Watches one cycle, the third behind the base, into which `frames` (PI, start in the cycle) go.
fn watched(frames: &[(usize, u64)]) -> Watch {
    let from_ns = windows().base_ns + 600 * US;
    let mut watch = Watch::new(windows(), from_ns, from_ns + 300 * US);
    for (pi, at_ns) in frames {
        let on_time = at(from_ns + at_ns, WIRE_PS);
        let handed_ns = on_time.start_ns + 40;
        watch.frame(
            *pi,
            Departure {
                handed_ns,
                ..on_time
            },
        );
    }
    watch
}

/// A whole window of `pi`, back to back, its first frame `late_ns` after the opening.
fn full(pi: usize, late_ns: u64) -> Vec<(usize, u64)> {
    let first_ns = pi as u64 * 100 * US + late_ns;
    (0..126).map(|n| (pi, first_ns + n * 792)).collect()
}

#[test]
fn full_windows_are_inside_without_a_shift() {
    let frames: Vec<_> = (0..PIS).flat_map(|pi| full(pi, 60)).collect();
    let watch = watched(&frames);
    let fit = watch.fit();
    assert_eq!((fit.shift_ns, fit.outside), (0, 0));
    assert_eq!(
        (fit.earliest_start_ns, fit.latest_end_ns),
        (Some(60), Some(-148))
    );
    for pi in &watch.pis {
        assert_eq!((pi.frames, pi.windows, pi.overlaps), (126, 1, 0));
        assert_eq!(pi.mean_before_ns(0), 60.0);
        assert_eq!(pi.mean_between_ns(), 0.0);
    }
    assert_eq!(watch.windows_of_each(), 1);
}

#[test]
fn a_base_that_is_a_little_off_is_found() {
    // As seen with a base that is 30 ns late: windows open 30 ns early.
    let mut frames = vec![(1, 100 * US - 30), (1, 150 * US)];
    frames.extend([(2, 200 * US - 25)]);
    let fit = watched(&frames).fit();
    assert_eq!((fit.shift_ns, fit.outside), (-30, 0));
}

#[test]
fn no_shift_makes_up_for_a_frame_across_its_close() {
    // One at the very opening, one that ends 8 ns behind the close: whatever the base is, one is outside.
    let frames = [(0, 0), (0, 100 * US - 784)];
    assert_eq!(watched(&frames).fit().outside, 1);
    let held = [(0, 0), (0, 100 * US - 792)];
    assert_eq!(watched(&held).fit().outside, 0);
}

#[test]
fn all_pis_have_one_shift() {
    // The first would need its windows 10 ns earlier, the second 10 ns later.
    let frames = [
        (0, 10),
        (0, 100 * US - 792 - 10),
        (1, 100 * US),
        (1, 200 * US - 792),
    ];
    assert_eq!(watched(&frames).fit().outside, 0);
    let torn = [(1, 100 * US - 10), (0, 100 * US - 792 + 10)];
    assert_eq!(watched(&torn).fit().outside, 1);
}

#[test]
fn a_frame_in_anothers_window_is_outside() {
    for at_us in [150, 199, 250, 298] {
        let fit = watched(&[(0, 20), (0, at_us * US)]).fit();
        assert_eq!(fit.outside, 1, "{at_us} us");
    }
}

#[test]
fn frames_before_their_window_and_far_behind_it_are_outside() {
    // Behind the window before, by 2 us and by nearly all the way to the next.
    assert_eq!(watched(&[(2, 2 * US), (2, 198 * US)]).fit().outside, 2);
    // An earlier opening would do for this one alone, and not with another at the close.
    let early = [(2, 200 * US - 500), (2, 300 * US - 792)];
    assert_eq!(watched(&early).fit().outside, 1);
}

#[test]
fn frames_that_overlap_are_above_the_capacity() {
    let overlaps = |frames: &[(usize, u64)]| watched(frames).pis[0].overlaps;
    assert_eq!(overlaps(&[(0, 0), (0, 791)]), 1);
    assert_eq!(overlaps(&[(0, 0), (0, 792)]), 0);
    // Launch time: the next window's come before this one's last.
    let ahead = watched(&[(0, 0), (1, 100 * US), (0, 99 * US), (1, 100 * US + 792)]);
    assert!(ahead.pis.iter().all(|pi| pi.overlaps == 0));
    assert_eq!(ahead.fit().outside, 0);
    // The end of one PI's frame behind the start of the next PI's is one outside of its window.
    assert_eq!(watched(&[(0, 99_500), (1, 100 * US)]).fit().outside, 1);
}

#[test]
fn fractions_of_a_nanosecond_add_up() {
    // 79.2 ns each, starts rounded down: exact, and then each 79 ns, which is above C.
    let from_ns = windows().base_ns + 600 * US;
    let run = |start: fn(u64) -> u64| {
        let mut watch = Watch::new(windows(), from_ns, from_ns + 300 * US);
        for n in 0..100 {
            watch.frame(0, at(from_ns + start(n), 79_200));
        }
        watch.pis[0].overlaps
    };
    assert_eq!(run(|n| n * 792 / 10), 0);
    assert!(run(|n| n * 79) > 0);
}

#[test]
fn time_without_frames_is_told_apart() {
    let from_ns = windows().base_ns + 600 * US;
    let mut watch = Watch::new(windows(), from_ns, from_ns + 600 * US);
    for at_ns in [250, 250 + 792, 250 + 2 * 792 + 5_000, 300 * US + 150] {
        watch.frame(0, at(from_ns + at_ns, WIRE_PS));
    }
    let pi = &watch.pis[0];
    assert_eq!(pi.windows, 2);
    assert_eq!(pi.mean_before_ns(0), 200.0);
    assert_eq!(pi.mean_between_ns(), 2_500.0);
    assert_eq!(
        pi.mean_behind_ns(0),
        f64::from(100_000 - 250 - 3 * 792 - 5_000)
    );
    assert_eq!(watch.windows_of_each(), 2);
}

#[test]
fn first_frames_say_how_late_they_start_and_come() {
    let watch = watched(&[(0, 60), (0, 900), (1, 100 * US + 80)]);
    let (mut started, mut committed) = (stats::total(), stats::total());
    watch
        .pis
        .iter()
        .for_each(|pi| pi.add_to(&mut started, &mut committed));
    assert_eq!(
        (lateness(&started, 0).min, lateness(&started, 0).max),
        (60, 80)
    );
    assert_eq!(lateness(&started, 10).max, 70);
    assert_eq!(
        (lateness(&committed, 0).min, lateness(&committed, 0).max),
        (100, 120)
    );
}

#[test]
fn only_frames_of_the_time_watched_count() {
    let from_ns = windows().base_ns + 600 * US;
    let mut watch = Watch::new(windows(), from_ns, from_ns + 300 * US);
    for at_ns in [from_ns - 1, from_ns + 300 * US] {
        watch.frame(0, at(at_ns, WIRE_PS));
    }
    assert_eq!(watch.pis[0].frames, 0);
    watch.frame(PIS, at(from_ns, WIRE_PS));
    assert_eq!(watch.foreign, 1);
    watch.begin(from_ns - 1);
    assert!(!watch.is_late);
    watch.begin(from_ns);
    assert!(watch.is_late);
    assert!(!watch.is_over(from_ns + 300 * US));
    assert!(watch.is_over(from_ns + 302 * US + 1_000_000));
}

#[test]
fn cycles_are_counted_from_the_base() {
    let w = windows();
    assert_eq!(w.cycle_from(w.base_ns), w.base_ns);
    assert_eq!(w.cycle_from(w.base_ns + 1), w.base_ns + 300 * US);
}

#[test]
fn frames_count_where_they_leave_and_not_where_they_were_to() {
    let from_ns = windows().base_ns + 600 * US;
    let mut watch = Watch::new(windows(), from_ns, from_ns + 300 * US);
    let last = at(from_ns + 100 * US - 792, WIRE_PS);
    watch.frame(0, at(from_ns, WIRE_PS));
    watch.frame(0, last);
    assert_eq!((watch.fit().outside, watch.pis[0].late), (0, 0));
    let left_ns = last.left_ns + 5;
    watch.frame(0, Departure { left_ns, ..last });
    assert_eq!((watch.fit().outside, watch.pis[0].late), (1, 1));
}
