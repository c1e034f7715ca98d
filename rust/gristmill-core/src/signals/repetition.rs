//! How much of a text is its most frequent, and its repeated, n-grams of words.
//!
//! An n-gram that occurs twice is made of two (n-1)-grams that occur twice. So each step looks only
//! at the places the last one left: all of them for n = 2, a tenth for n = 3, few after that. A pair
//! of words is known by 64 bits of hash: of 100,000 different ones, two are alike in one text of a
//! billion. A longer n-gram is a pair of numbers of the step before, so it is exactly known.

use super::words::fold;

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
    places: Vec<Place>,
    next: Vec<Place>,
    seen: Vec<bool>,
    grams: Grams,
}

impl Repetition {
    /// Measure the n-grams of `words`; `ends[i]` are the characters of the first `i` of them.
    ///
    /// The most frequent n-gram is the first one among equals, and may occur only once; its words
    /// are joined by spaces. Duplicates are sought left to right: an n-gram met before counts whole
    /// and the search goes on behind it, any other is remembered and the search goes on at the next
    /// word.
    pub(super) fn measure(&mut self, words: &[u64], ends: &[u32]) -> Figures {
        let mut figures = Figures { top: [0; 3], duplicated: [0; 6] };
        let chars = |start: usize, n: usize| (ends[start + n] - ends[start]) as usize;
        self.pair_words(words);
        for n in 2..=10 {
            if n > 2 {
                self.pair_places();
            }
            if words.len() < n {
                break;
            }
            match n {
                2..=4 => {
                    let (start, times) = self.grams.top();
                    figures.top[n - 2] = (chars(start, n) + n - 1) * times;
                }
                _ => figures.duplicated[n - 5] = self.duplicated(n, chars),
            }
            self.drop_single();
        }
        figures
    }

    fn pair_words(&mut self, words: &[u64]) {
        self.grams.clear(words.len());
        self.places.clear();
        self.places.extend(words.windows(2).enumerate().map(|(start, pair)| {
            let start = start as u32;
            Place { start, gram: self.grams.number(fold(pair[0], pair[1].rotate_left(32)), start) }
        }));
    }

    /// Go from n-grams that occur twice to the (n+1)-grams that may.
    fn pair_places(&mut self) {
        self.next.clear();
        self.grams.clear(self.places.len());
        for pair in self.places.windows(2) {
            let start = pair[0].start;
            if start + 1 == pair[1].start {
                let both = u64::from(pair[0].gram) << 32 | u64::from(pair[1].gram);
                let gram = self.grams.number(both, start);
                self.next.push(Place { start, gram });
            }
        }
        std::mem::swap(&mut self.places, &mut self.next);
    }

    fn drop_single(&mut self) {
        // As `Vec::retain`, without a branch that no one can predict.
        let mut kept = 0;
        for at in 0..self.places.len() {
            let place = self.places[at];
            self.places[kept] = place;
            kept += usize::from(self.grams.known[place.gram as usize].times > 1);
        }
        self.places.truncate(kept);
    }

    fn duplicated(&mut self, n: usize, chars: impl Fn(usize, usize) -> usize) -> usize {
        self.seen.clear();
        self.seen.resize(self.grams.known.len(), false);
        let (mut from, mut n_chars) = (0, 0);
        for place in &self.places {
            let start = place.start as usize;
            if start < from {
                continue;
            }
            let seen = &mut self.seen[place.gram as usize];
            if *seen {
                n_chars += chars(start, n);
                from = start + n;
            }
            *seen = true;
        }
        n_chars
    }
}

/// What is known of an n-gram.
struct Gram {
    pair: u64,
    first: u32,
    times: u32,
}

/// Numbers pairs in order of first occurrence: open addressing, at most half full.
#[derive(Default)]
struct Grams {
    known: Vec<Gram>,
    /// Numbers of n-grams.
    slots: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

/// Multiplier that spreads bits upwards: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Slots to begin with at most; a huge text may be one n-gram over and over.
const FIRST_SLOTS: usize = 1 << 17;

impl Grams {
    fn clear(&mut self, n_pairs: usize) {
        self.known.clear();
        self.resize((n_pairs * 2).next_power_of_two().clamp(16, FIRST_SLOTS));
    }

    fn resize(&mut self, size: usize) {
        self.slots.clear();
        self.slots.resize(size, EMPTY);
    }

    /// Where the most frequent n-gram, the first one among equals, begins; how often it occurs.
    fn top(&self) -> (usize, usize) {
        let times = self.known.iter().map(|gram| gram.times).max().unwrap_or(1);
        if times == 1 {
            return (0, 1);
        }
        let first = self.known.iter().find(|gram| gram.times == times).map_or(0, |gram| gram.first);
        (first as usize, times as usize)
    }

    /// The number of the pair at `start`, which occurs once more.
    #[inline]
    fn number(&mut self, pair: u64, start: u32) -> u32 {
        let slot = self.slot(pair);
        let number = self.slots[slot];
        if number != EMPTY {
            self.known[number as usize].times += 1;
            return number;
        }
        let number = self.known.len() as u32;
        self.known.push(Gram { pair, first: start, times: 1 });
        self.slots[slot] = number;
        if self.known.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Where `pair` is, or would be.
    #[inline]
    fn slot(&self, pair: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = (pair.wrapping_mul(GOLDEN) >> 32) as usize & mask;
        loop {
            let number = self.slots[slot];
            if number == EMPTY || self.known[number as usize].pair == pair {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.resize(self.slots.len() * 2);
        for number in 0..self.known.len() {
            let slot = self.slot(self.known[number].pair);
            self.slots[slot] = number as u32;
        }
    }
}
