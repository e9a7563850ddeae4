use super::*;

fn stream(sizes: Sizes) -> Result<Stream, StreamError> {
    Stream::new(StreamSpec {
        sizes,
        ..StreamSpec::new(7, 1, 79, 1.0)
    })
}

#[test]
fn the_smallest_frame_is_laid_out_as_documented() {
    let s = Stream::new(StreamSpec {
        vn: 5,
        ..StreamSpec::new(0x0203, 3, 79, 1.0)
    })
    .unwrap();
    let f = s.template();
    assert_eq!(f.len(), 75);
    assert_eq!(f[12..15], [0x88, 0xb5, 0b011_00101]);
    assert_eq!(f[15..19], [0x60, 0, 2, 3]);
    assert_eq!(f[19..21], [0, 20], "IPv6 payload: the signature");
    assert_eq!(f[21..23], [253, 64]);
    assert_eq!(
        f[23..39],
        "2001:2:0:203::1".parse::<Ipv6Addr>().unwrap().octets()
    );
    assert_eq!(f[55..75], [0; 20]);
}

#[test]
fn wrong_specifications_are_named() {
    let spec = || StreamSpec::new(7, 1, 79, 1.0);
    let error = |s| Stream::new(s).unwrap_err();
    assert_eq!(
        error(StreamSpec {
            pi_code: 0,
            ..spec()
        }),
        StreamError::PiCode { id: 7, found: 0 }
    );
    assert_eq!(
        error(StreamSpec {
            pi_code: 8,
            ..spec()
        }),
        StreamError::PiCode { id: 7, found: 8 }
    );
    assert_eq!(
        error(StreamSpec { vn: 32, ..spec() }),
        StreamError::Vn { id: 7, found: 32 }
    );
    assert_eq!(
        error(StreamSpec {
            rate_fps: 0.0,
            ..spec()
        }),
        StreamError::Rate { id: 7, found: 0.0 }
    );
    assert!(matches!(
        error(StreamSpec {
            rate_fps: f64::NAN,
            ..spec()
        }),
        StreamError::Rate { .. }
    ));
    for pattern in [Pattern::Bursts(0), Pattern::Opening(0)] {
        let burst = StreamSpec { pattern, ..spec() };
        assert_eq!(error(burst), StreamError::Burst { id: 7 });
    }
    let size = |found| StreamError::Size {
        id: 7,
        found,
        smallest: 79,
    };
    assert_eq!(stream(Sizes::Fixed(78)).unwrap_err(), size(78));
    assert_eq!(
        stream(Sizes::Sequence(vec![79, 9019])).unwrap_err(),
        size(9019)
    );
    assert_eq!(
        stream(Sizes::Sequence(vec![])).unwrap_err(),
        StreamError::NoSize { id: 7 }
    );
    let backwards = Sizes::Uniform {
        from: 100,
        to: 99,
        seed: 0,
    };
    assert_eq!(
        stream(backwards).unwrap_err(),
        StreamError::NoSize { id: 7 }
    );
    assert_eq!(
        error(StreamSpec {
            id: NO_STREAM,
            ..spec()
        }),
        StreamError::Reserved { id: NO_STREAM }
    );
    assert_eq!(
        Stream::all([spec(), spec()]).unwrap_err(),
        StreamError::Twice { id: 7 }
    );
}

#[test]
fn sizes_follow_their_order() {
    let mut walk = stream(Sizes::Sequence(vec![79, 1518, 128]))
        .unwrap()
        .sizes();
    let got: Vec<_> = (0..4).map(|_| walk.next_len()).collect();
    assert_eq!(got, [75, 1514, 124, 75]);
}

#[test]
fn uniform_sizes_stay_in_their_range_reach_its_ends_and_have_its_mean() {
    let s = stream(Sizes::Uniform {
        from: 79,
        to: 1518,
        seed: 42,
    })
    .unwrap();
    let mut walk = s.sizes();
    let got: Vec<_> = (0..100_000).map(|_| walk.next_len()).collect();
    assert_eq!(
        (got.iter().min(), got.iter().max()),
        (Some(&75), Some(&1514))
    );
    let mean = got.iter().sum::<usize>() as f64 / got.len() as f64;
    assert!((mean - 794.5).abs() < 5.0, "{mean}");
    let mut again = s.sizes();
    assert!(
        got.iter().all(|len| *len == again.next_len()),
        "the same seed gives the same sizes"
    );
}

