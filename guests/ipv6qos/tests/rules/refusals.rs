//! What is refused, and what is told.

use pinode_guest_ipv6qos::control::item::TableEntry;
use pinode_guest_ipv6qos::control::matching::Match;
use pinode_guest_ipv6qos::rules::{MAX_TABLES, Rules, Tables};

use crate::model;

fn wanted(json: &str) -> Match {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_rule_that_nothing_could_match_is_refused() {
    let (mut rules, mut tables) = (Rules::new(), Tables::new());
    for (json, told) in [
        (
            r#"{"protocol":"esp","dport":"53"}"#,
            "dport with protocol esp: no packet could match; allowed with tcp",
        ),
        (
            r#"{"protocol":"icmpv6","sport":"53"}"#,
            "sport with protocol icmpv6",
        ),
        (
            r#"{"protocol":"tcp","type":"128"}"#,
            "type with protocol tcp: no packet could match; allowed with icmpv6",
        ),
        (
            r#"{"sport":"53","type":"128"}"#,
            "sport with type: no packet could match",
        ),
        (
            r#"{"type":"250-256"}"#,
            "type 250-256: no packet could match; allowed: 0 to 255",
        ),
        (
            r#"{"vn":2,"dev":"west.1"}"#,
            "dev west.1 is in vn 1: no packet could match vn 2; allowed: 1, or no vn",
        ),
        (
            r#"{"dport":"53","fragment":true}"#,
            "dport with fragment true: no packet could match",
        ),
        (
            r#"{"type":"128","fragment":true}"#,
            "type with fragment true",
        ),
        (r#"{"dev":"north"}"#, "dev: \"north\" is no interface"),
    ] {
        let refused = rules.insert(&mut tables, &model::interface, None, &wanted(json), 0);
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(told), "{json}: {error}");
        assert!(rules.is_empty(), "{json}");
    }
    let accepted = [
        r#"{"protocol":"udplite","dport":"53"}"#,
        r#"{"protocol":"icmpv6","type":"128-129"}"#,
        r#"{"vn":1,"dev":"west.1"}"#,
        r#"{"dport":"53","fragment":false}"#,
        r#"{"protocol":"icmpv6","fragment":true}"#,
    ];
    for json in accepted {
        rules
            .insert(&mut tables, &model::interface, None, &wanted(json), 0)
            .unwrap();
    }
    assert_eq!(rules.len(), accepted.len());
    assert!(rules.list(None).map(|(at, ..)| at).eq([10, 20, 30, 40, 50]));
}

#[test]
fn priorities_end() {
    let (mut rules, mut tables) = (Rules::new(), Tables::new());
    let any = Match::default();
    let mut insert = |at| rules.insert(&mut tables, &model::interface, at, &any, 0);
    insert(Some(u32::MAX - 5)).unwrap();
    let error = insert(None).unwrap_err().to_string();
    assert!(
        error.contains("no priority is left behind 4294967290"),
        "{error}"
    );
    let error = insert(Some(u32::MAX - 5)).unwrap_err().to_string();
    assert!(
        error.contains("there is a rule with priority 4294967290"),
        "{error}"
    );
    insert(Some(0)).unwrap();
}

/// A rule that is refused leaves no table behind, a table lives as long as a rule names it, and there is a limit.
#[test]
fn tables_come_and_go() {
    let (mut rules, mut tables) = (Rules::new(), Tables::new());
    let names = |tables: &Tables| tables.list(None).map(|view| view.table).collect::<Vec<_>>();
    let entry = |table: &str| TableEntry {
        table: table.to_string(),
        prefix: "2001:db8::/32".parse().unwrap(),
    };
    let both = wanted(r#"{"from":"table:a","to":"table:b"}"#);
    rules
        .insert(&mut tables, &model::interface, Some(1), &both, 0)
        .unwrap();
    assert_eq!(names(&tables), ["a", "b"]);
    assert!(rules.work(&mut tables, u32::MAX));
    rules.remove(&mut tables, 1).unwrap();
    assert_eq!(names(&tables), ["a", "b"], "still in force");
    assert!(rules.work(&mut tables, u32::MAX));
    assert!(names(&tables).is_empty());

    assert!(tables.remove(&entry("a")).is_err());
    for number in 0..MAX_TABLES - 1 {
        tables.add(&entry(&format!("t{number}"))).unwrap();
    }
    let refused = rules.insert(&mut tables, &model::interface, Some(1), &both, 0);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("table b: there are 32 tables"), "{error}");
    assert_eq!(names(&tables).len(), MAX_TABLES - 1, "a went again");
    let error = tables.add(&entry("no name")).unwrap_err().to_string();
    assert!(error.contains("allowed: 1 to 32 letters"), "{error}");
    let error = tables.add(&entry("t0")).unwrap_err().to_string();
    assert_eq!(error, "table t0 has 2001:db8::/32 already");
    assert!(tables.entries("t99", None).is_err());
}

#[test]
fn tables_have_room_for_so_many_prefixes_and_no_more() {
    let mut tables = Tables::with_room(2).unwrap();
    let entry = |prefix: &str| TableEntry {
        table: "t".into(),
        prefix: prefix.parse().unwrap(),
    };
    for prefix in ["2001:db8::/32", "2001:db9::/32"] {
        tables.add(&entry(prefix)).unwrap();
    }
    let again = tables.add(&entry("2001:db8::/32")).unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
    let full = tables.add(&entry("2001:dba::/32")).unwrap_err();
    assert!(full.to_string().contains("limits.table_prefixes"), "{full}");
    tables.remove(&entry("2001:db8::/32")).unwrap();
    tables.add(&entry("2001:dba::/32")).unwrap();
}
