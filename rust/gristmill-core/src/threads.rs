//! Runs a kernel on as many threads as the caller allows.

use crate::{Error, Result};

/// Run `kernel` inside a pool of exactly `threads` threads, which rayon's iterators then use.
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero, [`Error::Io`] when the system refuses a thread.
pub fn with_threads<T: Send>(
    threads: usize,
    kernel: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    if threads == 0 {
        return Err(Error::Parameter {
            name: "threads",
            value: threads.to_string(),
            allowed: "at least 1",
        });
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
        Error::Io { path: format!("{threads} threads"), source: std::io::Error::other(error) }
    })?;
    pool.install(kernel)
}
