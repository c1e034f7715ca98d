//! Finds the bytes of a corpus that repeat something longer than a threshold seen earlier.
//!
//! A *window* is `min_bytes` consecutive bytes of one document. A window is a duplicate when the same
//! bytes are a window at a smaller position of the corpus (an earlier document, or earlier in the same
//! one, overlaps included); a byte is cut when a duplicate window covers it. So the first occurrence
//! always stays, nothing crosses documents, and the result is the one of comparing all pairs. Ranges
//! that overlap or touch are merged; then an end inside a character shrinks inwards.
//!
//! Two engines give identical ranges: [`Engine::Winnowing`] (see [`crate::winnowing`]) and
//! [`Engine::SuffixArray`], which sorts all suffixes: windows that are equal stand together there.
//!
//! Source: Lee et al., "Deduplicating Training Data Makes Language Models Better" (2022,
//! arXiv:2107.06499), section 4.1; the definition above is ours.

use crate::suffix_array::{Position, suffix_array_and_plcp};
use crate::threads::with_threads;
use crate::{Error, Result, winnowing};

/// How duplicate windows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Minimisers propose, rolling hashes find, bytes decide: fast, little memory.
    Winnowing,
    /// libsais and PLCP: 9 bytes of memory per byte of text, 17 past 2 GiB.
    SuffixArray,
}

impl Engine {
    /// The engine of that name, as the interface spells it.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for any other name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "winnowing" => Ok(Self::Winnowing),
            "suffix-array" => Ok(Self::SuffixArray),
            _ => Err(Error::Parameter {
                name: "engine",
                value: name.into(),
                allowed: "winnowing or suffix-array",
            }),
        }
    }
}

/// Bytes to cut from one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The document, counted from 0.
    pub document: u32,
    /// First byte to cut, on a character boundary.
    pub start: u64,
    /// The byte after the last one to cut, on a character boundary.
    pub end: u64,
    /// The document in which the bytes at `start` occur first in the corpus.
    pub twin_document: u32,
    /// Where in that document: the first occurrence of the range's first window (of the part of it
    /// from `start` on, when `start` shrank to a character boundary).
    pub twin_offset: u64,
}

/// All documents end to end, and where each one ends.
pub(crate) struct Corpus {
    pub(crate) text: Vec<u8>,
    pub(crate) ends: Vec<usize>,
}

impl Corpus {
    fn concatenate(texts: &[&str]) -> Self {
        let mut text = Vec::with_capacity(texts.iter().map(|text| text.len()).sum());
        let mut ends = Vec::with_capacity(texts.len());
        for document in texts {
            text.extend_from_slice(document.as_bytes());
            ends.push(text.len());
        }
        Self { text, ends }
    }

    /// Where document `document` starts.
    pub(crate) fn start(&self, document: usize) -> usize {
        if document == 0 { 0 } else { self.ends[document - 1] }
    }

    /// The document that holds the byte at `position`, and the byte's offset in it.
    fn locate(&self, position: usize) -> (u32, u64) {
        let document = self.ends.partition_point(|&end| end <= position);
        (document as u32, (position - self.start(document)) as u64)
    }

    fn is_boundary(&self, position: usize) -> bool {
        self.text.get(position).is_none_or(|&byte| byte & 0xC0 != 0x80)
    }
}

/// Turns duplicate windows, in ascending order of position, into ranges.
pub(crate) struct Ranges<'a> {
    corpus: &'a Corpus,
    min_bytes: usize,
    document: usize,
    open: Option<Open>,
    done: Vec<Range>,
}

/// A range that the next window may still extend; positions in the corpus.
struct Open {
    start: usize,
    end: usize,
    twin: usize,
}

impl<'a> Ranges<'a> {
    fn new(corpus: &'a Corpus, min_bytes: usize) -> Self {
        Self { corpus, min_bytes, document: 0, open: None, done: Vec::new() }
    }

    /// Take the duplicate window at `start`, first seen at `first`.
    pub(crate) fn push(&mut self, start: usize, first: usize) {
        let document_end = self.corpus.ends[self.document];
        if let Some(open) = &mut self.open
            && start <= open.end
            && start < document_end
        {
            open.end = start + self.min_bytes;
            return;
        }
        self.close();
        while self.corpus.ends[self.document] <= start {
            self.document += 1;
        }
        self.open = Some(Open { start, end: start + self.min_bytes, twin: first });
    }

