//! Remembers the ids of words: one table that all threads read and fill without waiting.
//!
//! A word of up to 15 bytes is its own 16-byte key, so a hit compares two integers and finds up to
//! three ids beside them, in half a cache line. Words are looked up in batches: first every key and
//! its place, asking for the memory there, then the comparisons; so the wait for memory is paid once
//! for many words, not once a word.
//!
//! A slot is written once: claimed through its second word, filled, then published through it. What
//! a reader does not see yet it merges itself, to the same ids. Between chunks of text a table that is
//! four fifths full, or has no room left for what slots do not hold, becomes four times as large; at
//! [`MAX_SLOTS`] it is emptied instead.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::key::{Key, SHORT, words_of};
use super::pretokenize::WORDS;
use crate::huge;

/// Longest word that is remembered at all.
const LONG: usize = 4096;
const MIN_SLOTS: usize = 1 << 13;
/// 64 MiB of slots, and a quarter of it for what does not fit them.
const MAX_SLOTS: usize = 1 << 21;
/// Ids, and bytes of long words, that there is room for, in words of 64 bits for each slot.
const STORED_PER_SLOT: usize = 1;
/// The tail of a slot that is being written.
const CLAIMED: u64 = u64::MAX;
/// In [`Found::n`] of a long word, whose bytes are stored too, before its ids.
const RECORD: usize = 1 << 31;

/// Words and their ids, for all threads.
pub(super) struct Cache(RwLock<Table>);

impl Cache {
    pub(super) fn new() -> Self {
        Self(RwLock::new(Table::new(MIN_SLOTS)))
    }

    /// The table for one chunk of text, with room in it.
    pub(super) fn table(&self) -> RwLockReadGuard<'_, Table> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if !table.is_full() {
            return table;
        }
        drop(table);
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if table.is_full() {
            table.make_room();
        }
        drop(table);
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Head and tail of a key, then two ids, then a third one and their number; or where ids are stored,
/// and their number.
type Slot = [AtomicU64; 4];
const HEAD: usize = 0;
const TAIL: usize = 1;

/// What a slot says of its word.
struct Found {
    ids: [u32; 3],
    n: usize,
}

impl Found {
    #[inline(always)]
    fn of([_, _, first, second]: &Slot) -> Self {
        let (first, second) = (first.load(Relaxed), second.load(Relaxed));
        let ids = [first as u32, (first >> 32) as u32, second as u32];
        Self { ids, n: (second >> 32) as usize }
    }
}

/// One word of a batch: its key, and where it belongs.
#[derive(Clone, Copy, Default)]
struct Probe {
    key: Key,
    place: usize,
}

/// Room for the words of a batch.
pub(super) struct Batch {
    /// The ends of the words, counted from the start of the first.
    pub(super) ends: [u32; WORDS],
    probes: [Probe; WORDS],
    /// The ids of a word that was not found at once.
    slow: Vec<u32>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { ends: [0; WORDS], probes: [Probe::default(); WORDS], slow: Vec::new() }
    }
}

pub(super) struct Table {
    slots: Slots,
    n_words: AtomicUsize,
    stored: Box<[AtomicU64]>,
    n_stored: AtomicUsize,
}

/// A power of two of slots, each within one cache line.
struct Slots {
    words: Box<[AtomicU64]>,
    /// The words before the first cache line.
    skipped: usize,
    n: usize,
}

impl Slots {
    fn new(n: usize) -> Self {
        let words = zeros(4 * n + 8);
        huge::advise(&words); // words lie all over: on small pages most miss the translation cache
        let skipped = words.as_ptr().align_offset(64).min(8);
        Self { words, skipped, n }
    }

    #[inline(always)]
    fn get(&self) -> &[Slot] {
        &self.words[self.skipped..].as_chunks().0[..self.n]
    }
}

/// Words of zeros; the system clears a page when it is first written to, so that no thread waits for
/// all of them.
fn zeros(n: usize) -> Box<[AtomicU64]> {
    // SAFETY: an atomic integer of zero bytes is a zero. Twin: `resize_with(default)`, which touches
    // small pages before huge ones are asked for: a warm pass over 327 MB with the vocabulary of
    // cl100k then takes 0.88 to 1.00 s instead of 0.84 to 0.92.
    unsafe { Box::new_zeroed_slice(n).assume_init() }
}

impl Table {
    fn new(n_slots: usize) -> Self {
        Self {
            slots: Slots::new(n_slots),
            n_words: AtomicUsize::new(0),
            stored: zeros(n_slots * STORED_PER_SLOT),
            n_stored: AtomicUsize::new(0),
        }
    }

    fn is_full(&self) -> bool {
        self.n_words.load(Relaxed) >= self.slots.n / 5 * 4
            || self.n_stored.load(Relaxed) + LONG > self.stored.len()
    }

