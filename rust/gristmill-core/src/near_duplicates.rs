//! Clusters documents whose sets of word n-grams overlap by at least a threshold.
//!
//! 1. Texts with the same words (128-bit hash) are one; only the first of them goes on.
//! 2. Each document is shingled, signed (see [`crate::minhash`]) and cut into bands (see
//!    [`crate::lsh`]); only the bands' keys are kept.
//! 3. Band after band, documents with equal keys are candidates. The exact Jaccard similarity of
//!    their shingle sets decides, so every pair that joins two clusters is at or above the threshold.
//! 4. Clusters are the connected components; the smallest index represents one.
//!
//! In a bucket of a band, documents in order are compared with the *heads*: those before them that
//! resembled no head, at most [`MAX_HEADS`]. For each head its cluster's representative is tried
//! first, so most documents join through the one that is kept. So a bucket of *m* documents costs at
//! most `2 * MAX_HEADS * m` comparisons, and a document that resembles only a later one that was no
//! head is found in another band or not at all.
//!
//! Source: Broder, "On the Resemblance and Containment of Documents" (1997); the banding of
//! Indyk and Motwani (1998); the rule for buckets is our own.

use std::path::Path;

use rayon::prelude::*;

use crate::exact_substring::Corpus;
use crate::lsh::Banding;
use crate::minhash::{MAX_NUM_PERM, Method};
use crate::threads::with_threads;
use crate::{Error, Result};

mod budget;
mod matching;
mod membership;
mod reader;
mod sets;
mod signing;

use budget::Budget;
use matching::Matcher;
pub use membership::Membership;
use membership::memberships;
use reader::Reader;
use sets::Known;
use signing::Signed;

/// Documents of one bucket that later ones are compared with.
pub const MAX_HEADS: usize = 8;

/// What near-duplicates are.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Smallest Jaccard similarity that joins two documents, in (0, 1].
    pub threshold: f64,
    /// Values in a signature.
    pub num_perm: usize,
    /// Words in a shingle.
    pub ngram: usize,
    /// Whether the exact similarity decides; without it sharing a band is enough.
    pub verify: bool,
    /// Chooses the hash functions.
    pub seed: u64,
    /// How signatures are made.
    pub method: Method,
    /// Bands and rows of a signature; derived from the threshold when absent.
    pub banding: Option<(usize, usize)>,
    /// Threads to use; the result is the same for any number.
    pub threads: usize,
    /// Bytes of memory to take at most, the text apart when it is not in files; as much as is
    /// fastest when absent.
    pub memory: Option<usize>,
    /// Where to write what exceeds `memory`; the system's folder for temporary files when absent.
    pub spill: Option<&'a Path>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            threshold: 0.8,
            num_perm: 128,
            ngram: 5,
            verify: true,
            seed: 0,
            method: Method::OnePermutation,
            banding: None,
            threads: 1,
            memory: None,
            spill: None,
        }
    }
}

fn check(options: &Options<'_>) -> Result<()> {
    let refuse = |name, value, allowed| Err(Error::Parameter { name, value, allowed });
    if !(options.threshold > 0.0 && options.threshold <= 1.0) {
        return refuse("threshold", options.threshold.to_string(), "above 0, at most 1");
    }
    if !(1..=MAX_NUM_PERM).contains(&options.num_perm) {
        return refuse("num_perm", options.num_perm.to_string(), "from 1 to 4,096");
    }
    if options.ngram == 0 {
        return refuse("ngram", options.ngram.to_string(), "at least 1");
    }
    Ok(())
}

/// The 128-bit xxh3 of each text's bytes, big end first: equal exactly for equal texts.
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero.
pub fn document_hashes(texts: &[&str], threads: usize) -> Result<Vec<[u8; 16]>> {
    let hash = |text: &&str| xxhash_rust::xxh3::xxh3_128(text.as_bytes()).to_be_bytes();
    with_threads(threads, || Ok(texts.par_iter().map(hash).collect()))
}

/// The cluster of each text; the same for any number of threads and any memory.
///
/// # Errors
///
/// [`Error::Parameter`] names an option outside its range, or `texts` when there are 2^32 or more;
/// [`Error::Io`] when spilling fails.
pub fn near_duplicates(corpus: &Corpus<'_>, options: &Options<'_>) -> Result<Vec<Membership>> {
    check(options)?;
    let n_docs = corpus.documents().len();
    if n_docs > u32::MAX as usize {
        return Err(Error::Parameter {
            name: "texts",
            value: format!("{n_docs} documents"),
            allowed: "at most 4,294,967,295 documents in one call",
        });
    }
    let banding = match options.banding {
        Some((bands, rows)) => Banding::new(bands, rows, options.num_perm)?,
        None => Banding::derive(options.threshold, options.num_perm, options.verify),
    };
    with_threads(options.threads, || {
        let budget = Budget::new(n_docs, options.memory);
        let reader = Reader::new(corpus, budget.resident);
        let signed = Signed::new(&reader, &banding, options, &budget)?;
        let known = Known::new(budget.known);
        let matcher = Matcher::new(&reader, &signed, known, banding.bands(), options);
        let (clusters, pairs) = matcher.run()?;
        Ok(memberships(clusters, &pairs))
    })
}
