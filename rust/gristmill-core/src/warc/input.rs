//! A window on a file's bytes that slides forward, and a little back.

use std::io::{ErrorKind, Read};

const CHUNK_BYTES: usize = 1 << 20;

/// The bytes of a file that are in memory.
pub(super) struct Input<R> {
    file: R,
    bytes: Vec<u8>,
    at: usize,
    start: u64,
    ended: bool,
    /// Bytes already consumed that stay, so that [`Input::back_to`] can return to them.
    pub(super) history: usize,
}

impl<R: Read> Input<R> {
    /// A window on a file that stands at `offset`.
    pub(super) fn new(file: R, offset: u64) -> Self {
        Self { file, bytes: Vec::new(), at: 0, start: offset, ended: false, history: 0 }
    }

    /// Where in the file [`Input::rest`] begins.
    pub(super) fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    /// What was read and is not consumed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Whether nothing comes after [`Input::rest`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Go on by up to `n` bytes of what is in memory.
    pub(super) fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.bytes.len());
    }

    /// Go back to a place in the file, or as near to it as is in memory.
    pub(super) fn back_to(&mut self, position: u64) {
        let back = position.saturating_sub(self.start);
        self.at = self.at.min(usize::try_from(back).unwrap_or(usize::MAX));
    }

    /// Read on; false at the end.
    pub(super) fn more(&mut self) -> std::io::Result<bool> {
        let gone = self.at.saturating_sub(self.history);
        self.bytes.drain(..gone);
        self.at -= gone;
        self.start += gone as u64;
        let held = self.bytes.len();
        self.bytes.resize(held + CHUNK_BYTES, 0);
        let read = read_some(&mut self.file, &mut self.bytes[held..]);
        self.bytes.truncate(held + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(!self.ended)
    }
}

fn read_some(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
