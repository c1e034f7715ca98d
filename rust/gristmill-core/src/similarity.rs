//! Exact Jaccard similarity of sets of word n-grams: of all pairs of a sample, or of given pairs.
//!
//! All pairs at or above a similarity `least` come from an inverted index with prefix filter. The
//! shingles of each set are put in one global order, rarest first. Two sets of similarity `least`
//! share at least `ceil(least * n)` shingles, where `n` is the larger set, so the first
//! `n - ceil(least * n) + 1` of both have one in common; only those are indexed and looked up, and
//! sets are visited by size, so that a set too small to reach `least` is skipped. Every candidate is
//! counted out in full: the filter only saves work, and the result is exact for any input (to 64 bits
//! of hash of a shingle).
//!
//! Cost: about 16 bytes and one sort per shingle, plus what the pairs cost. Texts of equal sets are
//! folded into the first of them, so 200,000 equal documents are 199,999 pairs and no comparison. Texts
//! that nearly repeat each other are compared each with each, and more than [`MAX_PAIRS`] pairs are
//! refused.
//!
//! Source: Bayardo, Ma and Srikant, "Scaling Up All Pairs Similarity Search" (2007); Xiao, Wang, Lin
//! and Yu, "Efficient Similarity Joins for Near Duplicate Detection" (2008).

use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::minhash::{MAX_NUM_PERM, Method, MinHash};
use crate::text::Shingler;
use crate::threads::with_threads;
use crate::{Error, Result};

/// Pairs that [`similar_pairs`] gives at most: 256 MiB of them.
pub const MAX_PAIRS: usize = 1 << 24;

/// Pairs whose sets [`similarities`] holds at a time.
const BLOCK: usize = 1 << 16;

/// Two texts, smaller index first, and their similarity.
pub type SimilarPair = (u32, u32, f64);

/// Every pair of texts whose n-gram sets have a Jaccard similarity of at least `least`, in order; the
/// same for any number of threads. Among texts of equal sets only the first takes part, and each later
/// one has a single pair, with that first one, of similarity 1.
///
/// # Errors
///
/// [`Error::Parameter`] names a parameter outside its range, or `texts` when there are 2^32 or more of
/// them, or more than [`MAX_PAIRS`] pairs.
pub fn similar_pairs(
    texts: &[&str],
    ngram: usize,
    least: f64,
    threads: usize,
) -> Result<Vec<SimilarPair>> {
    check(texts.len(), ngram)?;
    if !(least > 0.0 && least <= 1.0) {
        let allowed = "above 0, at most 1";
        return Err(Error::Parameter { name: "least", value: least.to_string(), allowed });
    }
    with_threads(threads, || {
        let (sets, mut pairs) = fold(shingle_sets(texts, ngram));
        pairs.extend(Index::new(&sets, least).join(MAX_PAIRS - pairs.len().min(MAX_PAIRS))?);
        pairs.par_sort_unstable_by_key(|&(left, right, _)| (left, right));
        Ok(pairs)
    })
}

