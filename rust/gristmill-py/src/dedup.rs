//! `gristmill_core::{exact_substring, near_duplicates}` for Python.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Float64Array, UInt32Array, UInt64Array};
use gristmill_core::exact_substring::{self, Column, Corpus, Engine, Options, Range, TextFiles};
use gristmill_core::minhash::Method;
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
    let columns = to_columns(columns);
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

/// The parameters of MinHash: the attributes of Python's `MinHash`.
#[derive(FromPyObject)]
pub struct MinHash {
    threshold: f64,
    num_perm: usize,
    ngram: usize,
    verify: bool,
    method: String,
    bands: Option<usize>,
    rows: Option<usize>,
    seed: u64,
}

impl MinHash {
    fn options<'a>(
        &self,
        threads: usize,
        memory: Option<usize>,
        spill: Option<&'a Path>,
    ) -> gristmill_core::Result<near::Options<'a>> {
        Ok(near::Options {
            threshold: self.threshold,
            num_perm: self.num_perm,
            ngram: self.ngram,
            verify: self.verify,
            method: Method::from_name(&self.method)?,
            banding: self.bands.zip(self.rows),
            seed: self.seed,
            threads,
            memory,
            spill,
        })
    }
}

/// The cluster of each text: columns representative, twin, jaccard.
#[pyfunction]
#[pyo3(signature = (texts, minhash, threads, memory=None, spill=None))]
pub fn near_duplicates(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    minhash: MinHash,
    threads: usize,
    memory: Option<usize>,
    spill: Option<PathBuf>,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let options = minhash.options(threads, memory, spill.as_deref()).map_err(error::to_py)?;
    let found = error::leave(py, || {
        near::near_duplicates(&Corpus::of_symbols(texts.as_bytes(), 1), &options)
    })?;
    memberships_to_batches(&found)
}

/// As `near_duplicates`, of texts in Arrow files: columns are (path, position of the values,
/// position of the 64-bit offsets, rows).
#[pyfunction]
#[pyo3(signature = (columns, minhash, threads, memory=None, spill=None))]
pub fn near_duplicates_in_files(
    py: Python<'_>,
    columns: Vec<(PathBuf, usize, usize, usize)>,
    minhash: MinHash,
    threads: usize,
    memory: Option<usize>,
    spill: Option<PathBuf>,
) -> PyResult<Batches> {
    let columns = to_columns(columns);
    let options = minhash.options(threads, memory, spill.as_deref()).map_err(error::to_py)?;
    let found = error::leave(py, || {
        let files = TextFiles::open(&columns, 1)?;
        near::near_duplicates(&Corpus::of_files(&files, 1), &options)
    })?;
    memberships_to_batches(&found)
}

fn memberships_to_batches(found: &[near::Membership]) -> PyResult<Batches> {
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

/// Where texts stand in Arrow files, as `tables.ArrowFiles.places` gives it.
pub fn to_columns(columns: Vec<(PathBuf, usize, usize, usize)>) -> Vec<Column> {
    let column = |(path, values, offsets, n_rows)| Column { path, values, offsets, n_rows };
    columns.into_iter().map(column).collect()
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
