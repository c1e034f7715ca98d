//! The runs of words that are looked for, and which item each of them stands in.
//!
//! What many items share says nothing of one of them: a run that stands in more than
//! [`MAX_CONTEXTS`] different contexts (the words around it), such as "at the end of the", or in more than
//! [`MAX_ITEMS`] items, such as an instruction, is no seed. A passage that some questions share has
//! one context and stays. Nor is a run with hardly a letter, such as
//! `1, 2, 3, 4` or `a b c d`. (Brown et al. 2020 ignore 13-grams found in more than 10 documents of the
//! corpus; counted among the items it does not depend on what is searched.)

use hashbrown::HashMap;
use rayon::prelude::*;

use super::{Part, hash_run};

/// Words of a seed.
pub const WORDS: usize = 4;
const MAX_CONTEXTS: usize = 10;
const MAX_ITEMS: usize = 100;
/// Bytes of letters that a seed has at least; one character of Chinese has three.
const LEAST_LETTERS: usize = 8;
/// Words on each side that make up a context.
const AROUND: usize = 4;

pub(super) type SeedHash = u64;

/// Where a seed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub item: u32,
    /// Its first word, among the words of all items.
    pub word: u32,
}

/// An occurrence of a run of words in an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Occurrence {
    hash: SeedHash,
    item: u32,
    word: u32,
    context: u64,
}

/// All seeds of all items.
#[derive(Debug)]
pub(super) struct Seeds {
    filter: Filter,
    /// For each seed the range of its places.
    ranges: HashMap<SeedHash, (u32, u32)>,
    places: Vec<Place>,
    /// For each word of the items, whether it begins a seed.
    begins: Vec<bool>,
    /// And whether that seed stands there for the first time in its item.
    is_first: Vec<bool>,
}

impl Seeds {
    /// Choose the seeds of items, given all their words, and how many bytes of letters each has.
    pub(super) fn new(
        words: &[u64],
        letters: &[usize],
        parts: &[Part],
        first_part: &[usize],
    ) -> Self {
        let mut all = occurrences(words, parts, first_part);
        all.retain(|one| {
            let words = one.word as usize..one.word as usize + WORDS;
            letters[words].iter().sum::<usize>() >= LEAST_LETTERS
        });
        all.par_sort_unstable();
        let (mut ranges, mut places) = (HashMap::new(), Vec::new());
        let mut begins = vec![false; words.len()];
        let mut is_first = begins.clone();
        for group in all.chunk_by(|one, other| one.hash == other.hash) {
            if !is_distinctive(group) {
                continue;
            }
            let first = places.len() as u32;
            for one in group {
                places.push(Place { item: one.item, word: one.word });
                begins[one.word as usize] = true;
            }
            for of_item in group.chunk_by(|one, other| one.item == other.item) {
                is_first[of_item[0].word as usize] = true;
            }
            ranges.insert(group[0].hash, (first, places.len() as u32));
        }
        let filter = Filter::new(ranges.keys().copied());
        Self { filter, ranges, places, begins, is_first }
    }

    /// Whether a word of the items begins a seed.
    pub(super) fn begins(&self, word: usize) -> bool {
        self.begins[word]
    }

    /// Whether a word of the items begins a seed that its item does not have before.
    pub(super) fn begins_first(&self, word: usize) -> bool {
        self.is_first[word]
    }

    /// Whether `hash` may be a seed's.
    #[inline]
    pub(super) fn may_have(&self, hash: SeedHash) -> bool {
        self.filter.may_have(hash)
    }

    /// The places of a seed, ordered by item and word.
    pub(super) fn places(&self, hash: SeedHash) -> &[Place] {
        let range = self.ranges.get(&hash);
        range.map_or(&[], |&(first, end)| &self.places[first as usize..end as usize])
    }

    /// The first place of a seed in one item.
    pub(super) fn place_in(&self, hash: SeedHash, item: u32) -> Option<Place> {
        let places = if self.may_have(hash) { self.places(hash) } else { &[] };
        let first = places.partition_point(|place| place.item < item);
        places.get(first).copied().filter(|place| place.item == item)
    }
}

fn occurrences(words: &[u64], parts: &[Part], first_part: &[usize]) -> Vec<Occurrence> {
    let mut all = Vec::new();
    for (item, bounds) in first_part.windows(2).enumerate() {
        for part in &parts[bounds[0]..bounds[1]] {
            for word in part.start..(part.end + 1).saturating_sub(WORDS).max(part.start) {
                let around = word.saturating_sub(AROUND).max(part.start)
                    ..(word + WORDS + AROUND).min(part.end);
                all.push(Occurrence {
                    hash: hash_run(&words[word..word + WORDS]),
                    item: item as u32,
                    word: word as u32,
                    context: hash_run(&words[around]),
                });
            }
        }
    }
    all
}

/// Whether the run of words with these occurrences, ordered by item, is a seed.
fn is_distinctive(group: &[Occurrence]) -> bool {
    if group.len() <= MAX_CONTEXTS {
        return true;
    }
    let mut contexts: Vec<u64> = group.iter().map(|one| one.context).collect();
    contexts.sort_unstable();
    contexts.dedup();
    let n_items = group.chunk_by(|one, other| one.item == other.item).count();
    contexts.len() <= MAX_CONTEXTS && n_items <= MAX_ITEMS
}

/// A set of hashes that is small enough for the cache, and says of few others that it has them: two
/// bits in a word of 64, sixteen bits a hash.
#[derive(Debug)]
struct Filter {
    bits: Vec<u64>,
    shift: u32,
}

impl Filter {
    fn new(hashes: impl ExactSizeIterator<Item = SeedHash>) -> Self {
        let n_words = (hashes.len() / 4).next_power_of_two().max(2);
        let shift = 64 - n_words.trailing_zeros();
        let mut filter = Self { bits: vec![0; n_words], shift };
        for hash in hashes {
            let (word, mask) = filter.place(hash);
            filter.bits[word] |= mask;
        }
        filter
    }

    #[inline]
    fn place(&self, hash: SeedHash) -> (usize, u64) {
        let spread = (hash ^ hash >> 32).wrapping_mul(0xC2B2_AE3D_27D4_EB4B);
        ((spread >> self.shift) as usize, 1 << (spread & 63) | 1 << (spread >> 6 & 63))
    }

    #[inline]
    fn may_have(&self, hash: SeedHash) -> bool {
        let (word, mask) = self.place(hash);
        self.bits[word] & mask == mask
    }
}
