//! Texts as a toxicity model reads them: plain words in windows of bounded length.
//!
//! The same walk serves training and prediction, so a model meets the words it was taught. Case,
//! addresses, mentions, character references and numbers go. What hides a word is undone where it
//! costs nothing: digits and signs that stand for letters (`b1tch`, `sh!t`), letters drawn out
//! (`fuuuck`) or set apart (`f u c k`); stars stay, one for a run (`f*ck`), as words of their own.
//! Our own rules. One pass, a few state variables and a bounded buffer per word, so that a word of
//! 50 MB costs no more than many short ones.

use std::ops::RangeInclusive;

use rayon::prelude::*;

use crate::threads::with_threads;
use crate::{Error, Result};

/// Longer words are cut: nothing in a model's vocabulary is as long.
pub const MAX_WORD_CHARS: usize = 32;

/// Texts that a thread takes at a time.
const CHUNK: usize = 256;

/// The windows of several texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// Words of all windows, one space between two of them.
    words: String,
    /// Where each window ends in `words`.
    ends: Vec<usize>,
    /// How many windows each text has; at least one.
    per_text: Vec<u32>,
}

impl Windows {
    /// Each window's words, text after text.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| self.words[*start..*end].trim_end())
    }

    /// The number of windows of each text, at least one.
    #[must_use]
    pub fn per_text(&self) -> &[u32] {
        &self.per_text
    }
}

/// Cut each text into windows of at most `max_words` words.
///
/// A window ends at the line break after its first half, or where it is full; a rest of less than a
/// quarter joins the window before. A text without words has one empty window.
///
/// # Errors
///
/// [`Error::Parameter`] when `max_words` or `threads` is zero.
pub fn windows_all(texts: &[&str], max_words: usize, threads: usize) -> Result<Vec<Windows>> {
    if max_words == 0 {
        let allowed = "at least 1";
        return Err(Error::Parameter { name: "max_words", value: "0".to_owned(), allowed });
    }
    let of_chunk = |texts: &[&str]| {
        let mut windows = Windows::default();
        let mut writer = Writer::new(&mut windows, max_words);
        texts.iter().for_each(|text| writer.add(text));
        windows
    };
    if threads == 1 {
        return Ok(texts.chunks(CHUNK).map(of_chunk).collect());
    }
    with_threads(threads, || Ok(texts.par_chunks(CHUNK).map(of_chunk).collect()))
}

/// What a byte means to the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Gap,
    Letter,
    Digit,
    /// `*`, `$` or `!`, within a word a letter in disguise.
    Sign,
    /// `@`, which opens a mention or is a letter in disguise.
    At,
    Apostrophe,
    Ampersand,
    Newline,
    Beyond,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Gap; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'*' | b'$' | b'!' => Class::Sign,
            b'@' => Class::At,
            b'\'' => Class::Apostrophe,
            b'&' => Class::Ampersand,
            b'\n' => Class::Newline,
            128.. => Class::Beyond,
            _ => Class::Gap,
        };
        byte += 1;
    }
    classes
};

fn class(byte: Option<&u8>) -> Class {
    byte.map_or(Class::Gap, |byte| CLASSES[usize::from(*byte)])
}

struct Writer<'w> {
    out: &'w mut Windows,
    max_words: usize,
    n_words: usize,
    /// Windows of this text that are complete.
    n_windows: u32,
    /// Words of one letter that `out` ends with.
    n_single: usize,
}

impl<'w> Writer<'w> {
    fn new(out: &'w mut Windows, max_words: usize) -> Self {
        Self { out, max_words, n_words: 0, n_windows: 0, n_single: 0 }
    }

