//! Packing: documents in, rows of exactly `seq_len` tokens out, every token kept and placed; and
//! back: packed rows into the arrays a model reads.
//!
//! Documents are laid end to end, each closed by the end token, and cut at `seq_len`. Every stretch
//! of one document in one row is a *piece*, which knows its document and where in it it starts.
//! Only [`Packer::finish`] pads, and its padding is a piece of the document [`PADDING`]. The blocks
//! depend on the sequence of documents alone, never on how they were grouped into calls.

use crate::{Error, Result};

/// The `piece_document` of padding.
pub const PADDING: u32 = u32::MAX;

/// The label that a loss leaves out.
pub const IGNORED: i64 = -100;

/// A token id as a row stores it.
pub trait TokenId: Copy + Send + 'static {
    /// How many ids there are.
    const IDS: u64;

    /// Store an id below [`Self::IDS`].
    fn store(id: u32) -> Self;
}

impl TokenId for u16 {
    const IDS: u64 = 1 << 16;

    #[inline]
    fn store(id: u32) -> Self {
        id as Self
    }
}

impl TokenId for u32 {
    const IDS: u64 = 1 << 32;

    #[inline]
    fn store(id: u32) -> Self {
        id
    }
}

/// Consecutive packed rows, in the layout of Arrow list columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<T> {
    /// The rows' tokens, `seq_len` a row.
    pub ids: Vec<T>,
    /// Where each row's pieces start among all pieces; one entry more than there are rows.
    pub row_starts: Vec<i32>,
    /// Tokens of each piece; those of a row sum to `seq_len`.
    pub piece_lengths: Vec<u32>,
    /// Document of each piece.
    pub piece_document: Vec<u32>,
    /// Position of each piece's first token within its document.
    pub piece_offset: Vec<u32>,
}

impl<T> Block<T> {
    fn new(tokens: usize) -> Self {
        Self {
            ids: Vec::with_capacity(tokens),
            row_starts: vec![0],
            piece_lengths: Vec::new(),
            piece_document: Vec::new(),
            piece_offset: Vec::new(),
        }
    }

    /// How many rows are complete.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    fn piece(&mut self, tokens: usize, document: u32, offset: usize) {
        self.piece_lengths.push(tokens as u32);
        self.piece_document.push(document);
        self.piece_offset.push(offset as u32);
    }
}

/// Lays documents end to end into rows and hands out blocks of `block_rows` rows.
pub struct Packer<T> {
    seq_len: usize,
    block_rows: usize,
    vocab_size: u32,
    end_token: u32,
    block: Block<T>,
}

impl<T: TokenId> Packer<T> {
    /// Start with empty rows.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when a size is zero, the vocabulary does not fit `T`, the end token is
    /// not in it, or a block could hold more than `i32::MAX` pieces.
    pub fn new(seq_len: usize, block_rows: usize, vocab_size: u32, end_token: u32) -> Result<Self> {
        let refuse = |name, value: String, allowed| Err(Error::Parameter { name, value, allowed });
        let Some(tokens) = seq_len.checked_mul(block_rows).filter(|&n| n <= i32::MAX as usize)
        else {
            return refuse("seq_len", seq_len.to_string(), "below 2^31 tokens in a block");
        };
        if tokens == 0 {
            return refuse("seq_len", seq_len.to_string(), "rows and blocks of 1 or more");
        }
        if u64::from(vocab_size) > T::IDS {
            return refuse("vocab_size", vocab_size.to_string(), "what the id type holds");
        }
        if end_token >= vocab_size {
            return refuse("end_token", end_token.to_string(), "an id below vocab_size");
        }
        Ok(Self { seq_len, block_rows, vocab_size, end_token, block: Block::new(tokens) })
    }

    /// Append one document and its end token; blocks that become full go to `full`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when an id is not in the vocabulary, the document number is
    /// [`PADDING`], or the document has `u32::MAX` tokens or more. Nothing is appended then.
    pub fn push(&mut self, document: u32, tokens: &[u32], full: &mut Vec<Block<T>>) -> Result<()> {
        self.check(document, tokens)?;
        let total = tokens.len() + 1;
        let mut offset = 0;
        while offset < total {
            let room = self.seq_len - self.block.ids.len() % self.seq_len;
            let end = total.min(offset + room);
            let text = &tokens[offset..end.min(tokens.len())];
            self.block.ids.extend(text.iter().map(|&id| T::store(id)));
            if end == total {
                self.block.ids.push(T::store(self.end_token));
            }
            self.block.piece(end - offset, document, offset);
            offset = end;
            full.extend(self.close_row());
        }
        Ok(())
    }

    /// Pad the last row and hand out what is left, if anything is.
    pub fn finish(mut self) -> Option<Block<T>> {
        let used = self.block.ids.len() % self.seq_len;
        if used > 0 {
            let padding = self.seq_len - used;
            self.block.ids.extend(std::iter::repeat_n(T::store(self.end_token), padding));
            self.block.piece(padding, PADDING, 0);
            if let Some(full) = self.close_row() {
                return Some(full);
            }
        }
        (self.block.rows() > 0).then_some(self.block)
    }

    fn check(&self, document: u32, tokens: &[u32]) -> Result<()> {
        if let Some(&id) = tokens.iter().max().filter(|&&id| id >= self.vocab_size) {
            return Err(Error::Parameter {
                name: "token",
                value: format!("{id} in document {document}"),
                allowed: "ids below vocab_size",
            });
        }
        if document == PADDING || tokens.len() >= u32::MAX as usize {
            return Err(Error::Parameter {
                name: "document",
                value: format!("{document} of {} tokens", tokens.len()),
                allowed: "numbers and token counts below 2^32 - 1",
            });
        }
        Ok(())
    }

    /// End the row when it is full, and the block when that is.
    fn close_row(&mut self) -> Option<Block<T>> {
        if !self.block.ids.len().is_multiple_of(self.seq_len) {
            return None;
        }
        self.block.row_starts.push(self.block.piece_lengths.len() as i32);
        if self.block.rows() < self.block_rows {
            return None;
        }
        let next = Block::new(self.seq_len * self.block_rows);
        Some(std::mem::replace(&mut self.block, next))
    }
}

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
