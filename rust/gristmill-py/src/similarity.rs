//! `gristmill_core::similarity` for Python.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, FixedSizeListArray, Float64Array, UInt32Array};
use arrow_schema::{DataType, Field};
use gristmill_core::Error;
use gristmill_core::exact_substring::{Corpus, TextFiles};
use gristmill_core::minhash::Method;
use gristmill_core::similarity;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts, read_batches};
use crate::dedup::to_columns;
use crate::error;

/// Every pair of similar texts: columns left, right, jaccard.
#[pyfunction]
pub fn similar_pairs(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    ngram: usize,
    least: f64,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let pairs = error::leave(py, || similarity::similar_pairs(&strs, ngram, least, threads))?;
    let u32s = |field: fn(&similarity::SimilarPair) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(pairs.iter().map(field)))
    };
    let jaccard = Float64Array::from_iter_values(pairs.iter().map(|pair| pair.2));
    Batches::from_columns([
        ("left", u32s(|pair| pair.0)),
        ("right", u32s(|pair| pair.1)),
        ("jaccard", Arc::new(jaccard)),
    ])
}

/// The similarity of given pairs of texts: one column, jaccard. `left` and `right` are tables of one
/// uint32 column.
#[pyfunction]
pub fn similarities(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    ngram: usize,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let (strs, pairs) = (texts.as_strs(), read_pairs(left, right)?);
    let found = error::leave(py, || similarity::similarities(&strs, &pairs, ngram, threads))?;
    one_column("jaccard", Arc::new(Float64Array::from(found)))
}

/// As `similarities`, of texts in Arrow files: columns are (path, position of the values, position of
/// the 64-bit offsets, rows).
#[pyfunction]
pub fn similarities_in_files(
    py: Python<'_>,
    columns: Vec<(PathBuf, usize, usize, usize)>,
    left: &Bound<'_, PyAny>,
    right: &Bound<'_, PyAny>,
    ngram: usize,
    threads: usize,
) -> PyResult<Batches> {
    let columns = to_columns(columns);
    let pairs = read_pairs(left, right)?;
    let found = error::leave(py, || {
        let files = TextFiles::open(&columns, 1)?;
        let (texts, pairs) = copy_named(&Corpus::of_files(&files, 1), &pairs)?;
        let strs: Vec<&str> = texts.iter().map(String::as_str).collect();
        similarity::similarities(&strs, &pairs, ngram, threads)
    })?;
    one_column("jaccard", Arc::new(Float64Array::from(found)))
}

/// The numbers of two texts.
type Pair = (u32, u32);

/// Copies of the texts that some pairs name, in order, with the pairs in their numbers. They are
/// scattered over the files, of which mapped pages would otherwise count as memory.
fn copy_named(
    corpus: &Corpus<'_>,
    pairs: &[Pair],
) -> gristmill_core::Result<(Vec<String>, Vec<Pair>)> {
    let mut numbers: Vec<u32> = pairs.iter().flat_map(|&(left, right)| [left, right]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut texts = Vec::with_capacity(numbers.len());
    for &number in &numbers {
        let document = corpus.documents().get(number as usize);
        let bytes = document.ok_or_else(|| Error::Parameter {
            name: "pair",
            value: format!("document {number}"),
            allowed: "numbers of documents, from 0",
        })?;
        let text = std::str::from_utf8(bytes).map_err(|error| Error::Format {
            what: format!("document {number}"),
            problem: error.to_string(),
        })?;
        texts.push(text.to_owned());
        if texts.len() % 256 == 0 {
            corpus.release();
        }
    }
    let place = |number: u32| numbers.partition_point(|&other| other < number) as u32;
    let pairs = pairs.iter().map(|&(left, right)| (place(left), place(right)));
    Ok((texts, pairs.collect()))
}

/// The MinHash signature of each text: one column, signature, a list of `num_perm` values.
#[pyfunction]
pub fn minhash_signatures(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    num_perm: usize,
    ngram: usize,
    seed: u64,
    method: &str,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let (strs, method) = (texts.as_strs(), Method::from_name(method).map_err(error::to_py)?);
    let values =
        error::leave(py, || similarity::signatures(&strs, num_perm, ngram, seed, method, threads))?;
    let item = Arc::new(Field::new("item", DataType::UInt32, false));
    let values = Arc::new(UInt32Array::from(values));
    let lists = FixedSizeListArray::try_new(item, num_perm as i32, values, None)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    one_column("signature", Arc::new(lists))
}

fn one_column(name: &str, column: ArrayRef) -> PyResult<Batches> {
    Batches::from_columns([(name, column)])
}

/// Zip two tables of one uint32 column.
fn read_pairs(left: &Bound<'_, PyAny>, right: &Bound<'_, PyAny>) -> PyResult<Vec<Pair>> {
    let (left, right) = (read_u32s(left)?, read_u32s(right)?);
    if left.len() != right.len() {
        let (left, right) = (left.len(), right.len());
        return Err(PyValueError::new_err(format!("{left} left and {right} right ends of pairs")));
    }
    Ok(left.into_iter().zip(right).collect())
}

fn read_u32s(data: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
    let mut values = Vec::new();
    for batch in read_batches(data)? {
        let column = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(|| {
            PyTypeError::new_err(format!("expected uint32, got {}", batch.column(0).data_type()))
        })?;
        values.extend_from_slice(column.values());
    }
    Ok(values)
}
