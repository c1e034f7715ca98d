//! Makes one merge after the other.

use hashbrown::HashMap;

use super::counter::Counter;
use super::pairs::{Found, Pairs};
use super::start::Start;
use super::words::{NONE, Words};
use super::{Options, Trained};
use crate::Result;
use crate::bpe::vocab::Merge;

/// Words that are counted, and the merges that were learned from them so far.
pub struct Learner {
    vocab_size: usize,
    least: i64,
    max_token_bytes: usize,
    tokens: Vec<Vec<u8>>,
    merges: Vec<Merge>,
    /// The id of each token by its bytes; [`NONE`] for those that merges never make.
    ids: HashMap<Vec<u8>, u32>,
    state: State,
}

impl Learner {
    pub(super) fn new(mut counted: Counter, start: Start, options: &Options) -> Result<Self> {
        let lens: Vec<u32> = start.tokens.iter().map(|token| token.len() as u32).collect();
        let mut words = Words::with_capacity(counted.size());
        let mut ids = Vec::new();
        counted.take(|word, count| {
            ids.clear();
            start.merger.encode(word, &mut ids);
            if ids.len() > 1 { words.push(&ids, &lens, count) } else { Ok(()) }
        })?;
        let mut ids: HashMap<_, _> = start.tokens.iter().cloned().zip(0..).collect();
        for id in start.added {
            ids.insert(start.tokens[id as usize].clone(), NONE);
        }
        Ok(Self {
            vocab_size: options.vocab_size,
            least: i64::try_from(options.min_frequency.max(1)).unwrap_or(i64::MAX),
            max_token_bytes: options.max_token_bytes,
            state: State::new(words, lens),
            tokens: start.tokens,
            merges: start.merges,
            ids,
        })
    }

    /// Make at most `n` merges, and say how many: fewer when the vocabulary is full, or when no pair
    /// is common enough.
    pub fn learn(&mut self, n: usize) -> usize {
        let before = self.merges.len();
        while self.merges.len() - before < n && self.tokens.len() < self.vocab_size {
            let Some(pair) = self.state.pairs.pop(self.least) else { break };
            let (left, right) = self.state.pairs.tokens(pair);
            match self.result(left, right) {
                Some(result) => {
                    self.merges.push((left, right, result));
                    self.state.merge(pair, result);
                }
                None => self.state.pairs.retire(pair),
            }
        }
        self.merges.len() - before
    }

    /// What was learned.
    pub fn finish(self) -> Trained {
        Trained { tokens: self.tokens, merges: self.merges }
    }

    /// The token that a pair becomes; None when it may not.
    fn result(&mut self, left: u32, right: u32) -> Option<u32> {
        let bytes = [&*self.tokens[left as usize], &*self.tokens[right as usize]].concat();
        if bytes.len() > self.max_token_bytes {
            return None;
        }
        if let Some(&id) = self.ids.get(&bytes) {
            return (id != NONE).then_some(id);
        }
        let id = self.tokens.len() as u32;
        self.state.add_token(bytes.len());
        self.ids.insert(bytes.clone(), id);
        self.tokens.push(bytes);
        Some(id)
    }
}

/// The words in their present tokens, and the pairs in them.
struct State {
    words: Words,
    lens: Vec<u32>,
    pairs: Pairs,
    fresh: Fresh,
}

/// The pairs that one merge makes, each looked up once: by what stands on the left of the new token,
/// and by what stands on its right. [`NONE`] between merges.
struct Fresh {
    by_left: Vec<u32>,
    by_right: Vec<u32>,
    pairs: Vec<u32>,
    found: Vec<Found>,
}

impl Fresh {
    fn new(n_tokens: usize) -> Self {
        let none = vec![NONE; n_tokens];
        Self { by_left: none.clone(), by_right: none, pairs: Vec::new(), found: Vec::new() }
    }

    #[inline(always)]
    fn on_left(&mut self, before: u32, result: u32, pairs: &mut Pairs) -> u32 {
        if before == result {
            return self.on_right(result, result, pairs);
        }
        if self.by_left[before as usize] == NONE {
            self.by_left[before as usize] = pairs.number(before, result);
            self.pairs.push(self.by_left[before as usize]);
        }
        self.by_left[before as usize]
    }

    #[inline(always)]
    fn on_right(&mut self, result: u32, after: u32, pairs: &mut Pairs) -> u32 {
        if self.by_right[after as usize] == NONE {
            self.by_right[after as usize] = pairs.number(result, after);
            self.pairs.push(self.by_right[after as usize]);
        }
        self.by_right[after as usize]
    }

    /// Hand everything over to `pairs`, of which those from `first_new` on are new.
    fn close(&mut self, pairs: &mut Pairs, first_new: usize) {
        pairs.add_places(&self.found, first_new);
        self.found.clear();
        for pair in self.pairs.drain(..) {
            let (left, right) = pairs.tokens(pair);
            self.by_left[left as usize] = NONE;
            self.by_right[right as usize] = NONE;
            pairs.offer(pair);
        }
    }
}

/// Places that are looked at together: nothing but the look-ups stands between their accesses to
/// memory, so the processor has many under way at once.
const BATCH: usize = 64;

impl State {
    fn new(mut words: Words, lens: Vec<u32>) -> Self {
        let pairs = Pairs::of(&mut words, &lens);
        Self { fresh: Fresh::new(lens.len()), words, lens, pairs }
    }

    fn add_token(&mut self, n_bytes: usize) {
        self.lens.push(n_bytes as u32);
        self.fresh.by_left.push(NONE);
        self.fresh.by_right.push(NONE);
    }

    /// Let a pair become the token `result` wherever it stands.
    fn merge(&mut self, pair: u32, result: u32) {
        let n_pairs = self.pairs.len();
        let mut held = [0; BATCH];
        let places = self.pairs.places_of(pair);
        for start in places.clone().step_by(BATCH) {
            let end = places.end.min(start + BATCH);
            let mut n = 0;
            for &at in &self.pairs.places[start..end] {
                held[n] = at;
                n += usize::from(self.words.slots[at as usize].pair == pair);
            }
            for &at in &held[..n] {
                // in a run like aaa the first merge takes a token away from the second
                if self.words.slots[at as usize].pair == pair {
                    self.merge_at(at as usize, result);
                }
            }
        }
        self.pairs.retire(pair);
        self.fresh.close(&mut self.pairs, n_pairs);
    }

    fn merge_at(&mut self, at: usize, result: u32) {
        let Self { words, lens, pairs, fresh } = self;
        let count = words.count_at(at);
        let slots = &mut words.slots;
        let len = lens[result as usize] as usize;
        let len_left = lens[slots[at].token as usize] as usize;
        let last = slots[at + len_left].pair;
        slots[at + len_left].pair = NONE;
        slots[at].token = result;
        slots[at + len - 1].token = result;
        let (before, after) = (slots[at - 1].token, slots[at + len].token);
        if before != NONE {
            let start = at - lens[before as usize] as usize;
            pairs.counts[slots[start].pair as usize] -= count;
            slots[start].pair = fresh.on_left(before, result, pairs);
            pairs.counts[slots[start].pair as usize] += count;
            fresh.found.push(Found { pair: slots[start].pair, at: start as u32 });
        }
        slots[at].pair = NONE;
        if after != NONE {
            pairs.counts[last as usize] -= count;
            slots[at].pair = fresh.on_right(result, after, pairs);
            pairs.counts[slots[at].pair as usize] += count;
            fresh.found.push(Found { pair: slots[at].pair, at: at as u32 });
        }
    }
}
