//! One shard: its four arrays, and searching them with few reads.
//!
//! A search reads one block of *samples* (the first bytes of every 64th suffix), found through a table
//! of every 128th of these that is held in memory; then one block of the suffix array; and the text at
//! six suffixes. Only where thousands of suffixes begin with the same 16 bytes it reads more.

use std::ops::Range;
use std::path::Path;

use super::store::{Store, Stored};
use crate::overlap::shared_prefix;
use crate::suffix_array::suffix_array;
use crate::{Error, Result};

/// The byte after each document.
pub const SEPARATOR: u8 = 0xFF;

/// Occurrences looked at for the first documents of a span; the rest are counted only.
const MAX_LISTED: usize = 1 << 14;

/// Suffixes from one sample to the next, and in a block.
pub const STEP: usize = 64;

/// Bytes of a sample.
const WIDTH: usize = 16;

/// Samples from one that is held to the next.
const NODE: usize = 128;

/// Documents from one whose start is held to the next.
const STARTS: usize = 512;

/// Bytes of text that the first look at a suffix reads; the next ones read twice as many each.
const FIRST_READ: usize = 64;

/// The arrays of a shard before they are written.
#[derive(Debug)]
pub struct Arrays {
    /// The documents, each followed by [`SEPARATOR`].
    pub text: Vec<u8>,
    /// Where each document starts in `text`.
    pub starts: Vec<u64>,
}

/// Join the documents of one shard.
pub fn join(texts: &[&str]) -> Arrays {
    let mut text = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    let mut starts = Vec::with_capacity(texts.len());
    for document in texts {
        starts.push(text.len() as u64);
        text.extend_from_slice(document.as_bytes());
        text.push(SEPARATOR);
    }
    Arrays { text, starts }
}

/// The suffix array of a shard's text, and its samples: the first 16 bytes of every 64th suffix, or as
/// many as it has and zeros, and then again of every 8,192nd.
///
/// # Errors
///
/// [`Error::Parameter`] when the text is longer than 2 GiB.
pub fn sort(text: &[u8]) -> Result<(Vec<u32>, Vec<u8>)> {
    let suffixes: Vec<u32> =
        suffix_array::<i32>(text)?.into_iter().map(|position| position as u32).collect();
    let mut samples = Vec::with_capacity(suffixes.len().div_ceil(STEP) * WIDTH);
    for &position in suffixes.iter().step_by(STEP) {
        let suffix = &text[position as usize..];
        samples.extend_from_slice(&suffix[..suffix.len().min(WIDTH)]);
        samples.resize(samples.len().next_multiple_of(WIDTH), 0);
    }
    let nodes: Vec<[u8; WIDTH]> =
        samples.as_chunks::<WIDTH>().0.iter().step_by(NODE).copied().collect();
    samples.extend(nodes.into_iter().flatten());
    Ok((suffixes, samples))
}

/// The paths of a shard's files.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    /// The text.
    pub text: &'a Path,
    /// Its suffix array.
    pub suffixes: &'a Path,
    /// The first bytes of every 64th suffix.
    pub samples: &'a Path,
    /// Where documents start.
    pub starts: &'a Path,
}

/// One shard: its arrays as bytes, in files or in memory.
#[derive(Debug)]
pub struct Shard<S> {
    text: S,
    suffixes: S,
    samples: S,
    starts: S,
    /// Every [`NODE`]th sample.
    nodes: Vec<[u8; WIDTH]>,
    /// Every [`STARTS`]th start.
    some_starts: Vec<u64>,
}

impl Shard<Stored> {
    /// Open the files of a shard.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a file cannot be read, [`Error::Format`] when their sizes do not agree.
    pub fn open(paths: Paths<'_>) -> Result<Self> {
        let [text, suffixes, samples, starts] =
            [paths.text, paths.suffixes, paths.samples, paths.starts].map(Stored::open);
        let what = paths.suffixes.display().to_string();
        Self::new(text?, suffixes?, samples?, starts?, what)
    }
}

impl<S: Store> Shard<S> {
    /// Put a shard together from its arrays; `name` is for the error.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] when the lengths do not agree, [`Error::Io`] when reading fails.
    pub fn new(text: S, suffixes: S, samples: S, starts: S, name: String) -> Result<Self> {
        let [n_text, n_suffixes, n_samples, n_starts] =
            [&text, &suffixes, &samples, &starts].map(Store::n_bytes);
        let sampled = n_text.div_ceil(STEP);
        let agree = n_suffixes == 4 * n_text
            && n_samples == (sampled + sampled.div_ceil(NODE)) * WIDTH
            && n_starts % 8 == 0;
        if !agree {
            let problem = format!(
                "{n_suffixes} bytes of suffixes, {n_samples} of samples and {n_starts} of starts do \
                 not belong to {n_text} of text"
            );
            return Err(Error::Format { what: name, problem });
        }
        let mut nodes = vec![0; sampled.div_ceil(NODE) * WIDTH];
        samples.read_at(sampled * WIDTH, &mut nodes)?;
        let nodes = nodes.as_chunks::<WIDTH>().0.to_vec();
        let mut shard = Self { text, suffixes, samples, starts, nodes, some_starts: Vec::new() };
        for first in (0..shard.n_documents()).step_by(STARTS) {
            let start = shard.read_starts(first, 1)?;
            shard.some_starts.extend(start);
        }
        Ok(shard)
    }

