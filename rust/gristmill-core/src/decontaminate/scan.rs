//! Searches a text for seeds, and says where those of one item lie close together.

use hashbrown::HashMap;

use super::hash_run;
use super::seeds::{Place, SeedHash, Seeds, WORDS};

/// Where an item may stand: the words of the text from the first seed to the end of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub item: u32,
    pub start: usize,
    pub end: usize,
}

/// Seeds of an item that lie close together.
#[derive(Debug)]
struct Cluster {
    start: usize,
    /// Where the last seed starts, in the text.
    last: usize,
    n_hits: usize,
}

/// Searches texts; keeps its buffers between them.
pub(super) struct Scanner<'a> {
    seeds: &'a Seeds,
    /// For each item, the fewest seeds that a passage has which holds it.
    least_hits: &'a [Option<usize>],
    /// Words between two seeds of one passage, at most.
    gap: usize,
    hits: Vec<(usize, SeedHash)>,
    open: HashMap<u32, Cluster>,
    candidates: Vec<Candidate>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(seeds: &'a Seeds, least_hits: &'a [Option<usize>], gap: usize) -> Self {
        let (hits, open, candidates) = (Vec::new(), HashMap::new(), Vec::new());
        Self { seeds, least_hits, gap, hits, open, candidates }
    }

    /// Where items may stand in a text of these words, ordered.
    pub(super) fn candidates(&mut self, words: &[u64]) -> &[Candidate] {
        self.candidates.clear();
        self.open.clear();
        for (base, portion) in portions(words) {
            self.find_hits(base, portion);
            for at in 0..self.hits.len() {
                let (word, hash) = self.hits[at];
                for &place in self.seeds.places(hash) {
                    self.take(place, word);
                }
            }
        }
        let (open, least_hits) = (&mut self.open, self.least_hits);
        self.candidates
            .extend(open.drain().filter_map(|(item, cluster)| cluster.close(item, least_hits)));
        self.candidates.sort_unstable();
        &self.candidates
    }

    fn find_hits(&mut self, base: usize, words: &[u64]) {
        self.hits.clear();
        for (at, run) in words.windows(WORDS).enumerate() {
            let hash = hash_run(run);
            if self.seeds.may_have(hash) {
                self.hits.push((base + at, hash));
            }
        }
    }

    fn take(&mut self, place: Place, word: usize) {
        let cluster =
            self.open.entry(place.item).or_insert(Cluster { start: word, last: word, n_hits: 0 });
        if word > cluster.last + WORDS + self.gap {
            let fresh = Cluster { start: word, last: word, n_hits: 0 };
            let closed = std::mem::replace(cluster, fresh);
            self.candidates.extend(closed.close(place.item, self.least_hits));
        }
        cluster.last = word;
        cluster.n_hits += 1;
    }
}

impl Cluster {
    fn close(self, item: u32, least_hits: &[Option<usize>]) -> Option<Candidate> {
        let least = least_hits[item as usize]?;
        (self.n_hits >= least).then_some(Candidate {
            item,
            start: self.start,
            end: self.last + WORDS,
        })
    }
}

/// Words whose seeds are looked up at a time.
const PORTION: usize = 1_024;

/// Parts of a text that together have each of its runs of [`WORDS`] words once.
fn portions(words: &[u64]) -> impl Iterator<Item = (usize, &[u64])> {
    (0..words.len()).step_by(PORTION).map(|start| {
        let end = (start + PORTION + WORDS - 1).min(words.len());
        (start, &words[start..end])
    })
}
