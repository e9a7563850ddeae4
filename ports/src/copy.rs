//! A copy of a frame, without a call for a small one.

/// Copies all of `from` to `to`, which is as long.
///
/// A frame of up to 128 octets goes in two pieces of a known length that meet or overlap: a few loads
/// and stores where it is called, of which a call of `memcpy` would take several times as many
/// instructions to find out. False, and nothing copied: the lengths differ.
#[inline]
pub fn copy_frame(to: &mut [u8], from: &[u8]) -> bool {
    if to.len() != from.len() {
        return false;
    }
    match from.len() {
        64..=128 => both_ends::<64>(to, from),
        32..=63 => both_ends::<32>(to, from),
        16..=31 => both_ends::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
    true
}

/// For `N` to `2 * N` octets.
#[inline(always)]
fn both_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return;
    };
    if let Some(to) = to.first_chunk_mut::<N>() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut::<N>() {
        *to = *last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_whole() {
        let from: Vec<u8> = (0..300u16).map(|i| (i * 7) as u8).collect();
        for len in 0..=from.len() {
            let mut to = vec![0; len];
            assert!(copy_frame(&mut to, &from[..len]));
            assert_eq!(to, from[..len]);
        }
    }

    #[test]
    fn lengths_that_differ_copy_nothing() {
        let mut to = [1; 70];
        assert!(!copy_frame(&mut to, &[2; 71]));
        assert_eq!(to, [1; 70]);
    }
}
