//! Walks over a text line by line (Python's `str.splitlines`) and part by part.
//!
//! The next white space is sought 8 bytes at a time: bytes up to the space are white space or rare
//! control characters. Anything else than plain ASCII goes character by character. Parts are found
//! some way ahead of the look at their words, so that the memo's misses in the cache overlap.

use std::ops::Range;

use super::words::{Lexicon, Words, is_space};

/// One line.
pub(super) struct Line {
    /// Where it lies, without the white space around it.
    pub stripped: Range<usize>,
    /// Parts between white space.
    pub spans: usize,
    pub sentences: usize,
    /// Some part may belong to a phrase of `suspects`.
    pub suspect: bool,
    /// A sentence ended, and what follows begins another unless it is punctuation.
    ended: bool,
}

impl Line {
    fn at(at: usize) -> Self {
        Self { stripped: at..at, spans: 0, sentences: 0, suspect: false, ended: false }
    }

    /// Count a token that is not white space.
    ///
    /// A sentence begins with the first token, and with each that follows a token ending a sentence
    /// and is not punctuation (spaCy's sentencizer); white space that is not one blank is a token.
    #[inline]
    fn take(&mut self, part: &Part, text: &str, lexicon: &mut Lexicon, words: &mut Words) {
        if self.spans == 0 {
            self.stripped.start = part.bytes.start;
            self.sentences = 1;
        } else if self.ended && part.behind == Behind::Space {
            self.sentences += 1;
            self.ended = false;
        }
        self.suspect |= lexicon.each_word(part.hash, &text[part.bytes.clone()], words, |word| {
            if word.ends_sentence() {
                self.ended = true;
            } else if self.ended && !word.is_punctuation() {
                self.sentences += 1;
                self.ended = false;
            }
        });
        self.spans += 1;
        self.stripped.end = part.bytes.end;
    }
}

/// What stands before a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Blank,
    /// Any other white space, or nothing.
    Space,
    /// The part is none: a line ends here.
    Line,
}

/// A part between white space.
struct Part {
    bytes: Range<usize>,
    behind: Behind,
    hash: u64,
}

/// Parts that are found before the first is looked at.
const AHEAD: usize = 256;

/// Finds parts; keeps its buffer between texts.
#[derive(Default)]
pub(super) struct Walker {
    parts: Vec<Part>,
}

impl Walker {
    /// Call `visit` with each line of `text`, whose words are appended to `words`.
    pub(super) fn each_line(
        &mut self,
        text: &str,
        lexicon: &mut Lexicon,
        words: &mut Words,
        mut visit: impl FnMut(&Line, &mut Lexicon),
    ) {
        let (mut at, mut line) = (0, Line::at(0));
        while at < text.len() {
            at = self.find(text, at, lexicon);
            for part in &self.parts {
                if part.behind == Behind::Line {
                    visit(&line, lexicon);
                    line = Line::at(part.bytes.end);
                } else {
                    line.take(part, text, lexicon, words);
                }
            }
        }
    }

    /// The sentences of a line given alone.
    pub(super) fn count_sentences(line: &str, lexicon: &mut Lexicon) -> usize {
        let (mut walker, mut n_sentences) = (Self::default(), 0);
        walker.each_line(line, lexicon, &mut Words::default(), |line, _| {
            n_sentences += line.sentences;
        });
        n_sentences
    }

    /// Find the next parts; where the one behind them is sought.
    fn find(&mut self, text: &str, mut at: usize, lexicon: &Lexicon) -> usize {
        self.parts.clear();
        while self.parts.len() < AHEAD {
            let (start, behind) = gap(text, at);
            let end = if behind == Behind::Line { start } else { start + part_len(text, start) };
            let hash = lexicon.look_ahead(text, start..end);
            self.parts.push(Part { bytes: start..end, behind, hash });
            at = end;
            if at == text.len() {
                if behind != Behind::Line {
                    self.parts.push(Part { bytes: at..at, behind: Behind::Line, hash: 0 });
                }
                break;
            }
        }
        at
    }
}

/// Where the white space at `at` ends.
#[inline]
fn gap(text: &str, at: usize) -> (usize, Behind) {
    match &text.as_bytes()[at..] {
        [b' ', b'!'..=b'~', ..] => (at + 1, Behind::Blank),
        [b'!'..=b'~', ..] => (at, Behind::Space),
        _ => any_gap(text, at),
    }
}

fn any_gap(text: &str, from: usize) -> (usize, Behind) {
    let mut at = from;
    for c in text[from..].chars() {
        if !is_space(c) {
            let behind = if &text[from..at] == " " { Behind::Blank } else { Behind::Space };
            return (at, behind);
        }
        at += c.len_utf8();
        if ends_line(c) {
            let both = c == '\r' && text[at..].starts_with('\n');
            return (at + usize::from(both), Behind::Line);
        }
    }
    (at, Behind::Line)
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
        _ => at - from + text[at..].find(is_space).unwrap_or(text.len() - at),
    }
}
