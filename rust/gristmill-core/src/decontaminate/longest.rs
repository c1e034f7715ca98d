//! The longest string that two texts have in common, by a suffix array over both.

use crate::Result;
use crate::suffix_array::suffix_array;

/// A byte that no UTF-8 has: what is equal ends there.
const BETWEEN: u8 = 0xFF;

/// Characters of the longest string that stands in both texts; linear in them.
///
/// A suffix of `other` shares most with a suffix of `one` that is nearest to it in the suffix array of
/// both, before or after. What neighbors there share comes from Kasai et al., "Linear-Time
/// Longest-Common-Prefix Computation in Suffix Arrays and Its Applications" (2001).
///
/// # Errors
///
/// [`crate::Error::Parameter`] when both together have 2 GiB or more.
pub fn longest_match(one: &str, other: &str) -> Result<usize> {
    let text = [one.as_bytes(), &[BETWEEN], other.as_bytes()].concat();
    let suffixes = suffix_array::<i32>(&text)?;
    let shared = shared_with_previous(&text, &suffixes);
    let characters = Characters::of(&text);
    let forward = suffixes.iter().copied().zip(shared.iter().copied());
    let with_next = shared.iter().skip(1).copied().chain([0]);
    let backward = suffixes.iter().copied().zip(with_next.collect::<Vec<_>>()).rev();
    Ok(characters.longest(one.len(), forward).max(characters.longest(one.len(), backward)))
}

/// For each suffix in order, bytes that it shares with the one before.
fn shared_with_previous(text: &[u8], suffixes: &[i32]) -> Vec<u32> {
    let mut rank = vec![0; text.len()];
    for (place, &suffix) in suffixes.iter().enumerate() {
        rank[suffix as usize] = place;
    }
    let mut shared = vec![0; text.len()];
    let mut n_equal = 0;
    for (suffix, &place) in rank.iter().enumerate() {
        if place == 0 {
            n_equal = 0;
            continue;
        }
        let previous = suffixes[place - 1] as usize;
        let pairs = text[suffix + n_equal..].iter().zip(&text[previous + n_equal..]);
        n_equal += pairs.take_while(|(one, other)| one == other).count();
        shared[place] = n_equal as u32;
        n_equal = n_equal.saturating_sub(1);
    }
    shared
}

/// Where the characters of a text start.
struct Characters {
    /// For each byte, and the end, how many start before it.
    n_before: Vec<u32>,
    starts: Vec<bool>,
}

impl Characters {
    fn of(text: &[u8]) -> Self {
        // The bytes of a character after its first are 0b10xx_xxxx.
        let starts: Vec<bool> = text.iter().map(|byte| byte & 0xC0 != 0x80).chain([true]).collect();
        let n_before = starts
            .iter()
            .scan(0, |count, &starts| {
                let before = *count;
                *count += u32::from(starts);
                Some(before)
            })
            .collect();
        Self { n_before, starts }
    }

    /// Characters that are whole in `n_bytes` bytes from `start` on.
    fn whole_in(&self, start: usize, n_bytes: usize) -> usize {
        let begun = self.n_before[start + n_bytes] - self.n_before[start];
        (begun - u32::from(!self.starts[start + n_bytes])) as usize
    }

    /// Most characters that a suffix at or after `first_len` shares with the last one before it in
    /// `suffixes` that starts earlier in the text.
    ///
    /// `suffixes` has each suffix with the number of bytes it shares with the one before.
    fn longest(&self, first_len: usize, suffixes: impl Iterator<Item = (i32, u32)>) -> usize {
        let (mut shared, mut longest) = (0, 0);
        for (suffix, with_previous) in suffixes {
            let suffix = suffix as usize;
            shared = shared.min(with_previous as usize);
            if !self.starts[suffix] {
                continue;
            }
            if suffix < first_len {
                shared = usize::MAX;
            } else {
                longest = longest.max(self.whole_in(suffix, shared));
            }
        }
        longest
    }
}
