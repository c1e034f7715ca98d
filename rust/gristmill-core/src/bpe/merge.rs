//! Merges the bytes of one word by rank: the lowest rank first, the leftmost of equals first.
//!
//! A short word is searched anew after each merge, which costs least while all its ranks lie in a few
//! cache lines. A long one keeps the places of each rank in a bucket and sorts them when their rank
//! comes: n log n, however hostile it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::vocab::{NONE, Vocabulary};

/// Words of up to this many bytes are merged by search, most of them with little room.
const SEARCHED: usize = 256;
const FEW: usize = 32;

/// A vocabulary, and how a word becomes its ids.
pub struct Merger {
    pub vocab: Vocabulary,
    /// The words that are not merged.
    whole: HashMap<Box<[u8]>, u32>,
}

impl Merger {
    pub fn new(vocab: Vocabulary) -> Self {
        Self { vocab, whole: HashMap::new() }
    }

    /// Give a word that is a token as a whole its id without merging, unless it is an `added` one.
    pub fn ignore_merges<'t>(&mut self, added: impl Iterator<Item = &'t [u8]>) {
        let ids = (0..).take(self.vocab.len());
        let tokens = ids.filter_map(|id| Some((self.vocab.token(id)?.into(), id)));
        self.whole = tokens.collect();
        for token in added {
            self.whole.remove(token);
        }
    }

    /// Append the ids of `word`, which has less than 4 GiB, to `ids`.
    #[inline]
    pub fn encode(&self, word: &[u8], ids: &mut Vec<u32>) {
        match self.whole.get(word) {
            Some(&id) => ids.push(id),
            None => merge_word(&self.vocab, word, ids),
        }
    }
}

#[inline]
fn merge_word(vocab: &Vocabulary, word: &[u8], ids: &mut Vec<u32>) {
    if word.len() <= FEW {
        merge_by_search::<FEW>(vocab, word, ids);
    } else if word.len() <= SEARCHED {
        merge_by_search::<SEARCHED>(vocab, word, ids);
    } else {
        merge_long(vocab, word, ids);
    }
}

/// The rank of a merge above its place in the word: the smallest is the one to make.
fn candidate(rank: u32, place: usize) -> u32 {
    if rank == NONE { NONE } else { rank << 8 | place as u32 }
}

/// `N` is at least the length of the word, and at most 256.
fn merge_by_search<const N: usize>(vocab: &Vocabulary, word: &[u8], ids: &mut Vec<u32>) {
    let mut parts = [0; N]; // the ids that are left
    let mut candidates = [NONE; N]; // for each part that of its merge with the next one
    let mut n = word.len();
    for (part, &byte) in parts.iter_mut().zip(word) {
        *part = vocab.byte_id(byte);
    }
    for (place, (pair, slot)) in word.windows(2).zip(&mut candidates).enumerate() {
        *slot = candidate(vocab.rank_of_bytes(pair[0], pair[1]), place);
    }
    loop {
        let best = candidates[..n].iter().fold(NONE, |best, &one| best.min(one));
        if best == NONE {
            break;
        }
        let place = (best & 0xff) as usize;
        n -= 1;
        parts[place] = vocab.result(best >> 8);
        parts.copy_within(place + 2..n + 1, place + 1);
        for place in place + 1..n {
            let moved = candidates[place + 1];
            candidates[place] = if moved == NONE { NONE } else { moved - 1 };
        }
        let with = |left: usize| match parts[..n].get(left + 1) {
            Some(&right) => candidate(vocab.rank(parts[left], right), left),
            None => NONE,
        };
        candidates[place] = with(place);
        if let Some(before) = place.checked_sub(1) {
            candidates[before] = with(before);
        }
    }
    ids.extend_from_slice(&parts[..n]);
}

/// The parts of a long word as a doubly linked list over the positions of its bytes.
struct Chain {
    id: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
}

/// The id of a part that was merged into the one on its left.
const GONE: u32 = NONE;

/// The places where each rank may merge, the ranks to be taken from the smallest on.
#[derive(Default)]
struct Buckets {
    places: HashMap<u32, Vec<u32>>,
    ranks: BinaryHeap<Reverse<u32>>,
}

impl Buckets {
    fn push(&mut self, rank: u32, places: &[u32]) {
        let bucket = self.places.entry(rank).or_default();
        if bucket.is_empty() {
            self.ranks.push(Reverse(rank));
        }
        bucket.extend_from_slice(places);
    }

    /// The smallest rank and its places, from left to right.
    fn pop(&mut self) -> Option<(u32, Vec<u32>)> {
        let Reverse(rank) = self.ranks.pop()?;
        let mut places = self.places.remove(&rank).unwrap_or_default();
        places.sort(); // a few runs, each of them sorted
        Some((rank, places))
    }
}

fn merge_long(vocab: &Vocabulary, word: &[u8], ids: &mut Vec<u32>) {
    let n = word.len() as u32;
    let mut chain = Chain {
        id: word.iter().map(|&byte| vocab.byte_id(byte)).collect(),
        next: (1..=n).collect(),
        previous: (0..n).map(|i| i.wrapping_sub(1)).collect(),
    };
    let mut buckets = Buckets::default();
    for place in 0..n {
        chain.offer(vocab, place, &mut buckets);
    }
    while let Some((rank, places)) = buckets.pop() {
        let mut places = places.as_slice();
        while let Some((&place, rest)) = places.split_first() {
            places = rest;
            if chain.rank(vocab, place) != rank {
                continue;
            }
            chain.join(place, vocab.result(rank));
            let least = chain.offer(vocab, place, &mut buckets);
            let previous = chain.previous[place as usize];
            let least = least.min(chain.offer(vocab, previous, &mut buckets));
            if least < rank && !places.is_empty() {
                // merges in an order that no training gives
                buckets.push(rank, places);
                break;
            }
        }
    }
    ids.extend(chain.id.iter().filter(|&&id| id != GONE));
}

impl Chain {
    /// Put the merge of the part at `place` with the next one into its bucket, and give its rank.
    fn offer(&self, vocab: &Vocabulary, place: u32, buckets: &mut Buckets) -> u32 {
        let rank = self.rank(vocab, place);
        if rank != NONE {
            buckets.push(rank, &[place]);
        }
        rank
    }

    fn rank(&self, vocab: &Vocabulary, place: u32) -> u32 {
        let part = |place: u32| self.id.get(place as usize).copied();
        let right = self.next.get(place as usize).and_then(|&next| part(next));
        match (part(place), right) {
            (Some(left), Some(right)) if left != GONE => vocab.rank(left, right),
            _ => NONE,
        }
    }

    fn join(&mut self, at: u32, result: u32) {
        let right = self.next[at as usize] as usize;
        self.id[at as usize] = result;
        self.id[right] = GONE;
        let after = self.next[right];
        self.next[at as usize] = after;
        if let Some(previous) = self.previous.get_mut(after as usize) {
            *previous = at;
        }
    }
}
