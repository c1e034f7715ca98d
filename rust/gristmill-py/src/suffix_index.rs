//! `gristmill_core::suffix_index` for Python.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt8Array, UInt32Array, UInt64Array};
use gristmill_core::suffix_index::{self, Arrays, Least, Occurrence, Paths, Shard, Stored};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error;

/// The text of one shard before it is written: documents joined, and where each starts.
#[pyclass(module = "gristmill._core", frozen)]
pub struct IndexText {
    text: UInt8Array,
    starts: UInt64Array,
}

fn column(name: &str, array: ArrayRef) -> PyResult<Batches> {
    Batches::from_columns([(name, array)])
}

#[pymethods]
impl IndexText {
    /// Join the documents.
    #[new]
    fn new(py: Python<'_>, texts: &Bound<'_, PyAny>) -> PyResult<Self> {
        let texts = Texts::read(texts)?;
        let strs = texts.as_strs();
        let Arrays { text, starts } = py.detach(|| suffix_index::join(&strs));
        Ok(Self { text: text.into(), starts: starts.into() })
    }

    /// Column text, uint8.
    fn text(&self) -> PyResult<Batches> {
        column("text", Arc::new(self.text.clone()))
    }

    /// Column starts, uint64.
    fn starts(&self) -> PyResult<Batches> {
        column("starts", Arc::new(self.starts.clone()))
    }

    /// Sort the suffixes: a table of column suffixes, uint32, and one of column samples, uint8.
    fn sort(&self, py: Python<'_>) -> PyResult<(Batches, Batches)> {
        let (suffixes, samples) = error::leave(py, || suffix_index::sort(self.text.values()))?;
        Ok((
            column("suffixes", Arc::new(UInt32Array::from(suffixes)))?,
            column("samples", Arc::new(UInt8Array::from(samples)))?,
        ))
    }
}

/// A place in the corpus: the document's number, and characters from its start.
type Place = (usize, usize);

/// A span: start, end, count, places.
type Span = (usize, usize, usize, Vec<Place>);

/// Shards in files.
#[pyclass(module = "gristmill._core", frozen)]
pub struct SuffixIndex(suffix_index::SuffixIndex<Stored>);

fn places(occurrences: &[Occurrence]) -> Vec<Place> {
    occurrences.iter().map(|place| (place.document, place.offset)).collect()
}

#[pymethods]
impl SuffixIndex {
    /// Open shards, each given as the paths of its text, suffixes, samples and starts.
    #[new]
    fn new(py: Python<'_>, shards: Vec<[PathBuf; 4]>) -> PyResult<Self> {
        error::leave(py, || {
            let open = |[text, suffixes, samples, starts]: &[PathBuf; 4]| {
                Shard::open(Paths { text, suffixes, samples, starts })
            };
            let shards = shards.iter().map(open).collect::<Result<_, _>>()?;
            Ok(Self(suffix_index::SuffixIndex::new(shards)))
        })
    }

    /// The number of documents.
    #[getter]
    fn n_documents(&self) -> usize {
        self.0.n_documents()
    }

    /// How often a pattern occurs, overlaps included.
    fn count(&self, py: Python<'_>, pattern: &[u8]) -> PyResult<usize> {
        error::leave(py, || self.0.count(pattern))
    }

    /// The first documents that hold a pattern, with its first place in each.
    fn locate(&self, py: Python<'_>, pattern: &[u8], limit: usize) -> PyResult<Vec<Place>> {
        error::leave(py, || Ok(places(&self.0.locate(pattern, limit)?)))
    }

    /// The maximal spans of a text that hold `min_tokens` of `tokens`: (start, end, count, places).
    fn spans(
        &self,
        py: Python<'_>,
        text: &str,
        tokens: Vec<(usize, usize)>,
        min_tokens: usize,
        limit: usize,
    ) -> PyResult<Vec<Span>> {
        error::leave(py, || {
            let spans = self.0.spans(text, Least { tokens: &tokens, min_tokens }, limit)?;
            let plain = spans.into_iter();
            Ok(plain
                .map(|span| (span.start, span.end, span.count, places(&span.occurrences)))
                .collect())
        })
    }
}
