use super::*;

fn parse(given: &str) -> Result<MemifSpec, MemifError> {
    given.parse()
}

#[test]
fn a_socket_alone_is_a_master_of_interface_0() {
    let spec = parse("/run/w.sock").expect("parses");
    assert_eq!(spec.role(), MemifRole::Master);
    assert_eq!((spec.id, spec.ring()), (0, 1024));
    assert!(spec.secret.is_none() && !spec.is_abstract());
    assert_eq!(
        spec.in_folder(Path::new("/etc")).socket(),
        Path::new("/run/w.sock")
    );
}

#[test]
fn paths_are_relative_to_a_folder_names_are_not() {
    let folder = Path::new("/etc/n");
    let path = parse("w.sock").expect("parses").in_folder(folder);
    assert_eq!(path.socket(), Path::new("/etc/n/w.sock"));
    let name = parse("@w.sock").expect("parses").in_folder(folder);
    assert_eq!(
        (name.socket(), name.is_abstract()),
        (Path::new("w.sock"), true)
    );
    assert_eq!(name.to_string(), "@w.sock,role=master,id=0,ring=1024");
}

#[test]
fn the_secret_is_shown_nowhere() {
    let spec = parse("/w,secret=hush,role=slave").expect("parses");
    assert!(!format!("{spec:?} {spec}").contains("hush"));
    let mut given = [0; SECRET_OCTETS];
    given[..4].copy_from_slice(b"hush");
    assert!(spec.secret.is(&given));
    given[5] = 1;
    assert!(!spec.secret.is(&given));
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    for (given, said) in [
        ("", "1 to 107"),
        ("@", "1 to 107"),
        (&"x".repeat(108), "1 to 107"),
        ("/w,role=both", "master or slave"),
        ("/w,id=-1", "0 to 4294967295"),
        ("/w,ring=1000", "128 to 16384"),
        ("/w,ring=64", "128 to 16384"),
        ("/w,ring=32768", "128 to 16384"),
        ("/w,secret=", "1 to 23"),
        ("/w,secret=123456789012345678901234", "1 to 23"),
        ("/w,bsize=2048", "role=master|slave"),
        ("/w,id=1,id=2", "twice"),
    ] {
        let error = parse(given).expect_err(given).to_string();
        assert!(error.contains(said), "{given}: {error}");
    }
}

#[test]
fn a_socket_has_one_master_and_slaves_of_different_ids() {
    let clash = |a, b| {
        let spec = |given| parse(given).expect("parses");
        spec(a).clashes_with(&spec(b))
    };
    assert!(clash("/w", "/w,id=1"));
    assert!(clash("/w,role=slave,id=1", "/w,role=slave,id=1,ring=128"));
    assert!(!clash("/w,role=slave", "/w,role=slave,id=1"));
    assert!(!clash("/w", "/w,role=slave"));
    assert!(!clash("/w", "@/w") && !clash("/w", "/v"));
}
