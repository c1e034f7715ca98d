//! How much of a text is its most frequent, and its repeated, n-grams of words.
//!
//! An n-gram that occurs twice is made of two (n-1)-grams that occur twice. So each step looks only
//! at the places the last one left: all of them for n = 2, a tenth for n = 3, few after that. A key
//! is a pair of numbers of the step before, so nothing is ever hashed to a collision.

/// Characters of n-grams; see [`Repetition::measure`].
pub(super) struct Figures {
    /// For n = 2, 3, 4: characters of the most frequent n-gram, times how often it occurs.
    pub top: [usize; 3],
    /// For n = 5 to 10: characters in n-grams seen before, none counted twice.
    pub duplicated: [usize; 6],
}

/// An n-gram somewhere in the text.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    /// The number of the n-gram, in order of first occurrence.
    gram: u32,
}

/// Working memory, reused from text to text.
#[derive(Default)]
pub(super) struct Repetition {
    /// `ends[i]`: characters of the first `i` words.
    ends: Vec<u32>,
    places: Vec<Place>,
    next: Vec<Place>,
    /// Occurrences of each n-gram.
    counts: Vec<u32>,
    seen: Vec<bool>,
    table: Table,
}

impl Repetition {
    /// Measure the n-grams of `words`, whose lengths `chars` gives.
    ///
    /// The most frequent n-gram is the first one among equals, and may occur only once; its words
    /// are joined by spaces. Duplicates are sought left to right: an n-gram met before counts whole
    /// and the search goes on behind it, any other is remembered and the search goes on at the next
    /// word.
    pub(super) fn measure(&mut self, words: &[u32], chars: impl Fn(u32) -> u32) -> Figures {
        self.ends.clear();
        self.ends.push(0);
        self.ends.extend(words.iter().scan(0, |end, &word| {
            *end += chars(word);
            Some(*end)
        }));
        let mut figures = Figures { top: [0; 3], duplicated: [0; 6] };
        self.pair_words(words);
        for n in 2..=10 {
            if n > 2 {
                self.pair_places();
            }
            if words.len() < n {
                break;
            }
            match n {
                2..=4 => figures.top[n - 2] = self.top(n),
                _ => figures.duplicated[n - 5] = self.duplicated(n),
            }
            self.drop_single();
        }
        figures
    }

    fn pair_words(&mut self, words: &[u32]) {
        self.places.clear();
        self.counts.clear();
        self.table.clear(words.len());
        for (start, pair) in words.windows(2).enumerate() {
            let gram = self.table.number(pair[0], pair[1], &mut self.counts);
            self.places.push(Place { start: start as u32, gram });
        }
    }

    /// Go from n-grams that occur twice to the (n+1)-grams that may.
    fn pair_places(&mut self) {
        self.next.clear();
        self.counts.clear();
        self.table.clear(self.places.len());
        for pair in self.places.windows(2) {
            if pair[0].start + 1 == pair[1].start {
                let gram = self.table.number(pair[0].gram, pair[1].gram, &mut self.counts);
                self.next.push(Place { start: pair[0].start, gram });
            }
        }
        std::mem::swap(&mut self.places, &mut self.next);
    }

    fn drop_single(&mut self) {
        let counts = &self.counts;
        self.places.retain(|place| counts[place.gram as usize] > 1);
    }

    fn chars(&self, start: usize, n: usize) -> usize {
        (self.ends[start + n] - self.ends[start]) as usize
    }

    fn top(&self, n: usize) -> usize {
        let (mut best, mut times) = (0, 1);
        for place in &self.places {
            let count = self.counts[place.gram as usize] as usize;
            if count > times {
                (best, times) = (place.start as usize, count);
            }
        }
        (self.chars(best, n) + n - 1) * times
    }

    fn duplicated(&mut self, n: usize) -> usize {
        self.seen.clear();
        self.seen.resize(self.counts.len(), false);
        let (mut from, mut n_chars) = (0, 0);
        for place in &self.places {
            let start = place.start as usize;
            if start < from {
                continue;
            }
            let seen = &mut self.seen[place.gram as usize];
            if *seen {
                n_chars += (self.ends[start + n] - self.ends[start]) as usize;
                from = start + n;
            }
            *seen = true;
        }
        n_chars
    }
}

/// Numbers pairs in order of first occurrence: open addressing, at most half full.
#[derive(Default)]
struct Table {
    slots: Vec<(u64, u32)>,
    mask: usize,
    free: usize,
}

const EMPTY: u32 = u32::MAX;

/// Slots to begin with at most; a huge text may be one n-gram over and over.
const FIRST_SLOTS: usize = 1 << 17;

impl Table {
    fn clear(&mut self, n_pairs: usize) {
        self.resize((n_pairs * 2).next_power_of_two().clamp(16, FIRST_SLOTS));
    }

    fn resize(&mut self, size: usize) {
        self.slots.clear();
        self.slots.resize(size, (0, EMPTY));
        self.mask = size - 1;
        self.free = size / 2;
    }

    /// The number of the pair, whose count goes up by one.
    fn number(&mut self, left: u32, right: u32, counts: &mut Vec<u32>) -> u32 {
        let key = u64::from(left) << 32 | u64::from(right);
        let slot = self.slot(key);
        let (_, number) = self.slots[slot];
        if number != EMPTY {
            counts[number as usize] += 1;
            return number;
        }
        let number = counts.len() as u32;
        counts.push(1);
        self.slots[slot] = (key, number);
        self.free -= 1;
        if self.free == 0 {
            self.grow();
        }
        number
    }

    /// Where `key` is, or would be.
    fn slot(&self, key: u64) -> usize {
        let mixed = u128::from(key ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        let mut slot = ((mixed >> 64) ^ mixed) as usize & self.mask;
        while self.slots[slot].1 != EMPTY && self.slots[slot].0 != key {
            slot = (slot + 1) & self.mask;
        }
        slot
    }

    fn grow(&mut self) {
        let held = std::mem::take(&mut self.slots);
        self.resize(held.len() * 2);
        for (key, number) in held {
            if number != EMPTY {
                let slot = self.slot(key);
                self.slots[slot] = (key, number);
                self.free -= 1;
            }
        }
    }
}
