//! Work over chunks of texts: any number of threads, results in the order of the texts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{mem, thread};

use crate::{Error, Result};

const CHUNK_BYTES: usize = 256 << 10;

/// Cut `texts` into runs of about [`CHUNK_BYTES`], the unit that threads take.
pub fn chunks(texts: &[&str]) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (i, text) in texts.iter().enumerate() {
        bytes += text.len() + 16; // so that empty texts fill a chunk too
        if bytes >= CHUNK_BYTES {
            chunks.push(start..i + 1);
            (start, bytes) = (i + 1, 0);
        }
    }
    if start < texts.len() {
        chunks.push(start..texts.len());
    }
    chunks
}

/// Call `work(state, i)` for `i` in `0..n_tasks`; each thread has one of the `states`.
///
/// The calling thread is one of them, so a single state costs no thread.
pub fn map<S: Send, T: Send>(
    n_tasks: usize,
    states: &mut [S],
    work: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = |state: &mut S| {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n_tasks {
                return done;
            }
            done.push((i, work(state, i)));
        }
    };
    let mut done: Vec<_> = on_threads(states, n_tasks, take).into_iter().flatten().collect();
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Call `produce(state, i, out)` for `i` in `0..n_tasks` on `threads` threads, and `consume(i, out)`
/// in order, each as soon as it can be; `out` comes back to be used again.
///
/// # Errors
///
/// [`Error::Parameter`] for zero threads; what `consume` returns; of what `produce` returns that of
/// the first task, after all tasks before it were consumed.
pub fn in_order<T: Default + Send>(
    n_tasks: usize,
    threads: usize,
    produce: impl Fn(usize, &mut T) -> Result<()> + Sync,
    consume: impl FnMut(usize, &T) -> Result<()> + Send,
) -> Result<()> {
    if threads == 0 {
        return Err(Error::Parameter {
            name: "threads",
            value: threads.to_string(),
            allowed: "at least 1",
        });
    }
    let next = AtomicUsize::new(0);
    let queue = Mutex::new(Queue { next: 0, waiting: BTreeMap::new(), free: Vec::new(), consume });
    let work = |out: &mut T| -> Result<()> {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n_tasks {
                return Ok(());
            }
            let done = produce(i, out);
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = done.and_then(|()| queue.put(i, out)) {
                next.store(n_tasks, Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    let mut outs: Vec<T> = Vec::new();
    outs.resize_with(threads.min(n_tasks), T::default);
    on_threads(&mut outs, n_tasks, work).into_iter().collect()
}

/// What was produced and waits for its turn.
struct Queue<T, F> {
    next: usize,
    waiting: BTreeMap<usize, T>,
    free: Vec<T>,
    consume: F,
}

impl<T: Default, F: FnMut(usize, &T) -> Result<()>> Queue<T, F> {
    fn put(&mut self, i: usize, out: &mut T) -> Result<()> {
        if i != self.next {
            let empty = self.free.pop().unwrap_or_default();
            self.waiting.insert(i, mem::replace(out, empty));
            return Ok(());
        }
        (self.consume)(i, out)?;
        self.next += 1;
        while let Some(out) = self.waiting.remove(&self.next) {
            (self.consume)(self.next, &out)?;
            self.next += 1;
            self.free.push(out);
        }
        Ok(())
    }
}

/// Run `work` on each of the states, the first on the calling thread.
fn on_threads<S: Send, T: Send>(
    states: &mut [S],
    n_tasks: usize,
    work: impl Fn(&mut S) -> T + Sync,
) -> Vec<T> {
    let n_threads = states.len().min(n_tasks);
    thread::scope(|scope| {
        let work = &work;
        let mut states = states[..n_threads].iter_mut();
        let Some(mine) = states.next() else { return Vec::new() };
        let others: Vec<_> = states.map(|state| scope.spawn(move || work(state))).collect();
        let mut done = vec![work(mine)];
        for other in others {
            done.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}
