//! Documents to blocks of rows: in which order, in which split, in which row.

use std::path::PathBuf;

use super::best_fit::Window;
use super::rows::{Block, Rows};
use super::shuffle::{BUDGET, Merge, Shuffle};
use super::{PADDING, TokenId};
use crate::{Error, Result};

/// In which order documents are packed.
#[derive(Clone, Debug)]
pub enum Order {
    /// As they come.
    Corpus,
    /// In a keyed order that spreads neighbors over the rows.
    Shuffled {
        /// Which order.
        key: u64,
        /// Where tokens are spilled, in a file without a name.
        spill: PathBuf,
    },
}

/// Which pieces share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Documents are laid end to end and cut at `seq_len`.
    Concatenate,
    /// Rows are filled from a window so that few documents are cut.
    Best,
}

impl Fit {
    /// The fit of a name: `concatenate` or `best`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when there is no such fit.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "concatenate" => Ok(Self::Concatenate),
            "best" => Ok(Self::Best),
            _ => Err(Error::Parameter {
                name: "fit",
                value: format!("{name:?}"),
                allowed: "concatenate or best",
            }),
        }
    }
}

/// What rows are like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tokens in a row.
    pub seq_len: usize,
    /// Rows in a block.
    pub block_rows: usize,
    /// Ids are below this.
    pub vocab_size: u32,
    /// The id that closes a document, and pads.
    pub end_token: u32,
    /// In which order documents are packed.
    pub order: Order,
    /// Which pieces share a row.
    pub fit: Fit,
}

impl Options {
    fn check<T: TokenId>(&self) -> Result<()> {
        let refuse = |name, value: String, allowed| Err(Error::Parameter { name, value, allowed });
        let tokens = self.seq_len.checked_mul(self.block_rows);
        let Some(tokens) = tokens.filter(|&tokens| tokens <= i32::MAX as usize) else {
            return refuse("seq_len", self.seq_len.to_string(), "below 2^31 tokens in a block");
        };
        if tokens == 0 {
            return refuse("seq_len", self.seq_len.to_string(), "rows and blocks of 1 or more");
        }
        if u64::from(self.vocab_size) > T::IDS {
            return refuse("vocab_size", self.vocab_size.to_string(), "what the id type holds");
        }
        if self.end_token >= self.vocab_size {
            return refuse("end_token", self.end_token.to_string(), "an id below vocab_size");
        }
        Ok(())
    }
}

/// Packs the documents of two splits, train (0) and validation (1), which it numbers together.
pub struct Packer<T> {
    options: Options,
    n_documents: u32,
    shuffle: Option<Shuffle<T>>,
    merge: Option<Merge<T>>,
    splits: [Split<T>; 2],
    tokens: Vec<T>,
}

impl<T: TokenId> Packer<T> {
    /// Start with empty rows.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when a size is zero, the vocabulary does not fit `T`, the end token is
    /// not in it, or a block could hold more than `i32::MAX` pieces.
    pub fn new(options: Options) -> Result<Self> {
        options.check::<T>()?;
        let shuffle = match &options.order {
            Order::Corpus => None,
            Order::Shuffled { key, spill } => Some(Shuffle::new(*key, spill.clone(), BUDGET)),
        };
        let splits = [Split::new(&options), Split::new(&options)];
        Ok(Self { options, n_documents: 0, shuffle, merge: None, splits, tokens: Vec::new() })
    }

    /// Take the next document.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when an id is not in the vocabulary, there are `u32::MAX` documents, or
    /// the document has `u32::MAX` tokens or more; [`Error::Io`] when it cannot be spilled.
    pub fn push(&mut self, ids: &[u32], held_out: bool) -> Result<()> {
        let number = self.n_documents;
        self.check(number, ids)?;
        self.n_documents += 1;
        let tokens = ids.iter().chain([&self.options.end_token]).map(|&id| T::store(id));
        if let Some(shuffle) = &mut self.shuffle {
            return shuffle.push(number, held_out, tokens);
        }
        self.tokens.clear();
        self.tokens.extend(tokens);
        self.splits[usize::from(held_out)].push(number, &self.tokens);
        Ok(())
    }

    /// Say that there are no more documents: the last rows become padded.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when what was spilled cannot be read.
    pub fn end(&mut self) -> Result<()> {
        match self.shuffle.take() {
            Some(shuffle) => self.merge = Some(shuffle.merge()?),
            None => self.splits.iter_mut().for_each(Split::finish),
        }
        Ok(())
    }

    /// The next block that is full and its split; none until there are more documents, or at all
    /// after [`Self::end`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when what was spilled cannot be read.
    pub fn next_block(&mut self) -> Result<Option<(usize, Block<T>)>> {
        loop {
            for (number, split) in self.splits.iter_mut().enumerate() {
                if let Some(block) = split.rows.full.pop_front() {
                    return Ok(Some((number, block)));
                }
            }
            let Some(merge) = &mut self.merge else { return Ok(None) };
            if let Some(document) = merge.next()? {
                self.splits[usize::from(document.held_out)].push(document.number, document.tokens);
            } else {
                self.merge = None;
                self.splits.iter_mut().for_each(Split::finish);
            }
        }
    }

    fn check(&self, document: u32, ids: &[u32]) -> Result<()> {
        if let Some(&id) = ids.iter().max().filter(|&&id| id >= self.options.vocab_size) {
            return Err(Error::Parameter {
                name: "token",
                value: format!("{id} in document {document}"),
                allowed: "ids below vocab_size",
            });
        }
        if document == PADDING || ids.len() >= u32::MAX as usize {
            return Err(Error::Parameter {
                name: "document",
                value: format!("{document} of {} tokens", ids.len()),
                allowed: "numbers and token counts below 2^32 - 1",
            });
        }
        Ok(())
    }
}

struct Split<T> {
    rows: Rows<T>,
    window: Option<Window<T>>,
}

impl<T: TokenId> Split<T> {
    fn new(options: &Options) -> Self {
        let end_token = T::store(options.end_token);
        Self {
            rows: Rows::new(options.seq_len, options.block_rows, end_token),
            window: (options.fit == Fit::Best).then(|| Window::new(options.seq_len)),
        }
    }

    /// Pack a document, its end token included.
    fn push(&mut self, document: u32, tokens: &[T]) {
        match &mut self.window {
            Some(window) => window.push(document, tokens, &mut self.rows),
            None => self.rows.lay(document, 0, tokens),
        }
    }

    fn finish(&mut self) {
        if let Some(window) = &mut self.window {
            window.finish(&mut self.rows);
        }
        self.rows.finish();
    }
}
