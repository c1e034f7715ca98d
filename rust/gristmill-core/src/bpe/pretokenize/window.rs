//! Where words begin in 64 bytes of ASCII at once, from one bit per byte and class.
//!
//! A window starts where a word starts, so no state is carried into it: what the patterns do next
//! depends on the text from there on alone. Its end, a byte outside ASCII and whatever a look ahead
//! would have to pass them for are left out of the result: the next window, or the machine of the
//! pattern, starts at the last word found.

use super::machines::{contraction, contraction_any_case};

/// Bytes in a window.
pub(super) const WINDOW: usize = 64;

/// One bit for each byte of a window, for each class that some pattern asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Classes {
    pub letter: u64,
    pub upper: u64,
    pub number: u64,
    /// All whitespace.
    pub space: u64,
    /// The space itself.
    pub blank: u64,
    pub newline: u64,
    pub apostrophe: u64,
    pub slash: u64,
    pub beyond_ascii: u64,
}

impl Classes {
    #[inline(always)]
    fn other(&self) -> u64 {
        !(self.letter | self.number | self.space)
    }
}

/// The bits where runs begin.
#[inline(always)]
fn begins(class: u64) -> u64 {
    class & !(class << 1)
}

/// The bits of `class` from each seed to the end of the run it lies in. Seeds lie in `class`.
#[inline(always)]
fn flood(seeds: u64, class: u64) -> u64 {
    (seeds.wrapping_add(class) ^ class) & class
}

/// The bits below the lowest one of `bits`.
#[inline(always)]
fn below(bits: u64) -> u64 {
    (bits & bits.wrapping_neg()).wrapping_sub(1)
}

/// Of the bits in `known` those whose words are certain: a run of whitespace that touches the end of
/// `known` may go on behind it, so only its first bit stays.
#[inline(always)]
fn certain(known: u64, space: u64) -> u64 {
    let run = 64 - (known & !space).leading_zeros();
    known & (u64::MAX >> (63 - run.min(63)))
}

/// Where words begin under the pattern of GPT-2. Bit 0 is set, and means nothing.
#[inline(always)]
pub(super) fn gpt2(class: &Classes, text: &[u8], at: usize) -> u64 {
    let certain = certain(below(class.beyond_ascii), class.space);
    let runs = begins(class.letter) | begins(class.number) | begins(class.other());
    let last = class.space & !(class.space >> 1);
    let starts = runs & !(class.blank << 1) | begins(class.space) | last | 1;
    let words = starts & certain & class.apostrophe;
    with_contractions(starts, words, at, |place| contraction(text, place)) & certain
}

/// Let each of the words that `found` marks, all at an apostrophe, end where its contraction does.
#[inline(always)]
fn with_contractions(
    mut starts: u64,
    mut found: u64,
    at: usize,
    end_of: impl Fn(usize) -> Option<usize>,
) -> u64 {
    while found != 0 {
        let place = found.trailing_zeros() as usize;
        found &= found - 1;
        if let Some(end) = end_of(at + place) {
            starts = word_from(starts, place, end - at);
        }
    }
    starts
}

/// Let one word reach from bit `place` to bit `end`.
#[inline(always)]
fn word_from(starts: u64, place: usize, end: usize) -> u64 {
    let inside = (u64::MAX >> (64 - end.min(64))) & (u64::MAX << place << 1);
    starts & !inside | 1_u64.checked_shl(end as u32).unwrap_or(0)
}

/// What the later patterns share: where words begin, contractions and cases left aside, and the bits
/// that are certain.
#[inline(always)]
fn later<const DIGITS: usize>(class: &Classes) -> (u64, u64) {
    let other = class.other();
    // line breaks behind other characters belong to them
    let taken = flood(other << 1 & class.newline, class.newline);
    let (space, newline) = (class.space & !taken, class.newline & !taken);
    let inline = space & !newline;
    // a word of whitespace ends at the last line break of its run: one with blanks and another
    // break behind it is left to the machine
    let blanks = newline << 1 & inline;
    let again = blanks.wrapping_add(inline) & !inline & newline;
    let slashes = if DIGITS == CASED { taken << 1 & class.slash } else { 0 };
    let certain = certain(below(class.beyond_ascii | again | slashes), space);
    let last = inline & !(space >> 1);
    let others = begins(other) & !(class.blank << 1);
    let letters = begins(class.letter) & !((last | others) << 1);
    let spaces = begins(space) | blanks | last;
    (letters | others | spaces | numbers::<DIGITS>(class.number) | 1, certain)
}

/// Stands for o200k, which takes three digits and slashes after line breaks.
const CASED: usize = usize::MAX;

#[inline(always)]
fn numbers<const DIGITS: usize>(number: u64) -> u64 {
    if DIGITS == 1 {
        return number;
    }
    let third = number & number << 1 & number << 2;
    let (mut starts, mut next) = (0, begins(number));
    while next != 0 {
        starts |= next;
        next = next << 3 & third;
    }
    starts
}

