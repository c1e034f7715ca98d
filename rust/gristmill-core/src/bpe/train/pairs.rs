//! The pairs of neighbouring tokens: how often each occurs, where, and which is the commonest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use hashbrown::HashMap;

use super::words::{NONE, Words};

/// The count of a pair that is out of the running, which no word is common enough to make up for.
const RETIRED: i64 = i64::MIN / 2;

/// A place at which a pair came up.
#[derive(Clone, Copy)]
pub struct Found {
    pub pair: u32,
    /// The slot at which it begins.
    pub at: u32,
}

struct Pair {
    left: u32,
    right: u32,
    /// Its places in [`Pairs::places`].
    first: usize,
    n: u32,
}

/// A count, the pair's tokens, and its number.
type Candidate = (i64, Reverse<(u32, u32)>, u32);

/// All pairs, numbered in the order in which they came up.
pub struct Pairs {
    /// How often each pair occurs.
    pub counts: Vec<i64>,
    pairs: Vec<Pair>,
    /// The slots at which each pair has begun, in order; those that it no longer holds included.
    pub places: Vec<u32>,
    numbers: HashMap<(u32, u32), u32>,
    heap: BinaryHeap<Candidate>,
    /// The heap holds the pairs that occur so often, with counts that are right or too high.
    floor: i64,
}

impl Pairs {
    /// Find the pairs of all words.
    pub fn of(words: &mut Words, lens: &[u32]) -> Self {
        let mut pairs = Self {
            counts: Vec::new(),
            pairs: Vec::new(),
            places: Vec::new(),
            numbers: HashMap::new(),
            heap: BinaryHeap::new(),
            floor: i64::MAX,
        };
        let mut at = 1;
        while at < words.slots.len() {
            let left = words.slots[at].token;
            if left == NONE {
                at += 1;
                continue;
            }
            let next = at + lens[left as usize] as usize;
            let right = words.slots[next].token;
            if right != NONE {
                let pair = pairs.number(left, right);
                words.slots[at].pair = pair;
                pairs.counts[pair as usize] += words.count_at(at);
                pairs.pairs[pair as usize].n += 1;
            }
            at = next;
        }
        pairs.reserve_places(0);
        for (at, slot) in (0..).zip(&words.slots) {
            if slot.pair != NONE {
                pairs.put_place(slot.pair, at);
            }
        }
        pairs
    }

    /// The number of pairs that ever came up.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The two tokens of a pair.
    pub fn tokens(&self, pair: u32) -> (u32, u32) {
        let Pair { left, right, .. } = self.pairs[pair as usize];
        (left, right)
    }

    /// Where in `places` the places of a pair are.
    pub fn places_of(&self, pair: u32) -> Range<usize> {
        let Pair { first, n, .. } = self.pairs[pair as usize];
        first..first + n as usize
    }

    /// The number of a pair, which may be new.
    pub fn number(&mut self, left: u32, right: u32) -> u32 {
        if let Some(&pair) = self.numbers.get(&(left, right)) {
            return pair;
        }
        let pair = self.pairs.len() as u32;
        self.numbers.insert((left, right), pair);
        self.pairs.push(Pair { left, right, first: 0, n: 0 });
        self.counts.push(0);
        pair
    }

    /// Take a pair out of the running; should it come up again, it does so under a new number.
    pub fn retire(&mut self, pair: u32) {
        let tokens = self.tokens(pair);
        self.numbers.remove(&tokens);
        self.counts[pair as usize] = RETIRED;
    }

    /// Take in where pairs came up, in order of places; those from `first_new` on had none so far.
    pub fn add_places(&mut self, found: &[Found], first_new: usize) {
        let is_new = |found: &&Found| found.pair as usize >= first_new;
        for &Found { pair, .. } in found.iter().filter(is_new) {
            self.pairs[pair as usize].n += 1;
        }
        self.reserve_places(first_new);
        for &Found { pair, at } in found.iter().filter(is_new) {
            self.put_place(pair, at);
        }
        if found.iter().any(|found| !is_new(&found)) {
            self.add_more_places(found.iter().filter(|found| !is_new(found)).copied().collect());
        }
    }

    /// The same for pairs that had places before: both lists become one, in order.
    fn add_more_places(&mut self, mut found: Vec<Found>) {
        found.sort_unstable_by_key(|found| found.pair);
        for group in found.chunk_by(|one, other| one.pair == other.pair) {
            let pair = group[0].pair;
            let old = self.places_of(pair);
            let first = self.places.len();
            self.places.extend_from_within(old);
            self.places.extend(group.iter().map(|found| found.at));
            self.places[first..].sort_unstable();
            let n = (self.places.len() - first) as u32;
            let Pair { left, right, .. } = self.pairs[pair as usize];
            self.pairs[pair as usize] = Pair { left, right, first, n };
        }
    }

    /// Give the pairs from `first_new` on room for their `n` places, and set `n` to none.
    fn reserve_places(&mut self, first_new: usize) {
        let mut end = self.places.len();
        for pair in &mut self.pairs[first_new..] {
            pair.first = end;
            end += pair.n as usize;
            pair.n = 0;
        }
        self.places.resize(end, 0);
    }

    fn put_place(&mut self, pair: u32, at: u32) {
        let pair = &mut self.pairs[pair as usize];
        self.places[pair.first + pair.n as usize] = at;
        pair.n += 1;
    }

    /// Put a pair on the heap with its present count.
    pub fn offer(&mut self, pair: u32) {
        let count = self.counts[pair as usize];
        if count >= self.floor {
            self.heap.push((count, Reverse(self.tokens(pair)), pair));
        }
    }

    /// The commonest pair, of equals the one with the smallest tokens; None when none occurs `least`
    /// times.
    pub fn pop(&mut self, least: i64) -> Option<u32> {
        loop {
            match self.heap.pop() {
                Some((count, _, pair)) if self.counts[pair as usize] == count => return Some(pair),
                Some((_, _, pair)) => self.offer(pair),
                None => self.refill(least)?,
            }
        }
    }

    /// Lower the floor, so that low counts, which nearly all pairs have, cost the heap nothing.
    fn refill(&mut self, least: i64) -> Option<()> {
        let most = self.counts.iter().copied().max()?;
        if most < least {
            return None;
        }
        self.floor = least.max(most / 4);
        for pair in 0..self.len() as u32 {
            self.offer(pair);
        }
        Some(())
    }
}
