//! Finds where a text occurs verbatim in a corpus, through suffix arrays in files.
//!
//! A *shard* is four arrays of bytes, little endian: the documents' text, each followed by
//! [`SEPARATOR`]; the suffix array of that, 32 bits per position; *samples* of that, see [`sort`]; and
//! where each document starts, 64 bits. No UTF-8 text holds the separator, so no match crosses
//! documents. Searching is binary, with the prefixes already compared skipped (Manber and Myers 1993,
//! section 2); the files are read in small parts and not mapped, so memory stays small.
//!
//! [`SuffixIndex::spans`] finds the longest verbatim spans of a text without trying all pairs of ends:
//! each span is extended as far as it goes, and the next start is the first one from which a longer
//! end can be reached; that start is found by search, because of a text's suffixes the shorter ones
//! occur wherever the longer do.
//!
//! Positions that a damaged file holds outside the text read as empty suffixes: a search then gives a
//! wrong answer but reads nothing it should not. Digests are the caller's to check.

use std::ops::Range;

use crate::Result;

mod shard;
mod store;

pub use shard::{Arrays, Paths, SEPARATOR, STEP, Shard, join, sort};
use shard::{Place, Searcher, n_characters_of};
pub use store::{Store, Stored};

/// The character boundary at `at` or before it.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The character boundary at `at` or after it, at most the end.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
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
pub struct SuffixIndex<S> {
    shards: Vec<Shard<S>>,
}

impl<S: Store> SuffixIndex<S> {
    /// An index of these shards, whose documents are counted in this order.
    pub fn new(shards: Vec<Shard<S>>) -> Self {
        Self { shards }
    }

    /// The number of documents.
    pub fn n_documents(&self) -> usize {
        self.shards.iter().map(Shard::n_documents).sum()
    }

    /// How often `pattern` occurs, overlaps included; an empty one never does.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] when a file cannot be read; so with all other searches.
    pub fn count(&self, pattern: &[u8]) -> Result<usize> {
        Ok(self.matches(pattern)?.iter().map(Range::len).sum())
    }

    /// The first `limit` documents that hold `pattern`, with its first place in each. Of more than
    /// 16,384 occurrences in a shard, those first in alphabetic order of what follows are looked at.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn locate(&self, pattern: &[u8], limit: usize) -> Result<Vec<Occurrence>> {
        self.occurrences(self.matches(pattern)?, limit)
    }

    /// The ranks in each shard of the suffixes that begin with `pattern`.
    fn matches(&self, pattern: &[u8]) -> Result<Vec<Range<usize>>> {
        self.shards.iter().map(|shard| Searcher::new(shard).matches(pattern)).collect()
    }

    /// The first `limit` documents in which the suffixes of these ranks stand.
    fn occurrences(&self, ranks: Vec<Range<usize>>, limit: usize) -> Result<Vec<Occurrence>> {
        let mut found = Vec::new();
        let mut before = 0;
        for (shard, ranks) in self.shards.iter().zip(ranks) {
            let here = shard.locate(ranks, limit - found.len())?;
            let global = |(document, offset)| Occurrence { document: before + document, offset };
            found.extend(here.into_iter().map(global));
            before += shard.n_documents();
        }
        Ok(found)
    }

    /// The spans of `text` that occur in the corpus, hold at least what `least` says, and are not
    /// part of a longer one; in order, each with its first `limit` documents.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn spans(&self, text: &str, least: Least<'_>, limit: usize) -> Result<Vec<Span>> {
        let searchers = self.shards.iter().map(Searcher::new).collect();
        let mut scan = Scan { text, searchers };
        let mut spans = Vec::new();
        let (mut counted, mut n_before) = (0, 0);
        let (mut start, mut covered) = (0, 0);
        let mut known = None;
        while covered < text.len()
            && let Some(least_end) = least.end(start)
        {
            // A new span ends later than the last one did.
            let goal = ceil(text, least_end.max(covered + 1));
            let reach = match known.take() {
                Some(reach) => reach,
                None => scan.reach(start)?,
            };
            if reach.end < goal {
                (start, known) = scan.first_start(start, goal)?;
                continue;
            }
            let ranks = scan.ranks(start, &reach)?;
            n_before += n_characters_of(&text.as_bytes()[counted..start]);
            counted = start;
            covered = reach.end;
            spans.push(Span {
                start: n_before,
                end: n_before + text[start..covered].chars().count(),
                count: ranks.iter().map(Range::len).sum(),
                occurrences: self.occurrences(ranks, limit)?,
            });
            start = ceil(text, start + 1);
        }
        Ok(spans)
    }
}

/// How far a text occurs from some start on.
struct Reach {
    /// The end of the longest prefix, in whole characters, that occurs.
    end: usize,
    /// Where the rest of the text belongs in each shard.
    places: Vec<Place>,
}

/// The scan of one text.
struct Scan<'a, S> {
    text: &'a str,
    searchers: Vec<Searcher<'a, S>>,
}

impl<S: Store> Scan<'_, S> {
    fn reach(&mut self, start: usize) -> Result<Reach> {
        let pattern = &self.text.as_bytes()[start..];
        let places = self.searchers.iter_mut().map(|searcher| searcher.find(pattern));
        let places: Vec<Place> = places.collect::<Result<_>>()?;
        let longest = places.iter().map(|place| place.shared).max().unwrap_or(0);
        Ok(Reach { end: floor(self.text, start + longest), places })
    }

    /// The ranks in each shard of the suffixes that begin with the text from `start` to the reach.
    fn ranks(&mut self, start: usize, reach: &Reach) -> Result<Vec<Range<usize>>> {
        let pattern = &self.text.as_bytes()[start..reach.end];
        let each = self.searchers.iter_mut().zip(&reach.places);
        each.map(|(searcher, place)| {
            if place.shared < pattern.len() {
                return Ok(0..0);
            }
            searcher.around(place.rank, pattern)
        })
        .collect()
    }

    /// The smallest start after `failed` from which the text up to `goal` occurs, and how far it does
    /// from there; `goal` if none. Starts before it cannot begin a span that reaches `goal`.
    fn first_start(&mut self, failed: usize, goal: usize) -> Result<(usize, Option<Reach>)> {
        let text = self.text;
        let (mut failed, mut occurring, mut length) = (failed, (goal, None), 16);
        while goal - failed > length {
            let start = floor(text, goal - length);
            if start <= failed {
                break;
            }
            let reach = self.reach(start)?;
            if reach.end < goal {
                failed = start;
                break;
            }
            (occurring, length) = ((start, Some(reach)), 2 * length);
        }
        loop {
            let middle = ceil(text, failed + (occurring.0 - failed).div_ceil(2));
            let middle = if middle < occurring.0 { middle } else { ceil(text, failed + 1) };
            if middle >= occurring.0 {
                return Ok(occurring);
            }
            let reach = self.reach(middle)?;
            if reach.end < goal {
                failed = middle;
            } else {
                occurring = (middle, Some(reach));
            }
        }
    }
}
