//! Benchmarks: items in once, finds in texts out.

use std::sync::Arc;

use arrow_array::{BooleanArray, Float32Array, UInt32Array, UInt64Array};
use gristmill_core::decontaminate::{Items, Rule};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::{leave, to_py};

/// Items of benchmarks, ready to be looked for.
#[pyclass(module = "gristmill._core", frozen, name = "BenchmarkItems")]
pub struct BenchmarkItems(Items);

#[pymethods]
impl BenchmarkItems {
    #[new]
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned lists")]
    fn new(
        parts: &Bound<'_, PyAny>,
        n_parts: Vec<usize>,
        ngram: usize,
        coverage: f64,
    ) -> PyResult<Self> {
        let parts = Texts::read(parts)?;
        let items = Items::new(&parts.as_strs(), &n_parts, Rule { ngram, coverage });
        items.map(Self).map_err(to_py)
    }

    /// For each item, whether any text can be found to hold it.
    fn findable(&self) -> Vec<bool> {
        self.0.findable()
    }

    /// One row per find, ordered by text, item and start; offsets in characters.
    fn find(&self, py: Python<'_>, texts: &Bound<'_, PyAny>, threads: usize) -> PyResult<Batches> {
        let texts = Texts::read(texts)?;
        let strs = texts.as_strs();
        let found = leave(py, || self.0.find(&strs, threads))?;
        let rows =
            || found.iter().enumerate().flat_map(|(at, finds)| finds.iter().map(move |f| (at, f)));
        let chars = |at: usize, byte: usize| strs[at][..byte].chars().count() as u64;
        let document: UInt32Array = rows().map(|(at, _)| at as u32).collect();
        let item: UInt32Array = rows().map(|(_, find)| find.item).collect();
        let start: UInt64Array = rows().map(|(at, find)| chars(at, find.start)).collect();
        let end: UInt64Array = rows().map(|(at, find)| chars(at, find.end)).collect();
        let coverage: Float32Array = rows().map(|(_, find)| find.coverage as f32).collect();
        let n_words: UInt32Array = rows().map(|(_, find)| find.n_words as u32).collect();
        let has_ngram: BooleanArray = rows().map(|(_, find)| Some(find.has_ngram)).collect();
        let longest: UInt32Array = rows().map(|(_, find)| find.longest as u32).collect();
        Batches::from_columns([
            ("document", Arc::new(document) as _),
            ("item", Arc::new(item) as _),
            ("start", Arc::new(start) as _),
            ("end", Arc::new(end) as _),
            ("coverage", Arc::new(coverage) as _),
            ("n_words", Arc::new(n_words) as _),
            ("has_ngram", Arc::new(has_ngram) as _),
            ("longest", Arc::new(longest) as _),
        ])
    }
}
