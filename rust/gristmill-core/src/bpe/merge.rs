//! Merges the bytes of one word by rank: the lowest rank first, the leftmost of equals first.
//!
//! A short word is searched anew after each merge, which costs least while all its ranks lie in a
//! cache line or two. A long one goes through a heap and costs n log n, however hostile it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocab::{NONE, Vocabulary};

/// Words of up to this many bytes are merged by search; measured best between 32 and 128.
const SHORT: usize = 64;

/// Append the ids of `word`, which has less than 4 GiB, to `ids`.
#[inline]
pub fn merge_word(vocab: &Vocabulary, word: &[u8], ids: &mut Vec<u32>) {
    if word.len() <= SHORT {
        merge_short(vocab, word, ids);
    } else {
        merge_long(vocab, word, ids);
    }
}

fn merge_short(vocab: &Vocabulary, word: &[u8], ids: &mut Vec<u32>) {
    let mut parts = [(0, NONE, 0); SHORT]; // id; rank and result of the merge with the next part
    let mut n = word.len();
    for (part, &byte) in parts.iter_mut().zip(word) {
        part.0 = vocab.byte_id(byte);
    }
    for i in 1..n {
        (parts[i - 1].1, parts[i - 1].2) = vocab.merge(parts[i - 1].0, parts[i].0);
    }
    while n > 1 {
        let (mut best, mut best_rank) = (0, NONE);
        for (i, part) in parts[..n - 1].iter().enumerate() {
            if part.1 < best_rank {
                (best, best_rank) = (i, part.1);
            }
        }
        if best_rank == NONE {
            break;
        }
        parts[best].0 = parts[best].2;
        parts.copy_within(best + 2..n, best + 1);
        n -= 1;
        parts[best].1 = NONE;
        if best + 1 < n {
            (parts[best].1, parts[best].2) = vocab.merge(parts[best].0, parts[best + 1].0);
        }
        if best > 0 {
            (parts[best - 1].1, parts[best - 1].2) = vocab.merge(parts[best - 1].0, parts[best].0);
        }
    }
    ids.extend(parts[..n].iter().map(|part| part.0));
}

/// The parts of a long word as a doubly linked list over the positions of its bytes.
struct Chain {
    id: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
}

/// The id of a part that was merged into the one on its left.
const GONE: u32 = NONE;

fn merge_long(vocab: &Vocabulary, word: &[u8], ids: &mut Vec<u32>) {
    let n = word.len() as u32;
    let mut chain = Chain {
        id: word.iter().map(|&byte| vocab.byte_id(byte)).collect(),
        next: (1..=n).collect(),
        previous: (0..n).map(|i| i.wrapping_sub(1)).collect(),
    };
    let candidates: Vec<_> =
        (0..n).filter_map(|at| chain.candidate(vocab, at)).map(Reverse).collect();
    let mut heap = BinaryHeap::from(candidates);
    while let Some(Reverse((rank, at))) = heap.pop() {
        let Some(result) = chain.still(vocab, rank, at) else { continue };
        chain.join(at, result);
        heap.extend(chain.candidate(vocab, at).map(Reverse));
        let previous = chain.previous[at as usize];
        if previous != NONE {
            heap.extend(chain.candidate(vocab, previous).map(Reverse));
        }
    }
    ids.extend(chain.id.iter().filter(|&&id| id != GONE));
}

impl Chain {
    /// The rank and place of the merge of the part at `at` with the next one.
    fn candidate(&self, vocab: &Vocabulary, at: u32) -> Option<(u32, u32)> {
        let right = *self.id.get(self.next[at as usize] as usize)?;
        let (rank, _) = vocab.merge(self.id[at as usize], right);
        (rank != NONE).then_some((rank, at))
    }

    /// The result of a merge found earlier, unless one of its parts has changed since.
    fn still(&self, vocab: &Vocabulary, rank: u32, at: u32) -> Option<u32> {
        let left = self.id[at as usize];
        let right = *self.id.get(self.next[at as usize] as usize)?;
        let (now, result) = vocab.merge(left, right);
        (left != GONE && now == rank).then_some(result)
    }

    fn join(&mut self, at: u32, result: u32) {
        let right = self.next[at as usize] as usize;
        self.id[at as usize] = result;
        self.id[right] = GONE;
        let after = self.next[right];
        self.next[at as usize] = after;
        if let Some(previous) = self.previous.get_mut(after as usize) {
            *previous = at;
        }
    }
}
