//! Candidates are compared, and clusters grow.

use std::collections::HashMap;

use rayon::prelude::*;

use super::reader::Reader;
use super::sets::{Comparer, Known, Set};
use super::signing::{Groups, Key, Signed};
use super::{MAX_HEADS, Options};
use crate::Result;
use crate::union_find::UnionFind;

/// Two documents that belong together, smaller index first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) documents: (u32, u32),
    pub(super) jaccard: f64,
}

impl Pair {
    fn new(a: u32, b: u32, jaccard: f64) -> Self {
        Self { documents: (a.min(b), a.max(b)), jaccard }
    }
}

/// Joins what resembles, band after band. The groups of a band see the clusters of the bands before,
/// and are joined when all of them are compared, so threads and partitions change nothing.
pub(super) struct Matcher<'a> {
    reader: &'a Reader<'a>,
    signed: &'a Signed,
    options: &'a Options<'a>,
    n_bands: usize,
    clusters: UnionFind,
    /// Documents whose words an earlier one has.
    again: Vec<bool>,
    rejected: Rejected,
    known: Known,
    pairs: Vec<Pair>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(
        reader: &'a Reader<'a>,
        signed: &'a Signed,
        known: Known,
        n_bands: usize,
        options: &'a Options<'a>,
    ) -> Self {
        let n_docs = reader.n_texts();
        Self {
            reader,
            signed,
            options,
            n_bands,
            clusters: UnionFind::new(n_docs),
            again: vec![false; n_docs],
            rejected: Rejected::new(n_docs),
            known,
            pairs: Vec::new(),
        }
    }

    /// The clusters, and the pairs that made them.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] when what was spilled cannot be read.
    pub(super) fn run(mut self) -> Result<(UnionFind, Vec<Pair>)> {
        self.join_same_words()?;
        for band in 0..self.n_bands {
            self.join_band(band)?;
        }
        Ok((self.clusters, self.pairs))
    }

    fn join_same_words(&mut self) -> Result<()> {
        for groups in self.each_partition(Key::Words, |groups| groups)? {
            for group in groups.iter() {
                self.join_group_of_same_words(group);
            }
        }
        Ok(())
    }

    fn join_group_of_same_words(&mut self, group: &[u32]) {
        let identity = |&document: &u32| self.signed.identities[document as usize];
        let mut first_of = HashMap::new();
        for document in group {
            let first = *first_of.entry(identity(document)).or_insert(*document);
            if first != *document {
                self.again[*document as usize] = true;
                self.clusters.union(first, *document);
                self.pairs.push(Pair::new(first, *document, 1.0));
            }
        }
    }

    fn join_band(&mut self, band: usize) -> Result<()> {
        self.clusters.representatives();
        let found = self.each_partition(Key::Band(band), |groups| self.compare_all(&groups))?;
        for found in found.into_iter().flatten() {
            self.rejected.extend(&found.below);
            self.known.extend(found.sets);
            for pair in found.pairs {
                self.clusters.union(pair.documents.0, pair.documents.1);
                self.pairs.push(pair);
            }
        }
        Ok(())
    }

    /// Work on the groups of all partitions; the results are in order.
    fn each_partition<T: Send>(
        &self,
        key: Key,
        work: impl Fn(Groups) -> T + Sync,
    ) -> Result<Vec<T>> {
        let groups = |partition| self.signed.groups(key, self.n_bands, partition);
        self.signed.partitions().into_par_iter().map(|p| groups(p).map(&work)).collect()
    }

    fn compare_all(&self, groups: &Groups) -> Vec<Found> {
        let groups: Vec<&[u32]> = groups.iter().collect();
        let comparer = || Comparer::new(self.reader, &self.known, self.options.ngram);
        let compare = |comparer: &mut _, groups: &[&[u32]]| {
            let mut found = Found::default();
            groups.iter().for_each(|group| self.compare(group, comparer, &mut found));
            found
        };
        let found = groups.par_chunks(GROUPS).map_init(comparer, compare);
        found.filter(|found| !found.is_empty()).collect()
    }

    /// Find pairs among the documents of a group, as the head of the module above has it.
    fn compare(&self, group: &[u32], comparer: &mut Comparer<'_>, found: &mut Found) {
        let fresh = group.iter().filter(|&&document| !self.again[document as usize]);
        let mut members = fresh.map(|&document| (document, self.clusters.parent(document)));
        let Some(first) = members.next() else { return };
        let mut heads = vec![first];
        let n_below = found.below.len();
        for (document, representative) in members {
            if heads.iter().any(|head| head.1 == representative) {
                continue;
            }
            let resembles = |&head: &_| self.resembles(document, head, comparer, found);
            if !heads.iter().any(resembles) && heads.len() < MAX_HEADS {
                heads.push((document, representative));
            } else {
                comparer.forget(document);
            }
        }
        // What belongs together meets no more; what does not will meet others.
        let sets = comparer.take_fresh();
        if found.below.len() > n_below {
            found.sets.extend(sets.into_iter().filter(|(_, set)| self.known.has_room(set)));
        }
    }

    /// Whether `document` belongs with a head or the representative of the head's cluster.
    fn resembles(
        &self,
        document: u32,
        (head, representative): (u32, u32),
        comparer: &mut Comparer<'_>,
        found: &mut Found,
    ) -> bool {
        if !self.options.verify {
            found.pairs.push(Pair::new(head, document, f64::NAN));
            return true;
        }
        let others = [representative, head];
        others[usize::from(head == representative)..].iter().any(|&other| {
            let documents = (document.min(other), document.max(other));
            if self.rejected.contains(documents) {
                return false;
            }
            let jaccard = comparer.jaccard(document, other, self.options.threshold);
            match jaccard {
                Some(jaccard) => found.pairs.push(Pair::new(other, document, jaccard)),
                None => found.below.push(documents),
            }
            jaccard.is_some()
        })
    }
}

