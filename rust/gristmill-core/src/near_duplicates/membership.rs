//! What is said of each document: who represents it, and how it is connected with that one.

use std::cmp::Ordering;

use super::matching::Pair;
use crate::union_find::UnionFind;

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Membership {
    /// The first document of its cluster; itself when it is the first, or alone.
    pub representative: u32,
    /// The document it is known to resemble that is the next on a shortest way to the representative;
    /// of several the most similar, of equals the earliest. Itself for the representative.
    pub twin: u32,
    /// Exact Jaccard similarity with `twin`, at or above the threshold; NaN when not verified.
    pub jaccard: f64,
}

impl Membership {
    /// Whether to name `twin` rather than what is known so far, equally near the representative.
    fn is_worse(&self, twin: u32, jaccard: f64) -> bool {
        match self.jaccard.partial_cmp(&jaccard) {
            Some(Ordering::Less) => true,
            Some(Ordering::Greater) => false,
            Some(Ordering::Equal) | None => twin < self.twin, // none where nothing was verified
        }
    }
}

/// Walk from each representative along the pairs, one step of all ways at a time.
pub(super) fn memberships(mut clusters: UnionFind, pairs: &[Pair]) -> Vec<Membership> {
    let representatives = clusters.representatives();
    let alone = |(&representative, twin)| Membership { representative, twin, jaccard: 1.0 };
    let mut found: Vec<Membership> = representatives.iter().zip(0..).map(alone).collect();
    let neighbors = Neighbors::new(found.len(), pairs);
    let mut steps = vec![UNREACHED; found.len()];
    let mut reached: Vec<u32> =
        (0..).zip(representatives).filter(|(at, first)| at == *first).map(|(at, _)| at).collect();
    reached.iter().for_each(|&document| steps[document as usize] = 0);
    for step in 1.. {
        let mut next = Vec::new();
        for &document in &reached {
            for &(other, jaccard) in neighbors.of(document) {
                let known = &mut found[other as usize];
                let is_new = steps[other as usize] == UNREACHED;
                if is_new {
                    steps[other as usize] = step;
                    next.push(other);
                }
                if is_new || (steps[other as usize] == step && known.is_worse(document, jaccard)) {
                    (known.twin, known.jaccard) = (document, jaccard);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        reached = next;
    }
    found
}

const UNREACHED: u32 = u32::MAX;

/// The documents that each document is paired with.
struct Neighbors {
    ends: Vec<usize>,
    others: Vec<(u32, f64)>,
}

impl Neighbors {
    fn new(n_docs: usize, pairs: &[Pair]) -> Self {
        let both = || {
            pairs.iter().flat_map(|pair| {
                let (a, b) = pair.documents;
                [(a, (b, pair.jaccard)), (b, (a, pair.jaccard))]
            })
        };
        let mut ends = vec![0; n_docs + 1];
        both().for_each(|(document, _)| ends[document as usize + 1] += 1);
        for document in 0..n_docs {
            ends[document + 1] += ends[document];
        }
        let mut others = vec![(0, 0.0); 2 * pairs.len()];
        let mut places = ends.clone();
        for (document, other) in both() {
            others[places[document as usize]] = other;
            places[document as usize] += 1;
        }
        Self { ends, others }
    }

    fn of(&self, document: u32) -> &[(u32, f64)] {
        &self.others[self.ends[document as usize]..self.ends[document as usize + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_lead_to_the_representative_by_the_shortest_way() {
        let mut clusters = UnionFind::new(7);
        // 4 and 5 resemble each other most, but only 3 and 2 connect them with 1.
        let found =
            [(1, 2, 0.8), (1, 3, 0.9), (2, 4, 0.85), (3, 4, 0.85), (4, 5, 0.99), (3, 5, 0.8)];
        let pairs = found.map(|(a, b, jaccard)| {
            clusters.union(a, b);
            Pair { documents: (a, b), jaccard }
        });
        let found = memberships(clusters, &pairs);
        let twins: Vec<u32> = found.iter().map(|found| found.twin).collect();
        assert_eq!(twins, [0, 1, 1, 1, 2, 3, 6]);
        assert_eq!((found[4].jaccard, found[5].jaccard), (0.85, 0.8));
        assert!(found[1..6].iter().all(|found| found.representative == 1));
    }

    #[test]
    fn a_long_chain_takes_linear_time() {
        let n_docs = 200_000;
        let mut clusters = UnionFind::new(n_docs as usize);
        let pair = |a| Pair { documents: (a, a + 1), jaccard: f64::NAN };
        let pairs: Vec<Pair> = (0..n_docs - 1).map(pair).collect();
        pairs.iter().for_each(|pair| _ = clusters.union(pair.documents.0, pair.documents.1));
        let found = memberships(clusters, &pairs);
        assert!(found.iter().zip(0..).skip(1).all(|(found, at)| found.twin == at - 1));
    }
}
