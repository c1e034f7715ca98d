//! Walks over a text line by line (Python's `str.splitlines`) and part by part.
//!
//! The next white space is sought 8 bytes at a time: bytes up to the space are white space or rare
//! control characters. Anything else than plain ASCII goes character by character.

use std::ops::Range;

use super::words::{Lexicon, Words, is_space};

/// One line.
pub(super) struct Line {
    /// Where it lies, without the white space around it.
    pub stripped: Range<usize>,
    /// Where the next one begins.
    pub next: usize,
    /// Parts between white space.
    pub spans: usize,
    pub sentences: usize,
    /// Some part may belong to a phrase of `suspects`.
    pub suspect: bool,
}

/// Walk over the line at `at`, which is not the end of the text.
///
/// A sentence begins with the first token, and with each that follows a token ending a sentence and
/// is not punctuation (spaCy's sentencizer); white space that is not one blank is a token.
pub(super) fn walk_line(text: &str, at: usize, lexicon: &mut Lexicon, words: &mut Words) -> Line {
    let mut line = Line { stripped: at..at, next: at, spans: 0, sentences: 0, suspect: false };
    let mut ended = false;
    loop {
        let gap = gap(text, line.next);
        line.next = gap.end;
        if gap.ends_line {
            return line;
        }
        if line.spans == 0 {
            line.stripped = gap.end..gap.end;
            line.sentences = 1;
        } else if ended && !gap.is_blank {
            line.sentences += 1;
            ended = false;
        }
        let end = gap.end + part_len(text, gap.end);
        line.suspect |= lexicon.each_word(text, gap.end..end, |word| {
            words.push(word);
            if word.ends_sentence() {
                ended = true;
            } else if ended && !word.is_punctuation() {
                line.sentences += 1;
                ended = false;
            }
        });
        line.spans += 1;
        line.stripped.end = end;
        line.next = end;
    }
}

/// The sentences of a line given alone.
pub(super) fn count_sentences(line: &str, lexicon: &mut Lexicon) -> usize {
    if line.is_empty() { 0 } else { walk_line(line, 0, lexicon, &mut Words::default()).sentences }
}

/// White space before a part.
struct Gap {
    end: usize,
    is_blank: bool,
    /// The line ends with it, or the text.
    ends_line: bool,
}

#[inline]
fn gap(text: &str, at: usize) -> Gap {
    match &text.as_bytes()[at..] {
        [b' ', b'!'..=b'~', ..] => Gap { end: at + 1, is_blank: true, ends_line: false },
        [b'!'..=b'~', ..] => Gap { end: at, is_blank: false, ends_line: false },
        _ => any_gap(text, at),
    }
}

fn any_gap(text: &str, from: usize) -> Gap {
    let mut at = from;
    for c in text[from..].chars() {
        if !is_space(c) {
            return Gap { end: at, is_blank: &text[from..at] == " ", ends_line: false };
        }
        at += c.len_utf8();
        if ends_line(c) {
            let both = c == '\r' && text[at..].starts_with('\n');
            return Gap { end: at + usize::from(both), is_blank: false, ends_line: true };
        }
    }
    Gap { end: at, is_blank: false, ends_line: true }
}

/// Where Python's `str.splitlines` splits.
fn ends_line(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x80 * ONES;

/// Bytes of the part at `at`: up to white space.
#[inline]
fn part_len(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(eight) = bytes[at..].first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        // The highest bit of each byte up to the space; beyond the lowest one found it may lie.
        let found = (eight.wrapping_sub(0x21 * ONES) | eight) & HIGHEST;
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            break;
        }
        at += 8;
    }
    match bytes.get(at) {
        Some(b' ' | b'\n') => at - from,
        _ => at - from + rest_len(&text[at..]),
    }
}

fn rest_len(text: &str) -> usize {
    text.find(is_space).unwrap_or(text.len())
}
