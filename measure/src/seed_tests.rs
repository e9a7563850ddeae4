use super::*;

fn point(pi: &str, isolation: &str, size: u16, kfps: f64, percent: f64) -> CpuPoint {
    CpuPoint {
        pi: pi.into(),
        isolation: isolation.into(),
        size: SizeLabel::Octets(size),
        offered_l2_bps: 8.0 * f64::from(size) * kfps * 1000.0,
        kfps,
        percent,
        lossless: true,
    }
}

/// Table 1 as it is printed, a size a line: QoS, CAN, DSS, each a, b, R-square.
const PRINTED: &str = "
79	3.2580	17.4400	0.9859	3.8780	20.7800	0.9827	2.5440	15.9600	0.9885
128	2.6810	8.4820	0.9859	3.1700	10.7200	0.9850	2.0680	9.1430	0.9832
256	1.4670	9.5110	0.9832	1.7810	12.1500	0.9882	1.1080	10.5500	0.9626
512	0.9354	7.4550	0.9561	1.0680	8.9720	0.9614	0.7271	9.0230	0.9182
1024	0.6521	4.4250	0.9842	0.7717	5.1020	0.9808	0.5987	5.2490	0.9637
1280	0.3863	4.8230	0.9646	0.4427	4.9360	0.9117	0.4262	4.5550	0.8367
1518	0.3717	3.9690	0.9614	0.3769	4.7130	0.8977	0.4678	3.3700	0.9452
";

#[test]
fn the_table_is_as_printed() {
    let lines: Vec<&str> = PRINTED.trim().lines().collect();
    assert_eq!(lines.len(), TABLE_1.len());
    for (text, (size, row)) in lines.iter().zip(SIZES.iter().zip(&TABLE_1)) {
        let numbers: Vec<f64> = text.split('\t').map(|word| word.parse().unwrap()).collect();
        let ours = row.iter().flat_map(|line| [line.a, line.b, line.r2]);
        let ours: Vec<f64> = [f64::from(*size)].into_iter().chain(ours).collect();
        assert_eq!(numbers, ours);
    }
    // "CAN" is the most expensive where frames are small (section 7.1).
    let can = published("can", &SizeLabel::Octets(79)).unwrap();
    assert_eq!(can, line(3.878, 20.78, 0.9827));
    assert_eq!(
        published("dss", &SizeLabel::Octets(1280)).unwrap().r2,
        0.8367
    );
    assert_eq!(published("host", &SizeLabel::Octets(79)), None);
    assert_eq!(published("can", &SizeLabel::Octets(80)), None);
    assert_eq!(
        published("can", &SizeLabel::Mix("random 79..1518".into())),
        None
    );
}

#[test]
fn rates_are_the_papers_range_and_fit_on_its_link() {
    for quick in [true, false] {
        let rates = rates_bps(quick);
        assert_eq!((rates[0], rates[rates.len() - 1]), RATES_BPS);
        assert!(rates.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rates.iter().all(|rate| 3.0 * rate <= CAPACITY_BPS as f64));
    }
    assert_eq!((rates_bps(true).len(), rates_bps(false).len()), (6, 17));
    // A link of 1 Gb/s carries 1,262,626 frames of 79 octets.
    assert_eq!(frames_per_second(1e9, 79.0).floor(), 1_262_626.0);
}

#[test]
fn a_line_for_each_through_what_was_not_lost() {
    let mut points = Vec::new();
    for kfps in [10.0, 20.0, 40.0] {
        for (pi, a) in [("ipv6qos", 2.0), ("host", 0.5)] {
            points.push(point(pi, "kvm", 79, kfps, a * kfps + 3.0));
        }
        points.push(point("ipv6qos", "thread", 79, kfps, kfps));
        points.push(point("ipv6qos", "kvm", 128, kfps, kfps));
    }
    let mut above = point("ipv6qos", "kvm", 79, 60.0, 7.0);
    above.lossless = false;
    points.push(above);
    points[3].lossless = false;
    let found = fits(&points);
    let names: Vec<_> = found
        .iter()
        .map(|f| (f.pi.as_str(), f.isolation.as_str(), f.size.clone()))
        .collect();
    let small = SizeLabel::Octets(79);
    // Of the fourth only two points are left.
    let expected = [("ipv6qos", "kvm"), ("host", "kvm"), ("ipv6qos", "thread")];
    assert_eq!(
        names,
        expected.map(|(pi, isolation)| (pi, isolation, small.clone()))
    );
    let first = &found[0].fit;
    assert_eq!(
        (first.a, first.b, first.r2, first.points),
        (2.0, 3.0, 1.0, 3)
    );
    assert_eq!((first.from, first.to), (10.0, 40.0));

    let table = beside(&found);
    assert_eq!(table.len(), 2);
    assert_eq!(table[0].published, Some(TABLE_1[0][0]));
    assert_eq!(table[0].kvm.map(|fit| fit.a), Some(2.0));
    assert_eq!(table[0].thread.map(|fit| fit.a), Some(1.0));
    assert_eq!((table[1].published, table[1].thread), (None, None));
}

#[test]
fn what_the_kernel_has_more_is_by_wake_up() {
    let check = CpuCheck {
        pi: "can".into(),
        isolation: "kvm".into(),
        size: None,
        fps: 1.0,
        busy_ns: 300,
        poll_ns: 100,
        away_ns: 7,
        thread_cpu_ns: 1000,
        wakeups: 6,
        wall_ns: 10_000,
    };
    assert_eq!(check.remainder_ns(), 600.0);
    assert_eq!(check.remainder_ns_per_wakeup(), Some(100.0));
    let awake = CpuCheck {
        wakeups: 0,
        ..check
    };
    assert_eq!(awake.remainder_ns_per_wakeup(), None);
}
