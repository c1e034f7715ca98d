//! One-permutation MinHash: a signature whose entries agree as often as two sets overlap.
//!
//! Each shingle falls into one of `num_perm` bins by its hash; a bin keeps its smallest value, so a
//! set costs one hash per shingle instead of `num_perm`. A bin that stays empty borrows the value of a
//! full one, chosen by a fixed pseudorandom order that is the same for every set, which keeps the
//! probability that two signatures agree in a bin at the Jaccard similarity of the sets.
//!
//! Source: Li, Owen and Zhang, "One Permutation Hashing" (2012); Shrivastava, "Optimal Densification
//! for Fast and Accurate Minwise Hashing" (2017); bins are filled from the full side, as in Mai et
//! al., "On Densification for Minwise Hashing" (2019), which stays cheap for sets of one shingle.

use crate::text::mix;
use crate::{Error, Result};

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// One hash per shingle, which chooses the bin.
    OnePermutation,
    /// `num_perm` hashes per shingle, the classic way.
    KPermutation,
}

impl Method {
    /// The method of that name, as the interface spells it.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for any other name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "one-permutation" => Ok(Self::OnePermutation),
            "k-permutation" => Ok(Self::KPermutation),
            _ => Err(Error::Parameter {
                name: "method",
                value: name.into(),
                allowed: "one-permutation or k-permutation",
            }),
        }
    }
}

/// A bin that no shingle fell into; values stay below.
const EMPTY: u32 = u32::MAX;

/// Makes signatures of `num_perm` values.
#[derive(Debug, Clone, Copy)]
pub struct MinHash {
    num_perm: usize,
    seed: u64,
}

impl MinHash {
    /// Signatures of `num_perm` values, at least one; other seeds give independent signatures.
    pub fn new(num_perm: usize, seed: u64) -> Self {
        Self { num_perm, seed: mix(seed) }
    }

    /// Replace `signature` by that of the set `shingles`, which is not empty; repeats and order do
    /// not matter.
    pub fn sign(&self, shingles: &[u64], signature: &mut Vec<u32>) {
        signature.clear();
        signature.resize(self.num_perm, EMPTY);
        for &shingle in shingles {
            let hash = mix(shingle ^ self.seed);
            let bin = self.bin(hash);
            signature[bin] = signature[bin].min((hash as u32).min(EMPTY - 1));
        }
        self.densify(signature);
    }

    /// The bin chosen by the upper half of `hash`.
    #[inline]
    fn bin(&self, hash: u64) -> usize {
        (((hash >> 32) * self.num_perm as u64) >> 32) as usize
    }

    /// Fill the empty bins. In round after round each full bin offers its value to one bin.
    fn densify(&self, signature: &mut [u32]) {
        let full: Vec<(usize, u32)> =
            signature.iter().copied().enumerate().filter(|&(_, value)| value != EMPTY).collect();
        let mut n_empty = self.num_perm - full.len();
        let mut round = 0;
        while n_empty > 0 && !full.is_empty() {
            for &(bin, value) in &full {
                let taker = self.bin(mix(self.seed ^ (round << 32 | bin as u64)));
                if signature[taker] == EMPTY {
                    signature[taker] = value;
                    n_empty -= 1;
                }
            }
            round += 1;
        }
    }
}
