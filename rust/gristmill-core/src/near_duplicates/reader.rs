//! Reads texts, and lets the system take back the memory of those that stand in files.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::exact_substring::Corpus;

/// The texts of a corpus, of which only so many bytes stay in memory.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    corpus: &'a Corpus<'a>,
    /// Bytes that may be touched before they are let go of.
    resident_bytes: Option<usize>,
    touched_bytes: AtomicUsize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(corpus: &'a Corpus<'a>, resident_bytes: Option<usize>) -> Self {
        Self { corpus, resident_bytes, touched_bytes: AtomicUsize::new(0) }
    }

    pub(super) fn n_texts(&self) -> usize {
        self.corpus.documents().len()
    }

    /// A text, when all are read in order.
    pub(super) fn next(&self, document: u32) -> &'a [u8] {
        self.touch(document, 0)
    }

    /// A text, when any may be read.
    pub(super) fn text(&self, document: u32) -> &'a [u8] {
        self.touch(document, AROUND)
    }

    fn touch(&self, document: u32, around: usize) -> &'a [u8] {
        let text = self.corpus.documents()[document as usize];
        if let Some(resident_bytes) = self.resident_bytes {
            let touched = self.touched_bytes.fetch_add(text.len() + around, Relaxed);
            if touched > resident_bytes {
                self.touched_bytes.store(0, Relaxed);
                self.corpus.release();
            }
        }
        text
    }
}

/// Bytes around a page that Linux maps with it.
const AROUND: usize = 1 << 16;
