//! Compares the entries of equal keys: which windows of an entry stand in an earlier one.

use hashbrown::HashMap;

use super::entries::Entry;
use super::verify::Claim;
use crate::exact_substring::Corpus;
use crate::overlap::{shared_prefix, shared_suffix};

/// Distinct contexts of one key up to which all pairs are compared; past it windows are looked up, so
/// that the cost stays linear.
const MAX_PAIRED: usize = 64;
const NONE: u32 = u32::MAX;
/// Multiplier of the rolling hash of windows: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Finds the duplicate windows of one bucket of entries; keeps its buffers between buckets.
pub(super) struct Groups<'a> {
    corpus: &'a Corpus<'a>,
    window: usize,
    /// Bytes of text from files that may be touched before they are let go; all when absent.
    resident_bytes: Option<usize>,
    /// An open-addressing table: the first entry of each key.
    heads: Vec<u32>,
    /// The next entry of the same key.
    next: Vec<u32>,
    /// The last entry so far, of the first of each key.
    tails: Vec<u32>,
    /// Entries whose contexts differ, key after key, and where each key's end.
    distinct: Vec<Entry>,
    ends: Vec<usize>,
    /// Contexts copied out of files, and where each distinct entry's is.
    copies: Vec<u8>,
    copied_at: Vec<usize>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(
        corpus: &'a Corpus<'a>,
        window: usize,
        resident_bytes: Option<usize>,
    ) -> Self {
        Self {
            corpus,
            window,
            resident_bytes,
            heads: Vec::new(),
            next: Vec::new(),
            tails: Vec::new(),
            distinct: Vec::new(),
            ends: Vec::new(),
            copies: Vec::new(),
            copied_at: Vec::new(),
        }
    }

    /// Call `visit` with claims of duplicate windows that together name all of them; `entries` hold
    /// the packed entries of some keys, in the order of the corpus.
    pub(super) fn each(&mut self, entries: &[[u32; 5]], mut visit: impl FnMut(Claim)) {
        self.link(entries);
        self.distinct.clear();
        self.ends.clear();
        for head in 0..entries.len() {
            if self.tails[head] != NONE && self.next[head] != NONE {
                self.collapse(entries, head, &mut visit);
            }
        }
        if self.resident_bytes.is_some() {
            self.copy_contexts();
        }
        let contexts = self.contexts();
        let mut from = 0;
        for &end in &self.ends {
            let (group, contexts) = (&self.distinct[from..end], &contexts[from..end]);
            if group.len() <= MAX_PAIRED {
                self.pair(group, contexts, &mut visit);
            } else {
                self.look_up(group, contexts, &mut visit);
            }
            from = end;
        }
    }

    /// Chain the entries of each key, in order.
    fn link(&mut self, entries: &[[u32; 5]]) {
        let mask = (2 * entries.len()).next_power_of_two() - 1;
        self.heads.clear();
        self.heads.resize(mask + 1, NONE);
        self.next.clear();
        self.next.resize(entries.len(), NONE);
        self.tails.clear();
        self.tails.resize(entries.len(), NONE);
        for (number, entry) in entries.iter().enumerate() {
            let mut slot = (u64::from(entry[0]).wrapping_mul(GOLDEN) >> 32) as usize & mask;
            while self.heads[slot] != NONE && entries[self.heads[slot] as usize][0] != entry[0] {
                slot = (slot + 1) & mask;
            }
            if self.heads[slot] == NONE {
                self.heads[slot] = number as u32;
                self.tails[number] = number as u32;
            } else {
                let tail = &mut self.tails[self.heads[slot] as usize];
                self.next[*tail as usize] = number as u32;
                *tail = number as u32;
            }
        }
    }

    /// Claim the entries of one key whose context an earlier one has; note the others.
    fn collapse(&mut self, entries: &[[u32; 5]], head: usize, visit: &mut impl FnMut(Claim)) {
        let from = self.distinct.len();
        let mut known: HashMap<u64, u64> = HashMap::new();
        let mut number = head as u32;
        while number != NONE {
            let entry = Entry::unpack(entries[number as usize]);
            number = self.next[number as usize];
            let earlier = if known.is_empty() {
                let same = |one: &&Entry| one.context == entry.context;
                self.distinct[from..].iter().find(same).map(|one| one.start)
            } else {
                known.get(&entry.context).copied()
            };
            if let Some(twin) = earlier {
                let Entry { start, n_windows, .. } = entry;
                visit(Claim { start, n_windows, twin, proven: false });
                continue;
            }
            self.distinct.push(entry);
            if !known.is_empty() {
                known.insert(entry.context, entry.start);
            } else if self.distinct.len() - from > MAX_PAIRED {
                known.extend(self.distinct[from..].iter().map(|one| (one.context, one.start)));
            }
        }
        if self.distinct.len() == from + 1 {
            self.distinct.truncate(from);
        } else {
            self.ends.push(self.distinct.len());
        }
    }

    fn context_bytes(&self, entry: &Entry) -> usize {
        self.window + (entry.n_windows - 1) * self.corpus.unit()
    }

    /// Copy the bytes of each distinct entry's windows, in the order of the corpus, so that each
    /// page of a file is needed once and can then be let go.
    fn copy_contexts(&mut self) {
        let resident = self.resident_bytes.unwrap_or(usize::MAX) as u64;
        let mut order: Vec<u32> = (0..self.distinct.len() as u32).collect();
        order.sort_unstable_by_key(|&number| self.distinct[number as usize].start);
        self.copies.clear();
        self.copied_at.clear();
        self.copied_at.resize(order.len(), 0);
        let mut touched_from = 0;
        for number in order {
            let entry = self.distinct[number as usize];
            if entry.start - touched_from > resident {
                self.corpus.release();
                touched_from = entry.start;
            }
            self.copied_at[number as usize] = self.copies.len();
            let bytes = &self.corpus.rest(entry.start)[..self.context_bytes(&entry)];
            self.copies.extend_from_slice(bytes);
        }
        self.corpus.release();
    }

    /// The bytes of each distinct entry's windows.
    fn contexts(&self) -> Vec<&[u8]> {
        if self.resident_bytes.is_some() {
            let copies = self.distinct.iter().zip(&self.copied_at);
            return copies
                .map(|(entry, &at)| &self.copies[at..][..self.context_bytes(entry)])
                .collect();
        }
        let slice = |entry: &Entry| &self.corpus.rest(entry.start)[..self.context_bytes(entry)];
        let slices: Vec<&[u8]> = self.distinct.iter().map(slice).collect();
        // Touched one after the other, so that the waits for memory overlap.
        let ends = slices.iter().map(|slice| slice[0] ^ slice[slice.len() - 1]);
        std::hint::black_box(ends.fold(0, |sum, byte| sum ^ byte));
        slices
    }

    /// Compare each entry of a key with all before it.
    fn pair(&self, group: &[Entry], contexts: &[&[u8]], visit: &mut impl FnMut(Claim)) {
        for (later, entry) in group.iter().enumerate().skip(1) {
            let mut left = Missing::all(entry.n_windows);
            for earlier in 0..later {
                let other = &group[earlier];
                let Some((from, to)) =
                    self.shared(entry, contexts[later], other, contexts[earlier])
                else {
                    continue;
                };
                if !left.remove(from, to) {
                    continue;
                }
                let unit = self.corpus.unit() as u64;
                let start = entry.start + from as u64 * unit;
                let anchor = entry.offset - from;
                let twin = other.start + (other.offset - anchor) as u64 * unit;
                visit(Claim { start, n_windows: to - from, twin, proven: true });
                if left.is_empty() {
                    break;
                }
            }
        }
    }

    /// The windows of `entry`, `from..to` of them, that stand in `other` too.
    fn shared(
        &self,
        entry: &Entry,
        context: &[u8],
        other: &Entry,
        other_context: &[u8],
    ) -> Option<(usize, usize)> {
        let unit = self.corpus.unit();
        let (left, right) = context.split_at(entry.offset * unit);
        let (other_left, other_right) = other_context.split_at(other.offset * unit);
        let before = shared_suffix(left, other_left) / unit;
        let after = shared_prefix(right, other_right) / unit;
        // The anchor stands at least and at most so many symbols into a window they share.
        let window = self.window / unit;
        let least = |one: &Entry| (one.offset + 1).saturating_sub(one.n_windows);
        let low = window.saturating_sub(after).max(least(entry)).max(least(other));
        let high = before.min(entry.offset).min(other.offset);
        (low <= high).then(|| (entry.offset - high, entry.offset - low + 1))
    }

    /// Look each window up among those of the entries before.
    fn look_up(&self, group: &[Entry], contexts: &[&[u8]], visit: &mut impl FnMut(Claim)) {
        let unit = self.corpus.unit();
        let power = GOLDEN.wrapping_pow(self.window as u32);
        let n_windows = group.iter().map(|entry| entry.n_windows).sum();
        let mut known: HashMap<(u64, usize), u64> = HashMap::with_capacity(n_windows);
        for (entry, context) in group.iter().zip(contexts) {
            let mut hash = 0_u64;
            let mut append = |entering: u8, leaving: u64| {
                let entering = u64::from(entering) + 1;
                hash = hash.wrapping_mul(GOLDEN).wrapping_add(entering).wrapping_sub(leaving);
                hash
            };
            let mut last = context[..self.window].iter().fold(0, |_, &byte| append(byte, 0));
            let mut open: Option<Claim> = None;
            for number in 0..entry.n_windows {
                if number > 0 {
                    for at in (number - 1) * unit..number * unit {
                        let leaving = (u64::from(context[at]) + 1).wrapping_mul(power);
                        last = append(context[at + self.window], leaving);
                    }
                }
                let start = entry.start + (number * unit) as u64;
                let twin = *known.entry((last, entry.offset - number)).or_insert(start);
                if twin == start {
                    continue;
                }
                match &mut open {
                    Some(claim) if claim.is_followed_by(start, twin, unit) => claim.n_windows += 1,
                    _ => {
                        let claim = Claim { start, n_windows: 1, twin, proven: false };
                        open.replace(claim).into_iter().for_each(&mut *visit);
                    }
                }
            }
            open.into_iter().for_each(&mut *visit);
        }
    }
}

/// Which windows of an entry have not been found elsewhere yet.
struct Missing {
    found: Vec<bool>,
    n_missing: usize,
}

impl Missing {
    fn all(n_windows: usize) -> Self {
        Self { found: vec![false; n_windows], n_missing: n_windows }
    }

    fn is_empty(&self) -> bool {
        self.n_missing == 0
    }

    /// Note `from..to` as found; whether any of them was missing.
    fn remove(&mut self, from: usize, to: usize) -> bool {
        let found = &mut self.found[from..to];
        let n_new = found.iter().filter(|found| !**found).count();
        found.fill(true);
        self.n_missing -= n_new;
        n_new > 0
    }
}
