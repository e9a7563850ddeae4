use super::*;
use crate::results::sample;

fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let fields = |record: &::csv::StringRecord| record.iter().map(str::to_owned).collect();
    let head = fields(reader.headers().unwrap());
    (
        head,
        reader.records().map(|r| fields(&r.unwrap())).collect(),
    )
}

#[test]
fn a_line_for_each_stream_of_each_trial_and_each_record() {
    let results = sample::full();
    let text = to_csv(&results).unwrap();
    let (head, lines) = read(&text);
    assert_eq!(head, columns());
    let column = |name: &str| head.iter().position(|h| h == name).unwrap();
    let count = |record: &str| lines.iter().filter(|l| l[0] == record).count();
    let streams: usize = results.trials.iter().map(|t| t.streams.len()).sum();
    assert_eq!(count("trial"), streams);
    assert_eq!(count("throughput"), results.throughput.len());
    assert_eq!(count("back_to_back"), 3);
    assert_eq!((count("recovery"), count("reset")), (6, 6));
    assert_eq!(count("demand"), results.demands.len());
    assert_eq!(count("cpu"), results.cpu.len());
    assert_eq!(count("cpu_fit"), results.cpu_fit.len());

    let (trial, stream) = (&results.trials[5], &results.trials[5].streams[1]);
    let line = lines
        .iter()
        .filter(|l| l[column("trial")] == "5")
        .nth(1)
        .unwrap();
    let number = |name: &str| line[column(name)].parse::<f64>().unwrap();
    assert_eq!(line[column("test")], "loss");
    assert_eq!(line[column("pi")], "can");
    assert_eq!(line[column("size_octets")], trial.size.to_string());
    assert_eq!(number("offered_fps"), stream.offered_fps);
    assert_eq!(number("lost_frames"), stream.lost as f64);
    assert_eq!(number("latency_p999_ns"), stream.latency_ns.p999 as f64);
    assert_eq!(line[column("a")], "");
    let demand = lines.iter().filter(|l| l[0] == "demand").nth(1).unwrap();
    let of = |name: &str| demand[column(name)].as_str();
    assert_eq!(
        [
            of("met"),
            of("held"),
            of("repetitions"),
            of("bound_ns"),
            of("lost_frames")
        ],
        ["false", "1", "5", "400000", "1234"]
    );
    let fit = lines.iter().find(|l| l[0] == "cpu_fit").unwrap();
    assert_eq!(
        fit[column("a")].parse::<f64>().unwrap(),
        results.cpu_fit[0].fit.a
    );
}

/// RFC 4180 2: lines end in CR LF, the last too; fields with commas, quotation marks or line breaks are quoted.
#[test]
fn it_keeps_to_the_rfc() {
    let mut results = sample::empty();
    assert_eq!(
        to_csv(&results).unwrap(),
        format!("{}\r\n", columns().join(","))
    );
    results
        .trials
        .extend(sample::full().trials.into_iter().take(1));
    let pi = "a,\"b\"\r\nc";
    results.trials[0].streams[0].pi = pi.into();
    let text = to_csv(&results).unwrap();
    assert!(text.contains("\"a,\"\"b\"\"\r\nc\"") && text.ends_with("\r\n"));
    let (head, lines) = read(&text);
    assert!(lines.iter().all(|l| l.len() == head.len()));
    assert_eq!(lines[0][head.iter().position(|h| h == "pi").unwrap()], pi);
}

#[test]
fn no_latency_is_said_where_no_frame_arrived() {
    let mut results = sample::empty();
    results
        .trials
        .extend(sample::full().trials.into_iter().take(1));
    results.trials[0].streams[0].received = 0;
    let (head, lines) = read(&to_csv(&results).unwrap());
    let column = head.iter().position(|h| h == "latency_mean_ns").unwrap();
    assert_eq!(lines[0][column], "");
    assert_ne!(lines[1][column], "");
}

/// What docs/results.md says of the columns is all there is.
#[test]
fn every_column_is_documented() {
    let page = include_str!("../../../docs/results.md");
    for column in columns().iter().filter(|c| *c != "record") {
        assert!(page.contains(&format!("`{column}`")), "{column}");
    }
}