/// Groups whose finds are kept together.
const GROUPS: usize = 16;

/// What some groups found.
#[derive(Default)]
struct Found {
    pairs: Vec<Pair>,
    /// What need not be compared again.
    below: Vec<(u32, u32)>,
    /// What need not be made again.
    sets: Vec<(u32, Set)>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.below.is_empty()
    }
}

/// Some of the pairs found below the threshold: each has one place, which the last to come takes.
struct Rejected(Vec<(u32, u32)>);

impl Rejected {
    fn new(n_docs: usize) -> Self {
        let n_places = (2 * n_docs).next_power_of_two().clamp(1 << 10, 1 << 20);
        Self(vec![(0, 0); n_places])
    }

    fn place(&self, (a, b): (u32, u32)) -> usize {
        let hash = crate::text::mix(u64::from(a) << 32 | u64::from(b));
        hash as usize & (self.0.len() - 1)
    }

    fn contains(&self, documents: (u32, u32)) -> bool {
        self.0[self.place(documents)] == documents
    }

    fn extend(&mut self, pairs: &[(u32, u32)]) {
        for &pair in pairs {
            let place = self.place(pair);
            self.0[place] = pair;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact_substring::Corpus;
    use crate::lsh::Banding;
    use crate::near_duplicates::budget::Budget;

    /// What comparing all texts as one group finds.
    fn compare(texts: &[String]) -> Found {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (corpus, options) = (Corpus::of_texts(&texts), Options::default());
        let reader = Reader::new(&corpus, None);
        let banding = Banding::derive(options.threshold, options.num_perm, options.verify);
        let budget = Budget::new(texts.len(), None);
        let signed = Signed::new(&reader, &banding, &options, &budget).expect("nothing is spilled");
        let group: Vec<u32> = (0..texts.len() as u32).collect();
        let known = Known::new(0);
        let mut comparer = Comparer::new(&reader, &known, options.ngram);
        let matcher = Matcher::new(&reader, &signed, Known::new(0), banding.bands(), &options);
        let mut found = Found::default();
        matcher.compare(&group, &mut comparer, &mut found);
        found
    }

    #[test]
    fn a_group_is_compared_with_its_first_heads_alone() {
        let texts: Vec<String> = (0..300).map(|i| format!("a{i} b{i} c{i} d{i} e{i}")).collect();
        let found = compare(&texts);
        let with_all_heads = texts.len() - 1 - MAX_HEADS;
        let n_compared = MAX_HEADS * (MAX_HEADS + 1) / 2 + MAX_HEADS * with_all_heads;
        assert_eq!((found.pairs.len(), found.below.len()), (0, n_compared));
    }

    #[test]
    fn a_group_of_near_copies_costs_one_comparison_each() {
        let common: String = (0..90).map(|i| format!("word{i} ")).collect();
        let texts: Vec<String> = (0..300).map(|i| format!("{common} {i}")).collect();
        let found = compare(&texts);
        assert!(found.pairs.iter().all(|pair| pair.documents.0 == 0));
        assert_eq!((found.pairs.len(), found.below.len()), (299, 0));
    }
}
