//! Sets of shingles, for exact similarities.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::reader::Reader;
use crate::text::Shingler;

/// The distinct shingles of a text, in the order of the text.
pub(super) type Set = Arc<[u64]>;

/// Sets that were made once, as many as there is room for.
#[derive(Debug)]
pub(super) struct Known {
    sets: HashMap<u32, Set>,
    left_bytes: AtomicUsize,
}

/// What a set takes beyond its shingles, about.
const SET_BYTES: usize = 64;

impl Known {
    pub(super) fn new(bytes: usize) -> Self {
        Self { sets: HashMap::new(), left_bytes: AtomicUsize::new(bytes) }
    }

    /// Set room aside for a set, if there is any.
    pub(super) fn has_room(&self, set: &Set) -> bool {
        let take = |left: usize| left.checked_sub(bytes_of(set));
        self.left_bytes.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// Take in sets for which room was set aside; one that two groups made gives its room back.
    pub(super) fn extend(&mut self, sets: Vec<(u32, Set)>) {
        for (document, set) in sets {
            if let Some(same) = self.sets.insert(document, set) {
                *self.left_bytes.get_mut() += bytes_of(&same);
            }
        }
    }
}

fn bytes_of(set: &Set) -> usize {
    size_of_val(&**set) + SET_BYTES
}

/// Makes and compares the sets of documents; keeps its buffers.
#[derive(Debug)]
pub(super) struct Comparer<'a> {
    reader: &'a Reader<'a>,
    known: &'a Known,
    shingler: Shingler,
    shingles: Vec<u64>,
    /// Sets that are not known yet and may be needed again.
    fresh: HashMap<u32, Set>,
    table: Table,
    /// Whose set the table holds.
    in_table: Option<u32>,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(reader: &'a Reader<'a>, known: &'a Known, ngram: usize) -> Self {
        Self {
            reader,
            known,
            shingler: Shingler::new(ngram),
            shingles: Vec::new(),
            fresh: HashMap::new(),
            table: Table::default(),
            in_table: None,
        }
    }

    /// Jaccard similarity of two documents, or nothing when it is below `threshold`. It costs least
    /// when `document` is the same as the last time.
    pub(super) fn jaccard(&mut self, document: u32, other: u32, threshold: f64) -> Option<f64> {
        let (set, others) = (self.set(document), self.set(other));
        let jaccard = |shared: usize| shared as f64 / (set.len() + others.len() - shared) as f64;
        let mut most = set.len().min(others.len());
        if jaccard(most) < threshold {
            return None;
        }
        if self.in_table != Some(document) {
            self.table.fill(&set);
            self.in_table = Some(document);
        }
        let mut shared = 0;
        for (number, shingles) in others.chunks(ROUND).enumerate() {
            shared += shingles.iter().filter(|&&shingle| self.table.contains(shingle)).count();
            let left = others.len() - number * ROUND - shingles.len();
            most = most.min(shared + left);
            if jaccard(most) < threshold {
                return None;
            }
        }
        Some(jaccard(shared))
    }

    fn set(&mut self, document: u32) -> Set {
        if let Some(set) = self.known.sets.get(&document).or_else(|| self.fresh.get(&document)) {
            return Arc::clone(set);
        }
        self.shingler.shingle(self.reader.text(document), &mut self.shingles);
        self.in_table = Some(document);
        let set: Set = self.table.keep_distinct(&mut self.shingles).into();
        self.fresh.insert(document, Arc::clone(&set));
        set
    }

    /// Let go of a document that will not be compared again soon.
    pub(super) fn forget(&mut self, document: u32) {
        self.fresh.remove(&document);
    }

    /// Hand over the sets that may be needed again.
    pub(super) fn take_fresh(&mut self) -> HashMap<u32, Set> {
        std::mem::take(&mut self.fresh)
    }
}

/// Shingles looked up before it is asked whether the rest can reach the threshold.
const ROUND: usize = 64;

/// Distinct shingles to look up: open addressing with linear probing, at most half full. Shingles are
/// hashes, so their highest bits choose the place.
#[derive(Debug, Default)]
struct Table {
    places: Vec<u64>,
    shift: u32,
}

/// A free place of a table.
const FREE: u64 = 0;

impl Table {
    fn clear(&mut self, n_shingles: usize) {
        let n_places = (2 * n_shingles).next_power_of_two().max(2);
        self.shift = 64 - n_places.trailing_zeros();
        self.places.clear();
        self.places.resize(n_places, FREE);
    }

    fn fill(&mut self, set: &[u64]) {
        self.clear(set.len());
        for &shingle in set {
            let place = self.place(shingle);
            self.places[place] = shingle;
        }
    }

    /// Fill the table with some shingles, of which only the first of equal ones stay.
    fn keep_distinct<'s>(&mut self, shingles: &'s mut [u64]) -> &'s [u64] {
        self.clear(shingles.len());
        let mut n_distinct = 0;
        for at in 0..shingles.len() {
            let shingle = shingles[at].max(1); // one hash in 2^64 is not told apart from another
            let place = self.place(shingle);
            // Written either way: whether a shingle is new is hard to foretell.
            shingles[n_distinct] = shingle;
            n_distinct += usize::from(self.places[place] == FREE);
            self.places[place] = shingle;
        }
        &shingles[..n_distinct]
    }

    fn contains(&self, shingle: u64) -> bool {
        self.places[self.place(shingle)] == shingle
    }

    /// Where `shingle` stands, or the free place where it would.
    #[inline]
    fn place(&self, shingle: u64) -> usize {
        let last = self.places.len() - 1;
        let mut place = (shingle >> self.shift) as usize & last;
        while self.places[place] != FREE && self.places[place] != shingle {
            place = (place + 1) & last;
        }
        place
    }
}
