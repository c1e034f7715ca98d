//! `xxh3_*` and `Xxh3`: digests of buffers and of columns of text.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt64Array};
use gristmill_core::digest;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arrow::{Batches, Texts};

/// Take any buffer whose bytes lie in one stretch.
pub fn contiguous(buffer: &Bound<'_, PyAny>) -> PyResult<PyUntypedBuffer> {
    let view = PyUntypedBuffer::get(buffer)?;
    if view.is_c_contiguous() {
        Ok(view)
    } else {
        Err(PyValueError::new_err("the buffer is not contiguous; copy it first"))
    }
}

/// The bytes of a buffer that [`contiguous`] gave.
pub fn bytes_of(view: &PyUntypedBuffer) -> &[u8] {
    if view.len_bytes() == 0 || !view.is_c_contiguous() {
        return &[];
    }
    // SAFETY: the exporter keeps `len_bytes` bytes at `buf_ptr` alive and in place until `view` is
    // dropped, and the slice borrows `view`; they are only read. A thread that writes into the
    // buffer meanwhile breaks the caller's side of the contract.
    unsafe { std::slice::from_raw_parts(view.buf_ptr().cast::<u8>(), view.len_bytes()) }
}

/// Run `kernel` on the bytes of a buffer, outside the interpreter.
fn with_bytes<T: Send>(
    buffer: &Bound<'_, PyAny>,
    kernel: impl FnOnce(&[u8]) -> T + Send,
) -> PyResult<T> {
    let view = contiguous(buffer)?;
    Ok(buffer.py().detach(|| kernel(bytes_of(&view))))
}

/// The 64-bit xxh3 of a buffer, as 16 hexadecimal digits.
#[pyfunction]
pub fn xxh3_64_hex(buffer: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(format!("{:016x}", with_bytes(buffer, digest::xxh3_64)?))
}

/// The 128-bit xxh3 of a buffer, as 32 hexadecimal digits.
#[pyfunction]
pub fn xxh3_128_hex(buffer: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(format!("{:032x}", with_bytes(buffer, digest::xxh3_128)?))
}

/// Digest the rows of one or more columns of text: column `digest`, string.
#[pyfunction]
#[pyo3(signature = (*columns))]
pub fn xxh3_128_hex_each(py: Python<'_>, columns: &Bound<'_, PyTuple>) -> PyResult<Batches> {
    let columns: Vec<Texts> =
        columns.iter().map(|column| Texts::read(&column)).collect::<PyResult<_>>()?;
    let columns: Vec<Vec<&str>> = columns.iter().map(Texts::as_strs).collect();
    let n_rows = columns.first().map_or(0, Vec::len);
    if let Some(column) = columns.iter().find(|column| column.len() != n_rows) {
        return Err(PyValueError::new_err(format!(
            "columns of {n_rows} and {} rows cannot be digested together",
            column.len()
        )));
    }
    let digests: StringArray = py.detach(|| {
        let row = |i: usize| digest::row_128(columns.iter().map(|column| column[i]));
        (0..n_rows).map(|i| Some(format!("{:032x}", row(i)))).collect()
    });
    Batches::from_columns([("digest", Arc::new(digests) as ArrayRef)])
}

/// The 64-bit xxh3 of each text: column `digest`, uint64.
#[pyfunction]
pub fn xxh3_64_each(py: Python<'_>, texts: &Bound<'_, PyAny>) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let texts = texts.as_strs();
    let digests: UInt64Array = py.detach(|| {
        texts.iter().map(|text| digest::xxh3_64(text.as_bytes())).collect::<Vec<_>>().into()
    });
    Batches::from_columns([("digest", Arc::new(digests) as ArrayRef)])
}

/// A 128-bit xxh3 of bytes that arrive in parts.
#[pyclass(module = "gristmill._core")]
#[derive(Default)]
pub struct Xxh3(digest::Hasher);

#[pymethods]
impl Xxh3 {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Add the bytes of a buffer.
    fn update(&mut self, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        with_bytes(buffer, |bytes| self.0.update(bytes))
    }

    /// The digest of everything added so far, as 32 hexadecimal digits.
    fn hexdigest(&self) -> String {
        format!("{:032x}", self.0.digest())
    }
}
