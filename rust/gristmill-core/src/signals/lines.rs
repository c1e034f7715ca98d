//! Everything that is counted by line or paragraph.

use std::sync::LazyLock;

use hashbrown::HashSet;
use regex::bytes::Regex;
use xxhash_rust::xxh3::xxh3_64;

use super::classes;
use super::suspects;
use super::walk::{Line, Walker};
use super::words::{IdentityHasher, Lexicon, Words, in_ranges, is_space};

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
static CITATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[(?:\d*|edit|citation needed)\]").unwrap());

/// Hashes of the elements seen; reused from text to text.
type Seen = HashSet<u64, IdentityHasher>;

/// Counts lines; keeps its buffers between texts.
#[derive(Default)]
pub(super) struct LineMeter {
    walker: Walker,
    seen: Seen,
}

impl LineMeter {
    /// Count lines and append the words of `text` to `words`.
    pub(super) fn measure(
        &mut self,
        text: &str,
        lexicon: &mut Lexicon,
        words: &mut Words,
    ) -> LineFigures {
        let mut found = LineFigures::default();
        let is_ascii = text.is_ascii();
        let chars = |part: &str| if is_ascii { part.len() } else { part.chars().count() };
        by_newline(text, &mut found, &mut self.seen, chars);
        found.paragraphs = paragraphs(text, &mut self.seen, chars);
        self.walker.each_line(text, lexicon, words, |line, lexicon| {
            let stripped = &text[line.stripped.clone()];
            found.lines += 1;
            found.bullets += usize::from(stripped.starts_with(['•', '-']));
            found.ellipses += usize::from(stripped.ends_with("...") || stripped.ends_with('…'));
            c4_line(stripped, line, lexicon, &mut found);
        });
        found
    }
}

/// C4's rules for one stripped line, in datatrove's order.
fn c4_line(stripped: &str, line: &Line, lexicon: &mut Lexicon, found: &mut LineFigures) {
    let long = |word: &str| word.chars().count() > C4_LONGEST_WORD_CHARS;
    if stripped.len() > C4_LONGEST_WORD_CHARS && stripped.split(is_space).any(long) {
        return;
    }
    let cited = stripped.ends_with([']', '.', '?', '!', '"', '\''])
        && memchr::memchr(b'[', stripped.as_bytes()).is_some()
        && CITATION.is_match(stripped.as_bytes());
    let without = if cited { remove_citations(stripped) } else { String::new() };
    let text = if cited { without.as_str() } else { stripped };
    if !text.ends_with(['.', '?', '!', '"', '\'']) || text.ends_with("...") {
        return;
    }
    if line.spans < C4_FEWEST_WORDS {
        return;
    }
    let suspect = line.suspect || cited;
    if suspect && suspects::has_lorem_ipsum(text) {
        found.lorem_ipsum = true;
    } else if suspect && suspects::has_javascript(text) {
        // The line goes before its bracket is seen; it stays for a policy until then.
    } else if memchr::memchr(b'{', text.as_bytes()).is_some() {
        found.curly_bracket = true;
    } else if !(suspect && suspects::has_policy(text)) {
        found.kept += 1;
        found.sentences +=
            if cited { Walker::count_sentences(text, lexicon) } else { line.sentences };
    }
}

fn remove_citations(line: &str) -> String {
    let bytes = CITATION.replace_all(line.as_bytes(), &b""[..]);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything about lines that end in `\n` and nothing else.
fn by_newline(
    text: &str,
    found: &mut LineFigures,
    seen: &mut Seen,
    count_chars: impl Fn(&str) -> usize,
) {
    seen.clear();
    let (starts, ends) = (text.starts_with('\n'), text.ends_with('\n'));
    found.filled.count = usize::from(starts) + usize::from(ends) + usize::from(text.is_empty());
    found.filled.duplicates = usize::from(starts && ends);
    for line in split_newlines(text) {
        found.newlines += 1;
        if line.is_empty() {
            continue;
        }
        found.filled.count += 1;
        let is_new = seen.insert(xxh3_64(line.as_bytes()));
        let chars = count_chars(line);
        if !is_new {
            found.filled.duplicates += 1;
            found.filled.duplicate_chars += chars;
        }
        if line.chars().all(is_space) {
            continue;
        }
        found.not_blank += 1;
        found.not_blank_duplicate_chars += if is_new { 0 } else { chars };
        found.short += usize::from(chars <= SHORT_LINE_CHARS);
        found.terminated += usize::from(is_terminated(line));
    }
    found.newlines -= 1;
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

fn paragraphs(text: &str, seen: &mut Seen, count_chars: impl Fn(&str) -> usize) -> Duplicates {
    seen.clear();
    let mut found = Duplicates::default();
    let mut rest = text.trim_matches(is_space);
    loop {
        let cut = memchr::memmem::find(rest.as_bytes(), b"\n\n");
        let paragraph = &rest[..cut.unwrap_or(rest.len())];
        found.count += 1;
        let is_last = cut.is_none();
        // One paragraph alone repeats none.
        if (!is_last || found.count > 1) && !seen.insert(xxh3_64(paragraph.as_bytes())) {
            found.duplicates += 1;
            found.duplicate_chars += count_chars(paragraph);
        }
        match cut {
            Some(cut) => rest = rest[cut..].trim_start_matches('\n'),
            None => return found,
        }
    }
}
