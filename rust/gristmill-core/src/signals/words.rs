//! Cuts parts of a text between white space into words and remembers what is known of them.
//!
//! What a part is cut into (see `tokenizer.rs`) depends on nothing else, so a memo of the parts met
//! of late answers for most: its slot holds all that the signals ask of one or two words. Parts and
//! words are known by a 64-bit hash of their bytes, so nothing is numbered and the memo may forget.

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::LazyLock;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use xxhash_rust::xxh3::xxh3_64;

use super::classes;
use super::gibberish::{Oddity, look_at, score};
use super::suspects;
use super::tokenizer::RULES;

/// Words that a text needs two of to be English prose (Gopher, A1.1).
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// Parts longer than this are cut each time: few are met twice.
const LONGEST_KEPT_PART: usize = 64;

/// Whether `c` is in one of the sorted, inclusive ranges.
pub(super) fn in_ranges(ranges: &[(u32, u32)], c: char) -> bool {
    let c = u32::from(c);
    let at = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(at).is_some_and(|&(first, _)| first <= c)
}

/// Python's `str.isspace`: Unicode white space and the four separators before the space.
pub(super) fn is_space(c: char) -> bool {
    c == ' '
        || ('\t'..='\r').contains(&c)
        || ('\x1c'..='\x1f').contains(&c)
        || (!c.is_ascii() && c.is_whitespace())
}

/// Passes a key that is a hash already.
#[derive(Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

pub(super) type IdentityHasher = BuildHasherDefault<Identity>;

/// What the signals ask of a word.
#[derive(Clone, Copy)]
pub(super) struct Word {
    /// The hash of its bytes.
    pub hash: u64,
    pub chars: u32,
    flags: u8,
}

/// Some character is a letter.
const ALPHABETIC: u8 = 1;
/// Some character is not datatrove's punctuation.
const NOT_SYMBOL: u8 = 2;
/// Some character is not Unicode punctuation.
const NOT_PUNCTUATION: u8 = 4;
/// A sentence may end with it.
const ENDS_SENTENCE: u8 = 8;
/// From this bit on: the number of the stop word, from 1.
const STOP_WORD: u32 = 4;

impl Word {
    fn new(word: &str) -> Self {
        let bytes = word.as_bytes();
        let (chars, classes) = if word.is_ascii() {
            (word.len(), bytes.iter().fold(0, |all, byte| all | ASCII[usize::from(*byte)]))
        } else {
            word.chars().fold((0, 0), |(n, all), c| (n + 1, all | classes_of(c)))
        };
        // A word of one character alone ends a sentence.
        let ends_sentence = if chars == 1 { ENDS_SENTENCE } else { 0 };
        let stop_word = match word.len() {
            2..=4 => STOP_WORDS.iter().position(|stop| *stop == word).map_or(0, |at| at as u8 + 1),
            _ => 0,
        };
        let flags = classes & !ENDS_SENTENCE | classes & ends_sentence | stop_word << STOP_WORD;
        Self { hash: hash(bytes), chars: chars as u32, flags }
    }

    pub(super) fn ends_sentence(self) -> bool {
        self.flags & ENDS_SENTENCE != 0
    }

    pub(super) fn is_punctuation(self) -> bool {
        self.flags & NOT_PUNCTUATION == 0
    }
}

/// What the characters of ASCII are.
static ASCII: LazyLock<[u8; 128]> =
    LazyLock::new(|| std::array::from_fn(|byte| look_up(char::from(byte as u8))));

fn classes_of(c: char) -> u8 {
    ASCII.get(c as usize).copied().unwrap_or_else(|| look_up(c))
}

fn look_up(c: char) -> u8 {
    let flag = |is: bool, flag| if is { flag } else { 0 };
    let group = c.general_category_group();
    flag(group == GeneralCategoryGroup::Letter, ALPHABETIC)
        | flag(!in_ranges(classes::PUNCTUATION, c), NOT_SYMBOL)
        | flag(group != GeneralCategoryGroup::Punctuation, NOT_PUNCTUATION)
        | flag(in_ranges(classes::SENTENCE_END, c), ENDS_SENTENCE)
}

