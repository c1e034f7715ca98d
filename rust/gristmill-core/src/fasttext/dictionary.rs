//! The words and labels of a model, found by their hash.

use std::ops::Range;

use super::file::{Parsed, Reader};

/// What the library adds at the end of each line.
pub(super) const END: &[u8] = b"</s>";

/// How far a word may lie from its slot: trained models of a million words stay below a hundred.
const MAX_PROBES: usize = 1000;

const LABEL: u8 = 1;

/// A word's hash and place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    hash: u32,
    /// 1 + number of the word, 0 where there is none.
    entry: u32,
    start: u32,
    end: u32,
}

pub(super) const FREE: Slot = Slot { hash: 0, entry: 0, start: 0, end: 0 };

/// Words, then labels, by number.
#[derive(Debug)]
pub(super) struct Dictionary {
    slots: Vec<Slot>,
    /// Bits that a slot's number leaves of the mixed hash.
    shift: u32,
    bytes: Vec<u8>,
    /// Where each word ends in `bytes`.
    ends: Vec<u32>,
    n_words: usize,
}

/// The buckets that were kept, in order, and the row of each after the words; none when all were.
pub(super) type Pruned = Option<Vec<(u32, u32)>>;

/// A label and how often it was seen.
pub(super) type Label = (String, i64);

/// The library's hash: FNV-1a, but bytes count as signed, so those of 128 and more are extended.
pub(super) fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(HASH_OF_NOTHING, |hash, byte| step(hash, *byte))
}

pub(super) const HASH_OF_NOTHING: u32 = 2_166_136_261;

#[inline]
pub(super) fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte.cast_signed() as u32).wrapping_mul(16_777_619)
}

/// Whether two words are equal: a call to compare bytes costs more than the bytes of a word.
#[inline]
fn same(left: &[u8], right: &[u8]) -> bool {
    match (left.first_chunk::<8>(), right.first_chunk::<8>()) {
        (Some(first), Some(other)) if left.len() <= 16 && left.len() == right.len() => {
            first == other && left.last_chunk::<8>() == right.last_chunk::<8>()
        }
        (None, None) => left.len() == right.len() && left.iter().eq(right),
        _ => left == right,
    }
}

impl Dictionary {
    pub fn read(file: &mut Reader<'_>) -> Parsed<(Self, Vec<Label>, Pruned)> {
        let size = file.count("the number of words and labels")?;
        let n_words = file.count("the number of words")?;
        let n_labels = file.count("the number of labels")?;
        file.i64("the number of tokens")?;
        let n_pruned = file.i64("the number of pruned buckets")?;
        if n_labels == 0 || n_words + n_labels != size {
            return Err(format!("{size} entries for {n_words} words and {n_labels} labels"));
        }
        let (mut bytes, mut ends, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..size {
            let word = file.word("a word")?;
            let count = file.i64("a word's count")?;
            let kind = file.take(1, "a word's kind")?[0];
            if (kind == LABEL) != (number >= n_words) {
                return Err(format!(
                    "entry {number} is of kind {kind}; {n_words} words come first"
                ));
            }
            if kind == LABEL {
                let label = String::from_utf8(word.to_vec());
                labels.push((label.map_err(|_| format!("label {number} is not UTF-8"))?, count));
            }
            bytes.extend_from_slice(word);
            let end = u32::try_from(bytes.len());
            ends.push(end.map_err(|_| "more than 4 GiB of words".to_owned())?);
        }
        let pruned = read_pruned(file, n_pruned)?;
        let dictionary = Self { slots: Vec::new(), shift: 0, bytes, ends, n_words };
        Ok((dictionary.indexed()?, labels, pruned))
    }

    fn indexed(mut self) -> Parsed<Self> {
        let n_slots = (2 * self.ends.len()).next_power_of_two();
        self.shift = 32 - n_slots.trailing_zeros().min(32);
        self.slots = vec![FREE; n_slots];
        for number in 0..self.ends.len() {
            let word = self.word(number);
            let hash = hash(word);
            let (at, n_probes) = self.slot(word, hash);
            if n_probes > MAX_PROBES {
                return Err(format!(
                    "more than {MAX_PROBES} words share one hash, as in no trained model"
                ));
            }
            let Range { start, end } = self.span(number);
            // the last of equals stays
            self.slots[at] = Slot { hash, entry: number as u32 + 1, start, end };
        }
        Ok(self)
    }

    #[inline]
    fn place(&self, hash: u32) -> usize {
        (hash.wrapping_mul(0x9E37_79B1) >> self.shift) as usize & (self.slots.len() - 1)
    }

    /// Have what a word with this hash is looked up in brought near, long before it is needed.
    #[inline]
    pub fn prefetch(&self, hash: u32) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing and cannot fault. Twin: no prefetch, with the speed that
        // `Model::add_words` names.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>((&raw const self.slots[self.place(hash)]).cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = hash;
    }

    #[inline]
    fn is(&self, slot: Slot, word: &[u8], hash: u32) -> bool {
        slot.hash == hash && same(&self.bytes[slot.start as usize..slot.end as usize], word)
    }

    /// The slot of a word, or the free one where it would be, and how many were passed.
    #[inline]
    fn slot(&self, word: &[u8], hash: u32) -> (usize, usize) {
        let (mut at, mut n_probes) = (self.place(hash), 0);
        while self.slots[at].entry != 0 && !self.is(self.slots[at], word, hash) {
            at = (at + 1) & (self.slots.len() - 1);
            n_probes += 1;
        }
        (at, n_probes)
    }

    /// The number of a word or label.
    #[inline]
    pub fn find(&self, word: &[u8], hash: u32) -> Option<usize> {
        (self.slots[self.slot(word, hash).0].entry as usize).checked_sub(1)
    }

    /// The bytes of a word or label.
    pub fn word(&self, number: usize) -> &[u8] {
        let Range { start, end } = self.span(number);
        &self.bytes[start as usize..end as usize]
    }

    fn span(&self, number: usize) -> Range<u32> {
        number.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[number]
    }

    pub fn n_words(&self) -> usize {
        self.n_words
    }
}

fn read_pruned(file: &mut Reader<'_>, n: i64) -> Parsed<Pruned> {
    let Ok(n) = usize::try_from(n) else { return Ok(None) };
    let number = |bytes: &[u8]| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let pairs = file.items(n, 8, "the pruned buckets")?.chunks_exact(8);
    let pairs = pairs.map(|pair| {
        let (bucket, row) = (number(&pair[..4]), number(&pair[4..]));
        match (u32::try_from(bucket), u32::try_from(row)) {
            (Ok(bucket), Ok(row)) => Ok((bucket, row)),
            _ => Err(format!("bucket {bucket} is said to be in row {row}")),
        }
    });
    let mut pairs: Vec<(u32, u32)> = pairs.collect::<Parsed<_>>()?;
    pairs.sort_unstable();
    match pairs.windows(2).find(|two| two[0].0 == two[1].0) {
        Some(twice) => Err(format!("bucket {} is in two rows", twice[0].0)),
        None => Ok(Some(pairs)),
    }
}
