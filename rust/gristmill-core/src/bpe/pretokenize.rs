//! Cuts a text into the words that merges never cross, by state machines over bytes.
//!
//! Each machine gives exactly the matches of its published regular expression (quoted at the
//! machine), on every input and in linear time: a position is looked at a bounded number of times,
//! whatever the text. Every byte of the text belongs to one word. ASCII goes through one table.

use std::sync::Arc;

use super::custom::Custom;
use super::unicode::{ASCII, LETTER, LOWER, NEWLINE, NUMBER, OTHER, SPACE, UPPER, class_of_code};
use crate::{Error, Result};

/// A way to cut text into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// GPT-2; also `tokenizers`' `ByteLevel`.
    Gpt2,
    /// tiktoken's `cl100k_base` (GPT-4), as tiktoken has published it since 0.8.
    Cl100k,
    /// tiktoken's `o200k_base` (GPT-4o).
    O200k,
    /// Llama 3; `cl100k_base` before the end-of-text rule was added.
    Llama3,
    /// Qwen 2 and 3: as Llama 3, with digits one by one.
    Qwen2,
    /// An expression of the user's, slower.
    Custom(Arc<Custom>),
}

impl Pattern {
    /// Every published pattern.
    pub const ALL: [Self; 5] = [Self::Gpt2, Self::Cl100k, Self::O200k, Self::Llama3, Self::Qwen2];

    /// The name used in recipes and on the command line, or the expression.
    pub fn name(&self) -> &str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Cl100k => "cl100k",
            Self::O200k => "o200k",
            Self::Llama3 => "llama3",
            Self::Qwen2 => "qwen2",
            Self::Custom(custom) => custom.source(),
        }
    }

    /// The pattern of a name, or of a regular expression.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when there is no such pattern, and for what [`Custom::new`] refuses.
    pub fn from_name(name: &str) -> Result<Self> {
        if let Some(pattern) = Self::ALL.into_iter().find(|pattern| pattern.name() == name) {
            return Ok(pattern);
        }
        if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Error::Parameter {
                name: "pattern",
                value: format!("{name:?}"),
                allowed: "gpt2, cl100k, o200k, llama3 or qwen2, or a regular expression",
            });
        }
        Ok(Self::Custom(Arc::new(Custom::new(name)?)))
    }

    /// Call `word` with the start and end of every word of `text`, in order.
    #[inline]
    pub fn split(&self, text: &str, word: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        match self {
            Self::Gpt2 => scan(bytes, gpt2, word),
            Self::Cl100k => scan(bytes, cl100k::<3, true>, word),
            Self::O200k => scan(bytes, o200k, word),
            Self::Llama3 => scan(bytes, cl100k::<3, false>, word),
            Self::Qwen2 => scan(bytes, cl100k::<1, false>, word),
            Self::Custom(custom) => custom.split(text, word),
        }
    }

    /// The words of `text`.
    pub fn words<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut words = Vec::new();
        self.split(text, |start, end| words.push(&text[start..end]));
        words
    }
}

#[inline(always)]
fn scan(
    text: &[u8],
    end_of_word: impl Fn(&[u8], usize) -> usize,
    mut word: impl FnMut(usize, usize),
) {
    let mut start = 0;
    while start < text.len() {
        let end = end_of_word(text, start);
        word(start, end);
        start = end;
    }
}

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
#[inline(always)]
fn gpt2(text: &[u8], start: usize) -> usize {
    let first = text[start];
    if first == b'\''
        && let Some(end) = contraction(text, start)
    {
        return end;
    }
    let body = if first == b' ' { start + 1 } else { start };
    let (class, len) = class_at(text, body);
    let kind = class & (LETTER | NUMBER | OTHER);
    if kind == 0 { whitespace(text, start) } else { run(text, body + len, kind) }
}

