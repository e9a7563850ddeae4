use super::*;
use crate::results::sample;

#[test]
fn full_results_fit_a_terminal_and_have_their_numbers() {
    let results = sample::full();
    let text = tables(&results);
    for line in text.lines() {
        assert!(
            line.chars().count() <= 100,
            "{}: {line}",
            line.chars().count()
        );
        assert!(line.is_ascii(), "{line}");
    }
    for caption in ["Demands", "Throughput", "Latency", "Frame loss", "CPU %"] {
        assert!(text.lines().any(|l| l.starts_with(caption)), "{caption}");
    }
    // Table 1: 79 octets, can.
    let row = text
        .lines()
        .find(|l| l.contains("3.8780") && l.contains("20.780"))
        .unwrap();
    let fit = |isolation: &str| {
        let is = |f: &&crate::results::CpuFit| {
            f.pi == "can" && f.isolation == isolation && f.size.to_string() == "79"
        };
        results.cpu_fit.iter().find(is).unwrap().fit
    };
    for isolation in sample::ISOLATIONS {
        assert!(row.contains(&format!("{:.4}", fit(isolation).a)), "{row}");
    }
    let found = &results.throughput[0];
    let row = text
        .lines()
        .find(|l| l.contains(&format!("{:.2}", found.fps / 1e3)))
        .unwrap();
    assert!(
        row.contains("ipv6qos") && row.contains("99.20") && row.contains("device"),
        "{row}"
    );
}

#[test]
fn a_demand_that_is_not_met_says_so() {
    let text = tables(&sample::full());
    let rows: Vec<&str> = text.lines().skip(2).take(3).collect();
    let ends: Vec<_> = rows
        .iter()
        .map(|row| row.split_whitespace().next_back())
        .collect();
    assert_eq!(ends, [Some("yes"), Some("NO"), Some("yes")], "{text}");
    assert!(rows[0].contains(" 99.99 "), "{text}");
    assert!(
        rows[1].contains(" 1234 ") && rows[1].contains(" 1/5 "),
        "{text}"
    );
    assert!(rows[2].contains(" - "), "no bound: {text}");
}

#[test]
fn nothing_found_is_nothing_said() {
    assert_eq!(tables(&sample::empty()), "");
}

#[test]
fn columns_that_say_nothing_are_left_out_and_names_cannot_steer_the_terminal() {
    let mut results = sample::empty();
    results
        .throughput
        .extend(sample::full().throughput.into_iter().take(1));
    results.throughput[0].isolation = None;
    results.throughput[0].pi = "\u{1b}[31mred\n".into();
    let text = tables(&results);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        !text.contains(" in ") && text.contains("[31mred") && !text.contains('\u{1b}'),
        "{text}"
    );
}
