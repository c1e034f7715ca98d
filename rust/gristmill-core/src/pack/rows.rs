//! Rows of pieces, and the blocks that they make.

use std::collections::VecDeque;

use super::{PADDING, TokenId};

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
}

/// The rows of one split, as they are filled.
pub(super) struct Rows<T> {
    pub(super) seq_len: usize,
    block_rows: usize,
    end_token: T,
    block: Block<T>,
    /// The blocks that are full, in order.
    pub(super) full: VecDeque<Block<T>>,
}

impl<T: TokenId> Rows<T> {
    pub(super) fn new(seq_len: usize, block_rows: usize, end_token: T) -> Self {
        let block = Block::new(0);
        Self { seq_len, block_rows, end_token, block, full: VecDeque::new() }
    }

    /// Tokens that the row under way lacks; `seq_len` before the first.
    pub(super) fn room(&self) -> usize {
        self.seq_len - self.block.ids.len() % self.seq_len
    }

    /// Add a piece of at most [`Self::room`] tokens.
    pub(super) fn add(&mut self, document: u32, offset: usize, tokens: &[T]) {
        if self.block.ids.is_empty() {
            self.block.ids.reserve_exact(self.seq_len * self.block_rows);
        }
        self.block.ids.extend_from_slice(tokens);
        self.block.piece_lengths.push(tokens.len() as u32);
        self.block.piece_document.push(document);
        self.block.piece_offset.push(offset as u32);
        if self.block.ids.len().is_multiple_of(self.seq_len) {
            self.block.row_starts.push(self.block.piece_lengths.len() as i32);
            if self.block.rows() == self.block_rows {
                self.close_block();
            }
        }
    }

    /// Lay tokens behind what is there, cut wherever a row ends.
    pub(super) fn lay(&mut self, document: u32, mut offset: usize, mut tokens: &[T]) {
        while !tokens.is_empty() {
            let (piece, rest) = tokens.split_at(tokens.len().min(self.room()));
            self.add(document, offset, piece);
            offset += piece.len();
            tokens = rest;
        }
    }

    /// Pad the row under way, and let the last block be full.
    pub(super) fn finish(&mut self) {
        let padding = self.room();
        if padding < self.seq_len {
            self.add(PADDING, 0, &vec![self.end_token; padding]);
        }
        if self.block.rows() > 0 {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        self.full.push_back(std::mem::replace(&mut self.block, Block::new(0)));
    }
}
