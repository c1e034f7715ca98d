//! Finds where a text occurs verbatim in a corpus, through memory-mapped suffix arrays.
//!
//! A *shard* is three arrays of bytes, little endian: the documents' text, each followed by
//! [`SEPARATOR`]; the suffix array of that, 32 bits per position; and where each document starts, 64
//! bits. No UTF-8 text holds the separator, so no match crosses documents. Searching is binary, with
//! the prefixes already compared skipped (Manber and Myers 1993, section 2).
//!
//! [`SuffixIndex::spans`] finds the longest verbatim spans of a text without trying all pairs of ends:
//! each span is extended as far as it goes, and the next start is the first one from which a longer
//! end can be reached; that start is found by search, because of a text's suffixes the shorter ones
//! occur wherever the longer do.
//!
//! Positions that a damaged file holds outside the text read as empty suffixes: a search then gives a
//! wrong answer but reads nothing it should not. Digests are the caller's to check.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

use crate::suffix_array::suffix_array;
use crate::{Error, Result};

/// The byte after each document.
pub const SEPARATOR: u8 = 0xFF;

/// Occurrences looked at for the first documents of a span; the rest are counted only.
const MAX_LISTED: usize = 1 << 14;

/// The three arrays of a shard before they are written.
#[derive(Debug)]
pub struct Arrays {
    /// The documents, each followed by [`SEPARATOR`].
    pub text: Vec<u8>,
    /// The suffix array of `text`.
    pub suffixes: Vec<u32>,
    /// Where each document starts in `text`.
    pub starts: Vec<u64>,
}

/// Join and sort the documents of one shard.
///
/// # Errors
///
/// [`Error::Parameter`] when they are longer than 2 GiB.
pub fn build(texts: &[&str]) -> Result<Arrays> {
    let mut text = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    let mut starts = Vec::with_capacity(texts.len());
    for document in texts {
        starts.push(text.len() as u64);
        text.extend_from_slice(document.as_bytes());
        text.push(SEPARATOR);
    }
    let suffixes =
        suffix_array::<i32>(&text)?.into_iter().map(|position| position as u32).collect();
    Ok(Arrays { text, suffixes, starts })
}

/// A file of a shard, mapped.
pub type Mapped = Mmap;

/// One shard: its arrays as bytes, mapped from files or in memory.
#[derive(Debug)]
pub struct Shard<B> {
    text: B,
    suffixes: B,
    starts: B,
}

fn map(path: &Path) -> Result<Mmap> {
    let refused = |source| Error::Io { path: path.display().to_string(), source };
    let file = File::open(path).map_err(refused)?;
    // SAFETY: the index's files are written under another name, renamed when complete and never
    // changed afterwards, so the mapped bytes stay as they are.
    unsafe { Mmap::map(&file) }.map_err(refused)
}

impl Shard<Mmap> {
    /// Map the files of a shard.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a file cannot be read, [`Error::Format`] when their sizes do not agree.
    pub fn open(text: &Path, suffixes: &Path, starts: &Path) -> Result<Self> {
        let shard = Self::new(map(text)?, map(suffixes)?, map(starts)?);
        shard.map_err(|problem| Error::Format { what: suffixes.display().to_string(), problem })
    }
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Put a shard together from its arrays.
    ///
    /// # Errors
    ///
    /// What is wrong, when the lengths do not agree.
    pub fn new(text: B, suffixes: B, starts: B) -> std::result::Result<Self, String> {
        let lengths = [&text, &suffixes, &starts].map(|bytes| bytes.as_ref().len());
        if lengths[1] != 4 * lengths[0] || lengths[2] % 8 != 0 {
            let [text, suffixes, starts] = lengths;
            return Err(format!(
                "{suffixes} bytes of suffixes and {starts} of starts do not belong to {text} of text"
            ));
        }
        Ok(Self { text, suffixes, starts })
    }

    /// The number of documents.
    pub fn n_documents(&self) -> usize {
        self.starts.as_ref().len() / 8
    }

    fn position(&self, rank: usize) -> usize {
        let (words, _) = self.suffixes.as_ref().as_chunks::<4>();
        words.get(rank).map_or(usize::MAX, |&word| u32::from_le_bytes(word) as usize)
    }

