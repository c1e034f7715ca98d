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

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use crate::exact_substring::Corpus;
use crate::lsh::Banding;
use crate::minhash::{Method, MinHash};
use crate::text::{Identity, Shingler};
use crate::threads::with_threads;
use crate::union_find::UnionFind;
use crate::{Error, Result};

/// Documents of one bucket that later ones are compared with.
pub const MAX_HEADS: usize = 8;

/// Documents shingled by one thread at a time.
const CHUNK: usize = 64;

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

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Membership {
    /// The first document of its cluster; itself when it is the first, or alone.
    pub representative: u32,
    /// The document it is known to resemble: the representative if the two were compared, else the
    /// member through which it joined. Itself for the representative.
    pub twin: u32,
    /// Exact Jaccard similarity with `twin`, at or above the threshold; NaN when not verified.
    pub jaccard: f64,
}

/// Two documents that belong together, smaller index first.
#[derive(Debug, Clone, Copy)]
struct Pair {
    documents: (u32, u32),
    jaccard: f64,
}

fn check(options: &Options<'_>) -> Result<()> {
    let refuse = |name, value, allowed| Err(Error::Parameter { name, value, allowed });
    if !(options.threshold > 0.0 && options.threshold <= 1.0) {
        return refuse("threshold", options.threshold.to_string(), "above 0, at most 1");
    }
    if !(1..=4_096).contains(&options.num_perm) {
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

/// The cluster of each text; the same for any number of threads.
///
/// # Errors
///
/// [`Error::Parameter`] names an option outside its range, or `texts` when there are 2^32 or more.
pub fn near_duplicates(corpus: &Corpus<'_>, options: &Options<'_>) -> Result<Vec<Membership>> {
    let texts: Vec<&str> =
        corpus.documents().iter().map(|d| std::str::from_utf8(d).unwrap_or("")).collect();
    let texts = &texts[..];
    let threads = options.threads;
    check(options)?;
    if texts.len() > u32::MAX as usize {
        return Err(Error::Parameter {
            name: "texts",
            value: format!("{} documents", texts.len()),
            allowed: "at most 4,294,967,295 documents in one call",
        });
    }
    with_threads(threads, || {
        let banding = match options.banding {
            Some((bands, rows)) => Banding::new(bands, rows, options.num_perm)?,
            None => Banding::derive(options.threshold, options.num_perm, options.verify),
        };
        let (keys, identities) = band_keys(texts, options, &banding);
        let mut pairs = same_words(&identities);
        let mut clusters = UnionFind::new(texts.len());
        let mut again = vec![false; texts.len()];
        for pair in &pairs {
            clusters.union(pair.documents.0, pair.documents.1);
            again[pair.documents.1 as usize] = true;
        }
        let distinct: Vec<u32> = (0..texts.len() as u32).filter(|&d| !again[d as usize]).collect();
        let mut matcher = Matcher { texts, options, rejected: HashSet::new() };
        for band in 0..banding.bands() {
            let key =
                |&document: &u32| (keys[document as usize * banding.bands() + band], document);
            matcher.join(distinct.iter().map(key).collect(), &mut clusters, &mut pairs);
        }
        Ok(memberships(clusters, &pairs))
    })
}

/// The keys of all bands, document after document, and the texts' identities.
fn band_keys(
    texts: &[&str],
    options: &Options<'_>,
    banding: &Banding,
) -> (Vec<u64>, Vec<Identity>) {
    let minhash = MinHash::new(options.num_perm, options.seed);
    let mut keys = vec![0; texts.len() * banding.bands()];
    let mut identities = vec![(0, 0); texts.len()];
    texts
        .par_chunks(CHUNK)
        .zip(keys.par_chunks_mut(CHUNK * banding.bands()))
        .zip(identities.par_chunks_mut(CHUNK))
        .for_each_init(
            || (Shingler::new(options.ngram), Vec::new(), Vec::new()),
            |(shingler, shingles, signature), ((texts, keys), identities)| {
                let keys = keys.chunks_mut(banding.bands());
                for ((text, keys), identity) in texts.iter().zip(keys).zip(identities) {
                    *identity = shingler.shingle(text, shingles);
                    minhash.sign(shingles, signature);
                    banding.write_keys(signature, keys);
                }
            },
        );
    (keys, identities)
}

/// Each text whose words were seen before, with the first that had them.
fn same_words(identities: &[Identity]) -> Vec<Pair> {
    let mut order: Vec<(Identity, u32)> = identities.iter().copied().zip(0..).collect();
    order.par_sort_unstable();
    order
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|group| {
            let first = group[0].1;
            group[1..].iter().map(move |&(_, d)| Pair { documents: (first, d), jaccard: 1.0 })
        })
        .collect()
}

/// Compares candidates.
struct Matcher<'a> {
    texts: &'a [&'a str],
    options: &'a Options<'a>,
    /// Pairs found below the threshold in an earlier band.
    rejected: HashSet<(u32, u32)>,
}

