//! Everything that is counted by line or paragraph, and the walk over a text's words.

use std::hash::BuildHasherDefault;
use std::sync::LazyLock;

use hashbrown::HashMap;
use regex::bytes::Regex;
use xxhash_rust::xxh3::xxh3_64;

use super::classes;
use super::words::{Identity, Lexicon, in_ranges, is_space};

/// Repeated elements, as datatrove's `find_duplicates` counts them.
#[derive(Default)]
pub(super) struct Duplicates {
    pub count: usize,
    pub duplicates: usize,
    pub duplicate_chars: usize,
}

/// Figures of the lines of one text.
#[derive(Default)]
pub(super) struct LineFigures {
    /// Lines by Python's `str.splitlines`.
    pub lines: usize,
    pub bullets: usize,
    pub ellipses: usize,
    /// Lines that C4 keeps, and the sentences in them.
    pub kept: usize,
    pub sentences: usize,
    pub lorem_ipsum: bool,
    pub curly_bracket: bool,
    /// Lines between runs of newlines, the empty one at either end included.
    pub filled: Duplicates,
    /// Parts of the stripped text between runs of two newlines or more.
    pub paragraphs: Duplicates,
    pub newlines: usize,
    /// Lines between newlines that are not blank.
    pub not_blank: usize,
    pub not_blank_duplicate_chars: usize,
    pub terminated: usize,
    pub short: usize,
}

const SHORT_LINE_CHARS: usize = 30;
const C4_LONGEST_WORD_CHARS: usize = 1000;
const C4_FEWEST_WORDS: usize = 3;

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static CITATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"\[(?:\d*|edit|citation needed)\]"));
static LOREM_IPSUM: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)lorem ipsum"));
static POLICY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)javascript|terms of use|privacy policy|cookie policy|uses cookies|use of cookies\
         |use cookies",
    )
});

/// Count lines and append the ids of the words of `text` to `words`.
pub(super) fn line_figures(text: &str, lexicon: &mut Lexicon, words: &mut Vec<u32>) -> LineFigures {
    let mut found = LineFigures::default();
    by_newline(text, &mut found);
    found.paragraphs = paragraphs(text);
    let suspects = Suspects {
        lorem_ipsum: LOREM_IPSUM.is_match(text.as_bytes()),
        policy: POLICY.is_match(text.as_bytes()),
    };
    for line in SplitLines(text) {
        found.lines += 1;
        found.bullets += usize::from(strip_start(line).starts_with(['•', '-']));
        let stripped = strip(line);
        found.ellipses += usize::from(stripped.ends_with("...") || stripped.ends_with('…'));
        let walked = lexicon.walk(stripped, words);
        c4_line(stripped, walked, suspects, lexicon, &mut found);
    }
    found
}

/// What a whole text may hold, so that its lines need no search when it does not.
#[derive(Clone, Copy)]
struct Suspects {
    lorem_ipsum: bool,
    policy: bool,
}

/// What walking over a line's words found.
#[derive(Clone, Copy, Default)]
pub(super) struct Walked {
    /// Parts between white space.
    pub spans: usize,
    pub sentences: usize,
}

/// C4's rules for one stripped line, in datatrove's order.
fn c4_line(
    line: &str,
    walked: Walked,
    suspects: Suspects,
    lexicon: &mut Lexicon,
    found: &mut LineFigures,
) {
    let long = |word: &str| word.chars().count() > C4_LONGEST_WORD_CHARS;
    if line.len() > C4_LONGEST_WORD_CHARS && line.split(is_space).any(long) {
        return;
    }
    let cited =
        memchr::memchr(b'[', line.as_bytes()).is_some() && CITATION.is_match(line.as_bytes());
    let without = if cited { remove_citations(line) } else { String::new() };
    let line = if cited { without.as_str() } else { line };
    if !line.ends_with(['.', '?', '!', '"', '\'']) || line.ends_with("...") {
        return;
    }
    if walked.spans < C4_FEWEST_WORDS {
        return;
    }
    if (suspects.lorem_ipsum || cited) && LOREM_IPSUM.is_match(line.as_bytes()) {
        found.lorem_ipsum = true;
        return;
    }
    // datatrove asks for JavaScript before the bracket and for the policies after it.
    let refused = (suspects.policy || cited).then(|| POLICY.find(line.as_bytes())).flatten();
    if refused.is_some_and(|_| contains_javascript(line)) {
        return;
    }
    if memchr::memchr(b'{', line.as_bytes()).is_some() {
        found.curly_bracket = true;
        return;
    }
    if refused.is_some() {
        return;
    }
    found.kept += 1;
    found.sentences +=
        if cited { lexicon.walk(line, &mut Vec::new()).sentences } else { walked.sentences };
}