/// Where words begin under cl100k and its like, with `DIGITS` in a number.
#[inline(always)]
pub(super) fn cl100k<const DIGITS: usize>(class: &Classes, text: &[u8], at: usize) -> u64 {
    let (starts, certain) = later::<DIGITS>(class);
    let words = starts & certain & class.apostrophe;
    with_contractions(starts, words, at, |place| contraction_any_case(text, place)) & certain
}

/// Where words begin under o200k.
#[inline(always)]
pub(super) fn o200k(class: &Classes, text: &[u8], at: usize) -> u64 {
    let (starts, certain) = later::<CASED>(class);
    let lower = class.letter & !class.upper;
    let mut starts = starts | class.upper & lower << 1;
    let mut found = starts & certain & class.apostrophe & class.letter << 1;
    while found != 0 {
        let place = found.trailing_zeros() as usize;
        found &= found - 1;
        if let Some(end) = contraction_any_case(text, at + place) {
            let end = end - at;
            starts = word_from(starts, place, end) & !(1 << place);
            // a word ends with one contraction, the next begins with its apostrophe
            found &= !1_u64.checked_shl(end as u32).unwrap_or(0);
        }
    }
    starts & certain
}

/// One byte at a time: what the vector instructions are held against.
#[cfg(test)]
pub(super) fn classes(window: &[u8; WINDOW]) -> Classes {
    let mask = |is: fn(&u8) -> bool| {
        window.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(is(byte)))
    };
    Classes {
        letter: mask(u8::is_ascii_alphabetic),
        upper: mask(u8::is_ascii_uppercase),
        number: mask(u8::is_ascii_digit),
        space: mask(|byte| matches!(byte, b' ' | 9..=13)),
        blank: mask(|&byte| byte == b' '),
        newline: mask(|byte| matches!(byte, b'\r' | b'\n')),
        apostrophe: mask(|&byte| byte == b'\''),
        slash: mask(|&byte| byte == b'/'),
        beyond_ascii: mask(|byte| !byte.is_ascii()),
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::*;

    use super::{Classes, WINDOW};

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn avx512(window: &[u8; WINDOW]) -> Classes {
        // SAFETY: a window has 64 bytes; the load may be unaligned.
        let bytes = unsafe { _mm512_loadu_si512(window.as_ptr().cast()) };
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let among = |bytes, first: u8, n: u8| {
            let from_first = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
            _mm512_cmplt_epu8_mask(from_first, _mm512_set1_epi8(n as i8))
        };
        let lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
        Classes {
            letter: among(lower, b'a', 26),
            upper: among(bytes, b'A', 26),
            number: among(bytes, b'0', 10),
            space: is(b' ') | among(bytes, 9, 5),
            blank: is(b' '),
            newline: is(b'\r') | is(b'\n'),
            apostrophe: is(b'\''),
            slash: is(b'/'),
            beyond_ascii: _mm512_movepi8_mask(bytes),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn avx2(window: &[u8; WINDOW]) -> Classes {
        let (halves, _) = window.as_chunks::<32>();
        // SAFETY: each half has 32 bytes; the loads may be unaligned.
        let halves =
            [0, 1].map(|half: usize| unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) });
        let bits = |of: [__m256i; 2]| {
            let [low, high] = of.map(|half| _mm256_movemask_epi8(half) as u32);
            u64::from(low) | u64::from(high) << 32
        };
        let is = |byte: u8| {
            bits(halves.map(|half| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte as i8))))
        };
        let among = |of: [__m256i; 2], first: u8, n: u8| {
            bits(of.map(|half| {
                let from_first = _mm256_sub_epi8(half, _mm256_set1_epi8(first as i8));
                let most = _mm256_min_epu8(from_first, _mm256_set1_epi8(n as i8 - 1));
                _mm256_cmpeq_epi8(most, from_first)
            }))
        };
        let lower = halves.map(|half| _mm256_or_si256(half, _mm256_set1_epi8(0x20)));
        Classes {
            letter: among(lower, b'a', 26),
            upper: among(halves, b'A', 26),
            number: among(halves, b'0', 10),
            space: is(b' ') | among(halves, 9, 5),
            blank: is(b' '),
            newline: is(b'\r') | is(b'\n'),
            apostrophe: is(b'\''),
            slash: is(b'/'),
            beyond_ascii: bits(halves),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Simd;

    #[test]
    fn every_set_of_instructions_finds_the_same_classes() {
        for shift in 0..256_usize {
            let window: [u8; WINDOW] = std::array::from_fn(|at| (at * 5 + shift) as u8);
            let expected = classes(&window);
            assert_eq!(expected.letter & expected.number, 0);
            for simd in Simd::available() {
                let found = match simd {
                    // SAFETY: the set is available.
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => unsafe { x86::avx512(&window) },
                    // SAFETY: the set is available.
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => unsafe { x86::avx2(&window) },
                    _ => continue,
                };
                assert_eq!(found, expected, "{simd:?}");
            }
        }
    }
}
