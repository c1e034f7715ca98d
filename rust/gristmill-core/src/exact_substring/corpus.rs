//! The documents that an engine reads: slices of memory that belongs to somebody else, end to end.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, UncheckedAdvice};

use crate::{Error, Result};

/// Documents in order. Together they are one text, whose positions count bytes from the first
/// document's start; nothing is copied.
#[derive(Debug)]
pub struct Corpus<'a> {
    documents: Vec<&'a [u8]>,
    ends: Vec<u64>,
    unit: usize,
    files: Option<&'a TextFiles>,
    /// The document at every `STEP`th position.
    steps: Vec<u32>,
}

/// Bytes between the positions whose documents are noted.
const STEP: u64 = 1 << 12;

impl<'a> Corpus<'a> {
    /// The documents are texts, cut on characters.
    pub fn of_texts(texts: &[&'a str]) -> Self {
        Self::new(texts.iter().map(|text| text.as_bytes()).collect(), 1, None)
    }

    /// The documents are sequences of symbols of `unit` bytes each (1, 2 or 4), such as token ids;
    /// substrings begin and end between symbols. With `unit` 1 they are texts.
    pub fn of_symbols(documents: Vec<&'a [u8]>, unit: usize) -> Self {
        Self::new(documents, unit, None)
    }

    /// The documents stand in files, of which only what an engine's budget allows stays in memory.
    pub fn of_files(files: &'a TextFiles, unit: usize) -> Self {
        Self::new(files.documents().collect(), unit, Some(files))
    }

    fn new(documents: Vec<&'a [u8]>, unit: usize, files: Option<&'a TextFiles>) -> Self {
        let mut end = 0;
        let mut steps = Vec::new();
        let ends = documents.iter().enumerate().map(|(number, document)| {
            end += document.len() as u64;
            while (steps.len() as u64) * STEP < end {
                steps.push(number as u32);
            }
            end
        });
        Self { ends: ends.collect(), documents, unit, files, steps }
    }

    /// All documents.
    pub fn documents(&self) -> &[&'a [u8]] {
        &self.documents
    }

    /// Bytes in a symbol.
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Bytes in all documents.
    pub fn n_bytes(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Where document `document` starts.
    pub fn start(&self, document: usize) -> u64 {
        if document == 0 { 0 } else { self.ends[document - 1] }
    }

    /// Where document `document` ends.
    pub fn end(&self, document: usize) -> u64 {
        self.ends[document]
    }

    /// The document that holds the byte at `position`.
    pub fn document_at(&self, position: u64) -> usize {
        let step = (position / STEP) as usize;
        let from = self.steps.get(step).map_or(self.ends.len(), |&number| number as usize);
        let next = self.steps.get(step + 1).map_or(self.ends.len(), |&number| number as usize + 1);
        from + self.ends[from..next].partition_point(|&end| end <= position)
    }

    /// The bytes from `position` to the end of its document.
    pub fn rest(&self, position: u64) -> &'a [u8] {
        let document = self.document_at(position);
        &self.documents[document][(position - self.start(document)) as usize..]
    }

    /// Whether a cut may begin or end at `offset` of a document.
    pub fn is_boundary(&self, document: usize, offset: u64) -> bool {
        let text = self.documents[document];
        self.unit > 1 || text.get(offset as usize).is_none_or(|&byte| byte & 0xC0 != 0x80)
    }

    /// Let the system take back the memory of documents that stand in files; they are read again
    /// when they are touched.
    pub fn release(&self) {
        if let Some(files) = self.files {
            files.release();
        }
    }
}

/// Where a column of variable-length values stands in an Arrow file.
#[derive(Debug, Clone)]
pub struct Column {
    /// The file.
    pub path: PathBuf,
    /// Position of the values.
    pub values: usize,
    /// Position of the `n_rows + 1` offsets into the values, 64-bit, counting symbols.
    pub offsets: usize,
    /// Number of values.
    pub n_rows: usize,
}

/// Documents in files, mapped.
#[derive(Debug)]
pub struct TextFiles {
    maps: Vec<Mmap>,
    /// The map, start and end of each document.
    places: Vec<(usize, usize, usize)>,
}

impl TextFiles {
    /// Map the documents that some columns hold, in order; neighbours of one path share a map.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a file cannot be mapped, [`Error::Format`] when a column lies outside it.
    pub fn open(columns: &[Column], unit: usize) -> Result<Self> {
        let mut files = Self { maps: Vec::new(), places: Vec::new() };
        let mut mapped: Option<&Path> = None;
        for column in columns {
            if mapped != Some(&column.path) {
                files.maps.push(map(&column.path)?);
                mapped = Some(&column.path);
            }
            files.add(column, unit).ok_or_else(|| Error::Format {
                what: column.path.display().to_string(),
                problem: format!("no column of {} rows at {}", column.n_rows, column.offsets),
            })?;
        }
        Ok(files)
    }

    fn add(&mut self, column: &Column, unit: usize) -> Option<()> {
        let bytes = self.maps.last()?;
        let length = column.n_rows.checked_add(1)?.checked_mul(8)?;
        let offsets = bytes.get(column.offsets..column.offsets.checked_add(length)?)?;
        let position = |word: &[u8; 8]| {
            let offset = usize::try_from(i64::from_le_bytes(*word)).ok()?;
            column.values.checked_add(offset.checked_mul(unit)?)
        };
        for pair in offsets.as_chunks::<8>().0.windows(2) {
            let (start, end) = (position(&pair[0])?, position(&pair[1])?);
            bytes.get(start..end)?;
            self.places.push((self.maps.len() - 1, start, end));
        }
        Some(())
    }

    fn documents(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|&(map, start, end)| &self.maps[map][start..end])
    }

    fn release(&self) {
        for map in &self.maps {
            // SAFETY: the map is shared with its file and never written, so pages that are dropped
            // are read from the file again with the same content.
            // A refusal costs memory, not correctness.
            let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        }
    }
}

fn map(path: &Path) -> Result<Mmap> {
    let refused = |source| Error::Io { path: path.display().to_string(), source };
    let file = File::open(path).map_err(refused)?;
    // SAFETY: the files of a build are written under another name, renamed when complete and not
    // changed afterwards, so the mapped bytes stay as they are.
    unsafe { Mmap::map(&file) }.map_err(refused)
}
