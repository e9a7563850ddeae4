//! Numbers of policers.

use super::*;

fn item(name: &str) -> item::Policer {
    let text = alloc::format!(
        r#"{{"name":"{name}","meter":"srtcm","cir":"1Mbps","cbs":"1KiB","ebs":"0B"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_number_is_never_that_of_another() {
    let mut policers = Policers::with_room(1);
    policers.add(&item("a")).unwrap();
    let a = policers.find("a").unwrap();
    policers.hold(a);
    let refused = policers.delete("a", |id| {
        assert_eq!(id, a);
        "7".into()
    });
    assert!(refused.unwrap_err().to_string().contains("rules 7;"));
    policers.release(a);
    policers.delete("a", |_| unreachable!()).unwrap();
    assert!(policers.get_mut(a).is_none());
    // It gets the slot, and not the number.
    policers.add(&item("b")).unwrap();
    let b = policers.find("b").unwrap();
    assert_eq!(a.slot, b.slot);
    assert!(policers.get_mut(a).is_none());
    assert_eq!(policers.get_mut(b).unwrap().name(), "b");
    policers.hold(a);
    policers.delete("b", |_| unreachable!()).unwrap();
}