/// The words of one text: their hashes, and what is counted of all of them.
#[derive(Default)]
pub(super) struct Words {
    pub hashes: Vec<u64>,
    /// `ends[i]`: characters of the first `i` words.
    pub ends: Vec<u32>,
    chars: u32,
    pub not_symbols: usize,
    pub not_symbol_chars: usize,
    pub alphabetic: usize,
    /// Bit `i` is set when stop word `i` occurs; bit 0 means nothing.
    stop_words: u16,
    strange: u64,
    order: i64,
}

impl Words {
    pub(super) fn clear(&mut self) {
        let mut hashes = std::mem::take(&mut self.hashes);
        let mut ends = std::mem::take(&mut self.ends);
        hashes.clear();
        ends.clear();
        ends.push(0);
        *self = Self { hashes, ends, ..Self::default() };
    }

    #[inline]
    pub(super) fn push(&mut self, word: Word) {
        self.chars += word.chars;
        self.hashes.push(word.hash);
        self.ends.push(self.chars);
        let is_word = usize::from(word.flags & NOT_SYMBOL != 0);
        self.not_symbols += is_word;
        self.not_symbol_chars += is_word * word.chars as usize;
        self.alphabetic += usize::from(word.flags & ALPHABETIC != 0);
        self.stop_words |= 1 << (word.flags >> STOP_WORD);
    }

    #[inline]
    pub(super) fn add(&mut self, oddity: Oddity) {
        self.strange += u64::from(oddity.strange);
        self.order += i64::from(oddity.order);
    }

    pub(super) fn gibberish(&self) -> f64 {
        score(self.strange, u64::from(self.chars), self.order)
    }

    pub(super) fn n_stop_words(&self) -> u32 {
        (self.stop_words >> 1).count_ones()
    }
}

const SEEDS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];

/// The two halves of a product (the folded multiplication of Wang Yi's wyhash).
#[inline]
pub(super) fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one ^ SEEDS[0]) * u128::from(other ^ SEEDS[1]);
    product as u64 ^ (product >> 64) as u64
}

const LONGEST_FOLDED: usize = 15;

/// The hash of the first `length` of 16 bytes, at most 15.
#[inline]
fn hash_short(bytes: &[u8; 16], length: usize) -> u64 {
    let kept = u128::from_le_bytes(*bytes) & !(u128::MAX << (8 * length));
    fold(kept as u64, (kept >> 64) as u64 | (length as u64) << 56)
}

fn hash(bytes: &[u8]) -> u64 {
    if bytes.len() > LONGEST_FOLDED {
        return xxh3_64(bytes);
    }
    let mut padded = [0; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    hash_short(&padded, bytes.len())
}

/// A part between white space and its words: half a line of the cache.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Slot {
    part: u64,
    /// One or two words; of more, where they lie in `more` and how many they are.
    hashes: [u64; 2],
    chars: [u8; 2],
    flags: [u8; 2],
    n_words: u8,
    suspect: bool,
    strange: u8,
    order: i8,
}

const EMPTY: u8 = 0;
const MORE: u8 = 3;

/// Two slots: the part met last in the first of them.
const WAYS: usize = 2;
const SETS: usize = 1 << 14;

/// Words in `Lexicon::more` before everything is forgotten.
const MOST_KEPT: usize = 1 << 17;

/// Fetch the cache line of a set from memory while other work goes on.
#[inline]
fn prefetch(set: &[Slot; WAYS]) {
    // SAFETY: a prefetch changes nothing that the program sees, and the address is valid. Twin: on
    // other machines it is left out. With a read instead, 73 % of the samples of `Walker::find`
    // waited for it (English documents, perf).
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(set).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = set;
}

