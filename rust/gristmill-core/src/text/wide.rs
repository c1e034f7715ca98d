//! Words that hold characters outside ASCII.

use std::ops::Range;
use std::sync::LazyLock;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::hash_word;

/// What a character is, in bits: [`WORD`], [`UNSPACED`], [`UPPER`].
type Class = u8;
/// Letters, digits, combining marks and the underscore.
const WORD: Class = 1;
/// The character's script is written without spaces between words.
const UNSPACED: Class = 2;
/// Lower-casing changes the character.
const UPPER: Class = 4;

/// The classes of the characters below 2^16, so that Unicode's tables are not searched each time.
static CLASSES: LazyLock<Vec<Class>> =
    LazyLock::new(|| (0..1 << 16).map(|c| char::from_u32(c).map_or(0, look_up)).collect());

fn class_of(character: char) -> Class {
    CLASSES.get(character as usize).copied().unwrap_or_else(|| look_up(character))
}

fn look_up(character: char) -> Class {
    let is_mark = || character.general_category_group() == GeneralCategoryGroup::Mark;
    let is_word = character.is_alphanumeric() || character == '_' || is_mark();
    let is_upper = character == FINAL_SIGMA || !character.to_lowercase().eq([character]);
    let bit = |is: bool, class| if is { class } else { 0 };
    bit(is_word, WORD) | bit(is_unspaced(character), UNSPACED) | bit(is_upper, UPPER)
}

/// Whether the character's script is written without spaces between words (by block).
fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x0FFF         // Thai, Lao, Tibetan
        | 0x1000..=0x109F       // Myanmar
        | 0x1780..=0x17FF       // Khmer
        | 0x1950..=0x19DF       // Tai Le, New Tai Lue
        | 0x1A20..=0x1AAF       // Tai Tham
        | 0x3040..=0x312F       // Hiragana, Katakana, Bopomofo
        | 0x31A0..=0x31BF       // Bopomofo, extended
        | 0x31F0..=0x31FF       // Katakana phonetic extensions
        | 0x3400..=0x4DBF       // Han, extension A
        | 0x4E00..=0x9FFF       // Han
        | 0xA000..=0xA4CF       // Yi
        | 0xAA60..=0xAA7F       // Myanmar, extended
        | 0xF900..=0xFAFF       // Han, compatibility
        | 0xFF66..=0xFF9F       // Katakana, half width
        | 0x1AFF0..=0x1B16F     // Kana, extended
        | 0x20000..=0x3FFFF) // Han, further extensions
}

/// Lower case of a sigma at the end of a word; the same letter as any other.
const FINAL_SIGMA: char = 'ς';

/// A word under construction: its lower-case letters in UTF-8.
#[derive(Debug, Default)]
pub(super) struct WideWord {
    letters: Vec<u8>,
    /// Where in the run it starts.
    start: usize,
}

impl WideWord {
    /// Call `visit` with the hash and the bytes of each word in `run`, a stretch of bytes in which no
    /// ASCII separates words. Bytes that are not UTF-8 separate words.
    #[inline]
    pub(super) fn split(&mut self, run: &[u8], mut visit: impl FnMut(u64, Range<usize>)) {
        let mut at = 0;
        for chunk in run.utf8_chunks() {
            for character in chunk.valid().chars() {
                self.take(character, at, &mut visit);
                at += character.len_utf8();
            }
            if !chunk.invalid().is_empty() {
                self.end(at, &mut visit);
                at += chunk.invalid().len();
            }
        }
        self.end(at, &mut visit);
    }

    fn take(&mut self, character: char, at: usize, visit: &mut impl FnMut(u64, Range<usize>)) {
        let class = class_of(character);
        if class & (UNSPACED | WORD) != WORD {
            self.end(at, visit);
        }
        if self.letters.is_empty() {
            self.start = at;
        }
        if class & WORD == 0 {
            return;
        }
        if class & UPPER == 0 {
            self.push(character);
        } else if character == FINAL_SIGMA {
            self.push('σ');
        } else {
            character.to_lowercase().for_each(|lower| self.push(lower));
        }
        if class & UNSPACED != 0 {
            self.end(at + character.len_utf8(), visit);
        }
    }

    fn push(&mut self, lower: char) {
        let mut bytes = [0; 4];
        self.letters.extend_from_slice(lower.encode_utf8(&mut bytes).as_bytes());
    }

    fn end(&mut self, end: usize, visit: &mut impl FnMut(u64, Range<usize>)) {
        if !self.letters.is_empty() {
            visit(hash_word(&self.letters), self.start..end);
            self.letters.clear();
        }
    }
}
