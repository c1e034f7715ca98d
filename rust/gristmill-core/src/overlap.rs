//! How far two byte strings agree, from their beginnings or from their ends, eight bytes at a time.

/// The length of the longest common prefix.
pub(crate) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    for (i, (a, b)) in words_a.iter().zip(words_b).enumerate() {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return 8 * i + (differing.trailing_zeros() / 8) as usize;
        }
    }
    let same = 8 * words_a.len().min(words_b.len());
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// The length of the longest common suffix.
pub(crate) fn shared_suffix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_rchunks::<8>().1, b.as_rchunks::<8>().1);
    for (i, (a, b)) in words_a.iter().rev().zip(words_b.iter().rev()).enumerate() {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return 8 * i + (differing.leading_zeros() / 8) as usize;
        }
    }
    let same = 8 * words_a.len().min(words_b.len());
    let (a, b) = (&a[..a.len() - same], &b[..b.len() - same]);
    same + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_agree_up_to_where_one_differs_or_ends() {
        let text: Vec<u8> = (0..40).collect();
        for length in 0..40 {
            for differing in 0..length {
                let mut other = text[..length].to_vec();
                other[differing] ^= 0x80;
                assert_eq!(shared_prefix(&text, &other), differing);
                assert_eq!(shared_suffix(&text[..length], &other), length - 1 - differing);
            }
            assert_eq!(shared_prefix(&text[..length], &text), length);
            assert_eq!(shared_suffix(&text[40 - length..], &text), length);
        }
    }
}
