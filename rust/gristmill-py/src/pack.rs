//! `Packer` and `RowReader`: texts or token lists into record batches of packed rows, and mapped
//! rows into the arrays a model reads.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, UInt16Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, GenericListArray, ListArray,
    OffsetSizeTrait, PrimitiveArray, RecordBatch, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use gristmill_core::Result;
use gristmill_core::bpe::encode::Specials;
use gristmill_core::digest;
use gristmill_core::pack::{self, Block, Fit, ModelRow, Options, Order, StoredRow, TokenId};
use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts, read_batches};
use crate::bpe::PyBpeEncoder;
use crate::digest::{bytes_of, contiguous};
use crate::error::{leave, to_py};

fn arrow_error(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

enum Width {
    Narrow(pack::Packer<u16>),
    Wide(pack::Packer<u32>),
}

impl Width {
    fn push(&mut self, ids: &[u32], held_out: bool) -> Result<()> {
        match self {
            Self::Narrow(packer) => packer.push(ids, held_out),
            Self::Wide(packer) => packer.push(ids, held_out),
        }
    }
}

/// Packs documents into rows of `seq_len` tokens, `block_rows` rows a record batch.
#[pyclass(module = "gristmill._core")]
pub struct Packer {
    seq_len: i32,
    packer: Width,
    ended: bool,
}

#[pymethods]
impl Packer {
    #[new]
    #[pyo3(signature = (seq_len, block_rows, vocab_size, end_token_id, fit, order_key=None, spill=None))]
    fn new(
        seq_len: usize,
        block_rows: usize,
        vocab_size: u32,
        end_token_id: u32,
        fit: &str,
        order_key: Option<u64>,
        spill: Option<PathBuf>,
    ) -> PyResult<Self> {
        let order = order_key.map_or(Order::Corpus, |key| Order::Shuffled {
            key,
            spill: spill.unwrap_or_else(std::env::temp_dir),
        });
        let fit = Fit::from_name(fit).map_err(to_py)?;
        let end_token = end_token_id;
        let options = Options { seq_len, block_rows, vocab_size, end_token, order, fit };
        let packer = if u64::from(vocab_size) <= u16::IDS {
            pack::Packer::new(options).map(Width::Narrow)
        } else {
            pack::Packer::new(options).map(Width::Wide)
        };
        // the core refuses a seq_len above i32::MAX
        Ok(Self { packer: packer.map_err(to_py)?, seq_len: seq_len as i32, ended: false })
    }

    /// Encode the texts of a table `(text, held_out bool)` and append them: column `n_tokens`.
    fn encode(
        &mut self,
        py: Python<'_>,
        encoder: &PyBpeEncoder,
        documents: &Bound<'_, PyAny>,
        threads: usize,
    ) -> PyResult<Batches> {
        self.refuse_more()?;
        let batches = read_batches(documents)?;
        let held_out = mask(&batches)?;
        let texts = Texts::of(&batches)?;
        let mut n_tokens = Vec::with_capacity(held_out.len());
        leave(py, || {
            encoder.0.encode_each(&texts.as_strs(), Specials::Text, threads, |range, encoded| {
                for (ends, held_out) in encoded.offsets.windows(2).zip(&held_out[range]) {
                    let ids = &encoded.ids[ends[0] as usize..ends[1] as usize];
                    self.packer.push(ids, *held_out)?;
                    n_tokens.push(ids.len() as u32);
                }
                Ok(())
            })
        })?;
        Batches::from_columns([("n_tokens", Arc::new(UInt32Array::from(n_tokens)) as ArrayRef)])
    }

    /// Append the documents of a table `(tokens list<uint32>, held_out bool)`.
    fn push(&mut self, py: Python<'_>, documents: &Bound<'_, PyAny>) -> PyResult<()> {
        self.refuse_more()?;
        let batches = read_batches(documents)?;
        for documents in &batches {
            let held_out = mask(std::slice::from_ref(documents))?;
            let tokens = documents.column(0);
            if let Some(lists) = tokens.as_list_opt::<i32>() {
                push_lists(py, &mut self.packer, lists, &held_out)?;
            } else if let Some(lists) = tokens.as_list_opt::<i64>() {
                push_lists(py, &mut self.packer, lists, &held_out)?;
            } else {
                return Err(not_tokens(tokens.data_type()));
            }
        }
        Ok(())
    }

    /// Say that there are no more documents.
    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        self.refuse_more()?;
        self.ended = true;
        leave(py, || match &mut self.packer {
            Width::Narrow(packer) => packer.end(),
            Width::Wide(packer) => packer.end(),
        })
    }

    /// The split and the next record batch that is full, or None.
    fn next_block(&mut self, py: Python<'_>) -> PyResult<Option<(usize, Batches)>> {
        let seq_len = self.seq_len;
        match &mut self.packer {
            Width::Narrow(packer) => next_block::<UInt16Type>(py, packer, seq_len),
            Width::Wide(packer) => next_block::<UInt32Type>(py, packer, seq_len),
        }
    }
}

impl Packer {
    fn refuse_more(&self) -> PyResult<()> {
        if self.ended {
            return Err(PyValueError::new_err("the packer is finished; make a new one"));
        }
        Ok(())
    }
}

fn next_block<A: ArrowPrimitiveType<Native: TokenId>>(
    py: Python<'_>,
    packer: &mut pack::Packer<A::Native>,
    seq_len: i32,
) -> PyResult<Option<(usize, Batches)>> {
    let found = leave(py, || packer.next_block())?;
    found.map(|(split, block)| Ok((split, batch::<A>(block, seq_len)?))).transpose()
}

/// Whether the 64-bit xxh3 of each id is below `limit`: column `held_out`; all without a limit.
#[pyfunction]
#[pyo3(signature = (ids, limit=None))]
pub fn held_out(py: Python<'_>, ids: &Bound<'_, PyAny>, limit: Option<u64>) -> PyResult<Batches> {
    let ids = Texts::read(ids)?;
    let below = |id: &str| limit.is_none_or(|limit| digest::xxh3_64(id.as_bytes()) < limit);
    let found: Vec<bool> = py.detach(|| ids.as_strs().into_iter().map(below).collect());
    Batches::from_columns([("held_out", Arc::new(BooleanArray::from(found)) as ArrayRef)])
}

/// The second column: whether each document is held out for validation.
fn mask(batches: &[RecordBatch]) -> PyResult<Vec<bool>> {
    let mut held_out = Vec::new();
    for batch in batches {
        let column = batch.column(1).as_boolean_opt().filter(|column| column.null_count() == 0);
        let column =
            column.ok_or_else(|| PyTypeError::new_err("expected held_out of type bool"))?;
        held_out.extend(column.values());
    }
    Ok(held_out)
}

fn not_tokens(found: &DataType) -> PyErr {
    PyTypeError::new_err(format!("expected tokens of type list<uint32>, got {found}"))
}

fn push_lists<O: OffsetSizeTrait>(
    py: Python<'_>,
    packer: &mut Width,
    lists: &GenericListArray<O>,
    held_out: &[bool],
) -> PyResult<()> {
    if lists.null_count() > 0 {
        return Err(PyTypeError::new_err("a document without tokens cannot be packed"));
    }
    let values = lists
        .values()
        .as_primitive_opt::<UInt32Type>()
        .ok_or_else(|| not_tokens(lists.data_type()))?
        .values();
    leave(py, || {
        for (ends, held_out) in lists.offsets().windows(2).zip(held_out) {
            packer.push(&values[ends[0].as_usize()..ends[1].as_usize()], *held_out)?;
        }
        Ok(())
    })
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
