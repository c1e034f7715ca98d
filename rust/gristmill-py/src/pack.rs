//! `Packer` and `RowReader`: token lists into record batches of packed rows, and mapped rows into
//! the arrays a model reads.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, UInt16Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, ListArray, OffsetSizeTrait,
    PrimitiveArray, RecordBatch, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use gristmill_core::pack::{self, Block, ModelRow, StoredRow, TokenId};
use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::arrow::{Batches, read_batches};
use crate::digest::{bytes_of, contiguous};
use crate::error::to_py;

fn arrow_error(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

enum Width {
    Narrow(pack::Packer<u16>),
    Wide(pack::Packer<u32>),
}

/// Packs documents into rows of `seq_len` tokens, `block_rows` rows a record batch.
#[pyclass(module = "gristmill._core")]
pub struct Packer {
    seq_len: i32,
    packer: Option<Width>,
}

#[pymethods]
impl Packer {
    #[new]
    fn new(
        seq_len: usize,
        block_rows: usize,
        vocab_size: u32,
        end_token_id: u32,
    ) -> PyResult<Self> {
        let packer = if u64::from(vocab_size) <= u16::IDS {
            pack::Packer::new(seq_len, block_rows, vocab_size, end_token_id).map(Width::Narrow)
        } else {
            pack::Packer::new(seq_len, block_rows, vocab_size, end_token_id).map(Width::Wide)
        };
        // the core refuses a seq_len above i32::MAX
        Ok(Self { packer: Some(packer.map_err(to_py)?), seq_len: seq_len as i32 })
    }

    /// Append the documents of a table `(document uint32, tokens list<uint32>)`.
    fn push(&mut self, py: Python<'_>, documents: &Bound<'_, PyAny>) -> PyResult<Vec<Batches>> {
        let batches = read_batches(documents)?;
        let seq_len = self.seq_len;
        py.detach(|| match self.packer.as_mut().ok_or_else(finished)? {
            Width::Narrow(packer) => push::<UInt16Type>(packer, &batches, seq_len),
            Width::Wide(packer) => push::<UInt32Type>(packer, &batches, seq_len),
        })
    }

    /// Pad the last row; the last record batch, or None when no row is left.
    fn finish(&mut self) -> PyResult<Option<Batches>> {
        match self.packer.take().ok_or_else(finished)? {
            Width::Narrow(packer) => {
                packer.finish().map(|block| batch::<UInt16Type>(block, self.seq_len)).transpose()
            }
            Width::Wide(packer) => {
                packer.finish().map(|block| batch::<UInt32Type>(block, self.seq_len)).transpose()
            }
        }
    }
}

fn finished() -> PyErr {
    PyValueError::new_err("the packer is finished; make a new one")
}

fn push<A: ArrowPrimitiveType<Native: TokenId>>(
    packer: &mut pack::Packer<A::Native>,
    batches: &[RecordBatch],
    seq_len: i32,
) -> PyResult<Vec<Batches>> {
    let mut full = Vec::new();
    for documents in batches {
        let numbers = documents
            .column(0)
            .as_primitive_opt::<UInt32Type>()
            .ok_or_else(|| PyTypeError::new_err("expected document numbers of type uint32"))?;
        let tokens = documents.column(1);
        if let Some(lists) = tokens.as_list_opt::<i32>() {
            push_lists(packer, numbers, lists, &mut full)?;
        } else if let Some(lists) = tokens.as_list_opt::<i64>() {
            push_lists(packer, numbers, lists, &mut full)?;
        } else {
            return Err(not_tokens(tokens.data_type()));
        }
    }
    full.into_iter().map(|block| batch::<A>(block, seq_len)).collect()
}

fn not_tokens(found: &DataType) -> PyErr {
    PyTypeError::new_err(format!("expected tokens of type list<uint32>, got {found}"))
}

fn push_lists<T: TokenId, O: OffsetSizeTrait>(
    packer: &mut pack::Packer<T>,
    numbers: &UInt32Array,
    lists: &GenericListArray<O>,
    full: &mut Vec<Block<T>>,
) -> PyResult<()> {
    if lists.null_count() > 0 || numbers.null_count() > 0 {
        return Err(PyTypeError::new_err("a document without number or tokens cannot be packed"));
    }
    let values = lists
        .values()
        .as_primitive_opt::<UInt32Type>()
        .ok_or_else(|| not_tokens(lists.data_type()))?
        .values();
    for (number, range) in numbers.values().iter().zip(lists.offsets().windows(2)) {
        packer
            .push(*number, &values[range[0].as_usize()..range[1].as_usize()], full)
            .map_err(to_py)?;
    }
    Ok(())
}

/// A block as a record batch with the schema of a shard.
fn batch<A: ArrowPrimitiveType<Native: TokenId>>(
    block: Block<A::Native>,
    seq_len: i32,
) -> PyResult<Batches> {
    let ids = PrimitiveArray::<A>::new(ScalarBuffer::from(block.ids), None);
    let item = Arc::new(Field::new("item", A::DATA_TYPE, false));
    let ids = FixedSizeListArray::try_new(item, seq_len, Arc::new(ids), None);
    let starts = OffsetBuffer::new(ScalarBuffer::from(block.row_starts));
    let pieces = |values: Vec<u32>| -> PyResult<ArrayRef> {
        let item = Arc::new(Field::new("item", DataType::UInt32, false));
        let list =
            ListArray::try_new(item, starts.clone(), Arc::new(UInt32Array::from(values)), None);
        Ok(Arc::new(list.map_err(arrow_error)?))
    };
    Batches::from_columns([
        ("input_ids", Arc::new(ids.map_err(arrow_error)?) as ArrayRef),
        ("piece_lengths", pieces(block.piece_lengths)?),
        ("piece_document", pieces(block.piece_document)?),
        ("piece_offset", pieces(block.piece_offset)?),
    ])
}

/// Reads rows out of mapped files into the arrays a model takes.
#[pyclass(module = "gristmill._core", frozen)]
pub struct RowReader {
    files: Vec<PyUntypedBuffer>,
    seq_len: usize,
    width: usize,
}

#[pymethods]
impl RowReader {
    #[new]
    fn new(files: Vec<Bound<'_, PyAny>>, seq_len: usize, width: usize) -> PyResult<Self> {
        if seq_len == 0 || !matches!(width, 2 | 4) {
            return Err(PyValueError::new_err(format!(
                "rows of {seq_len} ids of {width} bytes cannot be read; ids have 2 or 4 bytes"
            )));
        }
        let files = files.iter().map(contiguous).collect::<PyResult<_>>()?;
        Ok(Self { files, seq_len, width })
    }

    /// Expand rows into `out`, int64 of shape (4, rows, `seq_len`): ids, labels, positions, segments.
    ///
    /// `places` is uint64 of shape (all rows, 5): file, offset of the ids, offset of the piece
    /// lengths, number of pieces, padding. `rows` is int64.
    fn expand(
        &self,
        places: &Bound<'_, PyAny>,
        rows: &Bound<'_, PyAny>,
        out: PyBuffer<i64>,
    ) -> PyResult<()> {
        let py = places.py();
        let (places, rows) = (contiguous(places)?, contiguous(rows)?);
        let n_values = 4 * self.seq_len * (rows.len_bytes() / 8);
        if out.readonly() || !out.is_c_contiguous() || out.item_count() != n_values {
            return Err(PyValueError::new_err("out is not a writable (4, rows, seq_len) of int64"));
        }
        if n_values == 0 {
            return Ok(());
        }
        // SAFETY: `out` is writable, contiguous, aligned for i64 (checked by PyBuffer::get) and
        // alive until the end of this call; the caller hands over an array that it has just made
        // and nobody else sees.
        let all = unsafe { std::slice::from_raw_parts_mut(out.buf_ptr().cast::<i64>(), n_values) };
        let (places, rows) = (bytes_of(&places), bytes_of(&rows));
        py.detach(|| self.fill(places, rows, all))
    }
}

impl RowReader {
    fn fill(&self, places: &[u8], rows: &[u8], out: &mut [i64]) -> PyResult<()> {
        let places = places.as_chunks::<40>().0;
        let plane = out.len() / 4;
        let (ids, rest) = out.split_at_mut(plane);
        let (labels, rest) = rest.split_at_mut(plane);
        let (positions, segments) = rest.split_at_mut(plane);
        let model_rows = ids
            .chunks_exact_mut(self.seq_len)
            .zip(labels.chunks_exact_mut(self.seq_len))
            .zip(positions.chunks_exact_mut(self.seq_len))
            .zip(segments.chunks_exact_mut(self.seq_len));
        for ((((input_ids, labels), position_ids), segment_ids), row) in
            model_rows.zip(rows.as_chunks::<8>().0)
        {
            let row = i64::from_ne_bytes(*row);
            let place = usize::try_from(row)
                .ok()
                .and_then(|row| places.get(row))
                .ok_or_else(|| PyIndexError::new_err(format!("row {row} of {}", places.len())))?;
            let place: [u64; 5] =
                std::array::from_fn(|k| u64::from_ne_bytes(place.as_chunks().0[k]));
            let mut model = ModelRow { input_ids, labels, position_ids, segment_ids };
            pack::expand(self.stored(&place)?, self.width, &mut model).map_err(to_py)?;
        }
        Ok(())
    }

    fn stored(&self, place: &[u64; 5]) -> PyResult<StoredRow<'_>> {
        let outside = || PyIndexError::new_err(format!("no row lies at {place:?}"));
        let bytes = self.files.get(place[0] as usize).map(bytes_of).ok_or_else(outside)?;
        let cut = |start: u64, items: usize, size: usize| {
            let start = usize::try_from(start).ok()?;
            bytes.get(start..start.checked_add(items.checked_mul(size)?)?)
        };
        Ok(StoredRow {
            ids: cut(place[1], self.seq_len, self.width).ok_or_else(outside)?,
            piece_lengths: cut(place[2], place[3] as usize, 4).ok_or_else(outside)?,
            padding: place[4] as usize,
        })
    }
}
