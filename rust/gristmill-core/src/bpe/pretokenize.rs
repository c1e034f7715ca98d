//! Cuts a text into the words that merges never cross, by state machines over bytes.
//!
//! Each machine gives exactly the matches of its published regular expression (quoted at the
//! machine), on every input and in linear time: a position is looked at a bounded number of times,
//! whatever the text. Every byte of the text belongs to one word. ASCII goes by windows of 64 bytes
//! (see `window`), the rest through the machines, one character at a time.

mod machines;
mod window;

use std::sync::Arc;

use self::window::{Classes, WINDOW};
use super::custom::Custom;
use crate::simd::Simd;
use crate::{Error, Result};

/// Most words that are cut at a time.
pub(super) const WORDS: usize = 256;
/// After so many bytes no further word is cut, so that distances fit 32 bits.
const MOST_BYTES: usize = 1 << 30;

/// A way to cut text into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// GPT-2; also `tokenizers`' `ByteLevel`.
    Gpt2,
    /// tiktoken's `cl100k_base` (GPT-4), as tiktoken has published it since 0.8.
    Cl100k,
    /// tiktoken's `o200k_base` (GPT-4o).
    O200k,
    /// Llama 3; `cl100k_base` before the end-of-text rule was added.
    Llama3,
    /// Qwen 2 and 3: as Llama 3, with digits one by one.
    Qwen2,
    /// An expression of the user's, slower.
    Custom(Arc<Custom>),
}

impl Pattern {
    /// Every published pattern.
    pub const ALL: [Self; 5] = [Self::Gpt2, Self::Cl100k, Self::O200k, Self::Llama3, Self::Qwen2];