    fn suffix(&self, rank: usize) -> &[u8] {
        self.text.as_ref().get(self.position(rank)..).unwrap_or_default()
    }

    fn start(&self, document: usize) -> usize {
        let (words, _) = self.starts.as_ref().as_chunks::<8>();
        words.get(document).map_or(usize::MAX, |&word| u64::from_le_bytes(word) as usize)
    }

    /// The document at a position of the text.
    fn document(&self, position: usize) -> usize {
        let (words, _) = self.starts.as_ref().as_chunks::<8>();
        words.partition_point(|&word| u64::from_le_bytes(word) as usize <= position).max(1) - 1
    }

    /// The first rank of `ranks` whose suffix is not below `pattern` (or, with `after_equal`, neither
    /// below nor beginning with it), and the longest prefix of `pattern` met on either side.
    fn bound(&self, pattern: &[u8], after_equal: bool, ranks: Range<usize>) -> (usize, usize) {
        let (mut low, mut high) = (ranks.start, ranks.end);
        let (mut low_shared, mut high_shared) = (0, 0);
        while low < high {
            let middle = low + (high - low) / 2;
            let suffix = self.suffix(middle);
            let shared = shared_prefix(pattern, suffix, low_shared.min(high_shared));
            let below = if shared == pattern.len() {
                after_equal
            } else {
                suffix.get(shared) < pattern.get(shared) // an ended suffix is below
            };
            if below {
                (low, low_shared) = (middle + 1, shared);
            } else {
                (high, high_shared) = (middle, shared);
            }
        }
        (low, low_shared.max(high_shared))
    }

    /// The length of the longest prefix of `pattern` that occurs.
    fn longest_prefix(&self, pattern: &[u8]) -> usize {
        self.bound(pattern, false, 0..self.text.as_ref().len()).1
    }

    /// The ranks of the suffixes that begin with `pattern`.
    fn matches(&self, pattern: &[u8]) -> Range<usize> {
        let n = self.text.as_ref().len();
        let (low, shared) = self.bound(pattern, false, 0..n);
        if shared < pattern.len() || pattern.is_empty() || pattern.contains(&SEPARATOR) {
            return low..low;
        }
        low..self.bound(pattern, true, low..n).0
    }

    /// The first `limit` documents in which the suffixes of these ranks stand, each with the first of
    /// its positions, in characters from the document's start.
    fn locate(&self, ranks: Range<usize>, limit: usize) -> Vec<(usize, usize)> {
        let end = ranks.end.min(ranks.start + MAX_LISTED);
        let mut positions: Vec<usize> =
            (ranks.start..end).map(|rank| self.position(rank)).collect();
        positions.sort_unstable();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for position in positions {
            let document = self.document(position);
            if found.last().is_some_and(|&(last, _)| last == document) {
                continue;
            }
            if found.len() == limit {
                break;
            }
            let before = self.text.as_ref().get(self.start(document)..position);
            found.push((document, n_characters(before.unwrap_or_default())));
        }
        found
    }
}

/// The length of the common prefix, of which `known` bytes are known to agree.
fn shared_prefix(a: &[u8], b: &[u8], known: usize) -> usize {
    let (a, b) = (&a[known..], &b[known.min(b.len())..]);
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let same = 8 * words_a.iter().zip(words_b).take_while(|(a, b)| a == b).count();
    known + same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// The character boundary at `at` or before it.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The character boundary at `at` or after it, at most the end.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}

fn n_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// A place in the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The document, counted over all shards.
    pub document: usize,
    /// Characters from the document's start.
    pub offset: usize,
}

/// A span of a text that occurs verbatim in the corpus, and longer nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// First character of the text.
    pub start: usize,
    /// The character after the last.
    pub end: usize,
    /// How often it occurs in the corpus.
    pub count: usize,
    /// The first documents it occurs in.
    pub occurrences: Vec<Occurrence>,
}

/// The least that a span must hold: `min_tokens` of these whole tokens.
#[derive(Debug, Clone, Copy)]
pub struct Least<'a> {
    /// Byte ranges of the tokens in the text, in order.
    pub tokens: &'a [(usize, usize)],
    /// How many of them, at least one.
    pub min_tokens: usize,
}

