//! Counts words: each distinct one once, in tables without a pointer per word.

use std::cmp::Reverse;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use crate::bpe::key::{Key, SHORT};
use crate::{Result, huge};

/// Words with their counts.
#[derive(Default)]
pub struct Counter {
    short: Short,
    long: Long,
}

impl Counter {
    /// Count the word `text[start..end]`.
    #[inline(always)]
    pub fn add(&mut self, text: &[u8], start: usize, end: usize) {
        if end - start <= SHORT {
            self.short.add(Key::short(text, start, end));
        } else {
            self.long.add(&text[start..end], 1);
        }
    }

    /// Both counts in one.
    pub fn merged_with(mut self, mut other: Self) -> Self {
        self.short.flush();
        other.short.flush();
        // at once: words come in the order of their hashes, and would pile up in a smaller table
        self.short.make_room(other.short.used);
        for Slot { key, count } in other.short.slots.into_iter().filter(Slot::is_used) {
            self.short.add_many(key, count);
        }
        for word in other.long.words {
            self.long.add(&other.long.bytes[word.start..word.start + word.len], word.count);
        }
        self
    }

    /// The number of distinct words and of their bytes, together.
    pub fn size(&mut self) -> usize {
        self.short.flush();
        let short = self.short.slots.iter().filter(|slot| slot.is_used());
        let short: usize = short.map(|slot| slot.len() + 1).sum();
        short + self.long.bytes.len() + self.long.words.len()
    }

    /// Call `word` with every distinct word and its count, equal counts mostly one after the other.
    ///
    /// # Errors
    ///
    /// The first of `word`.
    pub fn take(mut self, mut word: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        self.short.flush();
        let mut short = self.short.slots;
        short.retain(Slot::is_used);
        short.sort_unstable_by_key(|slot| Reverse(slot.count));
        for Slot { key, count } in short {
            let bytes = key.bytes();
            word(&bytes[..usize::from(bytes[15])], count)?;
        }
        let mut long: Vec<_> = self.long.words.into_iter().collect();
        long.sort_unstable_by_key(|word| Reverse(word.count));
        for LongWord { start, len, count } in long {
            word(&self.long.bytes[start..start + len], count)?;
        }
        Ok(())
    }
}

/// Words of up to 15 bytes as their keys: open addressing, at most three quarters full.
#[derive(Default)]
struct Short {
    slots: Vec<Slot>,
    used: usize,
    /// Words on their way into the table.
    ///
    /// Looked up [`BATCH`] at a time: nothing else then stands between the accesses to memory, so
    /// the processor has many of them under way at once.
    pending: Vec<Key>,
}

const BATCH: usize = 256;
const LEAST_SLOTS: usize = 1 << 10;

#[derive(Clone, Copy, Default)]
struct Slot {
    key: Key,
    count: u64,
}

impl Slot {
    fn is_used(&self) -> bool {
        self.count != 0
    }

    fn len(&self) -> usize {
        usize::from(self.key.bytes()[15])
    }
}

impl Short {
    #[inline(always)]
    fn add(&mut self, key: Key) {
        self.pending.push(key);
        if self.pending.len() == BATCH {
            self.flush();
        }
    }

    #[inline(never)]
    fn flush(&mut self) {
        self.make_room(self.pending.len());
        let mut pending = std::mem::take(&mut self.pending);
        for key in pending.drain(..) {
            self.add_many(key, 1);
        }
        self.pending = pending;
    }

    /// Count a word `count` times; there must be room.
    #[inline(always)]
    fn add_many(&mut self, key: Key, count: u64) {
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.key == key {
                slot.count += count;
                return;
            }
            if !slot.is_used() {
                *slot = Slot { key, count };
                self.used += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn make_room(&mut self, n: usize) {
        let mut size = self.slots.len().max(LEAST_SLOTS);
        while (self.used + n) * 4 > size * 3 {
            size *= 2;
        }
        if size > self.slots.len() {
            let old = std::mem::replace(&mut self.slots, huge::zeroed(size));
            self.used = 0;
            for Slot { key, count } in old.into_iter().filter(Slot::is_used) {
                self.add_many(key, count);
            }
        }
    }
}

/// Longer words, all their bytes in one buffer.
#[derive(Default)]
struct Long {
    words: HashTable<LongWord>,
    bytes: Vec<u8>,
}

struct LongWord {
    start: usize,
    len: usize,
    count: u64,
}

impl Long {
    #[inline(never)]
    fn add(&mut self, word: &[u8], count: u64) {
        let Self { words, bytes } = self;
        let bytes_of = |word: &LongWord| &bytes[word.start..word.start + word.len];
        let found = words.entry(
            xxh3_64(word),
            |held| bytes_of(held) == word,
            |held| xxh3_64(bytes_of(held)),
        );
        match found {
            Entry::Occupied(mut held) => held.get_mut().count += count,
            Entry::Vacant(free) => {
                free.insert(LongWord { start: bytes.len(), len: word.len(), count });
                bytes.extend_from_slice(word);
            }
        }
    }
}
