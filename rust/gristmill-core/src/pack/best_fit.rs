//! Best-fit packing: full rows in which as few documents as possible are cut.
//!
//! A document longer than a row gives whole rows at once, and a *rest*. Rests and shorter documents
//! wait in a window; when it is full, a row is filled from it: first the longest, then, as long as
//! there is a gap, the one that fills it; or else the two that do, as alike in length as possible, so
//! that the few short ones are left for small gaps; or else the longest that fits. When none fits,
//! the longest rest is cut, whose document is cut already, and only without a rest the longest
//! document; its head fills the row, its tail waits on as a rest. Of equals a rest goes first, then
//! what came first.
//!
//! Source: our own; best-fit decreasing as in Ding et al. 2024, "Fewer Truncations Improve Language
//! Modeling", section 3, who pad where we cut, and so need not look for exact sums.

use std::collections::{BTreeMap, VecDeque};

use super::TokenId;
use super::rows::Rows;

/// Tokens that wait, when that is [`LEAST_ROWS`] or more: at 1,024 rows of 2,048 hardly a document is
/// cut, and the window takes 4 to 8 MiB.
const WINDOW_TOKENS: usize = 1 << 21;
/// Rows that the window is worth, however long they are; more than [`ITEM_TOKENS`], so that a full
/// window always holds a row.
const LEAST_ROWS: usize = 64;
/// What a waiting document counts besides its tokens, so that tiny ones are bounded too.
const ITEM_TOKENS: usize = 16;

/// A whole document of at most a row, or the rest of one.
struct Item<T> {
    document: u32,
    offset: usize,
    tokens: Box<[T]>,
}

/// The waiting ones of one length, in the order in which they came.
struct Shelf<T> {
    rests: VecDeque<Item<T>>,
    whole: VecDeque<Item<T>>,
}

impl<T> Shelf<T> {
    fn len(&self) -> usize {
        self.rests.len() + self.whole.len()
    }
}

/// The documents that wait for a row.
pub(super) struct Window<T> {
    shelves: BTreeMap<usize, Shelf<T>>,
    held: usize,
    limit: usize,
}

impl<T: TokenId> Window<T> {
    pub(super) fn new(seq_len: usize) -> Self {
        let limit = WINDOW_TOKENS.max(seq_len.saturating_mul(LEAST_ROWS));
        Self { shelves: BTreeMap::new(), held: 0, limit }
    }

    /// Take in a document, and fill rows while the window is full.
    pub(super) fn push(&mut self, document: u32, tokens: &[T], rows: &mut Rows<T>) {
        let (full, rest) = tokens.split_at((tokens.len() - 1) / rows.seq_len * rows.seq_len);
        rows.lay(document, 0, full);
        self.put(Item { document, offset: full.len(), tokens: rest.into() });
        while self.held >= self.limit {
            self.fill_row(rows);
        }
    }

    /// Fill rows until nothing waits.
    pub(super) fn finish(&mut self, rows: &mut Rows<T>) {
        while !self.shelves.is_empty() {
            self.fill_row(rows);
        }
    }

    fn fill_row(&mut self, rows: &mut Rows<T>) {
        let mut gap = rows.seq_len;
        while gap > 0 && !self.shelves.is_empty() {
            for (length, at_most) in self.choose(gap, rows.seq_len).into_iter().flatten() {
                gap -= self.move_to(rows, length, at_most);
            }
        }
    }

    /// The lengths of the next one or two, and how many of their tokens to take.
    fn choose(&self, gap: usize, seq_len: usize) -> [Option<(usize, usize)>; 2] {
        let whole = |length| Some((length, length));
        if self.shelves.contains_key(&gap) {
            return [whole(gap), None];
        }
        if gap < seq_len
            && let Some(longer) = self.longer_of_two(gap)
        {
            return [whole(longer), whole(gap - longer)];
        }
        match self.shelves.range(..gap).next_back() {
            Some((&length, _)) => [whole(length), None],
            None => [self.least_loss().map(|length| (length, gap)), None],
        }
    }

    /// The length of the longer of two that fill the gap together.
    fn longer_of_two(&self, gap: usize) -> Option<usize> {
        let longer = self.shelves.range(gap.div_ceil(2)..gap).find(|&(&length, shelf)| {
            if length * 2 == gap {
                shelf.len() > 1
            } else {
                self.shelves.contains_key(&(gap - length))
            }
        });
        longer.map(|(&length, _)| length)
    }

    /// The length of the one to cut.
    fn least_loss(&self) -> Option<usize> {
        let rest = self.shelves.iter().rev().find(|(_, shelf)| !shelf.rests.is_empty());
        rest.or_else(|| self.shelves.iter().next_back()).map(|(&length, _)| length)
    }

    /// Move at most so many tokens of the first of a length to the row; how many they are.
    fn move_to(&mut self, rows: &mut Rows<T>, length: usize, at_most: usize) -> usize {
        let Some(item) = self.take(length) else { return 0 };
        let (head, tail) = item.tokens.split_at(at_most.min(length));
        rows.add(item.document, item.offset, head);
        if !tail.is_empty() {
            let offset = item.offset + head.len();
            self.put(Item { document: item.document, offset, tokens: tail.into() });
        }
        head.len()
    }