impl Least<'_> {
    /// The smallest end of a span that begins at `start`; grows with `start`.
    fn end(&self, start: usize) -> Option<usize> {
        let first = self.tokens.partition_point(|token| token.0 < start);
        self.tokens.get(first + self.min_tokens.max(1) - 1).map(|token| token.1)
    }
}

/// All shards of a corpus.
#[derive(Debug)]
pub struct SuffixIndex<B> {
    shards: Vec<Shard<B>>,
}

impl<B: AsRef<[u8]>> SuffixIndex<B> {
    /// An index of these shards, whose documents are counted in this order.
    pub fn new(shards: Vec<Shard<B>>) -> Self {
        Self { shards }
    }

    /// The number of documents.
    pub fn n_documents(&self) -> usize {
        self.shards.iter().map(Shard::n_documents).sum()
    }

    /// How often `pattern` occurs, overlaps included; an empty one never does.
    pub fn count(&self, pattern: &[u8]) -> usize {
        self.shards.iter().map(|shard| shard.matches(pattern).len()).sum()
    }

    /// The first `limit` documents that hold `pattern`, with its first place in each. Of more than
    /// 16,384 occurrences in a shard, those first in alphabetic order of what follows are looked at.
    pub fn locate(&self, pattern: &[u8], limit: usize) -> Vec<Occurrence> {
        let mut found = Vec::new();
        let mut before = 0;
        for shard in &self.shards {
            let here = shard.locate(shard.matches(pattern), limit - found.len());
            let global = |(document, offset)| Occurrence { document: before + document, offset };
            found.extend(here.into_iter().map(global));
            before += shard.n_documents();
        }
        found
    }

    fn occurs(&self, pattern: &str) -> bool {
        self.longest_prefix(pattern) == pattern.len()
    }

    /// The length of the longest prefix of `pattern`, in whole characters, that occurs.
    fn longest_prefix(&self, pattern: &str) -> usize {
        let bytes = pattern.as_bytes();
        let longest = self.shards.iter().map(|shard| shard.longest_prefix(bytes)).max();
        floor(pattern, longest.unwrap_or(0))
    }

    /// The spans of `text` that occur in the corpus, hold at least what `least` says, and are not
    /// part of a longer one; in order, each with its first `limit` documents.
    pub fn spans(&self, text: &str, least: Least<'_>, limit: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        let (mut counted, mut n_before) = (0, 0);
        self.each_span(text, least, |bytes| {
            n_before += n_characters(&text.as_bytes()[counted..bytes.start]);
            counted = bytes.start;
            let pattern = &text[bytes];
            spans.push(Span {
                start: n_before,
                end: n_before + pattern.chars().count(),
                count: self.count(pattern.as_bytes()),
                occurrences: self.locate(pattern.as_bytes(), limit),
            });
        });
        spans
    }

    fn each_span(&self, text: &str, least: Least<'_>, mut visit: impl FnMut(Range<usize>)) {
        let (mut start, mut covered) = (0, 0);
        while covered < text.len()
            && let Some(least_end) = least.end(start)
        {
            // A new span ends later than the last one did.
            let goal = ceil(text, least_end.max(covered + 1));
            if self.occurs(&text[start..goal]) {
                covered = start + self.longest_prefix(&text[start..]);
                visit(start..covered);
                start = ceil(text, start + 1);
            } else {
                start = self.first_start(text, start, goal);
            }
        }
    }

    /// The smallest start after `failed` from which the text up to `goal` occurs; `goal` if none.
    /// Starts before it cannot begin a span that reaches `goal`.
    fn first_start(&self, text: &str, failed: usize, goal: usize) -> usize {
        let (mut failed, mut occurring, mut length) = (failed, goal, 16);
        while goal - failed > length {
            let start = floor(text, goal - length);
            if start <= failed || !self.occurs(&text[start..goal]) {
                failed = failed.max(start);
                break;
            }
            (occurring, length) = (start, 2 * length);
        }
        loop {
            let middle = ceil(text, failed + (occurring - failed).div_ceil(2));
            let middle = if middle < occurring { middle } else { ceil(text, failed + 1) };
            if middle >= occurring {
                return occurring;
            }
            if self.occurs(&text[middle..goal]) {
                occurring = middle;
            } else {
                failed = middle;
            }
        }
    }
}