    fn make_room(&mut self) {
        if self.slots.n >= MAX_SLOTS {
            self.slots.words.fill_with(AtomicU64::default);
            (self.n_words, self.n_stored) = Default::default();
            return;
        }
        let old = std::mem::replace(self, Self::new((4 * self.slots.n).min(MAX_SLOTS)));
        for (new, old) in self.stored.iter_mut().zip(old.stored) {
            *new = old;
        }
        self.n_stored = old.n_stored;
        for slot in old.slots.get() {
            let [head, tail, first, second] = std::array::from_fn(|word| slot[word].load(Relaxed));
            if tail != 0 {
                self.insert(Key { head, tail }, first, second);
            }
        }
    }

    /// Append the ids of the words of `text` that begin at `start` and end as the first `n` of
    /// `batch` say; `miss` appends those of a word that is not in the table.
    #[inline]
    pub(super) fn encode(
        &self,
        text: &[u8],
        start: usize,
        n: usize,
        batch: &mut Batch,
        ids: &mut Vec<u32>,
        mut miss: impl FnMut(&[u8], &mut Vec<u32>),
    ) {
        self.probe(text, start, n, batch);
        let Batch { ends, probes, slow } = batch;
        let slots = self.slots.get();
        let mut at = ids.len();
        ids.resize(at + 4 * n, 0);
        let mut from = start;
        for (i, (probe, &end)) in probes[..n].iter().zip(ends.iter()).enumerate() {
            let end = start + end as usize;
            let slot = &slots[probe.place];
            if holds(slot, probe.key) {
                let found = Found::of(slot);
                if let Some(room) = ids[at..].first_chunk_mut::<4>()
                    && found.n <= 3
                {
                    *room = [found.ids[0], found.ids[1], found.ids[2], 0];
                    at += found.n;
                    from = end;
                    continue;
                }
            }
            slow.clear();
            self.encode_slowly(probe, &text[from..end], slow, &mut miss);
            ids.resize(ids.len().max(at + slow.len() + 4 * (n - i)), 0);
            ids[at..at + slow.len()].copy_from_slice(slow);
            at += slow.len();
            from = end;
        }
        ids.truncate(at);
    }

    /// Find the keys of a batch and load what stands at their places.
    #[inline(always)]
    fn probe(&self, text: &[u8], start: usize, n: usize, batch: &mut Batch) {
        let slots = self.slots.get();
        let mut from = start;
        for (probe, &end) in batch.probes[..n].iter_mut().zip(&batch.ends) {
            let end = start + end as usize;
            let key = Key::of(text, from, end);
            let place = self.place(key);
            prefetch(&slots[place]);
            *probe = Probe { key, place };
            from = end;
        }
    }

    #[inline(always)]
    fn place(&self, key: Key) -> usize {
        key.hash() as usize & (self.slots.n - 1)
    }

    #[inline(never)]
    fn encode_slowly(
        &self,
        probe: &Probe,
        word: &[u8],
        ids: &mut Vec<u32>,
        miss: &mut impl FnMut(&[u8], &mut Vec<u32>),
    ) {
        if !self.find(probe, word, ids) {
            let from = ids.len();
            miss(word, ids);
            if word.len() <= LONG && !self.is_full() {
                self.remember(probe.key, word, &ids[from..]);
            }
        }
    }

    /// Append the ids of a word that is in the table.
    fn find(&self, probe: &Probe, word: &[u8], ids: &mut Vec<u32>) -> bool {
        let slots = self.slots.get();
        let mut place = probe.place;
        loop {
            let slot = &slots[place];
            if holds(slot, probe.key) && self.read(Found::of(slot), word, ids) {
                return true;
            }
            if slot[TAIL].load(Acquire) == 0 {
                return false;
            }
            place = (place + 1) & (slots.len() - 1);
        }
    }

    /// Append the ids of a slot, unless it is that of another long word with the same hash.
    fn read(&self, found: Found, word: &[u8], ids: &mut Vec<u32>) -> bool {
        let (n, is_record) = (found.n & (RECORD - 1), found.n & RECORD != 0);
        if !is_record && n <= 3 {
            ids.extend_from_slice(&found.ids[..n]);
            return true;
        }
        let mut stored = self.stored[found.ids[0] as usize..].iter().map(|word| word.load(Relaxed));
        if is_record && !words_of(word).all(|bytes| stored.next() == Some(bytes)) {
            return false;
        }
        let from = ids.len();
        ids.extend(stored.take(n.div_ceil(2)).flat_map(|pair| [pair as u32, (pair >> 32) as u32]));
        ids.truncate(from + n);
        true
    }

