//! Decides how much of the corpus is looked at at a time.

use super::anchors::Anchors;
use crate::exact_substring::{Corpus, Options};
use crate::{Error, Result};

/// Bytes of a packed entry.
const ENTRY_BYTES: usize = 20;
/// Entries in a bucket, when memory is no matter: a bucket and its table stay in the cache.
const CACHED_ENTRIES: usize = 1 << 13;
/// Least memory per thread under a budget.
const LEAST_BYTES: usize = 32 << 20;
/// Shares of the budget: one is a thread's part of each of the things below.
const SHARES: usize = 16;

/// Sizes of the steps; they change no result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Buckets of entries: a power of two.
    pub(super) n_buckets: usize,
    /// Bytes of text in a piece.
    pub(super) piece_bytes: usize,
    /// Entries in a piece, about.
    pub(super) piece_entries: usize,
    /// Bytes of finished entries and claims that stay in memory.
    pub(super) kept_bytes: u64,
    /// How many bytes of text from files a thread may touch before it lets go of them.
    pub(super) resident_bytes: Option<usize>,
}

impl Plan {
    /// # Errors
    ///
    /// [`Error::Parameter`] when the memory is too little for the threads.
    pub(super) fn new(corpus: &Corpus<'_>, options: &Options<'_>) -> Result<Self> {
        let n_bytes = corpus.n_bytes() as usize;
        let choice = Anchors::new(options.min_bytes / corpus.unit(), corpus.unit()).choice();
        let entry_bytes = corpus.unit() * (choice + 1).div_ceil(3); // of text per entry
        let n_entries = n_bytes / entry_bytes + 1;
        let threads = rayon::current_num_threads();
        let free = Self {
            n_buckets: (n_entries / CACHED_ENTRIES).next_power_of_two(),
            piece_bytes: (n_bytes / (8 * threads)).max(1 << 16),
            piece_entries: 0,
            kept_bytes: u64::MAX,
            resident_bytes: None,
        };
        let plan = match options.memory {
            Some(memory) if memory < n_bytes + 3 * n_entries * ENTRY_BYTES => {
                let least = LEAST_BYTES * threads;
                if memory < least {
                    return Err(Error::Parameter {
                        name: "memory",
                        value: format!("{memory} bytes"),
                        allowed: "at least 32 MiB per thread beyond what the process holds",
                    });
                }
                let share = memory / SHARES / threads;
                // A bucket's entries may all have contexts to compare.
                let in_bucket = share / (100 + options.min_bytes + choice * corpus.unit());
                let n_buckets = (n_entries / in_bucket.max(1)).next_power_of_two();
                let piece_bytes = share.min(share / ENTRY_BYTES * entry_bytes).max(1 << 16);
                let kept_bytes = (memory / 4) as u64;
                let resident_bytes = Some(share);
                Self { n_buckets, piece_bytes, kept_bytes, resident_bytes, ..free }
            }
            _ => free,
        };
        let piece_bytes = plan.piece_bytes.next_multiple_of(corpus.unit());
        Ok(Self { piece_bytes, piece_entries: piece_bytes / entry_bytes, ..plan })
    }

    /// The bucket of a key: its highest bits.
    #[inline]
    pub(super) fn bucket_of(&self, key: u64) -> usize {
        key.checked_shr(64 - self.n_buckets.trailing_zeros()).unwrap_or(0) as usize
    }
}