/// The similarity of each pair of texts, which are given by their indices. The sets of 65,536 pairs are
/// in memory at a time.
///
/// # Errors
///
/// [`Error::Parameter`] when `ngram` or `threads` is zero, or a pair names a text that is not there.
pub fn similarities(
    texts: &[&str],
    pairs: &[(u32, u32)],
    ngram: usize,
    threads: usize,
) -> Result<Vec<f64>> {
    check(texts.len(), ngram)?;
    if let Some((left, right)) =
        pairs.iter().find(|(left, right)| *left.max(right) as usize >= texts.len())
    {
        let value = format!("({left}, {right}) of {} texts", texts.len());
        return Err(Error::Parameter { name: "pair", value, allowed: "indices of texts" });
    }
    with_threads(threads, || {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.par_sort_unstable_by_key(|&at| (pairs[at], at));
        let mut found = vec![0.0; pairs.len()];
        for block in order.chunks(BLOCK) {
            let mut documents: Vec<u32> =
                block.iter().flat_map(|&at| [pairs[at].0, pairs[at].1]).collect();
            documents.par_sort_unstable();
            documents.dedup();
            let chosen: Vec<&str> = documents.iter().map(|&d| texts[d as usize]).collect();
            let sets = shingle_sets(&chosen, ngram);
            let set = |document| &sets[documents.partition_point(|&d| d < document)];
            let jaccards: Vec<f64> =
                block.par_iter().map(|&at| jaccard(set(pairs[at].0), set(pairs[at].1))).collect();
            block.iter().zip(jaccards).for_each(|(&at, jaccard)| found[at] = jaccard);
        }
        Ok(found)
    })
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

/// The MinHash signatures of all texts, `num_perm` values each, one after the other.
///
/// # Errors
///
/// [`Error::Parameter`] names a parameter outside its range.
pub fn signatures(
    texts: &[&str],
    num_perm: usize,
    ngram: usize,
    seed: u64,
    method: Method,
    threads: usize,
) -> Result<Vec<u32>> {
    check(texts.len(), ngram)?;
    if !(1..=MAX_NUM_PERM).contains(&num_perm) {
        let allowed = "from 1 to 4,096";
        return Err(Error::Parameter { name: "num_perm", value: num_perm.to_string(), allowed });
    }
    with_threads(threads, || {
        let minhash = MinHash::new(num_perm, seed, method);
        let mut signatures = vec![0; texts.len() * num_perm];
        texts.par_iter().zip(signatures.par_chunks_mut(num_perm)).for_each_init(
            || (Shingler::new(ngram), Vec::new(), Vec::new()),
            |(shingler, shingles, signature), (text, row)| {
                shingler.shingle(text, shingles);
                minhash.sign(shingles, signature);
                row.copy_from_slice(signature);
            },
        );
        Ok(signatures)
    })
}

fn check(n_texts: usize, ngram: usize) -> Result<()> {
    if ngram == 0 {
        let (value, allowed) = (ngram.to_string(), "at least 1");
        return Err(Error::Parameter { name: "ngram", value, allowed });
    }
    if n_texts > u32::MAX as usize {
        let (value, allowed) = (format!("{n_texts} texts"), "at most 4,294,967,295 in one call");
        return Err(Error::Parameter { name: "texts", value, allowed });
    }
    Ok(())
}

/// The set of shingles of each text, ascending.
fn shingle_sets(texts: &[&str], ngram: usize) -> Vec<Vec<u64>> {
    let set = |(shingler, shingles): &mut (Shingler, Vec<u64>), text: &&str| {
        shingler.shingle(text, shingles);
        shingles.sort_unstable();
        shingles.dedup();
        shingles.clone()
    };
    texts.par_iter().map_init(|| (Shingler::new(ngram), Vec::new()), set).collect()
}

/// The distinct sets, each with the first text that has it, and the pairs of the later ones with it.
fn fold(sets: Vec<Vec<u64>>) -> (Vec<(u32, Vec<u64>)>, Vec<SimilarPair>) {
    let mut numbered: Vec<(u32, Vec<u64>)> = (0..).zip(sets).collect();
    numbered.par_sort_unstable_by(|a, b| (a.1.len(), &a.1, a.0).cmp(&(b.1.len(), &b.1, b.0)));
    let mut pairs = Vec::new();
    numbered.dedup_by(|later, first| {
        let equal = later.1 == first.1;
        if equal {
            pairs.push((first.0, later.0, 1.0));
        }
        equal
    });
    (numbered, pairs)
}

/// A set as the join sees it.
struct Ranked {
    text: u32,
    /// All shingles of the set.
    n_shingles: usize,
    /// Those that another set has too, by rank: rarest first. The others are rarer than all of these.
    shared: Vec<u32>,
    /// How many of `shared` are in the prefix.
    n_prefix: usize,
}

/// Which sets have a shingle in their prefix.
struct Index {
    /// Sets by size.
    sets: Vec<Ranked>,
    least: f64,
    /// `lists[starts[rank]..starts[rank + 1]]` are the places in `sets`, ascending.
    starts: Vec<usize>,
    lists: Vec<u32>,
}

impl Index {
    /// Index distinct sets, given by size.
    fn new(sets: &[(u32, Vec<u64>)], least: f64) -> Self {
        let ranks = ranks(sets);
        let sets: Vec<Ranked> =
            sets.par_iter().map(|set| Ranked::new(set, &ranks, least)).collect();
        let mut starts = vec![0; ranks.len() + 1];
        for rank in sets.iter().flat_map(|set| &set.shared[..set.n_prefix]) {
            starts[*rank as usize + 1] += 1;
        }
        for rank in 1..starts.len() {
            starts[rank] += starts[rank - 1];
        }
        let (mut ends, mut lists) = (starts.clone(), vec![0; starts[ranks.len()]]);
        for (place, set) in (0..).zip(&sets) {
            for &rank in &set.shared[..set.n_prefix] {
                lists[ends[rank as usize]] = place;
                ends[rank as usize] += 1;
            }
        }
        Self { sets, least, starts, lists }
    }

    /// All pairs, `limit` at most.
    fn join(&self, limit: usize) -> Result<Vec<SimilarPair>> {
        let n_found = AtomicUsize::new(0);
        let found: Vec<Vec<SimilarPair>> = (0..self.sets.len() as u32)
            .into_par_iter()
            .map_init(
                || vec![u32::MAX; self.sets.len()],
                |visited, place| {
                    // Whether the limit is passed does not depend on who finds which pair.
                    if n_found.load(Ordering::Relaxed) > limit {
                        return Vec::new();
                    }
                    let pairs = self.pairs_of(place, visited);
                    n_found.fetch_add(pairs.len(), Ordering::Relaxed);
                    pairs
                },
            )
            .collect();
        if n_found.into_inner() > limit {
            return Err(Error::Parameter {
                name: "texts",
                value: format!("more than {limit} similar pairs"),
                allowed: "at most 16,777,216 pairs; take a smaller sample, or ask for more similarity",
            });
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The pairs of one set with smaller ones; `visited` says for each set at which place it was seen.
    fn pairs_of(&self, place: u32, visited: &mut [u32]) -> Vec<SimilarPair> {
        let set = &self.sets[place as usize];
        let smallest = least_shared(self.least, set.n_shingles);
        let first = self.sets.partition_point(|other| other.n_shingles < smallest) as u32;
        let mut pairs = Vec::new();
        for &rank in &set.shared[..set.n_prefix] {
            let list = &self.lists[self.starts[rank as usize]..self.starts[rank as usize + 1]];
            let from = list.partition_point(|&other| other < first);
            for &other in list[from..].iter().take_while(|&&other| other < place) {
                if std::mem::replace(&mut visited[other as usize], place) != place {
                    pairs.extend(similar(&self.sets[other as usize], set, self.least));
                }
            }
        }
        pairs
    }
}

/// The rank of each shingle that several sets have, rarest first.
fn ranks(sets: &[(u32, Vec<u64>)]) -> HashMap<u64, u32> {
    let mut all: Vec<u64> = sets.iter().flat_map(|(_, set)| set).copied().collect();
    all.par_sort_unstable();
    let mut shared: Vec<(usize, u64)> = all
        .chunk_by(|a, b| a == b)
        .filter(|equal| equal.len() > 1)
        .map(|equal| (equal.len(), equal[0]))
        .collect();
    drop(all);
    shared.par_sort_unstable();
    shared.into_iter().zip(0..).map(|((_, shingle), rank)| (shingle, rank)).collect()
}

impl Ranked {
    fn new((text, set): &(u32, Vec<u64>), ranks: &HashMap<u64, u32>, least: f64) -> Self {
        let mut shared: Vec<u32> =
            set.iter().filter_map(|shingle| ranks.get(shingle).copied()).collect();
        shared.sort_unstable();
        let prefix = set.len() - least_shared(least, set.len()) + 1;
        let n_prefix = prefix.saturating_sub(set.len() - shared.len()).min(shared.len());
        Self { text: *text, n_shingles: set.len(), shared, n_prefix }
    }
}

/// The fewest shared shingles that make a similarity of at least `least`, out of `n_union` in all;
/// decided by the very division that gives the similarity, which no larger union can exceed.
fn least_shared(least: f64, n_union: usize) -> usize {
    let enough = |shared: usize| shared as f64 / n_union as f64 >= least;
    let mut shared = (least * n_union as f64) as usize;
    while shared > 0 && enough(shared - 1) {
        shared -= 1;
    }
    while !enough(shared) {
        shared += 1;
    }
    shared
}

/// The pair, if the sets are similar; counting ends when too few shingles are left.
fn similar(a: &Ranked, b: &Ranked, least: f64) -> Option<SimilarPair> {
    let both = a.n_shingles + b.n_shingles;
    // A lower bound: of `both` shingles, `shared` are in the union once, so J = s / (both - s).
    let wanted = (least / (1.0 + least) * both as f64 - 1.0).max(0.0) as usize;
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < a.shared.len() && j < b.shared.len() {
        if shared + (a.shared.len() - i).min(b.shared.len() - j) < wanted {
            return None;
        }
        let (left, right) = (a.shared[i], b.shared[j]);
        shared += usize::from(left == right);
        i += usize::from(left <= right);
        j += usize::from(right <= left);
    }
    let similarity = shared as f64 / (both - shared) as f64;
    let pair = (a.text.min(b.text), a.text.max(b.text), similarity);
    (similarity >= least).then_some(pair)
}