    /// The name used in recipes and on the command line, or the expression.
    pub fn name(&self) -> &str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Cl100k => "cl100k",
            Self::O200k => "o200k",
            Self::Llama3 => "llama3",
            Self::Qwen2 => "qwen2",
            Self::Custom(custom) => custom.source(),
        }
    }

    /// The pattern of a name, or of a regular expression.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when there is no such pattern, and for what [`Custom::new`] refuses.
    pub fn from_name(name: &str) -> Result<Self> {
        if let Some(pattern) = Self::ALL.into_iter().find(|pattern| pattern.name() == name) {
            return Ok(pattern);
        }
        if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Error::Parameter {
                name: "pattern",
                value: format!("{name:?}"),
                allowed: "gpt2, cl100k, o200k, llama3 or qwen2, or a regular expression",
            });
        }
        Ok(Self::Custom(Arc::new(Custom::new(name)?)))
    }

    /// Call `word` with the start and end of every word of `text`, in order.
    #[inline]
    pub fn split(&self, text: &str, mut word: impl FnMut(usize, usize)) {
        let (simd, mut ends) = (Simd::widest(), [0; WORDS]);
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            let (n, next) = self.ends(simd, text.as_bytes(), at, &mut ends);
            for &end in &ends[..n] {
                word(start, at + end as usize);
                start = at + end as usize;
            }
            at = next;
        }
    }

    /// Find the ends of the words from `at` on, where one starts: how many were found, and where the
    /// last of them ends. The ends are distances from `at`; one word at least is found.
    #[inline]
    pub(super) fn ends(
        &self,
        simd: Simd,
        text: &[u8],
        at: usize,
        ends: &mut [u32; WORDS],
    ) -> (usize, usize) {
        match simd {
            // SAFETY: a `Simd` that is not available is never chosen: see `Simd::is_available`.
            // Twin: the machines alone. Words of English text, gpt2 pattern, MB per CPU second: 1,680
            // with AVX-512, 1,390 with AVX2, 380 by the machine.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => unsafe { self.ends_avx512(text, at, ends) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => unsafe { self.ends_avx2(text, at, ends) },
            _ => self.ends_by_machine(text, at, ends),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
    fn ends_avx512(&self, text: &[u8], at: usize, ends: &mut [u32; WORDS]) -> (usize, usize) {
        self.ends_by_window(text, at, ends, |window| window::x86::avx512(window))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn ends_avx2(&self, text: &[u8], at: usize, ends: &mut [u32; WORDS]) -> (usize, usize) {
        self.ends_by_window(text, at, ends, |window| window::x86::avx2(window))
    }

    #[inline(always)]
    fn ends_by_window(
        &self,
        text: &[u8],
        at: usize,
        ends: &mut [u32; WORDS],
        classes: impl Fn(&[u8; WINDOW]) -> Classes,
    ) -> (usize, usize) {
        match self {
            Self::Gpt2 => by_window(text, at, ends, classes, window::gpt2, machines::gpt2),
            Self::Cl100k => {
                let machine = machines::cl100k::<3, true>;
                by_window(text, at, ends, classes, window::cl100k::<3>, machine)
            }
            Self::Llama3 => {
                let machine = machines::cl100k::<3, false>;
                by_window(text, at, ends, classes, window::cl100k::<3>, machine)
            }
            Self::Qwen2 => {
                let machine = machines::cl100k::<1, false>;
                by_window(text, at, ends, classes, window::cl100k::<1>, machine)
            }
            Self::O200k => by_window(text, at, ends, classes, window::o200k, machines::o200k),
            Self::Custom(_) => self.ends_by_machine(text, at, ends),
        }
    }

    fn ends_by_machine(&self, text: &[u8], at: usize, ends: &mut [u32; WORDS]) -> (usize, usize) {
        match self {
            Self::Gpt2 => by_machine(text, at, ends, machines::gpt2),
            Self::Cl100k => by_machine(text, at, ends, machines::cl100k::<3, true>),
            Self::Llama3 => by_machine(text, at, ends, machines::cl100k::<3, false>),
            Self::Qwen2 => by_machine(text, at, ends, machines::cl100k::<1, false>),
            Self::O200k => by_machine(text, at, ends, machines::o200k),
            Self::Custom(custom) => {
                by_machine(text, at, ends, |text, start| custom.end_of_word(text, start))
            }
        }
    }

    /// The words of `text`.
    pub fn words<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut words = Vec::new();
        self.split(text, |start, end| words.push(&text[start..end]));
        words
    }
}

/// The ends of at most [`WORDS`] words, in windows of ASCII where that gets on, else one by one.
#[inline(always)]
fn by_window(
    text: &[u8],
    from: usize,
    ends: &mut [u32; WORDS],
    classes: impl Fn(&[u8; WINDOW]) -> Classes,
    starts: impl Fn(&Classes, &[u8], usize) -> u64,
    end_of_word: impl Fn(&[u8], usize) -> usize,
) -> (usize, usize) {
    let (mut n, mut at) = (0, from);
    while at < text.len() && at - from < MOST_BYTES {
        let Some(free) = ends[n..].first_chunk_mut::<WINDOW>() else { break };
        if let Some(window) = text[at..].first_chunk::<WINDOW>()
            && window[0] < 0x80
            && window[1] < 0x80
        {
            let starts = starts(&classes(window), text, at) & !1;
            if starts != 0 {
                n += put(starts, (at - from) as u32, free);
                at += 63 - starts.leading_zeros() as usize;
                continue;
            }
        }
        at = end_of_word(text, at);
        free[0] = (at - from) as u32;
        n += 1;
    }
    (n, at)
}

/// Write the places of the bits of `starts`, counted from `base`, and garbage behind them.
#[inline(always)]
fn put(mut starts: u64, base: u32, free: &mut [u32; WINDOW]) -> usize {
    let n = starts.count_ones() as usize;
    for eight in free.as_chunks_mut::<8>().0.iter_mut().take(n.div_ceil(8)) {
        for end in eight {
            *end = base + starts.trailing_zeros();
            starts &= starts.wrapping_sub(1);
        }
    }
    n
}

/// As [`by_window`], without windows.
#[inline(always)]
fn by_machine(
    text: &[u8],
    from: usize,
    ends: &mut [u32; WORDS],
    end_of_word: impl Fn(&[u8], usize) -> usize,
) -> (usize, usize) {
    let (mut n, mut at) = (0, from);
    while at < text.len() && at - from < MOST_BYTES && n < ends.len() {
        at = end_of_word(text, at);
        ends[n] = (at - from) as u32;
        n += 1;
    }
    (n, at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words_by(pattern: &Pattern, simd: Simd, text: &str) -> Vec<usize> {
        let (mut ends, mut found, mut at) = ([0; WORDS], Vec::new(), 0);
        while at < text.len() {
            let (n, next) = pattern.ends(simd, text.as_bytes(), at, &mut ends);
            found.extend(ends[..n].iter().map(|&end| at + end as usize));
            at = next;
        }
        found
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            8 => "[a-z]{1,9}",
            4 => "[ \\n\\r\\t/'(_.;0-9A-Za-c]{1,4}",
            3 => Just(" ".to_owned()),
            2 => "'(s|S|re|LL|Ve|t|x)",
            1 => "\\PC",
            1 => "[ \\n]{1,70}",
            1 => "[0-9]{1,9}",
            1 => "[\u{a0}\u{2003}éßſЖ한\u{301}]",
            1 => prop_oneof!["[a-z]{60,130}", "[A-Z]{3,70}", "[-=]{60,70}"],
        ];
        prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn windows_find_the_words_of_the_machines(text in text()) {
            for pattern in Pattern::ALL {
                let by_machine = words_by(&pattern, Simd::Scalar, &text);
                for simd in Simd::available() {
                    prop_assert_eq!(&words_by(&pattern, simd, &text), &by_machine, "{:?}", pattern);
                }
            }
        }
    }

    #[test]
    fn words_go_on_where_a_batch_ends() {
        let text = "ab, ".repeat(3 * WORDS);
        for simd in Simd::available() {
            let found = words_by(&Pattern::Gpt2, simd, &text);
            assert_eq!(found.len(), 6 * WORDS + 1, "{simd:?}"); // the blank before "ab" is a word's first byte
            assert!(found.is_sorted());
        }
    }
}
