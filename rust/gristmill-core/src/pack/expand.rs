//! Packed rows into the arrays a model reads.

use super::IGNORED;
use crate::{Error, Result};

/// One packed row as it lies in a shard: little-endian ids and piece lengths.
#[derive(Clone, Copy, Debug)]
pub struct StoredRow<'a> {
    /// The row's ids, 2 or 4 bytes each.
    pub ids: &'a [u8],
    /// The row's `piece_lengths`, 4 bytes each.
    pub piece_lengths: &'a [u8],
    /// How many tokens at the end are padding: none, or the whole last piece.
    pub padding: usize,
}

/// Where the four arrays of one row go, each of `seq_len` entries.
#[derive(Debug)]
pub struct ModelRow<'a> {
    /// The ids.
    pub input_ids: &'a mut [i64],
    /// The ids again, [`IGNORED`] at each piece's first token and on padding.
    pub labels: &'a mut [i64],
    /// Position within the piece.
    pub position_ids: &'a mut [i64],
    /// Number of the piece within the row, -1 on padding.
    pub segment_ids: &'a mut [i64],
}

/// Write what a model reads of a stored row.
///
/// # Errors
///
/// [`Error::Format`] when the pieces do not sum to the row.
pub fn expand(row: StoredRow<'_>, width: usize, out: &mut ModelRow<'_>) -> Result<()> {
    let seq_len = out.input_ids.len();
    match width {
        2 => widen(row.ids, out.input_ids, |bytes: [u8; 2]| i64::from(u16::from_le_bytes(bytes))),
        _ => widen(row.ids, out.input_ids, |bytes: [u8; 4]| i64::from(u32::from_le_bytes(bytes))),
    }
    out.labels.copy_from_slice(out.input_ids);
    let mut start = 0;
    for (segment, length) in row.piece_lengths.as_chunks::<4>().0.iter().enumerate() {
        let end = start + u32::from_le_bytes(*length) as usize;
        if end > seq_len || end == start {
            return Err(uneven(end, seq_len));
        }
        out.labels[start] = IGNORED;
        out.segment_ids[start..end].fill(segment as i64);
        for (position, slot) in (0..).zip(&mut out.position_ids[start..end]) {
            *slot = position;
        }
        start = end;
    }
    if start != seq_len || row.padding > seq_len {
        return Err(uneven(start, seq_len));
    }
    out.labels[seq_len - row.padding..].fill(IGNORED);
    out.segment_ids[seq_len - row.padding..].fill(-1);
    Ok(())
}

fn widen<const W: usize>(ids: &[u8], out: &mut [i64], read: impl Fn([u8; W]) -> i64) {
    for (slot, &bytes) in out.iter_mut().zip(ids.as_chunks::<W>().0) {
        *slot = read(bytes);
    }
}

fn uneven(sum: usize, seq_len: usize) -> Error {
    Error::Format {
        what: "packed row".into(),
        problem: format!("its pieces make {sum} tokens of {seq_len}, or one of them is empty"),
    }
}
