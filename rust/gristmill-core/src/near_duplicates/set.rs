//! The set of a text's shingles, for exact similarities.

/// Distinct shingles, and a table to look them up: open addressing with linear probing, at most half
/// full. Shingles are hashes, so their highest bits choose the place.
#[derive(Debug, Default)]
pub(super) struct Set {
    distinct: Vec<u64>,
    table: Vec<u64>,
    shift: u32,
}

/// A free place of a table.
const FREE: u64 = 0;

impl Set {
    /// The set of some shingles, repeated as they may be.
    pub(super) fn of(shingles: &[u64]) -> Self {
        let n_places = (2 * shingles.len()).next_power_of_two().max(2);
        let shift = 64 - n_places.trailing_zeros();
        let mut set = Self {
            distinct: Vec::with_capacity(shingles.len()),
            table: vec![FREE; n_places],
            shift,
        };
        for &shingle in shingles {
            let shingle = shingle.max(1); // one hash in 2^64 is not told apart from another
            let place = set.place(shingle);
            if set.table[place] == FREE {
                set.table[place] = shingle;
                set.distinct.push(shingle);
            }
        }
        set
    }

    /// Where `shingle` stands, or the free place where it would.
    #[inline]
    fn place(&self, shingle: u64) -> usize {
        let last = self.table.len() - 1;
        let mut place = (shingle >> self.shift) as usize & last;
        while self.table[place] != FREE && self.table[place] != shingle {
            place = (place + 1) & last;
        }
        place
    }

    /// Jaccard similarity, or nothing when the sizes alone keep it below `threshold`.
    pub(super) fn jaccard(&self, other: &Self, threshold: f64) -> Option<f64> {
        let (small, large) =
            if self.distinct.len() < other.distinct.len() { (self, other) } else { (other, self) };
        let sizes = (small.distinct.len(), large.distinct.len());
        if (sizes.0 as f64 / sizes.1 as f64) < threshold {
            return None;
        }
        let is_shared = |&&shingle: &&u64| large.table[large.place(shingle)] == shingle;
        let shared = small.distinct.iter().filter(is_shared).count();
        Some(shared as f64 / (sizes.0 + sizes.1 - shared) as f64)
    }
}
