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
    /// Where in that document: the first occurrence of the range's first window (of the part of it
    /// from `start` on, when `start` shrank to a character boundary).
    pub twin_offset: u64,
}

/// Neighbouring duplicate windows: all that begin in `start..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Position of the first window.
    pub(crate) start: u64,
    /// Position of the last one, in the same document.
    pub(crate) last: u64,
    /// Where the first window occurs first in the corpus; only looked at when a range opens with it.
    pub(crate) first: u64,
}

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
    start: u64,
    end: u64,
    twin: u64,
}

impl<'a> Ranges<'a> {
    pub(crate) fn new(corpus: &'a Corpus<'a>, min_bytes: usize) -> Self {
        let (document, open, done) = (0, None, Vec::new());
        Self { corpus, min_bytes: min_bytes as u64, document, open, done, released: 0 }
    }

    /// Whether windows that start at `start` would be pushed into a new range.
    pub(crate) fn opens(&self, start: u64) -> bool {
        let joins = |open: &Open| start <= open.end && start < self.corpus.end(self.document);
        !self.open.as_ref().is_some_and(joins)
    }

    /// Take the next duplicate windows; their starts ascend from call to call.
    pub(crate) fn push(&mut self, windows: Windows) {
        let end = windows.last + self.min_bytes;
        let opens = self.opens(windows.start);
        if let Some(open) = &mut self.open
            && !opens
        {
            open.end = open.end.max(end);
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
        self.open = Some(Open { start: windows.start, end, twin: windows.first });
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let document_start = self.corpus.start(self.document);
        let (mut start, mut end) = (open.start - document_start, open.end - document_start);
        while start < end && !self.corpus.is_boundary(self.document, start) {
            start += 1;
        }
        while start < end && !self.corpus.is_boundary(self.document, end) {
            end -= 1;
        }
        if start == end {
            return;
        }
        let twin = open.twin + (document_start + start - open.start);
        let twin_document = self.corpus.document_at(twin);
        self.done.push(Range {
            document: self.document as u32,
            start,
            end,
            twin_document: twin_document as u32,
            twin_offset: twin - self.corpus.start(twin_document),
        });
    }

    pub(crate) fn finish(mut self) -> Vec<Range> {
        self.close();
        self.done
    }
}
