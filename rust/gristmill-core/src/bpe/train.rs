//! Finds the merges of a byte-level vocabulary: counts words once, then merges the commonest pair of
//! tokens over and over (Sennrich et al., 2016, arXiv:1508.07909).
//!
//! Words are counted in parallel; merging touches only the words that hold the pair, and a heap with
//! lazily corrected counts gives the next one. The commonest pair wins, of equals the one with the
//! smallest ids, as in `tokenizers`' `BpeTrainer`; the result does not depend on threads or on the
//! order of texts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;

use super::parallel;
use super::pretokenize::Pattern;
use super::vocab::{Merge, alphabet};
use crate::{Error, Result};

/// What to train.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of tokens wanted, special tokens and the 256 bytes included.
    pub vocab_size: usize,
    /// They take the first ids, in this order.
    pub special_tokens: Vec<String>,
    /// A pair that occurs less often is not merged.
    pub min_frequency: u64,
    /// No token gets longer than this many bytes.
    pub max_token_bytes: usize,
}

/// A trained vocabulary: special tokens, then bytes, then one token per merge.
#[derive(Debug, PartialEq, Eq)]
pub struct Trained {
    /// The bytes of each token, by id.
    pub tokens: Vec<Vec<u8>>,
    /// The merges by rank.
    pub merges: Vec<Merge>,
}

/// Counts the words of texts, given in any order and portions, and then learns their vocabulary.
pub struct Trainer {
    pattern: Pattern,
    options: Options,
    counters: Vec<Counter>,
}

impl Trainer {
    /// Prepare to train on words cut by `pattern`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when `vocab_size` leaves no room for the 256 bytes and the special
    /// tokens, or a special token is given twice or is shorter than two bytes.
    pub fn new(pattern: Pattern, options: Options) -> Result<Self> {
        check(&options)?;
        Ok(Self { pattern, options, counters: Vec::new() })
    }

    /// Count the words of more texts.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for zero threads.
    pub fn add(&mut self, texts: &[&str], threads: usize) -> Result<()> {
        if threads == 0 {
            return Err(refused("threads", 0, "at least 1"));
        }
        let chunks = parallel::chunks(texts);
        let n = threads.min(chunks.len());
        if self.counters.len() < n {
            self.counters.resize_with(n, Counter::default);
        }
        parallel::map(chunks.len(), &mut self.counters[..n], |counter, i| {
            for text in &texts[chunks[i].clone()] {
                let bytes = text.as_bytes();
                self.pattern.split(text, |start, end| counter.add(bytes, start, end));
            }
        });
        Ok(())
    }

    /// Learn the merges from the words counted so far.
    ///
    /// Fewer than `vocab_size` tokens come back when the words hold no more pairs to merge.
    pub fn train(self) -> Trained {
        let Self { options, counters, .. } = self;
        let mut merger = Merger::new(total(counters), &options);
        let mut merges = Vec::new();
        while merger.tokens.len() < options.vocab_size {
            let Some(merge) = merger.step() else { break };
            merges.push(merge);
        }
        Trained { tokens: merger.tokens, merges }
    }
}

/// All words with their counts, in no particular order.
fn total(counters: Vec<Counter>) -> Vec<(Vec<u8>, u64)> {
    let total = counters.into_iter().reduce(|mut total, counter| {
        total.merge(counter);
        total
    });
    total.map(|counter| counter.words()).unwrap_or_default()
}

/// Words of up to 15 bytes as integers (see `cache`), longer ones as they are.
#[derive(Default)]
struct Counter {
    short: HashMap<u128, u64, BuildHasherDefault<Mix>>,
    long: HashMap<Vec<u8>, u64>,
}