    fn put(&mut self, item: Item<T>) {
        let empty = || Shelf { rests: VecDeque::new(), whole: VecDeque::new() };
        let shelf = self.shelves.entry(item.tokens.len()).or_insert_with(empty);
        self.held += item.tokens.len() + ITEM_TOKENS;
        if item.offset > 0 {
            shelf.rests.push_back(item);
        } else {
            shelf.whole.push_back(item);
        }
    }

    fn take(&mut self, length: usize) -> Option<Item<T>> {
        let shelf = self.shelves.get_mut(&length)?;
        let item = shelf.rests.pop_front().or_else(|| shelf.whole.pop_front());
        if shelf.len() == 0 {
            self.shelves.remove(&length);
        }
        self.held -= length + ITEM_TOKENS;
        item
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEQ_LEN: usize = 12;

    /// A window of this size holds a row, whatever waits.
    const LEAST: usize = SEQ_LEN * (1 + ITEM_TOKENS);

    /// A waiting piece of the twin: document, offset, tokens.
    type Piece = (u32, usize, usize);

    /// The pieces in the order of the rows, from a plain list searched anew for every one.
    fn naive(lengths: &[usize], limit: usize) -> Vec<Piece> {
        let (mut waiting, mut placed) = (Vec::new(), Vec::new());
        for (document, &length) in (0..).zip(lengths) {
            let full = (length - 1) / SEQ_LEN * SEQ_LEN;
            placed.extend((0..full).step_by(SEQ_LEN).map(|offset| (document, offset, SEQ_LEN)));
            waiting.push((document, full, length - full));
            while waiting.iter().map(|piece| piece.2 + ITEM_TOKENS).sum::<usize>() >= limit {
                naive_row(&mut waiting, &mut placed);
            }
        }
        while !waiting.is_empty() {
            naive_row(&mut waiting, &mut placed);
        }
        placed
    }

    fn naive_row(waiting: &mut Vec<Piece>, placed: &mut Vec<Piece>) {
        let mut gap = SEQ_LEN;
        while gap > 0 && !waiting.is_empty() {
            let lengths: Vec<usize> = waiting.iter().map(|piece| piece.2).collect();
            let pairs = (0..lengths.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
            let sums = pairs.filter(|&(i, j)| lengths[i] + lengths[j] == gap && gap < SEQ_LEN);
            let longer = sums.map(|(i, j)| lengths[i].max(lengths[j])).min();
            let longest_rest =
                waiting.iter().filter(|piece| piece.1 > 0).map(|piece| piece.2).max();
            let chosen = if lengths.contains(&gap) {
                vec![gap]
            } else if let Some(longer) = longer {
                vec![longer, gap - longer]
            } else if let Some(&fits) = lengths.iter().filter(|&&length| length < gap).max() {
                vec![fits]
            } else {
                vec![longest_rest.or(lengths.into_iter().max()).unwrap()]
            };
            for length in chosen {
                let of_length = |rest: bool| {
                    waiting.iter().position(|piece| piece.2 == length && (piece.1 > 0) == rest)
                };
                let (document, offset, _) =
                    waiting.remove(of_length(true).or_else(|| of_length(false)).unwrap());
                let taken = length.min(gap);
                placed.push((document, offset, taken));
                if taken < length {
                    waiting.push((document, offset + taken, length - taken));
                }
                gap -= taken;
            }
        }
    }

    fn packed(lengths: &[usize], limit: usize) -> Vec<Piece> {
        let mut rows = Rows::new(SEQ_LEN, 1, 0_u16);
        let mut window = Window { limit, ..Window::new(SEQ_LEN) };
        for (document, &length) in (0..).zip(lengths) {
            window.push(document, &vec![1; length], &mut rows);
        }
        window.finish(&mut rows);
        rows.finish();
        let pieces = rows.full.iter().flat_map(|block| {
            let lengths = block.piece_lengths.iter().map(|&length| length as usize);
            let offsets = block.piece_offset.iter().map(|&offset| offset as usize);
            block.piece_document.iter().copied().zip(offsets).zip(lengths)
        });
        let placed = pieces.map(|((document, offset), length)| (document, offset, length));
        placed.filter(|piece| piece.0 != super::super::PADDING).collect()
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_twin(
            lengths in prop::collection::vec(1_usize..40, 0..60), limit in LEAST..1_000
        ) {
            prop_assert_eq!(packed(&lengths, limit), naive(&lengths, limit));
        }
    }

    #[test]
    fn documents_that_fit_into_rows_are_not_cut() {
        let placed = packed(&[7, 5, 9, 3, 6, 6, 4, 4, 4], usize::MAX);
        assert_eq!(placed.iter().filter(|piece| piece.1 > 0).count(), 0);
        assert_eq!(placed[..2], [(2, 0, 9), (3, 0, 3)]);
    }

    #[test]
    fn a_rest_is_cut_before_a_whole_document() {
        // 20 = 12 and a rest of 8; 11 leaves a gap of 1 that the rest fills, not the longer 10
        assert_eq!(packed(&[20, 11, 10], usize::MAX)[1..3], [(1, 0, 11), (0, 12, 1)]);
    }
}