fn contains_javascript(line: &str) -> bool {
    line.as_bytes().windows(10).any(|part| part.eq_ignore_ascii_case(b"javascript"))
}

fn remove_citations(line: &str) -> String {
    let bytes = CITATION.replace_all(line.as_bytes(), &b""[..]);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything about lines that end in `\n` and nothing else.
fn by_newline(text: &str, found: &mut LineFigures) {
    let mut seen: HashMap<u64, (), BuildHasherDefault<Identity>> = HashMap::default();
    let (starts, ends) = (text.starts_with('\n'), text.ends_with('\n'));
    found.filled.count = usize::from(starts) + usize::from(ends) + usize::from(text.is_empty());
    found.filled.duplicates = usize::from(starts && ends);
    found.newlines = memchr::memchr_iter(b'\n', text.as_bytes()).count();
    for line in split_newlines(text) {
        if line.is_empty() {
            continue;
        }
        found.filled.count += 1;
        let is_new = seen.insert(xxh3_64(line.as_bytes()), ()).is_none();
        let is_blank = line.chars().all(is_space);
        let chars = if is_new && is_blank { 0 } else { line.chars().count() };
        if !is_new {
            found.filled.duplicates += 1;
            found.filled.duplicate_chars += chars;
        }
        if is_blank {
            continue;
        }
        found.not_blank += 1;
        found.not_blank_duplicate_chars += if is_new { 0 } else { chars };
        found.short += usize::from(chars <= SHORT_LINE_CHARS);
        found.terminated += usize::from(is_terminated(line));
    }
}

fn is_terminated(line: &str) -> bool {
    match line.as_bytes().last() {
        Some(byte) if byte.is_ascii() => matches!(byte, b'.' | b'!' | b'?'),
        _ => line.chars().next_back().is_some_and(|last| in_ranges(classes::TERMINAL, last)),
    }
}

fn split_newlines(text: &str) -> impl Iterator<Item = &str> {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain(std::iter::once(text.len()));
    let mut start = 0;
    ends.map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

fn paragraphs(text: &str) -> Duplicates {
    let mut seen: HashMap<u64, (), BuildHasherDefault<Identity>> = HashMap::default();
    let mut found = Duplicates::default();
    let mut rest = strip(text);
    loop {
        let cut = memchr::memmem::find(rest.as_bytes(), b"\n\n");
        let paragraph = &rest[..cut.unwrap_or(rest.len())];
        found.count += 1;
        if seen.insert(xxh3_64(paragraph.as_bytes()), ()).is_some() {
            found.duplicates += 1;
            found.duplicate_chars += paragraph.chars().count();
        }
        match cut {
            Some(cut) => rest = rest[cut..].trim_start_matches('\n'),
            None => return found,
        }
    }
}

/// Python's `str.strip`.
fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn strip_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// Python's `str.splitlines`: no empty line after the last separator.
struct SplitLines<'a>(&'a str);

impl<'a> Iterator for SplitLines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let Some((end, width)) = line_end(self.0.as_bytes()) else {
            return Some(std::mem::take(&mut self.0));
        };
        let line = &self.0[..end];
        self.0 = &self.0[end + width..];
        Some(line)
    }
}

/// The first line separator: where it begins, and its width in bytes.
fn line_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let is_end = |byte: &u8| matches!(byte, 0x0A..=0x0D | 0x1C..=0x1E | 0xC2 | 0xE2);
        let end = from + bytes[from..].iter().position(is_end)?;
        let width = match &bytes[end..] {
            [b'\r', b'\n', ..] | [0xC2, 0x85, ..] => 2,
            [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
            [0xC2 | 0xE2, ..] => 0,
            _ => 1,
        };
        if width > 0 {
            return Some((end, width));
        }
        from = end + 1;
    }
}