impl Counter {
    #[inline(always)]
    fn add(&mut self, text: &[u8], start: usize, end: usize) {
        if end - start < 16 {
            *self.short.entry(super::cache::short_key(text, start, end - start)).or_default() += 1;
        } else {
            *self.long.entry_ref(&text[start..end]).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        for (word, n) in other.short {
            *self.short.entry(word).or_default() += n;
        }
        for (word, n) in other.long {
            *self.long.entry(word).or_default() += n;
        }
    }

    fn words(&self) -> Vec<(Vec<u8>, u64)> {
        let short = self.short.iter().map(|(key, &n)| {
            let bytes = key.to_le_bytes();
            (bytes[..bytes[15] as usize].to_vec(), n)
        });
        short.chain(self.long.iter().map(|(word, &n)| (word.clone(), n))).collect()
    }
}

/// A hasher for integer keys: one multiplication, both halves of the product.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        let product =
            u128::from(self.0 ^ value ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    #[inline]
    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }
}

fn check(options: &Options) -> Result<()> {
    let specials = &options.special_tokens;
    if options.vocab_size < 256 + specials.len() || options.vocab_size > 1 << 24 {
        return Err(refused(
            "vocab_size",
            options.vocab_size,
            "at least 256 bytes and the special tokens, at most 16777216",
        ));
    }
    for (i, token) in specials.iter().enumerate() {
        if token.len() < 2 {
            return Err(refused("special_tokens", format!("{token:?}"), "two bytes or more each"));
        }
        if specials[..i].contains(token) {
            return Err(refused("special_tokens", format!("{token:?}"), "each of them once"));
        }
    }
    Ok(())
}

fn refused(name: &'static str, value: impl ToString, allowed: &'static str) -> Error {
    Error::Parameter { name, value: value.to_string(), allowed }
}

/// One distinct word: where its tokens lie and how often it occurs.
struct Word {
    start: usize,
    len: u32,
    count: i64,
}

/// A pair of neighbouring tokens: how often it occurs, and the words that have held it.
#[derive(Default)]
struct Pair {
    count: i64,
    words: Vec<u32>,
}

struct Merger {
    tokens: Vec<Vec<u8>>,
    ids: HashMap<Vec<u8>, u32>,
    n_specials: usize,
    words: Vec<Word>,
    symbols: Vec<u32>,
    pairs: HashMap<u64, Pair, BuildHasherDefault<Mix>>,
    heap: BinaryHeap<(i64, Reverse<u64>)>,
    min_count: i64,
    max_token_bytes: usize,
}

const fn pair_of(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}

impl Merger {
    fn new(counted: Vec<(Vec<u8>, u64)>, options: &Options) -> Self {
        let mut tokens: Vec<Vec<u8>> =
            options.special_tokens.iter().map(|token| token.clone().into_bytes()).collect();
        let mut byte_ids = [0_u32; 256];
        for byte in alphabet() {
            byte_ids[byte as usize] = tokens.len() as u32;
            tokens.push(vec![byte]);
        }
        let mut merger = Self {
            ids: (0..).zip(&tokens).map(|(id, token)| (token.clone(), id)).collect(),
            n_specials: options.special_tokens.len(),
            tokens,
            words: Vec::with_capacity(counted.len()),
            symbols: Vec::with_capacity(counted.iter().map(|(word, _)| word.len()).sum()),
            pairs: HashMap::default(),
            heap: BinaryHeap::new(),
            min_count: i64::try_from(options.min_frequency.max(1)).unwrap_or(i64::MAX),
            max_token_bytes: options.max_token_bytes,
        };
        for (word, n) in counted {
            if word.len() > 1 {
                merger.push_word(&word, n, &byte_ids);
            }
        }
        let mut all: Vec<u64> = merger.pairs.keys().copied().collect();
        all.sort_unstable();
        merger.offer(&all);
        merger
    }

