//! Work over chunks of texts: any number of threads, results in the order of the texts.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
    let n_threads = states.len().min(n_tasks);
    let mut done = thread::scope(|scope| {
        let mut states = states[..n_threads].iter_mut();
        let Some(mine) = states.next() else { return Vec::new() };
        let others: Vec<_> = states.map(|state| scope.spawn(|| take(state))).collect();
        let mut done = take(mine);
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}
