//! Finds the bytes of a corpus that repeat something longer than a threshold seen earlier.
//!
//! A *window* is `min_bytes` consecutive bytes of one document. A window is a duplicate when the same
//! bytes are a window at a smaller position of the corpus (an earlier document, or earlier in the same
//! one, overlaps included); a byte is cut when a duplicate window covers it. So the first occurrence
//! always stays, nothing crosses documents, and the result is the one of comparing all pairs. Ranges
//! that overlap or touch are merged; then an end inside a character shrinks inwards.
//!
//! Two engines give identical ranges: [`Engine::Winnowing`] (see [`crate::winnowing`]) and
//! [`Engine::SuffixArray`] (see [`crate::suffix_windows`]). Both work on bytes or on token ids.
//!
//! Source: Lee et al., "Deduplicating Training Data Makes Language Models Better" (2022,
//! arXiv:2107.06499), section 4.1; the definition above is ours.

use std::path::Path;

use crate::threads::with_threads;
use crate::{Error, Result, suffix_windows, winnowing};

mod corpus;
mod ranges;

pub use corpus::{Column, Corpus, TextFiles};
pub use ranges::Range;
pub(crate) use ranges::{LONGEST_CHARACTER, Ranges, Windows};

/// How duplicate windows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Minimisers propose, rolling hashes find, bytes decide: fast, little memory.
    Winnowing,
    /// libsais over what can repeat: 6 bytes of memory per byte of that, 11 past 2 GiB.
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

/// What to look for, and with what means.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Bytes of the shortest repeat that counts; a multiple of the corpus's symbols.
    pub min_bytes: usize,
    /// How to find them.
    pub engine: Engine,
    /// Threads to use; the result is the same for any number.
    pub threads: usize,
    /// Bytes of memory to take at most, the text apart when it is not in files; as much as is
    /// fastest when absent.
    pub memory: Option<usize>,
    /// Where to write what exceeds `memory`; the system's folder for temporary files when absent.
    pub spill: Option<&'a Path>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { min_bytes: 100, engine: Engine::Winnowing, threads: 1, memory: None, spill: None }
    }
}

/// The byte ranges to cut, ordered by document and start; the same for both engines, any number of
/// threads and any memory.
///
/// # Errors
///
/// [`Error::Parameter`] when `min_bytes` is zero or no multiple of the symbols' bytes, `threads` is
/// zero, or `memory` is too little to work in; [`Error::Io`] when spilling fails.
pub fn exact_duplicates(corpus: &Corpus<'_>, options: &Options<'_>) -> Result<Vec<Range>> {
    let min_bytes = options.min_bytes;
    if min_bytes == 0 || !min_bytes.is_multiple_of(corpus.unit()) {
        return Err(Error::Parameter {
            name: "min_bytes",
            value: min_bytes.to_string(),
            allowed: "at least 1, and whole symbols",
        });
    }
    if corpus.documents().len() > u32::MAX as usize {
        return Err(Error::Parameter {
            name: "texts",
            value: format!("{} documents", corpus.documents().len()),
            allowed: "at most 4,294,967,295 documents in one call",
        });
    }
    with_threads(options.threads, || {
        if corpus.documents().iter().all(|document| document.len() < min_bytes) {
            return Ok(Vec::new());
        }
        let mut ranges = Ranges::new(corpus, min_bytes);
        match options.engine {
            Engine::Winnowing => winnowing::find(corpus, options, &mut ranges)?,
            Engine::SuffixArray => suffix_windows::find(corpus, options, &mut ranges)?,
        }
        Ok(ranges.finish())
    })
}
