//! `gristmill_core::records` for Python: blocks of lines and tables in, columns of documents out.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float64Type, Int64Type, TimestampMicrosecondType as Microseconds,
};
use arrow_array::{
    Array, ArrayRef, GenericStringArray, OffsetSizeTrait, RecordBatch, TimestampMicrosecondArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, TimeUnit};
use gristmill_core::records::{
    Cell, Cells, Column, Columns, Finished, Limits, Origin, Rows, Stop, Strings, lines_in,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrow::{Batches, read_batches};
use crate::digest::{bytes_of, contiguous};

/// Place after what was read; where an unusual record starts; a license that is not known yet.
type Read = (usize, Option<usize>, Option<String>);

/// Count the lines that end in a buffer.
#[pyfunction]
pub fn count_lines(buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
    let view = contiguous(buffer)?;
    Ok(lines_in(bytes_of(&view)))
}

fn read((at, stop): (usize, Stop)) -> Read {
    match stop {
        Stop::Done => (at, None, None),
        Stop::Unusual(start) => (at, Some(start), None),
        Stop::License(declared) => (at, None, Some(declared)),
    }
}

/// What Python knows of the source and of its batches.
#[derive(FromPyObject)]
pub struct Place {
    source: String,
    license: String,
    locator: String,
    batch_bytes: usize,
    batch_docs: usize,
    longest: usize,
}

/// A document as Python's reading made it, without its text.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct PyRow {
    id: String,
    source: String,
    license: String,
    url: Option<String>,
    created: Option<i64>,
    metadata: String,
}

impl PyRow {
    fn finished(&self) -> Finished<'_> {
        Finished {
            id: &self.id,
            source: &self.source,
            license: &self.license,
            url: self.url.as_deref(),
            created: self.created,
            metadata: &self.metadata,
        }
    }
}

/// Collects the documents of one file.
#[pyclass(module = "gristmill._core")]
pub struct RecordRows(Rows);

#[pymethods]
impl RecordRows {
    #[new]
    fn new(place: Place, n_read: u64) -> Self {
        let Place { source, license, locator, batch_bytes, batch_docs, longest } = place;
        let limits = Limits { batch_bytes, batch_docs, longest };
        Self(Rows::new(Origin { source, license, locator }, limits, n_read))
    }

    #[getter]
    fn n_docs(&self) -> usize {
        self.0.n_docs()
    }

    #[getter]
    fn n_read(&self) -> u64 {
        self.0.n_read()
    }

    fn skip(&mut self) {
        self.0.skip();
    }

    fn is_full(&self, n_bad: usize) -> bool {
        self.0.is_full(n_bad)
    }

    fn add_license(&mut self, license: String, expression: String, declared: Option<String>) {
        self.0.add_license(license, expression, declared);
    }

    /// Append a document that Python made of a record; the number of the one that has its id, if any.
    fn add(&mut self, number: u64, row: PyRow, text: Option<&str>, n_bytes: usize) -> Option<u64> {
        self.0.add(number, &row.finished(), text, n_bytes).err()
    }

    /// Read the lines of `block[at:]`; no other thread may write to it meanwhile.
    fn read_lines(
        &mut self,
        py: Python<'_>,
        block: &Bound<'_, PyAny>,
        at: usize,
        n_bad: usize,
    ) -> PyResult<Read> {
        let view = contiguous(block)?;
        Ok(read(py.detach(|| self.0.read_lines(bytes_of(&view), at, n_bad))))
    }

    /// Read the rows of a table from `at` on.
    fn read_table(&mut self, py: Python<'_>, table: &RecordTable, at: usize, n_bad: usize) -> Read {
        let (batch, columns) = (&table.0, table.columns());
        read(py.detach(|| self.0.read_table(&columns, at, batch.num_rows(), n_bad)))
    }

    /// Take the columns of the documents; `text` too unless that stayed in its table.
    fn take(&mut self, with_text: bool) -> PyResult<Batches> {
        to_batches(self.0.take(), with_text)
    }
}

/// A table of one chunk whose columns are of few types; any other makes all its rows unusual.
#[pyclass(module = "gristmill._core", frozen)]
pub struct RecordTable(RecordBatch);

#[pymethods]
impl RecordTable {
    #[new]
    fn new(table: &Bound<'_, PyAny>) -> PyResult<Self> {
        match read_batches(table)?.as_slice() {
            [batch] => Ok(Self(batch.clone())),
            other => Err(PyValueError::new_err(format!("expected 1 batch, got {}", other.len()))),
        }
    }
}

impl RecordTable {
    fn columns(&self) -> Vec<Column<'_>> {
        let schema = self.0.schema_ref();
        let named = schema.fields().iter().zip(self.0.columns());
        named.map(|(field, array)| (field.name().as_str(), column(array))).collect()
    }
}

/// How to take the values of an array.
fn column<'a>(array: &'a ArrayRef) -> Cells<'a> {
    match array.data_type() {
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            cells(array, |at| Cell::Bytes(array.value(at)))
        }
        DataType::Int64 => {
            let array = array.as_primitive::<Int64Type>();
            cells(array, |at| Cell::Integer(array.value(at)))
        }
        DataType::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            cells(array, |at| Cell::Float(array.value(at)))
        }
        DataType::Boolean => {
            let array = array.as_boolean();
            cells(array, |at| Cell::Bool(array.value(at)))
        }
        DataType::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            cells(array, |at| Cell::Date(array.value(at)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone)
            if zone.as_deref().is_none_or(|zone| zone == "UTC") =>
        {
            let (array, utc) = (array.as_primitive::<Microseconds>(), zone.is_some());
            cells(array, move |at| Cell::Moment { us: array.value(at), utc })
        }
        _ => cells(array, |_| Cell::Other),
    }
}

fn cells<'a>(array: &'a dyn Array, value: impl Fn(usize) -> Cell<'a> + Sync + 'a) -> Cells<'a> {
    Box::new(move |at| if array.is_null(at) { Cell::Null } else { value(at) })
}

fn to_batches(columns: Columns, with_text: bool) -> PyResult<Batches> {
    let Columns { id, text, source, license, url, created, metadata } = columns;
    let has_url = url.lengths.iter().map(|&length| length > 0).collect::<Vec<_>>();
    let mut named = vec![("id", strings::<i32>(id, None))];
    if with_text {
        named.push(("text", strings::<i64>(text, None)));
    }
    let created = TimestampMicrosecondArray::from(created).with_timezone("UTC");
    named.extend([
        ("source", strings::<i32>(source, None)),
        ("license", strings::<i32>(license, None)),
        ("url", strings::<i32>(url, Some(NullBuffer::from(has_url)))),
        ("created", Arc::new(created) as ArrayRef),
        ("metadata", strings::<i32>(metadata, None)),
    ]);
    Batches::from_columns_with_nulls(named)
}

fn strings<O: OffsetSizeTrait>(column: Strings, nulls: Option<NullBuffer>) -> ArrayRef {
    let Strings { mut values, lengths } = column;
    values.shrink_to_fit();
    let offsets = OffsetBuffer::<O>::from_lengths(lengths);
    let values = Buffer::from_vec(values.into_bytes());
    Arc::new(GenericStringArray::<O>::new(offsets, values, nulls))
}