#[test]
fn a_change_anywhere_is_seen() {
    let s = stream(Sizes::Fixed(128)).unwrap();
    assert!(s.is_intact(s.template()));
    for at in (0..124).filter(|at| !(SIGNATURE_AT..PADDING_AT).contains(at)) {
        let mut frame = s.template().to_vec();
        frame[at] ^= 1;
        assert!(!s.is_intact(&frame), "octet {at}");
    }
    assert!(!s.is_intact(&s.template()[..123]), "cut");
    assert!(!s.is_intact(&[s.template(), &[0]].concat()), "lengthened");
    assert!(!s.is_intact(&[]));
}

#[test]
fn a_router_may_rewrite_addresses_of_the_link_and_the_hop_limit() {
    let spec = StreamSpec {
        compare: Compare::Payload,
        ..StreamSpec::new(7, 1, 128, 1.0)
    };
    let s = Stream::new(spec).unwrap();
    let mut frame = s.template().to_vec();
    frame[0] ^= 1;
    frame[6] ^= 1;
    frame[IPV6_AT + 7] -= 1;
    assert!(s.is_intact(&frame));
    frame[PADDING_AT] ^= 1;
    assert!(!s.is_intact(&frame));
}

#[test]
fn frames_go_to_each_destination_alike_and_to_no_other() {
    for compare in [Compare::Whole, Compare::Payload] {
        let networks = |n: u16| Ipv6Addr::new(0x2001, 2, 0, n, 0, 0, 0, 2);
        let mut spec = StreamSpec {
            compare,
            other_destinations: (1..256).map(networks).collect(),
            transport: Transport::Udp {
                from: 49_184,
                to: TEST_PORT,
            },
            ..StreamSpec::new(7, 1, 128, 1.0)
        };
        spec.address.0 = networks(0);
        let s = Stream::new(spec).unwrap();
        let mut found = [0u32; 256];
        let mut frame = vec![0; 124];
        for sequence in 0..25_600 {
            let signature = crate::signature::Signature {
                stream: 7,
                epoch: 0,
                sequence,
                sent_ns: 1,
            };
            s.write(&mut frame, &signature.encode());
            assert!(s.is_intact(&frame) && s.goes_as(&frame));
            let to = &frame[s.layout().destination_at()..s.layout().ipv6_end()];
            assert_eq!((&to[..6], to[15]), (&[0x20, 1, 0, 2, 0, 0][..], 2));
            found[usize::from(u16::from_be_bytes([to[6], to[7]]))] += 1;
        }
        // A hundred each on the mean: six standard deviations about it.
        let bounds = (found.iter().min(), found.iter().max());
        assert!(
            bounds.0 >= Some(&40) && bounds.1 <= Some(&160),
            "{bounds:?}"
        );
        // Sent to another of them than its number says: a change. A checksum, too, tells.
        let at = s.layout().destination_at() + 7;
        frame[at] ^= 1;
        assert!(!s.is_intact(&frame) && s.goes_as(&frame));
        frame[at + 1] ^= 1;
        assert!(!s.goes_as(&frame));
    }
}

#[test]
fn without_pih_a_frame_may_be_shorter_and_its_pi_is_not_looked_at() {
    let plain = |size| StreamSpec {
        encapsulation: Encapsulation::Plain,
        ..StreamSpec::new(7, 0, size, 1.0)
    };
    assert_eq!(Stream::new(plain(78)).unwrap().template().len(), 74);
    let message = Stream::new(plain(77)).unwrap_err().to_string();
    assert!(message.contains("77, allowed are 78 to 9018"), "{message}");
}

#[test]
fn sizes_know_their_bounds_and_mean() {
    let of = |sizes: Sizes| (sizes.smallest(), sizes.largest(), sizes.mean());
    assert_eq!(of(Sizes::Fixed(100)), (Some(100), Some(100), 100.0));
    assert_eq!(
        of(Sizes::Sequence(vec![79, 1518, 79])),
        (Some(79), Some(1518), 1676.0 / 3.0)
    );
    let uniform = |from, to| Sizes::Uniform { from, to, seed: 1 };
    assert_eq!(of(uniform(79, 1518)), (Some(79), Some(1518), 798.5));
    assert_eq!(of(Sizes::Sequence(vec![])), (None, None, 0.0));
    assert_eq!(uniform(2, 1).smallest(), None);
}