/// With `DIGITS = 3` and `CLOSE`, tiktoken's `cl100k_base`:
/// `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`
///
/// Without `CLOSE` the older form, which Llama 3 kept and Qwen 2 has with one digit:
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
#[inline(always)]
fn cl100k<const DIGITS: usize, const CLOSE: bool>(text: &[u8], start: usize) -> usize {
    let (class, len) = class_at(text, start);
    if class & LETTER != 0 {
        return run(text, start + len, LETTER);
    }
    if class & NUMBER != 0 {
        return numbers(text, start + len, DIGITS - 1);
    }
    if text[start] == b'\''
        && let Some(end) = contraction_any_case(text, start)
    {
        return end;
    }
    let next = start + len;
    let (after, after_len) = class_at(text, next);
    if class & NEWLINE == 0 && after & LETTER != 0 {
        return run(text, next + after_len, LETTER);
    }
    if class & OTHER != 0 {
        return newlines(text, run(text, next, OTHER));
    }
    if text[start] == b' ' && after & OTHER != 0 {
        return newlines(text, run(text, next + after_len, OTHER));
    }
    if CLOSE { closing_whitespace(text, start) } else { lines(text, start) }
}

/// ```text
/// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
/// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
/// \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
/// ```
#[inline(always)]
fn o200k(text: &[u8], start: usize) -> usize {
    let (class, len) = class_at(text, start);
    if class & NUMBER != 0 {
        return numbers(text, start + len, 2);
    }
    let next = start + len;
    if let Some(end) = cased_word(text, start, class, next) {
        return contraction_any_case(text, end).unwrap_or(end);
    }
    if class & OTHER != 0 {
        return newlines_and_slashes(text, run(text, next, OTHER));
    }
    if text[start] == b' ' {
        let (after, after_len) = class_at(text, next);
        if after & OTHER != 0 {
            return newlines_and_slashes(text, run(text, next + after_len, OTHER));
        }
    }
    lines(text, start)
}

/// The first two alternatives of o200k without their contraction, tried in the expression's order:
/// ending in lower case with and without a prefix, then all upper case with and without it.
#[inline(always)]
fn cased_word(text: &[u8], start: usize, class: u8, next: usize) -> Option<usize> {
    let prefix = class & (LETTER | NUMBER | NEWLINE) == 0;
    let cased = class & (UPPER | LOWER) != 0;
    if prefix {
        let body = cased_body(text, next);
        if body.lower.is_some() || !cased {
            return body.lower.or(body.upper);
        }
        // a mark: a prefix for upper case only, but a word of its own
        return cased_body(text, start).lower.or(body.upper);
    }
    if !cased {
        return None;
    }
    let body = cased_body(text, start);
    body.lower.or(body.upper)
}

/// Where `U*L+` and `U+L*` end, for U upper and L lower case (marks and caseless letters are both).
struct CasedBody {
    lower: Option<usize>,
    upper: Option<usize>,
}

#[inline(always)]
fn cased_body(text: &[u8], start: usize) -> CasedBody {
    let mut at = start;
    let mut last_lower = None;
    loop {
        let (class, len) = class_at(text, at);
        if class & UPPER == 0 {
            if class & LOWER != 0 {
                let end = Some(run(text, at + len, LOWER));
                return CasedBody { lower: end, upper: end };
            }
            return CasedBody { lower: last_lower, upper: (at > start).then_some(at) };
        }
        at += len;
        if class & LOWER != 0 {
            last_lower = Some(at);
        }
    }
}

/// The class and length of the character at `at`; class 0 and length 0 at the end of the text.
#[inline(always)]
fn class_at(text: &[u8], at: usize) -> (u8, usize) {
    match text.get(at) {
        Some(&byte) if byte < 0x80 => (ASCII[byte as usize], 1),
        Some(&byte) => class_of_long(text, at, byte),
        None => (0, 0),
    }
}

