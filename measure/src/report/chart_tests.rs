use super::*;

fn chart(series: Vec<Series>) -> Chart<'static> {
    Chart {
        title: "Throughput",
        about: "What came out.",
        x: "offered, Mb/s",
        y: "Mb/s",
        logarithmic: false,
        width: WHOLE,
        reach: (0.0, 0.0),
        kinds: None,
        series,
    }
}

fn series(points: &[(f64, f64)]) -> Series {
    Series {
        name: "79 B".into(),
        style: 2,
        marked: true,
        joined: true,
        points: points.to_vec(),
        ..Series::default()
    }
}

#[test]
fn points_are_where_the_axes_say() {
    let svg = chart(vec![series(&[(0.0, 0.0), (100.0, 50.0)])])
        .draw()
        .unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let line = document
        .descendants()
        .find(|n| n.tag_name().name() == "polyline")
        .and_then(|n| n.attribute("points"))
        .unwrap();
    // 960 wide, values from 64 to 944; a legend of one row of 18 above 280.
    assert_eq!(line, "64.0,324.0 944.0,44.0 ");
    assert_eq!(
        svg.matches("class=\"mark c2\"").count(),
        3,
        "two and the legend's"
    );
}

#[test]
fn what_is_no_number_or_below_a_logarithmic_axis_is_not_drawn() {
    let odd = [(f64::NAN, 1.0), (1.0, f64::INFINITY), (-1.0, 1.0)];
    assert_eq!(chart(vec![series(&odd)]).draw(), None);
    assert_eq!(chart(vec![]).draw(), None);
    let mut logarithmic = chart(vec![series(&[(1.0, 0.0), (2.0, 7.0), (3.0, 900.0)])]);
    logarithmic.logarithmic = true;
    let svg = logarithmic.draw().unwrap();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert_eq!(svg.matches("class=\"mark c2\"").count(), 3);
}

#[test]
fn kinds_are_dashed_and_explained() {
    let mut two = chart(vec![
        series(&[(1.0, 1.0), (2.0, 2.0)]),
        Series {
            hollow: true,
            ..series(&[(1.0, 3.0), (2.0, 4.0)])
        },
    ]);
    two.kinds = Some(("VM", "thread"));
    let svg = two.draw().unwrap();
    assert!(svg.contains(r#"<polyline class="line c2 d1""#), "{svg}");
    assert_eq!(svg.matches(r#"class="mark c2 hollow""#).count(), 2);
    for words in ["VM", "thread"] {
        assert!(svg.contains(&format!(">{words}</text>")));
    }
    assert_eq!(svg.matches(">79 B</text>").count(), 1);
}

#[test]
fn names_are_words_and_nothing_else() {
    let evil = Series {
        name: "<b>&\"".into(),
        ..series(&[(1.0, 1.0)])
    };
    let svg = chart(vec![evil]).draw().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert!(document.descendants().any(|n| n.text() == Some("<b>&\"")));
}