    /// The number of documents.
    pub fn n_documents(&self) -> usize {
        self.starts.n_bytes() / 8
    }

    fn n_suffixes(&self) -> usize {
        self.text.n_bytes()
    }

    /// Where `n` documents from `first` on start.
    fn read_starts(&self, first: usize, n: usize) -> Result<Vec<u64>> {
        let mut bytes = vec![0; 8 * n];
        let n_read = self.starts.read_at(8 * first, &mut bytes)?;
        let words = bytes[..n_read].as_chunks::<8>().0.iter();
        Ok(words.map(|&word| u64::from_le_bytes(word)).collect())
    }

    /// The document at a position of the text, and where it starts.
    fn document(&self, position: u64) -> Result<(usize, u64)> {
        let block = self.some_starts.partition_point(|&start| start <= position).max(1) - 1;
        let starts = self.read_starts(block * STARTS, STARTS)?;
        let place = starts.partition_point(|&start| start <= position).max(1) - 1;
        let start = starts.get(place).copied().unwrap_or(position);
        Ok((block * STARTS + place, start))
    }

    /// Characters of the text between two positions.
    fn n_characters(&self, range: Range<u64>) -> Result<usize> {
        let (mut at, mut n_characters) = (range.start, 0);
        let mut buffer = vec![0; (range.end.saturating_sub(range.start)).min(1 << 16) as usize];
        while at < range.end {
            let wanted = ((range.end - at) as usize).min(buffer.len());
            let n_read = self.text.read_at(at as usize, &mut buffer[..wanted])?;
            if n_read == 0 {
                break;
            }
            n_characters += n_characters_of(&buffer[..n_read]);
            at += n_read as u64;
        }
        Ok(n_characters)
    }

    /// The first `limit` documents in which the suffixes of these ranks stand, each with the first of
    /// its positions, in characters from the document's start.
    pub(super) fn locate(&self, ranks: Range<usize>, limit: usize) -> Result<Vec<(usize, usize)>> {
        let n_listed = ranks.len().min(MAX_LISTED);
        let mut bytes = vec![0; 4 * n_listed];
        let n_read = self.suffixes.read_at(4 * ranks.start, &mut bytes)?;
        let words = bytes[..n_read].as_chunks::<4>().0;
        let mut positions: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
        positions.sort_unstable();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for position in positions.into_iter().map(u64::from) {
            let (document, start) = self.document(position)?;
            if found.last().is_some_and(|&(last, _)| last == document) {
                continue;
            }
            if found.len() == limit {
                break;
            }
            found.push((document, self.n_characters(start..position)?));
        }
        Ok(found)
    }
}

/// Where a pattern belongs among the sorted suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The first rank whose suffix is not below the pattern.
    pub(super) rank: usize,
    /// Bytes of the pattern with which some suffix begins: the most there are.
    pub(super) shared: usize,
}

/// One search after the other in a shard, with its buffers.
pub(super) struct Searcher<'a, S> {
    shard: &'a Shard<S>,
    /// The block of the suffix array that was read last, and its number.
    block: [u8; 4 * STEP],
    number: usize,
    text: Vec<u8>,
}

impl<'a, S: Store> Searcher<'a, S> {
    pub(super) fn new(shard: &'a Shard<S>) -> Self {
        Self { shard, block: [0; 4 * STEP], number: usize::MAX, text: Vec::new() }
    }

    /// Where the suffix of some rank starts; past the text's end in a damaged file.
    fn position(&mut self, rank: usize) -> Result<usize> {
        if self.number != rank / STEP {
            self.number = usize::MAX;
            self.block.fill(0xFF);
            self.shard.suffixes.read_at(4 * (rank / STEP * STEP), &mut self.block)?;
            self.number = rank / STEP;
        }
        Ok(u32::from_le_bytes(self.block.as_chunks::<4>().0[rank % STEP]) as usize)
    }

    /// The bytes that the suffix of some rank shares with `pattern`, of which `known` are known, and
    /// whether it is below it: an ended suffix is, one that begins with the pattern is not.
    fn compare(&mut self, rank: usize, pattern: &[u8], known: usize) -> Result<(usize, bool)> {
        let position = self.position(rank)?;
        let (mut shared, mut wanted) = (known, FIRST_READ);
        while shared < pattern.len() {
            wanted = wanted.min(pattern.len() - shared);
            self.text.resize(wanted, 0);
            let n_read = self.shard.text.read_at(position + shared, &mut self.text)?;
            let equal = shared_prefix(&pattern[shared..], &self.text[..n_read]);
            shared += equal;
            if equal < wanted {
                let byte = self.text[..n_read].get(equal);
                return Ok((shared, byte < pattern.get(shared)));
            }
            wanted = 2 * FIRST_READ.max(wanted);
        }
        Ok((shared, false))
    }