/// What one bucket found; `below` is what need not be compared again.
#[derive(Default)]
struct Found {
    pairs: Vec<Pair>,
    below: Vec<(u32, u32)>,
}

impl Matcher<'_> {
    /// Join the clusters that one band connects. Buckets see the clusters of the bands before, and
    /// their pairs are applied in order, so threads change nothing.
    fn join(
        &mut self,
        mut keyed: Vec<(u64, u32)>,
        clusters: &mut UnionFind,
        pairs: &mut Vec<Pair>,
    ) {
        keyed.par_sort_unstable();
        let buckets: Vec<Vec<(u32, u32)>> = keyed
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|bucket| bucket.len() > 1)
            .map(|bucket| bucket.iter().map(|&(_, d)| (d, clusters.find(d))).collect())
            .collect();
        let found: Vec<Found> = buckets.par_iter().map(|bucket| self.compare(bucket)).collect();
        for found in found {
            self.rejected.extend(found.below);
            for pair in found.pairs {
                clusters.union(pair.documents.0, pair.documents.1);
                pairs.push(pair);
            }
        }
    }

    /// Find pairs among the members of a bucket, given as (document, its representative) in order.
    fn compare(&self, bucket: &[(u32, u32)]) -> Found {
        let mut found = Found::default();
        let mut sets = Sets { shingler: Shingler::new(self.options.ngram), of: HashMap::new() };
        let mut heads: Vec<(u32, u32)> = vec![bucket[0]];
        for &(document, representative) in &bucket[1..] {
            if heads.iter().any(|head| head.1 == representative) {
                continue;
            }
            let joined =
                heads.iter().any(|&head| self.resembles(document, head, &mut sets, &mut found));
            if !joined && heads.len() < MAX_HEADS {
                heads.push((document, representative));
            } else {
                sets.of.remove(&document);
            }
        }
        found
    }

    /// Whether `document` belongs with a head or the representative of the head's cluster.
    fn resembles(
        &self,
        document: u32,
        (head, representative): (u32, u32),
        sets: &mut Sets,
        found: &mut Found,
    ) -> bool {
        if !self.options.verify {
            found.pairs.push(pair(head, document, f64::NAN));
            return true;
        }
        let others = [representative, head];
        others[usize::from(head == representative)..].iter().any(|&other| {
            let documents = (document.min(other), document.max(other));
            if self.rejected.contains(&documents) {
                return false;
            }
            let jaccard = sets.jaccard(self.texts, documents);
            if jaccard >= self.options.threshold {
                found.pairs.push(pair(other, document, jaccard));
            } else {
                found.below.push(documents);
            }
            jaccard >= self.options.threshold
        })
    }
}

fn pair(a: u32, b: u32, jaccard: f64) -> Pair {
    Pair { documents: (a.min(b), a.max(b)), jaccard }
}

/// The shingle sets of the documents that a bucket is comparing.
struct Sets {
    shingler: Shingler,
    of: HashMap<u32, Vec<u64>>,
}

impl Sets {
    fn jaccard(&mut self, texts: &[&str], (a, b): (u32, u32)) -> f64 {
        for document in [a, b] {
            let set = self.of.entry(document).or_default();
            if set.is_empty() {
                self.shingler.shingle(texts[document as usize], set);
                set.sort_unstable();
                set.dedup();
            }
        }
        jaccard(&self.of[&a], &self.of[&b])
    }
}

/// Jaccard similarity of two sets, given in ascending order without repeats; 1 when both are empty.
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        shared += usize::from(a[i] == b[j]);
        let (from_a, from_b) = (a[i] <= b[j], b[j] <= a[i]);
        i += usize::from(from_a);
        j += usize::from(from_b);
    }
    let all = a.len() + b.len() - shared;
    if all == 0 { 1.0 } else { shared as f64 / all as f64 }
}

/// Each document's representative and its best pair: with the representative if there is one, else
/// the one of greatest similarity, the first found of equals.
fn memberships(clusters: UnionFind, pairs: &[Pair]) -> Vec<Membership> {
    let mut memberships: Vec<Membership> = clusters
        .representatives()
        .into_iter()
        .zip(0..)
        .map(|(representative, twin)| Membership { representative, twin, jaccard: 1.0 })
        .collect();
    for &Pair { documents: (a, b), jaccard } in pairs {
        for (document, other) in [(a, b), (b, a)] {
            let known = &mut memberships[document as usize];
            let better = known.twin == document
                || other == known.representative
                || (known.twin != known.representative && jaccard > known.jaccard);
            if document != known.representative && better {
                (known.twin, known.jaccard) = (other, jaccard);
            }
        }
    }
    memberships
}
