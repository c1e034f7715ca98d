//! Work over chunks of texts: any number of threads, results in the order of the texts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{mem, thread};

use crate::{Error, Result};

/// About how much text is in a chunk.
pub const CHUNK_BYTES: usize = 256 << 10;

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

/// Call `produce(i, out)` for `i` in `0..n_tasks` on `threads` threads, and `consume(i, out)` in
/// order; `out` comes back to be used again. One thread at a time consumes all that is ready, and no
/// other waits for it.
///
/// # Errors
///
/// [`Error::Parameter`] for zero threads, and the first error that `produce` or `consume` returns.
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
    let line = Line { queue: Mutex::new(Queue::default()), consume: Mutex::new(consume) };
    let work = |out: &mut T| -> Result<()> {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n_tasks {
                return Ok(());
            }
            if let Err(error) = produce(i, out).and_then(|()| line.put(i, out)) {
                next.store(n_tasks, Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    let mut outs: Vec<T> = Vec::new();
    outs.resize_with(threads.min(n_tasks), T::default);
    on_threads(&mut outs, n_tasks, work).into_iter().collect()
}

/// What was produced waits in a queue for whoever consumes.
struct Line<T, F> {
    queue: Mutex<Queue<T>>,
    consume: Mutex<F>,
}

#[derive(Default)]
struct Queue<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
    free: Vec<T>,
    is_consumed: bool,
}

impl<T: Default, F: FnMut(usize, &T) -> Result<()>> Line<T, F> {
    /// Queue `out`, which becomes an empty one, and consume what is ready unless another does.
    fn put(&self, i: usize, out: &mut T) -> Result<()> {
        let mut queue = lock(&self.queue);
        let empty = queue.free.pop().unwrap_or_default();
        queue.waiting.insert(i, mem::replace(out, empty));
        if queue.is_consumed {
            return Ok(());
        }
        queue.is_consumed = true;
        while let Some((number, out)) = queue.ready() {
            drop(queue);
            lock(&self.consume)(number, &out)?;
            queue = lock(&self.queue);
            queue.free.push(out);
        }
        queue.is_consumed = false;
        Ok(())
    }
}

impl<T> Queue<T> {
    fn ready(&mut self) -> Option<(usize, T)> {
        let number = self.next;
        let out = self.waiting.remove(&number)?;
        self.next += 1;
        Some((number, out))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