    fn add(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            at = match CLASSES[usize::from(bytes[at])] {
                Class::Letter | Class::Digit => self.word(text, at),
                Class::Beyond => self.beyond(text, at),
                Class::At => after_mention(bytes, at),
                Class::Ampersand => after_reference(bytes, at),
                Class::Newline => self.line_break(at),
                Class::Gap | Class::Sign | Class::Apostrophe => at + 1,
            };
        }
        self.end_text();
    }

    /// Take the word that starts at `at`; tell where to go on.
    fn word(&mut self, text: &str, at: usize) -> usize {
        let bytes = text.as_bytes();
        if let Some(end) = after_address(bytes, at) {
            return end;
        }
        if let Some(end) = self.plain_word(text, at) {
            return end;
        }
        let start = self.out.words.len();
        let (mut end, mut n_chars, mut plain) = (at, 0, true);
        loop {
            let (step, kept) = match class(bytes.get(end)) {
                Class::Letter | Class::Digit => (1, true),
                Class::Beyond => match beyond_in_word(text, end) {
                    Some((step, kept)) => (step, kept),
                    None => break,
                },
                Class::Sign | Class::At if joins(text, end + 1) => (1, true),
                Class::Apostrophe if joins(text, end + 1) => (1, false),
                _ => break,
            };
            if kept && n_chars < MAX_WORD_CHARS {
                plain &= self.push(&text[end..end + step]);
                n_chars += 1;
            }
            end += step;
        }
        if !plain || drawn_out(&self.out.words.as_bytes()[start..]) {
            let word = undisguised(&self.out.words[start..]);
            self.out.words.truncate(start);
            self.out.words.push_str(&word);
        }
        self.end_word(start);
        end
    }

    /// Take the word that starts at `at` where it is of ASCII letters only, as nearly all are.
    fn plain_word(&mut self, text: &str, at: usize) -> Option<usize> {
        let bytes = &text.as_bytes()[at..];
        let is_letter = |byte: &&u8| CLASSES[usize::from(**byte)] == Class::Letter;
        let n_bytes = bytes.iter().take_while(is_letter).count();
        let ends = matches!(class(bytes.get(n_bytes)), Class::Gap | Class::Newline);
        if n_bytes == 0 || n_bytes > MAX_WORD_CHARS || !ends {
            return None;
        }
        let start = self.out.words.len();
        self.out.words.push_str(&text[at..at + n_bytes]);
        self.out.words[start..].make_ascii_lowercase();
        if drawn_out(&self.out.words.as_bytes()[start..]) {
            self.out.words.truncate(start);
            return None;
        }
        self.end_word(start);
        Some(at + n_bytes)
    }

    /// Append a character in lower case; tell whether it is an ASCII letter.
    fn push(&mut self, character: &str) -> bool {
        match character.as_bytes() {
            [byte] => {
                self.out.words.push(byte.to_ascii_lowercase().into());
                byte.is_ascii_alphabetic()
            }
            _ => {
                self.out.words.extend(character.chars().flat_map(char::to_lowercase));
                false
            }
        }
    }

    /// Take what starts with a character beyond ASCII: a word, a pictogram or nothing.
    fn beyond(&mut self, text: &str, at: usize) -> usize {
        let Some(character) = text[at..].chars().next() else { return text.len() };
        if character.is_alphanumeric() {
            return self.word(text, at);
        }
        let end = at + character.len_utf8();
        if is_pictogram(character) {
            let start = self.out.words.len();
            self.out.words.push(character);
            self.end_word(start);
        }
        end
    }

    /// Finish the word that starts at `start`, where there is one.
    fn end_word(&mut self, start: usize) {
        let n_bytes = self.out.words.len() - start;
        if n_bytes == 0 {
            return;
        }
        if n_bytes == 1 {
            self.n_single += 1;
        } else {
            let word = (self.n_single > 2).then(|| self.out.words.split_off(start));
            self.join_single();
            self.out.words.push_str(word.as_deref().unwrap_or_default());
        }
        self.out.words.push(' ');
        self.n_words += 1;
        if self.n_words >= self.max_words {
            self.end_window();
        }
    }

    /// Write three or more words of one letter as one word.
    fn join_single(&mut self) {
        let n_single = std::mem::take(&mut self.n_single);
        if n_single > 2 {
            let start = self.out.words.len() - 2 * n_single;
            let word = self.out.words.split_off(start);
            self.out.words.extend(word.chars().filter(|one| *one != ' ').take(MAX_WORD_CHARS));
            self.out.words.push(' ');
            self.n_words -= n_single - 1;
        }
    }

    fn line_break(&mut self, at: usize) -> usize {
        if 2 * self.n_words >= self.max_words {
            self.end_window();
        }
        at + 1
    }

    fn end_window(&mut self) {
        self.join_single();
        self.out.ends.push(self.out.words.len());
        self.n_windows += 1;
        self.n_words = 0;
    }

    fn end_text(&mut self) {
        self.join_single();
        let is_rest = 4 * self.n_words < self.max_words && self.n_windows > 0;
        if let (true, Some(end)) = (is_rest, self.out.ends.last_mut()) {
            *end = self.out.words.len();
        } else {
            self.end_window();
        }
        self.out.per_text.push(self.n_windows);
        (self.n_words, self.n_windows) = (0, 0);
    }
}

