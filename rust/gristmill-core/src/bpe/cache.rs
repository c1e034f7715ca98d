//! Remembers the ids of words that one thread has met: a table of fixed size for short words.
//!
//! A word of up to 15 bytes is its own 16-byte key, so a hit compares two integers and follows no
//! pointer; a set of two slots is one cache line. A word enters at the second slot and moves to the
//! first when it is met again, so words that occur once push out only each other.

use hashbrown::HashMap;

/// Longest word of the table; longer ones go to a map.
const SHORT: usize = 15;
/// Longest word that is remembered at all.
const LONG: usize = 1024;
/// 2^16 sets of 64 bytes: 4 MiB a thread.
const SET_BITS: u32 = 16;
const MAX_LONG_WORDS: usize = 1 << 15;
const MAX_STORED_IDS: usize = 1 << 21;

/// The ids of one word: up to three in place, more in `Cache::stored`.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: [u64; 2],
    ids: [u32; 3],
    n: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Set([Slot; 2]);

/// The words one thread has met.
pub struct Cache {
    sets: Vec<Set>,
    long: HashMap<Box<[u8]>, (u32, u32)>,
    stored: Vec<u32>,
}

impl Cache {
    pub fn new() -> Self {
        Self { sets: vec![Set::default(); 1 << SET_BITS], long: HashMap::new(), stored: Vec::new() }
    }

    /// Append the ids of `text[start..end]`; `miss` appends those of a word not met before.
    #[inline(always)]
    pub fn encode(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        out: &mut Vec<u32>,
        miss: impl FnOnce(&[u8], &mut Vec<u32>),
    ) {
        if end - start > SHORT {
            return self.encode_long(&text[start..end], out, miss);
        }
        let key = short_key(text, start, end - start);
        let key = [key as u64, (key >> 64) as u64];
        let set = &mut self.sets[set_of(key)].0;
        if set[0].key != key {
            set.swap(0, 1);
            if set[0].key != key {
                set.swap(0, 1);
                return self.enter(key, &text[start..end], out, miss);
            }
        }
        let slot = &set[0];
        match slot.n {
            1 => out.push(slot.ids[0]),
            2 => out.extend_from_slice(&slot.ids[..2]),
            3 => out.extend_from_slice(&slot.ids),
            n => {
                let at = slot.ids[0] as usize;
                out.extend_from_slice(&self.stored[at..at + n as usize]);
            }
        }
    }

    #[inline(never)]
    fn enter(
        &mut self,
        key: [u64; 2],
        word: &[u8],
        out: &mut Vec<u32>,
        miss: impl FnOnce(&[u8], &mut Vec<u32>),
    ) {
        let from = out.len();
        miss(word, out);
        let found = &out[from..];
        let mut slot = Slot { key, ids: [0; 3], n: found.len() as u32 };
        if found.len() <= 3 {
            slot.ids[..found.len()].copy_from_slice(found);
        } else {
            slot.ids[0] = self.store(found);
        }
        let set = &mut self.sets[set_of(key)].0;
        let free = usize::from(set[0].n != 0);
        set[free] = slot;
    }

    #[inline(never)]
    fn encode_long(
        &mut self,
        word: &[u8],
        out: &mut Vec<u32>,
        miss: impl FnOnce(&[u8], &mut Vec<u32>),
    ) {
        if let Some(&(at, n)) = self.long.get(word) {
            out.extend_from_slice(&self.stored[at as usize..(at + n) as usize]);
            return;
        }
        let from = out.len();
        miss(word, out);
        if word.len() <= LONG {
            let at = self.store(&out[from..]);
            if self.long.len() >= MAX_LONG_WORDS {
                self.long.clear();
            }
            self.long.insert(word.into(), (at, (out.len() - from) as u32));
        }
    }

    /// Keep ids that do not fit a slot; when there are too many, all words are forgotten.
    fn store(&mut self, ids: &[u32]) -> u32 {
        if self.stored.len() + ids.len() > MAX_STORED_IDS {
            self.sets.fill(Set::default());
            self.long.clear();
            self.stored.clear();
        }
        let at = self.stored.len() as u32;
        self.stored.extend_from_slice(ids);
        at
    }
}

/// The bytes of a word of 1 to 15 bytes, padded with zeros, and its length in the last byte.
#[inline(always)]
pub(super) fn short_key(text: &[u8], start: usize, len: usize) -> u128 {
    let bytes = match text.get(start..start + 16) {
        Some(block) => {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(block);
            u128::from_le_bytes(bytes)
        }
        None => {
            let mut bytes = [0; 16];
            bytes[..len].copy_from_slice(&text[start..start + len]);
            u128::from_le_bytes(bytes)
        }
    };
    bytes & (u128::MAX >> (128 - 8 * len)) | (len as u128) << 120
}

#[inline(always)]
fn set_of(key: [u64; 2]) -> usize {
    let product =
        u128::from(key[0] ^ 0x9e37_79b9_7f4a_7c15) * u128::from(key[1] ^ 0xd6e8_feb8_6659_fd93);
    let mixed = product as u64 ^ (product >> 64) as u64;
    (mixed >> (64 - SET_BITS)) as usize
}
