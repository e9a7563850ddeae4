//! The string forms: what parses prints as it was written, what does not says what is allowed.

use super::*;
use proptest::prelude::*;

#[test]
fn every_form_of_the_documentation_parses_and_prints_back() {
    for form in [
        "memory:left",
        "af_xdp:veth-w",
        "af_packet:eth0.5",
        "tap:tap0",
        "pcap:in.pcap,out.pcap",
        "pcap:/tmp/in.pcap,",
        "pcap:,out.pcap",
    ] {
        let spec: BackendSpec = form.parse().expect(form);
        assert_eq!(spec.to_string(), form);
    }
}

#[test]
fn errors_name_what_was_written_and_what_is_allowed() {
    for (given, parts) in [
        (
            "ether:eth0",
            &["\"ether:eth0\"", "af_xdp:IF", "pcap:IN.pcap,OUT.pcap"][..],
        ),
        ("", &["unknown backend \"\""]),
        ("af_xdp", &["\"af_xdp\"", "interface name", "af_xdp:IF"]),
        ("af_packet:", &["interface name", "af_packet:IF"]),
        ("memory:", &["cable name", "memory:NAME"]),
        (
            "tap:a-name-of-16-octe",
            &["\"a-name-of-16-octe\"", "1 to 15 octets"],
        ),
        ("tap:a b", &["\"a b\"", "white space"]),
        ("af_xdp:..", &["cannot be an interface name"]),
        ("pcap:in.pcap", &["comma", "pcap:IN.pcap,OUT.pcap"]),
        ("pcap:,", &["traces"]),
    ] {
        let message = given.parse::<BackendSpec>().expect_err(given).to_string();
        for part in parts {
            assert!(message.contains(part), "{given}: {message} lacks {part}");
        }
    }
}

proptest! {
    #[test]
    fn any_string_is_refused_or_prints_back_to_itself(given in ".{0,40}") {
        if let Ok(spec) = given.parse::<BackendSpec>() {
            prop_assert_eq!(spec.to_string(), given);
        }
    }

    #[test]
    fn any_tail_behind_a_known_backend_likewise(
        kind in "memory|af_xdp|af_packet|tap|pcap", tail in ".{0,20}",
    ) {
        let given = format!("{kind}:{tail}");
        if let Ok(spec) = given.parse::<BackendSpec>() {
            prop_assert_eq!(spec.to_string(), given);
        }
    }
}