/// Whether a word goes on at `at`, after a sign.
fn joins(text: &str, at: usize) -> bool {
    match class(text.as_bytes().get(at)) {
        Class::Letter | Class::Digit => true,
        Class::Sign | Class::At => signs_join(text, at),
        Class::Beyond => text[at..].chars().next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}

/// Whether a letter or digit follows a short run of signs.
fn signs_join(text: &str, at: usize) -> bool {
    let signs = text.as_bytes()[at..].iter().take(MAX_WORD_CHARS);
    let n_signs = signs.take_while(|byte| matches!(class(Some(byte)), Class::Sign | Class::At));
    let end = at + n_signs.count();
    matches!(class(text.as_bytes().get(end)), Class::Letter | Class::Digit)
}

/// Within a word: the bytes of the character beyond ASCII at `at` and whether it belongs to the
/// word, as a letter does and an apostrophe does not; none where the word ends.
fn beyond_in_word(text: &str, at: usize) -> Option<(usize, bool)> {
    let character = text[at..].chars().next()?;
    let end = at + character.len_utf8();
    let is_apostrophe = character == '\u{2019}' && joins(text, end);
    (is_apostrophe || character.is_alphanumeric()).then_some((end - at, !is_apostrophe))
}

/// Emoji and other pictures, which insult too; not the signs that only vary them.
fn is_pictogram(character: char) -> bool {
    let is_skin_tone = matches!(character, '\u{1F3FB}'..='\u{1F3FF}');
    matches!(character, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FBFF}') && !is_skin_tone
}

/// Where an address of the web that starts at `at` ends.
fn after_address(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if !matches!(rest[0], b'h' | b'H' | b'w' | b'W') {
        return None;
    }
    let opens =
        |with: &[u8]| rest.len() >= with.len() && rest[..with.len()].eq_ignore_ascii_case(with);
    let is_address = opens(b"http://") || opens(b"https://") || opens(b"www.");
    let n_bytes = || rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    is_address.then(|| at + n_bytes())
}

/// Where the mention of a user that starts with the `@` at `at` ends.
fn after_mention(bytes: &[u8], at: usize) -> usize {
    let rest = bytes[at + 1..].iter();
    at + 1 + rest.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

/// Where the character reference (`&amp;`, `&#39;`) that starts at `at` ends, or the `&` alone.
fn after_reference(bytes: &[u8], at: usize) -> usize {
    let rest = bytes[at + 1..].iter().take(10);
    let end = at + 1 + rest.take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
    if end > at + 1 && bytes.get(end) == Some(&b';') { end + 1 } else { at + 1 }
}

/// Whether a character stands three times in a row.
fn drawn_out(word: &[u8]) -> bool {
    word.windows(3).any(|three| three[0] == three[1] && three[1] == three[2])
}

/// A word of letters, digits and signs with the letters that were meant; empty without a letter.
///
/// Between the first letter and the last, digits and signs become the letters they look like. Of a
/// letter three times or more, a vowel stays once, another twice; of stars, one.
fn undisguised(word: &str) -> String {
    let Some(letters) = letters(word) else { return String::new() };
    let mut plain = String::with_capacity(word.len());
    let meant =
        word.char_indices().map(|(at, one)| if letters.contains(&at) { meant(one) } else { one });
    let mut run: Option<(char, usize)> = None;
    for one in meant.map(Some).chain([None]) {
        match (one, &mut run) {
            (Some(one), Some((of, length))) if one == *of => *length += 1,
            _ => {
                if let Some((of, length)) = run {
                    plain.extend(std::iter::repeat_n(of, shortened(of, length)));
                }
                run = one.map(|one| (one, 1));
            }
        }
    }
    plain
}

/// From the first letter of a word to the start of its last; none without a letter.
fn letters(word: &str) -> Option<RangeInclusive<usize>> {
    Some(word.find(char::is_alphabetic)?..=word.rfind(char::is_alphabetic)?)
}

fn meant(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn shortened(of: char, length: usize) -> usize {
    match of {
        '*' => 1,
        _ if length < 3 || !of.is_alphabetic() => length,
        'a' | 'e' | 'i' | 'o' | 'u' => 1,
        _ => 2,
    }
}
