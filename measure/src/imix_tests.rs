use super::*;
use proptest::prelude::*;

fn sizes(text: &str) -> Result<Vec<u16>, ImixError> {
    Imix::parse(text, 79, 1518).map(|imix| imix.sizes)
}

fn error(text: &str) -> String {
    sizes(text).unwrap_err().to_string()
}

fn count(sizes: &[u16], size: u16) -> usize {
    sizes.iter().filter(|of| **of == size).count()
}

#[test]
fn the_simple_mix_is_seven_four_one() {
    let simple = sizes("imix").unwrap();
    assert_eq!(simple.len(), 12);
    assert_eq!([79, 594, 1518].map(|size| count(&simple, size)), [7, 4, 1]);
    assert_eq!(sizes("7x79,4x594,1x1518").unwrap(), simple);
    let udp = Imix::parse("imix", 86, 9018).unwrap().sizes;
    assert_eq!(count(&udp, 86), 7);
}

#[test]
fn shares_are_spread() {
    assert_eq!(sizes("2x79,2x128").unwrap(), [79, 128, 79, 128]);
    assert_eq!(sizes("3x79,1x128").unwrap(), [79, 79, 128, 79]);
}

#[test]
fn genomes_are_written_out() {
    assert_eq!(sizes("bcdefg").unwrap(), [128, 256, 512, 1024, 1280, 1518]);
    assert_eq!(sizes("bz").unwrap(), [128, 1518]);
    assert_eq!(
        sizes("2(bc)3d").unwrap(),
        [128, 256, 128, 256, 512, 512, 512]
    );
    assert_eq!(
        sizes("A=79;B=1000;2(Ab)B").unwrap(),
        [79, 128, 79, 128, 1000]
    );
    let jumbo = Imix::parse("hiz", 79, 9018).unwrap();
    assert_eq!(jumbo.sizes(), Sizes::Sequence(vec![2112, 9000, 9018]));
    assert_eq!(jumbo.label(), SizeLabel::Mix("hiz".to_owned()));
}

/// The letters of RFC 6985 3, each with its size; z is the path's own.
#[test]
fn letters_have_the_sizes_of_the_standard() {
    let all = Imix::parse("abcdefghijz", 64, 16_111).unwrap();
    let sizes = [
        64, 128, 256, 512, 1024, 1280, 1518, 2112, 9000, 16_000, 16_111,
    ];
    assert_eq!(all.sizes, sizes);
}

/// The runs that RFC 6985 5.1 shows as a table: 20 times abcd, 5 times ggga, 10 times dcba.
#[test]
fn runs_of_the_standard_are_written_on_a_line() {
    let runs = Imix::parse("20(abcd)5(ggga)10(dcba)", 64, 1518).unwrap();
    assert_eq!(runs.sizes.len(), 80 + 20 + 40);
    assert_eq!(
        runs.sizes[76..84],
        [64, 128, 256, 512, 1518, 1518, 1518, 64]
    );
    assert_eq!(runs.sizes[136..], [512, 256, 128, 64]);
    assert_eq!([64, 1518].map(|size| count(&runs.sizes, size)), [35, 15]);
}

#[test]
fn the_longest_sequence_is_a_sequence() {
    for text in ["65536b", "32768(bc)", "65535bb", "65535x128,1x256"] {
        assert_eq!(sizes(text).unwrap().len(), LONGEST, "{text}");
    }
    for text in ["65537b", "32768(bc)b", "32769(bc)", "65536x128,1x256"] {
        assert!(error(text).contains("grows beyond"), "{text}");
    }
}

#[test]
fn a_genome_says_the_sequence() {
    let genome = |text| Imix::parse(text, 79, 1518).unwrap().genome().unwrap();
    assert_eq!(genome("2(bg)"), "bgbg");
    assert_eq!(genome("2x594,1x79,1x128"), "A=594;B=79;ABbA");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, words) in [
        ("", "no frames"),
        ("4()", "no frames"),
        (
            "bca",
            "character 3: 64 octets, this path carries frames of 79 to 1518",
        ),
        ("bh", "character 2: 2112 octets"),
        ("bj", "character 2: 16000 octets"),
        ("bQ", "character 2: `Q` has no size"),
        ("bk", "character 2: `k` has no size"),
        ("b-", "character 2: `-`, expected a letter"),
        ("b7", "character 3: `its end`, expected a letter"),
        ("3(bc", "character 5: `its end`, expected `)`"),
        ("0b", "character 1: `0`, expected a count of 1 or more"),
        (
            "65537b",
            "character 1: the sequence grows beyond 65536 frames",
        ),
        ("300(300b)", "character 5: `3`, expected a letter"),
        ("A=78;A", "character 3: 78 octets"),
        ("A=100", "character 6: `its end`, expected `;`"),
        ("a=100;a", "character 1: `a`, expected an upper-case letter"),
        ("7x79,x128", "character 6: `x`, expected a count"),
        ("7x78", "character 3: 78 octets"),
        ("7x79 4x128", "character 5: ` `, expected `,` or the end"),
        ("7x79,", "character 6: `its end`, expected a count"),
        (
            "1x99999999999999999999",
            "character 3: 18446744073709551615 octets",
        ),
        ("40000x79,40000x128", "character 10: the sequence grows"),
        ("\u{20ac}x", "character 1: `\u{20ac}`"),
        ("IMIX", "character 1: `I` has no size"),
    ] {
        assert!(error(text).contains(words), "{text}: {}", error(text));
    }
    let narrow = Imix::parse("imix", 79, 1500).unwrap_err().to_string();
    assert!(narrow.contains("1518 octets"), "{narrow}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(6985),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_a_mix_or_an_error(text in "[a-jzA-C0-9x,;=() ]{0,24}|.{0,12}") {
        if let Ok(sizes) = sizes(&text) {
            prop_assert!(!sizes.is_empty() && sizes.len() <= LONGEST);
            prop_assert!(sizes.iter().all(|size| (79..=1518).contains(size)));
        }
    }

    #[test]
    fn shares_are_exact_and_even(shares in proptest::collection::vec((1usize..40, 79u16..1518), 1..6)) {
        let text: Vec<_> = shares.iter().map(|(n, size)| format!("{n}x{size}")).collect();
        let got = sizes(&text.join(",")).unwrap();
        let total: usize = shares.iter().map(|(n, _)| n).sum();
        prop_assert_eq!(got.len(), total);
        for (_, size) in &shares {
            let share: usize = shares.iter().filter(|(_, s)| s == size).map(|(n, _)| n).sum();
            let parts = shares.iter().filter(|(_, s)| s == size).count();
            // At any place a size is as often there as its share says, but for less than one frame of each part
            // and one for each of the others.
            for place in 1..=total {
                let exact = (share * place) as f64 / total as f64;
                let off = (count(&got[..place], *size) as f64 - exact).abs();
                prop_assert!(off <= (parts + shares.len()) as f64, "{off} at {place}");
            }
            prop_assert_eq!(count(&got, *size), share);
        }
    }

    #[test]
    fn a_genome_is_read_back(shares in proptest::collection::vec((1usize..9, 79u16..1518), 1..20)) {
        let text: Vec<_> = shares.iter().map(|(n, size)| format!("{n}x{size}")).collect();
        let mix = Imix::parse(&text.join(","), 79, 1518).unwrap();
        let genome = mix.genome().unwrap();
        prop_assert_eq!(sizes(&genome).unwrap(), mix.sizes);
    }
}
