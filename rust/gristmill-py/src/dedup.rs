//! `gristmill_core::{exact_substring, near_duplicates}` for Python.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Float64Array, UInt32Array, UInt64Array};
use gristmill_core::exact_substring::{self, Column, Corpus, Engine, Options, Range, TextFiles};
use gristmill_core::near_duplicates as near;
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error;

/// Byte ranges to cut: columns document, start, end, twin_document, twin_offset. `values` are texts, or
/// binary values of symbols of `unit` bytes; all offsets count bytes.
#[pyfunction]
#[pyo3(signature = (values, min_bytes, engine, threads, unit=1, memory=None, spill=None))]
#[expect(clippy::too_many_arguments, reason = "the parameters of the method, as Python names them")]
pub fn exact_duplicates(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    min_bytes: usize,
    engine: &str,
    threads: usize,
    unit: usize,
    memory: Option<usize>,
    spill: Option<PathBuf>,
) -> PyResult<Batches> {
    let engine = Engine::from_name(engine).map_err(error::to_py)?;
    let values = Texts::read_values(values)?;
    let options = Options { min_bytes, engine, threads, memory, spill: spill.as_deref() };
    let ranges = error::leave(py, || {
        let corpus = Corpus::of_symbols(values.as_bytes(), unit);
        exact_substring::exact_duplicates(&corpus, &options)
    })?;
    ranges_to_batches(&ranges)
}

/// As `exact_duplicates`, of values in Arrow files: columns are (path, position of the values,
/// position of the 64-bit offsets, rows).
#[pyfunction]
#[pyo3(signature = (columns, min_bytes, engine, threads, unit=1, memory=None, spill=None))]
#[expect(clippy::too_many_arguments, reason = "the parameters of the method, as Python names them")]
pub fn exact_duplicates_in_files(
    py: Python<'_>,
    columns: Vec<(PathBuf, usize, usize, usize)>,
    min_bytes: usize,
    engine: &str,
    threads: usize,
    unit: usize,
    memory: Option<usize>,
    spill: Option<PathBuf>,
) -> PyResult<Batches> {
    let engine = Engine::from_name(engine).map_err(error::to_py)?;
    let column = |(path, values, offsets, n_rows)| Column { path, values, offsets, n_rows };
    let columns: Vec<Column> = columns.into_iter().map(column).collect();
    let options = Options { min_bytes, engine, threads, memory, spill: spill.as_deref() };
    let ranges = error::leave(py, || {
        let files = TextFiles::open(&columns, unit)?;
        exact_substring::exact_duplicates(&Corpus::of_files(&files, unit), &options)
    })?;
    ranges_to_batches(&ranges)
}

fn ranges_to_batches(ranges: &[Range]) -> PyResult<Batches> {
    let u32s = |field: fn(&Range) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(ranges.iter().map(field)))
    };
    let u64s = |field: fn(&Range) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(ranges.iter().map(field)))
    };
    Batches::from_columns([
        ("document", u32s(|range| range.document)),
        ("start", u64s(|range| range.start)),
        ("end", u64s(|range| range.end)),
        ("twin_document", u32s(|range| range.twin_document)),
        ("twin_offset", u64s(|range| range.twin_offset)),
    ])
}

/// The cluster of each text: columns representative, twin, jaccard.
#[pyfunction]
#[pyo3(signature = (texts, threshold, num_perm, ngram, verify, threads, seed))]
#[expect(clippy::too_many_arguments, reason = "the parameters of the method, as Python names them")]
pub fn near_duplicates(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    threshold: f64,
    num_perm: usize,
    ngram: usize,
    verify: bool,
    threads: usize,
    seed: u64,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let options = near::Options { threshold, num_perm, ngram, verify, seed };
    let found = error::leave(py, || near::near_duplicates(&strs, &options, threads))?;
    let u32s = |field: fn(&near::Membership) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(found.iter().map(field)))
    };
    let jaccard = Float64Array::from_iter_values(found.iter().map(|found| found.jaccard));
    Batches::from_columns([
        ("representative", u32s(|found| found.representative)),
        ("twin", u32s(|found| found.twin)),
        ("jaccard", Arc::new(jaccard)),
    ])
}

/// The 128-bit xxh3 of each text: one column, hash.
#[pyfunction]
pub fn document_hashes(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let hashes = error::leave(py, || near::document_hashes(&strs, threads))?;
    let bytes: Vec<u8> = hashes.into_iter().flatten().collect();
    let hashes = FixedSizeBinaryArray::new(16, bytes.into(), None);
    Batches::from_columns([("hash", Arc::new(hashes) as ArrayRef)])
}
