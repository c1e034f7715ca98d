//! `gristmill_core::suffix_index` for Python.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt8Array, UInt32Array, UInt64Array};
use gristmill_core::suffix_index::{self, Least, Mapped, Occurrence, Shard};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error;

/// The arrays of one shard, each a table of one column: text uint8, suffixes uint32, starts uint64.
#[pyfunction]
pub fn index_arrays(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
) -> PyResult<(Batches, Batches, Batches)> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let arrays = error::leave(py, || suffix_index::build(&strs))?;
    let column = |name, array: ArrayRef| Batches::from_columns([(name, array)]);
    Ok((
        column("text", Arc::new(UInt8Array::from(arrays.text)))?,
        column("suffixes", Arc::new(UInt32Array::from(arrays.suffixes)))?,
        column("starts", Arc::new(UInt64Array::from(arrays.starts)))?,
    ))
}

/// A place in the corpus: the document's number, and characters from its start.
type Place = (usize, usize);

/// Memory-mapped shards.
#[pyclass(module = "gristmill._core", frozen)]
pub struct SuffixIndex(suffix_index::SuffixIndex<Mapped>);

fn places(occurrences: &[Occurrence]) -> Vec<Place> {
    occurrences.iter().map(|place| (place.document, place.offset)).collect()
}

#[pymethods]
impl SuffixIndex {
    /// Map shards, each given as the paths of its text, suffixes and starts.
    #[new]
    fn new(py: Python<'_>, shards: Vec<(PathBuf, PathBuf, PathBuf)>) -> PyResult<Self> {
        error::leave(py, || {
            let open = |(text, suffixes, starts): &(PathBuf, PathBuf, PathBuf)| {
                Shard::open(text, suffixes, starts)
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
    fn count(&self, py: Python<'_>, pattern: &[u8]) -> usize {
        py.detach(|| self.0.count(pattern))
    }

    /// The first documents that hold a pattern, with its first place in each.
    fn locate(&self, py: Python<'_>, pattern: &[u8], limit: usize) -> Vec<Place> {
        py.detach(|| places(&self.0.locate(pattern, limit)))
    }

    /// The maximal spans of a text that hold `min_tokens` of `tokens`: (start, end, count, places).
    fn spans(
        &self,
        py: Python<'_>,
        text: &str,
        tokens: Vec<(usize, usize)>,
        min_tokens: usize,
        limit: usize,
    ) -> Vec<(usize, usize, usize, Vec<Place>)> {
        py.detach(|| {
            let spans = self.0.spans(text, Least { tokens: &tokens, min_tokens }, limit);
            let plain = spans.into_iter();
            plain
                .map(|span| (span.start, span.end, span.count, places(&span.occurrences)))
                .collect()
        })
    }
}