    /// Enter a word, if there is room for what its slot cannot hold.
    fn remember(&self, key: Key, word: &[u8], ids: &[u32]) {
        let is_record = word.len() > SHORT;
        if !is_record && ids.len() <= 3 {
            let id = |at: usize| u64::from(ids.get(at).copied().unwrap_or(0));
            self.insert(key, id(0) | id(1) << 32, id(2) | (ids.len() as u64) << 32);
            return;
        }
        let bytes = if is_record { word } else { &[] };
        let n_words = bytes.len().div_ceil(8) + ids.len().div_ceil(2);
        let at = self.n_stored.fetch_add(n_words, Relaxed);
        let Some(room) = self.stored.get(at..at + n_words) else { return };
        let pair = |pair: &[u32]| pair.iter().rev().fold(0, |all, &id| all << 32 | u64::from(id));
        for (stored, value) in room.iter().zip(words_of(bytes).chain(ids.chunks(2).map(pair))) {
            stored.store(value, Relaxed);
        }
        let n = ids.len() | if is_record { RECORD } else { 0 };
        self.insert(key, at as u64, (n as u64) << 32);
    }

    fn insert(&self, key: Key, first: u64, second: u64) {
        let slots = self.slots.get();
        let mut place = self.place(key);
        loop {
            let slot = &slots[place];
            if slot[TAIL].compare_exchange(0, CLAIMED, Relaxed, Relaxed).is_ok() {
                slot[HEAD].store(key.head, Relaxed);
                slot[2].store(first, Relaxed);
                slot[3].store(second, Relaxed);
                slot[TAIL].store(key.tail, Release);
                self.n_words.fetch_add(1, Relaxed);
                return;
            }
            // a word that two threads enter at once stands here twice, with the same ids
            place = (place + 1) & (slots.len() - 1);
        }
    }
}

/// Whether a slot is published and has this key.
#[inline(always)]
fn holds(slot: &Slot, key: Key) -> bool {
    slot[TAIL].load(Acquire) == key.tail && slot[HEAD].load(Relaxed) == key.head
}

/// Ask for a slot before it is needed.
#[inline(always)]
fn prefetch(slot: &Slot) {
    // SAFETY: a hint about an address, which is that of a living slot; it changes no value.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(slot).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slot;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made ids of a word: one for each byte, or a single one for most short words.
    fn ids_of(word: &[u8], ids: &mut Vec<u32>) {
        match word.first() {
            Some(b'a'..=b'f') => ids.extend(word.iter().map(|&byte| u32::from(byte))),
            _ => {
                ids.push(word.iter().fold(0_u32, |id, &byte| id.wrapping_mul(31) ^ u32::from(byte)))
            }
        }
    }

    fn encoded(table: &Table, words: &[String], batch: &mut Batch) -> Vec<u32> {
        let text = words.concat();
        let mut ids = Vec::new();
        let mut start = 0;
        for words in words.chunks(WORDS) {
            let mut end = 0;
            for (place, word) in batch.ends.iter_mut().zip(words) {
                end += word.len() as u32;
                *place = end;
            }
            table.encode(text.as_bytes(), start, words.len(), batch, &mut ids, ids_of);
            start += end as usize;
        }
        ids
    }

    fn expected(words: &[String]) -> Vec<u32> {
        let mut ids = Vec::new();
        words.iter().for_each(|word| ids_of(word.as_bytes(), &mut ids));
        ids
    }

    /// Words of 7, 14, 28 and 5,000 bytes, each number another one.
    fn word(number: u32) -> String {
        let scrambled = format!("{:07x}", number.wrapping_mul(0x9e37_79b1) & 0x0fff_ffff);
        match number % 1_000 {
            0 => scrambled.repeat(4),
            1 => scrambled.repeat(2),
            2 if number < 9_000 => scrambled.repeat(715),
            _ => scrambled,
        }
    }

    #[test]
    fn ids_are_right_while_the_table_grows_and_after_it_was_emptied() {
        let (cache, mut batch) = (Cache::new(), Batch::new());
        let mut emptied = false;
        for chunk in 0..180_u32 {
            let words: Vec<String> = (0..10_000).map(|i| word(chunk * 10_000 + i)).collect();
            let before = cache.table().n_words.load(Relaxed);
            for _ in 0..2 {
                assert!(encoded(&cache.table(), &words, &mut batch) == expected(&words));
            }
            emptied |= cache.table().n_words.load(Relaxed) < before;
        }
        assert_eq!(cache.table().slots.n, MAX_SLOTS);
        assert!(emptied);
    }

    #[test]
    fn threads_that_fill_it_together_find_the_same_ids() {
        let cache = Cache::new();
        let words: Vec<String> = (0..40_000).map(|i| word(i % 30_000)).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut batch = Batch::new();
                    for words in words.chunks(5_000) {
                        assert!(encoded(&cache.table(), words, &mut batch) == expected(words));
                    }
                });
            }
        });
    }
}