    fn push_word(&mut self, word: &[u8], n: u64, byte_ids: &[u32; 256]) {
        let count = i64::try_from(n).unwrap_or(i64::MAX);
        let index = self.words.len() as u32;
        let start = self.symbols.len();
        self.symbols.extend(word.iter().map(|&byte| byte_ids[byte as usize]));
        self.words.push(Word { start, len: word.len() as u32, count });
        for window in self.symbols[start..].windows(2) {
            let pair = self.pairs.entry(pair_of(window[0], window[1])).or_default();
            pair.count += count;
            if pair.words.last() != Some(&index) {
                pair.words.push(index);
            }
        }
    }

    /// Put pairs on the heap with their present counts.
    fn offer(&mut self, pairs: &[u64]) {
        for &pair in pairs {
            let count = self.pairs.get(&pair).map_or(0, |pair| pair.count);
            if count >= self.min_count && self.token_bytes(pair) <= self.max_token_bytes {
                self.heap.push((count, Reverse(pair)));
            }
        }
    }

    fn token_bytes(&self, pair: u64) -> usize {
        self.tokens[(pair >> 32) as usize].len() + self.tokens[pair as u32 as usize].len()
    }

    /// Make the next merge; None when no pair is common enough.
    fn step(&mut self) -> Option<Merge> {
        loop {
            let (count, Reverse(pair)) = self.heap.pop()?;
            let now = self.pairs.get(&pair).map_or(0, |pair| pair.count);
            if now != count {
                self.offer(&[pair]);
                continue;
            }
            let Some(result) = self.result(pair) else { continue };
            self.merge(pair, result);
            return Some(((pair >> 32) as u32, pair as u32, result));
        }
    }

    /// The token that a pair becomes; None when its bytes spell a special token.
    fn result(&mut self, pair: u64) -> Option<u32> {
        let left = &self.tokens[(pair >> 32) as usize];
        let bytes = [left.as_slice(), self.tokens[pair as u32 as usize].as_slice()].concat();
        if let Some(&id) = self.ids.get(&bytes) {
            return (id as usize >= self.n_specials).then_some(id);
        }
        let id = self.tokens.len() as u32;
        self.ids.insert(bytes.clone(), id);
        self.tokens.push(bytes);
        Some(id)
    }

    /// Replace a pair in every word that holds it, and keep the counts of its neighbours.
    fn merge(&mut self, pair: u64, result: u32) {
        let Some(Pair { words, .. }) = self.pairs.remove(&pair) else { return };
        let mut grown = Vec::new();
        for index in words {
            self.merge_in_word(index, pair, result, &mut grown);
        }
        grown.sort_unstable();
        grown.dedup();
        self.offer(&grown);
    }

    fn merge_in_word(&mut self, index: u32, pair: u64, result: u32, grown: &mut Vec<u64>) {
        let Word { start, len, count } = self.words[index as usize];
        let (mut read, mut write) = (start, start);
        let end = start + len as usize;
        while read < end {
            let symbol = self.symbols[read];
            let right = self.symbols[..end].get(read + 1).copied();
            if right.is_none_or(|right| pair_of(symbol, right) != pair) {
                self.symbols[write] = symbol;
                (read, write) = (read + 1, write + 1);
                continue;
            }
            let right = pair as u32;
            if write > start {
                let before = self.symbols[write - 1];
                self.less(pair_of(before, symbol), count);
                self.more(pair_of(before, result), count, index, grown);
            }
            if read + 2 < end {
                let after = self.symbols[read + 2];
                self.less(pair_of(right, after), count);
                self.more(pair_of(result, after), count, index, grown);
            }
            self.symbols[write] = result;
            (read, write) = (read + 2, write + 1);
        }
        self.words[index as usize].len = (write - start) as u32;
    }

    fn less(&mut self, pair: u64, count: i64) {
        if let Some(pair) = self.pairs.get_mut(&pair) {
            pair.count -= count;
        }
    }

    fn more(&mut self, key: u64, count: i64, index: u32, grown: &mut Vec<u64>) {
        let pair = self.pairs.entry(key).or_default();
        pair.count += count;
        if pair.words.last() != Some(&index) {
            pair.words.push(index);
        }
        grown.push(key);
    }
}
