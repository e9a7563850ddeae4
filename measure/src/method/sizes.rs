//! Frame sizes that standards ask for, and which of them a tester can send. Sizes are octets with FCS.

/// RFC 2544 9.1: Ethernet.
pub const RFC2544: [u16; 7] = [64, 128, 256, 512, 1024, 1280, 1518];

/// RFC 5180 5.1.1: Ethernet with IPv6. 1522 is the largest frame with a VLAN tag; those above are no IEEE 802.3
/// frames, and asked for where the device forwards them.
pub const RFC5180: [u16; 12] = [
    64, 128, 256, 512, 1024, 1280, 1518, 1522, 2048, 4096, 8192, 9216,
];

/// Of the paper that the seed profile repeats: as RFC 2544, with the smallest frame that carries IPv6 behind a PIH
/// and a signature instead of 64.
pub const SEED: [u16; 7] = [79, 128, 256, 512, 1024, 1280, 1518];

/// The sizes that can be sent, and what is to be said about the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// In their order, none twice.
    pub sizes: Vec<u16>,
    /// One sentence for each size that was replaced or left out.
    pub notes: Vec<String>,
}

/// Which of `asked` can be sent, where frames have at least `smallest` octets (79 with a PIH and IPv6, 78 without the
/// PIH: header, addresses and signature) and the path carries up to `largest`.
///
/// A smaller one becomes `smallest`, as RFC 5180 5.1 has it for IPv6 frames that must carry a signature; a larger
/// one is left out. Both are said, none is changed silently.
#[must_use]
pub fn possible(asked: &[u16], smallest: u16, largest: u16) -> Possible {
    let (mut sizes, mut notes) = (Vec::new(), Vec::new());
    for &size in asked {
        let sent = if size < smallest {
            notes.push(format!(
                "{size} octets: the smallest frame with headers and signature has {smallest}, which is used instead (RFC 5180 5.1)"
            ));
            smallest
        } else {
            size
        };
        if sent > largest {
            notes.push(format!(
                "{sent} octets: left out, the path carries frames of up to {largest}"
            ));
        } else if !sizes.contains(&sent) {
            sizes.push(sent);
        }
    }
    Possible { sizes, notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_changed_without_a_note() {
        let all = possible(&SEED, 79, 1518);
        assert_eq!((all.sizes.as_slice(), all.notes.len()), (&SEED[..], 0));

        let rfc = possible(&RFC2544, 79, 1518);
        assert_eq!(rfc.sizes, SEED);
        assert!(
            rfc.notes[0].starts_with("64 octets: the smallest frame"),
            "{:?}",
            rfc.notes
        );

        let jumbo = possible(&RFC5180, 78, 9018);
        assert_eq!(jumbo.sizes[0], 78);
        assert_eq!(jumbo.sizes.last(), Some(&8192));
        assert_eq!(jumbo.notes.len(), 2, "64 and 9216: {:?}", jumbo.notes);
    }

    #[test]
    fn sizes_that_become_the_same_are_sent_once() {
        let got = possible(&[64, 79, 70, 128], 79, 1518);
        assert_eq!(got.sizes, [79, 128]);
        assert_eq!(got.notes.len(), 2);
    }

    #[test]
    fn a_path_for_nothing_leaves_nothing() {
        assert!(possible(&RFC2544, 79, 70).sizes.is_empty());
    }
}
