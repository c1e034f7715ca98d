//! Duplicate windows, in order, become the ranges to cut.

use super::Corpus;

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
    /// Where in that document: the first occurrence of the first window that reaches beyond `start`
    /// (of the part of it from `start` on, when `start` shrank to a character boundary).
    pub twin_offset: u64,
}

/// Neighbouring duplicate windows: all that begin in `start..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Position of the first window.
    pub(crate) start: u64,
    /// Position of the last one, in the same document.
    pub(crate) last: u64,
    /// Where the first window occurs first in the corpus; see [`Ranges::asks_for_first`].
    pub(crate) first: u64,
}

impl Windows {
    /// All of them, or each of them: those shorter than a character are given one by one, because a
    /// range may start after its first window.
    pub(crate) fn parts(self, min_bytes: usize, unit: usize) -> impl Iterator<Item = Self> {
        let Self { start, last, first } = self;
        let unit = unit as u64;
        let step = if min_bytes < LONGEST_CHARACTER { unit } else { last - start + unit };
        let part = move |at| Self { start: at, last: at + step - unit, first: first + at - start };
        (start..=last).step_by(step as usize).map(part)
    }
}

/// Bytes of the longest character.
pub(crate) const LONGEST_CHARACTER: usize = 4;

/// Collects duplicate windows and merges them into ranges.
pub(crate) struct Ranges<'a> {
    corpus: &'a Corpus<'a>,
    min_bytes: u64,
    document: usize,
    open: Option<Open>,
    done: Vec<Range>,
    /// Where text that stands in files was let go last: looking for characters touches it again.
    released: u64,
}

/// Bytes of text after which it is let go again.
const RELEASE_BYTES: u64 = 32 << 20;

/// A range that the next windows may still extend; positions in the corpus.
struct Open {
    /// Where it starts, on a character boundary.
    start: u64,
    end: u64,
    /// The first window that reaches beyond `start`, and its first occurrence.
    window: u64,
    first: u64,
}

impl<'a> Ranges<'a> {
    pub(crate) fn new(corpus: &'a Corpus<'a>, min_bytes: usize) -> Self {
        let (document, open, done) = (0, None, Vec::new());
        Self { corpus, min_bytes: min_bytes as u64, document, open, done, released: 0 }
    }

    /// Whether the window at `start` opens a range.
    fn opens(&self, start: u64) -> bool {
        let joins = |open: &Open| start <= open.end && start < self.corpus.end(self.document);
        !self.open.as_ref().is_some_and(joins)
    }

    /// Whether the open range starts after its first windows: less than a character may be one.
    fn looks_on(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.window + self.min_bytes <= open.start)
    }

    /// Whether `first` of windows that start at `start` will be looked at.
    pub(crate) fn asks_for_first(&self, start: u64) -> bool {
        self.opens(start) || self.looks_on()
    }

    /// Take the next duplicate windows; their starts ascend from call to call.
    pub(crate) fn push(&mut self, windows: Windows) {
        let (opens, looks_on) = (self.opens(windows.start), self.looks_on());
        let end = windows.last + self.min_bytes;
        if let Some(open) = &mut self.open
            && !opens
        {
            open.end = open.end.max(end);
            if looks_on {
                (open.window, open.first) = (windows.start, windows.first);
            }
            return;
        }
        self.close();
        if windows.start - self.released > RELEASE_BYTES {
            self.corpus.release();
            self.released = windows.start;
        }
        while self.corpus.end(self.document) <= windows.start {
            self.document += 1;
        }
        let mut start = windows.start;
        while !self.is_boundary(start) {
            start += 1;
        }
        self.open = Some(Open { start, end, window: windows.start, first: windows.first });
    }

    fn is_boundary(&self, position: u64) -> bool {
        self.corpus.is_boundary(self.document, position - self.corpus.start(self.document))
    }

    fn close(&mut self) {
        let Some(Open { start, mut end, window, first }) = self.open.take() else { return };
        while start < end && !self.is_boundary(end) {
            end -= 1;
        }
        if start >= end {
            return;
        }
        let twin = first + start - window;
        let twin_document = self.corpus.document_at(twin);
        let document_start = self.corpus.start(self.document);
        self.done.push(Range {
            document: self.document as u32,
            start: start - document_start,
            end: end - document_start,
            twin_document: twin_document as u32,
            twin_offset: twin - self.corpus.start(twin_document),
        });
    }

    pub(crate) fn finish(mut self) -> Vec<Range> {
        self.close();
        self.done
    }
}