    /// Whether the suffix of some rank begins with `pattern`.
    fn begins(&mut self, rank: usize, pattern: &[u8]) -> Result<bool> {
        Ok(rank < self.shard.n_suffixes() && self.compare(rank, pattern, 0)?.0 == pattern.len())
    }

    /// Find a pattern.
    pub(super) fn find(&mut self, pattern: &[u8]) -> Result<Place> {
        let mut found = Bounds::new(self.shard.n_suffixes());
        found.narrow(pattern, &self.shard.nodes, 0, STEP * NODE);
        while found.high - found.low > 2 * STEP * NODE {
            self.halve(&mut found, pattern)?;
        }
        self.read_samples(&mut found, pattern)?;
        while found.low < found.high {
            self.halve(&mut found, pattern)?;
        }
        Ok(Place { rank: found.low, shared: found.low_shared.max(found.high_shared) })
    }

    fn read_samples(&mut self, found: &mut Bounds, pattern: &[u8]) -> Result<()> {
        let first = found.low.div_ceil(STEP);
        let n_samples = found.high.div_ceil(STEP).saturating_sub(first);
        self.text.resize(n_samples * WIDTH, 0);
        let n_read = self.shard.samples.read_at(first * WIDTH, &mut self.text)?;
        found.narrow(pattern, self.text[..n_read].as_chunks::<WIDTH>().0, first * STEP, STEP);
        Ok(())
    }

    fn halve(&mut self, found: &mut Bounds, pattern: &[u8]) -> Result<()> {
        let middle = found.low + (found.high - found.low) / 2;
        let known = found.low_shared.min(found.high_shared);
        let (shared, below) = self.compare(middle, pattern, known)?;
        found.take(middle, shared, below);
        Ok(())
    }

    /// The ranks of the suffixes that begin with `pattern`: those around `rank`, where the search for
    /// something that begins with it ended.
    pub(super) fn around(&mut self, rank: usize, pattern: &[u8]) -> Result<Range<usize>> {
        let n_suffixes = self.shard.n_suffixes();
        let above = gallop(n_suffixes - rank, |ahead| self.begins(rank + ahead, pattern))?;
        let below = gallop(rank, |behind| self.begins(rank - 1 - behind, pattern))?;
        Ok(rank - below..rank + above)
    }

    /// The ranks of the suffixes that begin with `pattern`; none when it is empty.
    pub(super) fn matches(&mut self, pattern: &[u8]) -> Result<Range<usize>> {
        if pattern.is_empty() || pattern.contains(&SEPARATOR) {
            return Ok(0..0);
        }
        let place = self.find(pattern)?;
        if place.shared < pattern.len() {
            return Ok(0..0);
        }
        self.around(place.rank, pattern)
    }
}

/// The first number below `end` for which `holds` is false, which it is from there on; `end` if none.
fn gallop(end: usize, mut holds: impl FnMut(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (0, 1);
    while high <= end && holds(high - 1)? {
        (low, high) = (high, 2 * high);
    }
    let mut high = (high - 1).min(end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The ranks between which a pattern belongs: all below `low` are below it, and none from `high` on.
struct Bounds {
    low: usize,
    high: usize,
    /// Bytes of the pattern shared by the suffix just below `low`, and by that of `high`.
    low_shared: usize,
    high_shared: usize,
}

impl Bounds {
    fn new(n_suffixes: usize) -> Self {
        Self { low: 0, high: n_suffixes, low_shared: 0, high_shared: 0 }
    }

    fn take(&mut self, rank: usize, shared: usize, below: bool) {
        if below {
            (self.low, self.low_shared) = (rank + 1, shared);
        } else {
            (self.high, self.high_shared) = (rank, shared);
        }
    }

    /// Use what is known of every `step`th suffix from rank `first` on: its first bytes, filled up with
    /// zeros. Where they begin the pattern, they decide nothing.
    fn narrow(&mut self, pattern: &[u8], samples: &[[u8; WIDTH]], first: usize, step: usize) {
        let head = &pattern[..pattern.len().min(WIDTH)];
        let below = samples.partition_point(|sample| &sample[..head.len()] < head);
        let equal = samples[below..].partition_point(|sample| &sample[..head.len()] == head);
        let shared = |sample: &[u8; WIDTH]| shared_prefix(head, sample);
        if let Some(number) = below.checked_sub(1)
            && first + number * step >= self.low
        {
            self.take(first + number * step, shared(&samples[number]), true);
        }
        if let Some(sample) = samples.get(below + equal)
            && first + (below + equal) * step < self.high
        {
            self.take(first + (below + equal) * step, shared(sample), false);
        }
    }
}

pub(super) fn n_characters_of(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}
