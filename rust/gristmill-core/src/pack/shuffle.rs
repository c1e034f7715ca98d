//! Documents in a keyed order, in memory that the corpus does not bound: an external merge sort.
//!
//! The order is that of [`Permutation`] over all 32-bit numbers: the document whose number maps to
//! the smallest comes first. It needs no count of the documents in advance, and a document that is
//! added at the end does not move the others. Documents gather in a *stretch*; a full one is sorted
//! and written as a *run* to a file without a name, and the runs are merged, each read through a
//! buffer of its own. So the disk reads and writes in long strides, wherever a document stood.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::TokenId;
use crate::permute::Permutation;
use crate::runs::nameless;
use crate::{Error, Result};

/// How much memory the sort takes.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    /// Bytes of a stretch, and of the buffers of all runs together.
    pub(super) bytes: usize,
    /// Bytes of a run's buffer, however many there are.
    pub(super) least_buffer: usize,
}

pub(super) const BUDGET: Budget = Budget { bytes: 64 << 20, least_buffer: 4 << 10 };

const MOST_BUFFER: usize = 1 << 20;
/// Number, split and count of tokens stand before a document in a run, 4 bytes each.
const HEAD: usize = 12;

/// A document in memory.
struct Place {
    key: u32,
    number: u32,
    held_out: bool,
    tokens: Range<usize>,
}

/// A document on its way out.
pub(super) struct Document<'a, T> {
    pub(super) number: u32,
    pub(super) held_out: bool,
    pub(super) tokens: &'a [T],
}

/// Takes documents in any order.
pub(super) struct Shuffle<T> {
    order: Permutation,
    budget: Budget,
    tokens: Vec<T>,
    places: Vec<Place>,
    spill: Spill,
    runs: Vec<Range<u64>>,
}

impl<T: TokenId> Shuffle<T> {
    pub(super) fn new(key: u64, folder: PathBuf, budget: Budget) -> Self {
        Self {
            order: Permutation::new(1 << u32::BITS, key),
            budget,
            tokens: Vec::new(),
            places: Vec::new(),
            spill: Spill { folder, file: None },
            runs: Vec::new(),
        }
    }

    /// Take a document: its ids and the end token.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be spilled.
    pub(super) fn push(
        &mut self,
        number: u32,
        held_out: bool,
        ids: impl Iterator<Item = T>,
    ) -> Result<()> {
        let start = self.tokens.len();
        self.tokens.extend(ids);
        let key = key_of(&self.order, number);
        self.places.push(Place { key, number, held_out, tokens: start..self.tokens.len() });
        let bytes = size_of_val(&self.tokens[..]) + size_of_val(&self.places[..]);
        if bytes >= self.budget.bytes { self.write_run() } else { Ok(()) }
    }

    fn write_run(&mut self) -> Result<()> {
        self.places.sort_unstable_by_key(|place| place.key);
        let start = self.runs.last().map_or(0, |run| run.end);
        let (mut at, mut bytes) = (start, Vec::with_capacity(MOST_BUFFER));
        for place in &self.places {
            let tokens = &self.tokens[place.tokens.clone()];
            for word in [place.number, place.held_out.into(), tokens.len() as u32] {
                bytes.extend(word.to_le_bytes());
            }
            T::write(tokens, &mut bytes);
            if bytes.len() >= MOST_BUFFER {
                at = self.spill.write(&mut bytes, at)?;
            }
        }
        self.runs.push(start..self.spill.write(&mut bytes, at)?);
        self.places.clear();
        self.tokens.clear();
        Ok(())
    }

    /// Give the documents back in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when what was spilled cannot be read.
    pub(super) fn merge(mut self) -> Result<Merge<T>> {
        self.places.sort_unstable_by_key(|place| Reverse(place.key));
        let share = self.budget.bytes / self.runs.len().max(1);
        let size = share.clamp(self.budget.least_buffer, MOST_BUFFER.max(self.budget.least_buffer));
        let runs =
            self.runs.into_iter().map(|left| Run { left, buffer: Vec::new(), used: 0, size });
        let mut merge = Merge {
            order: self.order,
            spill: self.spill,
            runs: runs.collect(),
            heads: BinaryHeap::new(),
            kept: self.tokens,
            places: self.places,
            tokens: Vec::new(),
        };
        for run in 0..=merge.runs.len() {
            if let Some(key) = merge.head(run)? {
                merge.heads.push(Reverse((key, run)));
            }
        }
        Ok(merge)
    }
}

fn key_of(order: &Permutation, number: u32) -> u32 {
    // a permutation of the 32-bit numbers has a 32-bit number for each
    order.get(number.into()).map_or(u32::MAX, |key| key as u32)
}

/// The documents in their order.
pub(super) struct Merge<T> {
    order: Permutation,
    spill: Spill,
    runs: Vec<Run>,
    /// The first key of each run; the last stretch, which is still in memory, counts as one more.
    heads: BinaryHeap<Reverse<(u32, usize)>>,
    kept: Vec<T>,
    /// The documents of the last stretch that are left, the next at the end.
    places: Vec<Place>,
    tokens: Vec<T>,
}

