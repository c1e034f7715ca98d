//! Splits text into lower-cased words as it streams by, as hashes; no string is built.
//!
//! A word is a longest run of letters, digits, combining marks and underscores, as regular expressions'
//! `\w+` has it, in lower case. Scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer,
//! Burmese, Tibetan) have no such runs: there each character is a word, so that word n-grams are
//! character n-grams. ASCII takes one table lookup per byte.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Multiplier of the word hash: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Where the hash of each word begins.
const SEED: u64 = 0x243F_6A88_85A3_08D3;
/// In [`ASCII`]: the byte begins or continues a character of several bytes.
const WIDE: u8 = 0xFF;

/// For each byte its lower-case form when it belongs to a word, 0 when it separates words, [`WIDE`]
/// when only the whole character can tell.
static ASCII: [u8; 256] = ascii_table();

const fn ascii_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let ascii = byte as u8;
        if byte >= 128 {
            table[byte] = WIDE;
        } else if ascii.is_ascii_alphanumeric() || ascii == b'_' {
            table[byte] = ascii.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
}

/// Spread the bits of `hash` (the finalizer of splitmix64, Steele et al. 2014).
#[inline]
pub fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// A word under construction; feeding scalar values, not bytes, makes both paths agree.
struct Word(u64);

impl Word {
    #[inline]
    fn feed(&mut self, scalar: u32) {
        self.0 = (self.0 ^ u64::from(scalar)).wrapping_mul(GOLDEN).rotate_left(29);
    }

    /// Hand over the word, if there is one, and begin the next.
    #[inline]
    fn end(&mut self, visit: &mut impl FnMut(u64)) {
        if self.0 != SEED {
            visit(mix(self.0));
            self.0 = SEED;
        }
    }
}

/// Call `visit` with the hash of each lower-cased word of `text`, in order.
pub fn each_word(text: &str, mut visit: impl FnMut(u64)) {
    let bytes = text.as_bytes();
    let mut word = Word(SEED);
    let mut at = 0;
    while at < bytes.len() {
        match ASCII[usize::from(bytes[at])] {
            0 => {
                word.end(&mut visit);
                at += 1;
            }
            WIDE => {
                // `at` only ever steps over whole characters.
                let Some(character) = text[at..].chars().next() else { break };
                wide(character, &mut word, &mut visit);
                at += character.len_utf8();
            }
            lower => {
                word.feed(u32::from(lower));
                at += 1;
            }
        }
    }
    word.end(&mut visit);
}

/// Take a character outside ASCII.
fn wide(character: char, word: &mut Word, visit: &mut impl FnMut(u64)) {
    if is_unspaced(character) {
        word.end(visit);
        if is_word(character) {
            word.feed(u32::from(character));
            word.end(visit);
        }
    } else if is_word(character) {
        character.to_lowercase().for_each(|lower| word.feed(u32::from(lower)));
    } else {
        word.end(visit);
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character.general_category_group() == GeneralCategoryGroup::Mark
}

/// Whether the character's script is written without spaces between words (by block).
fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0FFF         // Thai, Lao, Tibetan
        | 0x1000..=0x109F       // Myanmar
        | 0x1780..=0x17FF       // Khmer
        | 0x3040..=0x30FF       // Hiragana, Katakana
        | 0x31F0..=0x31FF       // Katakana phonetic extensions
        | 0x3400..=0x4DBF       // Han, extension A
        | 0x4E00..=0x9FFF       // Han
        | 0xF900..=0xFAFF       // Han, compatibility
        | 0x20000..=0x323AF) // Han, further extensions
}

/// Makes the set of word n-gram hashes of a text; keeps its buffer between texts.
#[derive(Debug)]
pub struct Shingler {
    ngram: usize,
    words: Vec<u64>,
    /// `GOLDEN^ngram`: weighs the word that leaves the n-gram.
    leaving: u64,
}

/// What [`Shingler::shingle`] says of a text besides its shingles: equal for two texts when their
/// words are equal (to 128 bits of hash), or, for texts without words, when they are identical.
pub type Identity = (u64, u64);

impl Shingler {
    /// Make a shingler of n-grams of `ngram` words, at least one.
    pub fn new(ngram: usize) -> Self {
        let leaving = (0..ngram).fold(1, |power: u64, _| power.wrapping_mul(GOLDEN));
        Self { ngram, words: Vec::new(), leaving }
    }

    /// Replace `shingles` by the hashes of the word n-grams of `text`, in order of the text and with
    /// repeats. A text of fewer words is one shingle, all its words; a text without any word is one
    /// shingle too, its bytes, so it resembles nothing but itself.
    pub fn shingle(&mut self, text: &str, shingles: &mut Vec<u64>) -> Identity {
        shingles.clear();
        self.words.clear();
        let words = &mut self.words;
        each_word(text, |word| words.push(word));
        if words.is_empty() {
            let hash = xxhash_rust::xxh3::xxh3_128(text.as_bytes());
            shingles.push(mix(hash as u64 ^ SEED));
            return (hash as u64, (hash >> 64) as u64);
        }
        let n_first = self.ngram.min(words.len());
        let mut hash = words[..n_first].iter().fold(0, |hash, &word| append(hash, word));
        shingles.push(mix(hash));
        for next in n_first..words.len() {
            let left = words[next - n_first].wrapping_mul(self.leaving);
            hash = append(hash, words[next]).wrapping_sub(left);
            shingles.push(mix(hash));
        }
        identity(words)
    }
}

#[inline]
fn append(hash: u64, word: u64) -> u64 {
    hash.wrapping_mul(GOLDEN).wrapping_add(word)
}

fn identity(words: &[u64]) -> Identity {
    let start = (words.len() as u64, SEED);
    words.iter().fold(start, |(sum, chain), &word| {
        (append(sum, word), (chain ^ word).wrapping_mul(GOLDEN).rotate_left(31))
    })
}
