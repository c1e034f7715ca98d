//! Arrow data in and out through the C stream interface, without copies.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchIterator};
use arrow_schema::{ArrowError, DataType, Schema};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

const STREAM: &std::ffi::CStr = c"arrow_array_stream";

fn to_py(error: ArrowError) -> PyErr {
    PyValueError::new_err(format!("the Arrow stream cannot be read: {error}"))
}

/// Take the record batches of any object with `__arrow_c_stream__`.
pub fn read_batches(data: &Bound<'_, PyAny>) -> PyResult<Vec<RecordBatch>> {
    let capsule = data
        .call_method0("__arrow_c_stream__")
        .map_err(|_| PyTypeError::new_err("expected Arrow data: a table or a stream of batches"))?;
    let capsule = capsule.cast::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds a valid FFI_ArrowArrayStream by the Arrow PyCapsule
    // protocol; from_raw moves it out and leaves a released stream behind, so it is read once.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    let reader = RecordBatchStreamReader::try_new(stream).map_err(to_py)?;
    reader.collect::<Result<_, _>>().map_err(to_py)
}

/// The columns of one text table, kept alive while their values are borrowed.
pub struct Texts(Vec<ArrayRef>);

impl Texts {
    /// Take the first column of a stream; it must hold text.
    pub fn read(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::of(&read_batches(data)?)
    }

    /// Take the first column of record batches; it must hold text.
    pub fn of(batches: &[RecordBatch]) -> PyResult<Self> {
        Self::of_if(batches, |kind| {
            matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        })
    }

    /// Take the first column of a stream; it must hold text or large binary values.
    pub fn read_values(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::of_if(&read_batches(data)?, |kind| {
            matches!(
                kind,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::LargeBinary
            )
        })
    }

    fn of_if(batches: &[RecordBatch], allowed: fn(&DataType) -> bool) -> PyResult<Self> {
        let columns: Vec<ArrayRef> =
            batches.iter().map(|batch| Arc::clone(batch.column(0))).collect();
        if let Some(other) = columns.iter().map(Array::data_type).find(|kind| !allowed(kind)) {
            return Err(PyTypeError::new_err(format!("expected text, got {other}")));
        }
        Ok(Self(columns))
    }

    fn n_values(&self) -> usize {
        self.0.iter().map(|column| column.len()).sum()
    }

    /// Borrow every string of a text table; a null counts as an empty text.
    pub fn as_strs(&self) -> Vec<&str> {
        let mut strs = Vec::with_capacity(self.n_values());
        for column in &self.0 {
            match column.data_type() {
                DataType::Utf8 => {
                    strs.extend(column.as_string::<i32>().iter().map(Option::unwrap_or_default));
                }
                DataType::LargeUtf8 => {
                    strs.extend(column.as_string::<i64>().iter().map(Option::unwrap_or_default));
                }
                _ => strs.extend(column.as_string_view().iter().map(Option::unwrap_or_default)),
            }
        }
        strs
    }

    /// Borrow the bytes of every value; a null counts as an empty one.
    pub fn as_bytes(&self) -> Vec<&[u8]> {
        fn bytes(text: Option<&str>) -> &[u8] {
            text.unwrap_or_default().as_bytes()
        }
        let mut values = Vec::with_capacity(self.n_values());
        for column in &self.0 {
            match column.data_type() {
                DataType::Utf8 => values.extend(column.as_string::<i32>().iter().map(bytes)),
                DataType::LargeUtf8 => values.extend(column.as_string::<i64>().iter().map(bytes)),
                DataType::Utf8View => values.extend(column.as_string_view().iter().map(bytes)),
                _ => values.extend(column.as_binary::<i64>().iter().map(Option::unwrap_or_default)),
            }
        }
        values
    }
}

/// Record batches on their way to Python; read them once with `pyarrow.table` or `polars`.
#[pyclass(module = "gristmill._core", frozen)]
pub struct Batches {
    batches: Vec<RecordBatch>,
    schema: Arc<Schema>,
}

impl Batches {
    /// Give one batch to Python.
    pub fn one(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), batches: vec![batch] }
    }

    /// Build one batch from named columns and give it to Python.
    pub fn from_columns<'a>(
        columns: impl IntoIterator<Item = (&'a str, ArrayRef)>,
    ) -> PyResult<Self> {
        Self::try_from_columns(columns.into_iter().map(|(name, column)| (name, column, false)))
    }

    /// As `from_columns`, of columns that may have nulls.
    pub fn from_columns_with_nulls<'a>(
        columns: impl IntoIterator<Item = (&'a str, ArrayRef)>,
    ) -> PyResult<Self> {
        Self::try_from_columns(columns.into_iter().map(|(name, column)| (name, column, true)))
    }

    fn try_from_columns<'a>(
        columns: impl IntoIterator<Item = (&'a str, ArrayRef, bool)>,
    ) -> PyResult<Self> {
        RecordBatch::try_from_iter_with_nullable(columns).map(Self::one).map_err(to_py)
    }
}

#[pymethods]
impl Batches {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // the protocol allows to ignore it
        let batches = self.batches.clone().into_iter().map(Ok);
        let reader = RecordBatchIterator::new(batches, Arc::clone(&self.schema));
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
    }
}
