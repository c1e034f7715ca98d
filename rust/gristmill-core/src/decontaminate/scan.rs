//! Searches a text for seeds, and says where those of one item lie close together.

use hashbrown::HashMap;

use super::passage::Least;
use super::seeds::{SeedHash, Seeds, WORDS};
use crate::text::GOLDEN;

/// Where an item may stand: the words of the text from the first seed to the end of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub item: u32,
    pub start: usize,
    pub end: usize,
    /// Whether there are seeds enough for an n-gram.
    pub may_be_ngram: bool,
}

/// Seeds of an item that lie close together.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    start: usize,
    /// Where the last seed starts, in the text.
    last: usize,
    n_seeds: usize,
    /// Words of the text in seeds.
    n_words: usize,
}

/// Searches texts; keeps its buffers between them.
pub(super) struct Scanner<'a> {
    seeds: &'a Seeds,
    /// For each item, what a passage has at least that holds it.
    least: &'a [Option<Least>],
    /// Words between two seeds of one passage, at most.
    gap: usize,
    hits: Vec<(usize, SeedHash)>,
    open: HashMap<u32, Cluster>,
    candidates: Vec<Candidate>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(seeds: &'a Seeds, least: &'a [Option<Least>], gap: usize) -> Self {
        let (hits, open, candidates) = (Vec::new(), HashMap::new(), Vec::new());
        Self { seeds, least, gap, hits, open, candidates }
    }

    /// Where items may stand in a text of these words, ordered.
    pub(super) fn candidates(&mut self, words: &[u64]) -> &[Candidate] {
        self.candidates.clear();
        self.open.clear();
        for (base, portion) in portions(words) {
            self.find_hits(base, portion);
            for at in 0..self.hits.len() {
                let (word, hash) = self.hits[at];
                let mut last = None;
                for place in self.seeds.places(hash) {
                    if last.replace(place.item) != Some(place.item) {
                        self.take(place.item, word);
                    }
                }
            }
        }
        let (open, least) = (&mut self.open, self.least);
        self.candidates
            .extend(open.drain().filter_map(|(item, cluster)| cluster.close(item, least)));
        self.candidates.sort_unstable();
        &self.candidates
    }

    fn find_hits(&mut self, base: usize, words: &[u64]) {
        self.hits.clear();
        each_seed_hash(words, |at, hash| {
            if self.seeds.may_have(hash) {
                self.hits.push((base + at, hash));
            }
        });
    }

    fn take(&mut self, item: u32, word: usize) {
        let fresh = Cluster { start: word, last: word, n_seeds: 0, n_words: WORDS };
        let cluster = self.open.entry(item).or_insert(fresh);
        if word > cluster.last + WORDS + self.gap {
            let closed = std::mem::replace(cluster, fresh);
            self.candidates.extend(closed.close(item, self.least));
        }
        cluster.n_words += (word - cluster.last).min(WORDS);
        cluster.n_seeds += 1;
        cluster.last = word;
    }
}

impl Cluster {
    fn close(self, item: u32, least: &[Option<Least>]) -> Option<Candidate> {
        let least = least[item as usize]?;
        let may_be_ngram = self.n_seeds >= least.seeds;
        let end = self.last + WORDS;
        (may_be_ngram || self.n_words >= least.words).then_some(Candidate {
            item,
            start: self.start,
            end,
            may_be_ngram,
        })
    }
}

/// Call `visit` with each run of [`WORDS`] words: where it starts, and its hash, as
/// [`super::hash_run`] makes it, from those of its two halves.
#[inline]
fn each_seed_hash(words: &[u64], mut visit: impl FnMut(usize, SeedHash)) {
    const SQUARE: u64 = GOLDEN.wrapping_mul(GOLDEN);
    const HALF: usize = WORDS / 2;
    let [mut before, mut last] = [0_u64; 2];
    for (at, pair) in words.windows(2).enumerate() {
        let half = pair[0].wrapping_mul(GOLDEN).wrapping_add(pair[1]);
        if at >= HALF {
            visit(at - HALF, before.wrapping_mul(SQUARE).wrapping_add(half));
        }
        (before, last) = (last, half);
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
