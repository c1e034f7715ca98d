//! Counts of terms and of what stands near them: texts in, portion by portion, integers out.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, Float64Array, UInt64Array};
use gristmill_core::cooccurrence::{Counts, Phrase, Terms};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::{leave, to_py};

/// Counts terms in texts that are given in portions.
#[pyclass(module = "gristmill._core", frozen)]
pub struct TermCounter {
    terms: Terms,
    counts: Mutex<Counts>,
}

impl TermCounter {
    /// A copy of what is counted so far.
    fn so_far(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[pymethods]
impl TermCounter {
    #[new]
    #[pyo3(signature = (phrases, groups, centers, window))]
    fn new(
        phrases: Vec<Phrase>,
        groups: Vec<Vec<usize>>,
        centers: Vec<usize>,
        window: usize,
    ) -> PyResult<Self> {
        let terms = Terms::new(&phrases, groups, &centers, window).map_err(to_py)?;
        let counts = Mutex::new(terms.no_counts());
        Ok(Self { terms, counts })
    }

    /// Count in more texts.
    fn add(&self, py: Python<'_>, texts: &Bound<'_, PyAny>, threads: usize) -> PyResult<()> {
        let texts = Texts::read(texts)?;
        let strs = texts.as_strs();
        let more = leave(py, || self.terms.count(&strs, threads))?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *counts);
        *counts = before.plus(more);
        Ok(())
    }

    /// Words of all texts.
    fn words(&self) -> u64 {
        self.so_far().words
    }

    /// Occurrences of each term, and the texts that have it.
    fn terms(&self) -> PyResult<Batches> {
        let terms = self.so_far().terms;
        let column = |of: fn(&(u64, u64)) -> u64| {
            Arc::new(UInt64Array::from_iter_values(terms.iter().map(of))) as ArrayRef
        };
        Batches::from_columns([("occurrences", column(|t| t.0)), ("texts", column(|t| t.1))])
    }

    /// What stood near each center, group by group, then the groups of whole texts.
    fn cells(&self) -> PyResult<Batches> {
        let cells = self.so_far().cells;
        let pairs = UInt64Array::from_iter_values(cells.iter().map(|cell| cell.pairs));
        let texts = UInt64Array::from_iter_values(cells.iter().map(|cell| cell.texts));
        let squares = Float64Array::from_iter_values(cells.iter().map(|cell| cell.squares as f64));
        Batches::from_columns([
            ("pairs", Arc::new(pairs) as ArrayRef),
            ("texts", Arc::new(texts) as ArrayRef),
            ("squares", Arc::new(squares) as ArrayRef),
        ])
    }
}