    fn close(&mut self) {
        let Some(Open { mut start, mut end, twin }) = self.open.take() else { return };
        let cut_from = start;
        while start < end && !self.corpus.is_boundary(start) {
            start += 1;
        }
        while start < end && !self.corpus.is_boundary(end) {
            end -= 1;
        }
        if start == end {
            return;
        }
        let (twin_document, twin_offset) = self.corpus.locate(twin + (start - cut_from));
        let document_start = self.corpus.start(self.document);
        self.done.push(Range {
            document: self.document as u32,
            start: (start - document_start) as u64,
            end: (end - document_start) as u64,
            twin_document,
            twin_offset,
        });
    }

    fn finish(mut self) -> Vec<Range> {
        self.close();
        self.done
    }
}

/// The byte ranges to cut, ordered by document and start; the same for both engines and any number of
/// threads.
///
/// # Errors
///
/// [`Error::Parameter`] when `min_bytes` or `threads` is zero, or the corpus is larger than the
/// engine can count (4 GiB for winnowing).
pub fn exact_duplicates(
    texts: &[&str],
    min_bytes: usize,
    engine: Engine,
    threads: usize,
) -> Result<Vec<Range>> {
    if min_bytes == 0 {
        return Err(Error::Parameter {
            name: "min_bytes",
            value: min_bytes.to_string(),
            allowed: "at least 1",
        });
    }
    if texts.len() > u32::MAX as usize {
        return Err(Error::Parameter {
            name: "texts",
            value: format!("{} documents", texts.len()),
            allowed: "at most 4,294,967,295 documents in one call",
        });
    }
    with_threads(threads, || {
        if texts.iter().all(|text| text.len() < min_bytes) {
            return Ok(Vec::new());
        }
        let corpus = Corpus::concatenate(texts);
        let mut ranges = Ranges::new(&corpus, min_bytes);
        match engine {
            Engine::Winnowing => winnowing::find(&corpus, min_bytes, &mut ranges)?,
            Engine::SuffixArray => find(&corpus, min_bytes, &mut ranges)?,
        }
        Ok(ranges.finish())
    })
}

/// The suffix-array engine.
pub(crate) fn find(corpus: &Corpus, min_bytes: usize, ranges: &mut Ranges<'_>) -> Result<()> {
    if corpus.text.len() <= i32::MAX_TEXT_BYTES {
        find_with::<i32>(corpus, min_bytes, ranges)
    } else {
        find_with::<i64>(corpus, min_bytes, ranges)
    }
}

/// Equal windows are a run of the suffix array in which each suffix shares `min_bytes` with the one
/// before. Members that would cross their document's end are passed over; they share the bytes, so
/// they do not break the run, and no separator is needed.
fn find_with<P: Position>(
    corpus: &Corpus,
    min_bytes: usize,
    ranges: &mut Ranges<'_>,
) -> Result<()> {
    let (suffixes, mut first) = suffix_array_and_plcp::<P>(&corpus.text)?;
    let whole = whole_windows(corpus, min_bytes);
    let mut run = 0;
    while run < suffixes.len() {
        let mut end = run + 1;
        while end < suffixes.len() && first[suffixes[end].load()].load() >= min_bytes {
            end += 1;
        }
        // The PLCP of this run is not read again: its place now holds the first occurrence.
        let members = &suffixes[run..end];
        let earliest = members.iter().map(|p| p.load()).filter(|&p| whole.contains(p)).min();
        for member in members {
            let position = member.load();
            let twin = earliest.filter(|_| whole.contains(position)).unwrap_or(position);
            first[position] = P::store(twin);
        }
        run = end;
    }
    for (position, twin) in first.iter().enumerate() {
        if twin.load() < position {
            ranges.push(position, twin.load());
        }
    }
    Ok(())
}

/// The positions at which a window of `min_bytes` lies within its document.
fn whole_windows(corpus: &Corpus, min_bytes: usize) -> Bits {
    let mut whole = Bits::new(corpus.text.len());
    for document in 0..corpus.ends.len() {
        let (start, end) = (corpus.start(document), corpus.ends[document]);
        for position in start..(end + 1).saturating_sub(min_bytes).max(start) {
            whole.insert(position);
        }
    }
    whole
}

/// A set of positions, one bit each.
struct Bits(Vec<u64>);

impl Bits {
    fn new(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)])
    }

    fn insert(&mut self, position: usize) {
        self.0[position / 64] |= 1 << (position % 64);
    }

    fn contains(&self, position: usize) -> bool {
        self.0[position / 64] >> (position % 64) & 1 == 1
    }
}