/// The parts between white space met of late, and the words they are cut into.
pub(super) struct Lexicon {
    sets: Vec<[Slot; WAYS]>,
    /// Words of parts that are cut into more than two.
    more: Vec<Word>,
    words: Vec<Word>,
    cuts: Vec<Range<usize>>,
}

impl Default for Lexicon {
    fn default() -> Self {
        let sets = vec![[Slot::default(); WAYS]; SETS];
        Self { sets, more: Vec::new(), words: Vec::new(), cuts: Vec::new() }
    }
}

impl Lexicon {
    /// The hash of a part, whose slot is fetched from memory meanwhile.
    #[inline]
    pub(super) fn look_ahead(&self, text: &str, part: Range<usize>) -> u64 {
        let bytes = text.as_bytes();
        let hash = match bytes[part.start..].first_chunk() {
            Some(first) if part.len() <= LONGEST_FOLDED => hash_short(first, part.len()),
            _ if part.len() > LONGEST_KEPT_PART => return 0,
            _ => hash(&bytes[part]),
        };
        prefetch(&self.sets[hash as usize % SETS]);
        hash
    }

    /// Append the words of a part with that hash, calling `visit` with each; tell whether the part may
    /// belong to one of the phrases in `suspects`.
    #[inline]
    pub(super) fn each_word(
        &mut self,
        hash: u64,
        part: &str,
        words: &mut Words,
        mut visit: impl FnMut(Word),
    ) -> bool {
        let mut take = |word| {
            words.push(word);
            visit(word);
        };
        if part.len() > LONGEST_KEPT_PART {
            self.cut(part);
            self.words.iter().copied().for_each(take);
            words.add(look_at(part));
            return suspects::in_part(part);
        }
        let set = &mut self.sets[hash as usize % SETS];
        if set[0].part != hash || set[0].n_words == EMPTY {
            set.swap(0, 1);
            if set[0].part != hash || set[0].n_words == EMPTY {
                self.learn(hash, part);
            }
        }
        let slot = &self.sets[hash as usize % SETS][0];
        if slot.n_words == MORE {
            let [first, n] = slot.hashes.map(|at| at as usize);
            self.more[first..first + n].iter().copied().for_each(take);
        } else {
            for at in 0..usize::from(slot.n_words) {
                let chars = u32::from(slot.chars[at]);
                take(Word { hash: slot.hashes[at], chars, flags: slot.flags[at] });
            }
        }
        words.add(Oddity { strange: slot.strange.into(), order: slot.order.into() });
        slot.suspect
    }

    /// Put a part in the place of the first of its set.
    #[cold]
    fn learn(&mut self, hash: u64, part: &str) {
        if self.more.len() > MOST_KEPT {
            self.more.clear();
            self.sets.fill([Slot::default(); WAYS]);
        }
        self.cut(part);
        let oddity = look_at(part);
        let mut slot = Slot {
            part: hash,
            suspect: suspects::in_part(part),
            strange: oddity.strange.min(u8::MAX.into()) as u8,
            order: oddity.order.clamp(i8::MIN.into(), i8::MAX.into()) as i8,
            ..Slot::default()
        };
        if self.words.len() <= 2 {
            for (at, word) in self.words.iter().enumerate() {
                slot.hashes[at] = word.hash;
                slot.chars[at] = word.chars as u8;
                slot.flags[at] = word.flags;
            }
            slot.n_words = self.words.len() as u8;
        } else {
            slot.hashes = [self.more.len() as u64, self.words.len() as u64];
            slot.n_words = MORE;
            self.more.extend_from_slice(&self.words);
        }
        self.sets[hash as usize % SETS][0] = slot;
    }

    /// Set `words` to those of `part`.
    fn cut(&mut self, part: &str) {
        self.cuts.clear();
        RULES.cut(part, &mut self.cuts);
        self.words.clear();
        self.words.extend(self.cuts.iter().map(|cut| Word::new(&part[cut.clone()])));
    }
}
