//! Bytes that are read in small parts: of a file, or in memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// An array of bytes, too large to hold.
pub trait Store {
    /// How many bytes there are.
    fn n_bytes(&self) -> usize;

    /// Fill `buffer` with the bytes from `at` on, and return how many there were.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses to read.
    fn read_at(&self, at: usize, buffer: &mut [u8]) -> Result<usize>;
}

impl Store for Vec<u8> {
    fn n_bytes(&self) -> usize {
        self.len()
    }

    fn read_at(&self, at: usize, buffer: &mut [u8]) -> Result<usize> {
        let rest = self.get(at..).unwrap_or_default();
        let n_read = rest.len().min(buffer.len());
        buffer[..n_read].copy_from_slice(&rest[..n_read]);
        Ok(n_read)
    }
}

/// A file that is read and not mapped: a call that is answered from the system's cache costs as much
/// as the fault that maps a page, and leaves no page behind in this process. (With maps a thousand
/// traces made 1.6 GB resident.)
#[derive(Debug)]
pub struct Stored {
    file: File,
    path: PathBuf,
    n_bytes: usize,
}

impl Stored {
    /// Open a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let refused = |source| Error::Io { path: path.display().to_string(), source };
        let file = File::open(path).map_err(refused)?;
        let n_bytes = file.metadata().map_err(refused)?.len() as usize;
        Ok(Self { file, path: path.into(), n_bytes })
    }
}

impl Store for Stored {
    fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    fn read_at(&self, at: usize, buffer: &mut [u8]) -> Result<usize> {
        use std::os::unix::fs::FileExt;

        let mut n_read = 0;
        while n_read < buffer.len() {
            match self.file.read_at(&mut buffer[n_read..], (at + n_read) as u64) {
                Ok(0) => break,
                Ok(more) => n_read += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Io { path: self.path.display().to_string(), source });
                }
            }
        }
        Ok(n_read)
    }
}