impl<T: TokenId> Merge<T> {
    /// The next document.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Document<'_, T>>> {
        let Some(&Reverse((_, run))) = self.heads.peek() else { return Ok(None) };
        self.tokens.clear();
        let (number, held_out) = match self.runs.get_mut(run) {
            Some(run) => run.read(&self.spill, &mut self.tokens)?,
            None => {
                let Some(place) = self.places.pop() else { return Ok(None) };
                self.tokens.extend_from_slice(&self.kept[place.tokens]);
                (place.number, place.held_out)
            }
        };
        let next = self.head(run)?;
        if let Some(mut head) = self.heads.peek_mut() {
            match next {
                Some(key) => head.0.0 = key,
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(Some(Document { number, held_out, tokens: &self.tokens }))
    }

    /// The key of the next document of a run, if it has one.
    fn head(&mut self, run: usize) -> Result<Option<u32>> {
        match self.runs.get_mut(run) {
            Some(run) if run.is_done() => Ok(None),
            Some(run) => {
                let [number, ..] = run.peek(&self.spill)?;
                Ok(Some(key_of(&self.order, number)))
            }
            None => Ok(self.places.last().map(|place| place.key)),
        }
    }
}

/// A sorted stretch in the file.
struct Run {
    /// What was not read yet.
    left: Range<u64>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were given out.
    used: usize,
    /// Bytes to read at a time.
    size: usize,
}

impl Run {
    fn is_done(&self) -> bool {
        self.left.is_empty() && self.used == self.buffer.len()
    }

    /// The next document's number, split and count of tokens.
    fn peek(&mut self, spill: &Spill) -> Result<[u32; 3]> {
        let head = self.next_bytes(HEAD, spill)?.as_chunks::<4>().0;
        Ok(std::array::from_fn(|k| u32::from_le_bytes(head[k])))
    }

    fn read<T: TokenId>(&mut self, spill: &Spill, tokens: &mut Vec<T>) -> Result<(u32, bool)> {
        let [number, held_out, n_tokens] = self.peek(spill)?;
        let length = HEAD + n_tokens as usize * size_of::<T>();
        T::read(&self.next_bytes(length, spill)?[HEAD..], tokens);
        self.used += length;
        Ok((number, held_out != 0))
    }

    /// The next so many bytes, which are not used up by this.
    fn next_bytes(&mut self, length: usize, spill: &Spill) -> Result<&[u8]> {
        let ready = self.buffer.len() - self.used;
        if ready < length {
            self.buffer.drain(..self.used);
            self.used = 0;
            self.buffer.shrink_to(self.size); // a document may have been larger
            let wanted = (length.max(self.size) - ready) as u64;
            let until = self.left.end.min(self.left.start + wanted);
            self.buffer.resize(ready + (until - self.left.start) as usize, 0);
            spill.read(&mut self.buffer[ready..], self.left.start)?;
            self.left.start = until;
        }
        self.buffer.get(self.used..self.used + length).ok_or_else(|| spill.cut_short())
    }
}

/// A file that no name leads to.
struct Spill {
    folder: PathBuf,
    file: Option<File>,
}

impl Spill {
    /// Append the bytes and clear them; where the next go.
    fn write(&mut self, bytes: &mut Vec<u8>, at: u64) -> Result<u64> {
        if self.file.is_none() {
            self.file = Some(nameless(&self.folder).map_err(|error| self.refused(error))?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes)
                .map_err(|source| Error::Io { path: self.folder.display().to_string(), source })?;
        }
        let end = at + bytes.len() as u64;
        bytes.clear();
        Ok(end)
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<()> {
        let file = self.file.as_ref().ok_or_else(|| self.cut_short())?;
        file.read_exact_at(bytes, at).map_err(|error| self.refused(error))
    }

    fn refused(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.folder.display().to_string(), source }
    }

    fn cut_short(&self) -> Error {
        self.refused(std::io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    const KEY: u64 = 5;

    fn shuffled(lengths: &[usize], budget: Budget) -> Vec<(u32, bool, Vec<u16>)> {
        let mut shuffle = Shuffle::new(KEY, std::env::temp_dir(), budget);
        for (number, &length) in (0..).zip(lengths) {
            let ids = (0..length).map(|k| (number as usize * 7 + k) as u16);
            shuffle.push(number, number % 3 == 0, ids).unwrap();
        }
        let (mut merge, mut found) = (shuffle.merge().unwrap(), Vec::new());
        while let Some(document) = merge.next().unwrap() {
            found.push((document.number, document.held_out, document.tokens.to_vec()));
        }
        found
    }

    proptest! {
        #[test]
        fn whatever_was_spilled_the_order_is_that_of_the_keys(
            lengths in prop::collection::vec(0_usize..50, 0..80),
            bytes in 1_usize..3_000,
            least_buffer in 1_usize..100,
        ) {
            let order = Permutation::new(1 << 32, KEY);
            let mut numbers: Vec<u32> = (0..lengths.len() as u32).collect();
            numbers.sort_by_key(|&number| order.get(number.into()));
            let expected: Vec<_> = numbers
                .into_iter()
                .map(|number| {
                    let ids = (0..lengths[number as usize]).map(|k| (number as usize * 7 + k) as u16);
                    (number, number % 3 == 0, ids.collect::<Vec<u16>>())
                })
                .collect();
            prop_assert_eq!(shuffled(&lengths, Budget { bytes, least_buffer }), expected);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let budget = Budget { bytes: 1, least_buffer: 1 };
        let mut shuffle = Shuffle::new(KEY, Path::new("/dev/null/spill").into(), budget);
        let refused = shuffle.push(0, false, [1_u16, 2].into_iter());
        assert!(matches!(refused, Err(Error::Io { path, .. }) if path == "/dev/null/spill"));
    }
}