#[inline]
fn class_of_long(text: &[u8], at: usize, first: u8) -> (u8, usize) {
    let tail = |i: usize| u32::from(text.get(at + i).copied().unwrap_or(0) & 0x3f);
    let first = u32::from(first);
    let (code, len) = if first < 0xe0 {
        ((first & 0x1f) << 6 | tail(1), 2)
    } else if first < 0xf0 {
        ((first & 0x0f) << 12 | tail(1) << 6 | tail(2), 3)
    } else {
        ((first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
    };
    (class_of_code(code), len)
}

/// The end of the run of characters of a class in `mask` that starts at `at`.
#[inline(always)]
fn run(text: &[u8], mut at: usize, mask: u8) -> usize {
    loop {
        match text.get(at) {
            Some(&byte) if ASCII[byte as usize] & mask != 0 => at += 1,
            Some(&byte) if byte >= 0x80 => {
                let (class, len) = class_of_long(text, at, byte);
                if class & mask == 0 {
                    return at;
                }
                at += len;
            }
            _ => return at,
        }
    }
}

/// The end of at most `more` further numbers.
#[inline(always)]
fn numbers(text: &[u8], mut at: usize, more: usize) -> usize {
    for _ in 0..more {
        let (class, len) = class_at(text, at);
        if class & NUMBER == 0 {
            break;
        }
        at += len;
    }
    at
}

#[inline(always)]
fn newlines(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b'\r' | b'\n')) {
        at += 1;
    }
    at
}

#[inline(always)]
fn newlines_and_slashes(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b'\r' | b'\n' | b'/')) {
        at += 1;
    }
    at
}

/// The end of `'(?:[sdmt]|ll|ve|re)` at an apostrophe.
#[inline(always)]
fn contraction(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at + 1)? {
        b's' | b't' | b'm' | b'd' => Some(at + 2),
        first => match (first, text.get(at + 2)?) {
            (b'r' | b'v', b'e') | (b'l', b'l') => Some(at + 3),
            _ => None,
        },
    }
}

/// The end of `'(?i:[sdmt]|ll|ve|re)`, if it stands at `at`. The long s (U+017F) is an s.
#[inline(always)]
fn contraction_any_case(text: &[u8], at: usize) -> Option<usize> {
    if *text.get(at)? != b'\'' {
        return None;
    }
    match text.get(at + 1)? {
        b's' | b't' | b'm' | b'd' | b'S' | b'T' | b'M' | b'D' => Some(at + 2),
        first => match (first, text.get(at + 2)?) {
            (b'r' | b'v' | b'R' | b'V', b'e' | b'E') | (b'l' | b'L', b'l' | b'L') => Some(at + 3),
            (0xc5, 0xbf) => Some(at + 3),
            _ => None,
        },
    }
}

/// A maximal run of whitespace, with the places where the patterns cut it.
struct Blank {
    end: usize,
    /// Where the last character of the run begins.
    last: usize,
    /// The end of the last line break in the run; its start when there is none.
    after_newline: usize,
}

#[inline(always)]
fn blank(text: &[u8], start: usize) -> Blank {
    let mut blank = Blank { end: start, last: start, after_newline: start };
    loop {
        let (class, len) = class_at(text, blank.end);
        if class & SPACE == 0 {
            return blank;
        }
        blank.last = blank.end;
        blank.end += len;
        if class & NEWLINE != 0 {
            blank.after_newline = blank.end;
        }
    }
}

/// `\s+(?!\S)|\s+`: all of a run at the end of the text, else all but its last character.
#[inline(always)]
fn whitespace(text: &[u8], start: usize) -> usize {
    let run = blank(text, start);
    if run.end == text.len() || run.last == start { run.end } else { run.last }
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`
#[inline(always)]
fn lines(text: &[u8], start: usize) -> usize {
    let run = blank(text, start);
    if run.after_newline > start {
        run.after_newline
    } else if run.end == text.len() || run.last == start {
        run.end
    } else {
        run.last
    }
}

/// `\s++$|\s*[\r\n]|\s+(?!\S)|\s`
#[inline(always)]
fn closing_whitespace(text: &[u8], start: usize) -> usize {
    let run = blank(text, start);
    if run.end == text.len() || (run.last == start && run.after_newline == start) {
        run.end
    } else if run.after_newline > start {
        run.after_newline
    } else {
        run.last
    }
}
