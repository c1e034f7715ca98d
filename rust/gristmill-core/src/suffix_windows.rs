//! The suffix-array engine: windows that are equal stand together among the sorted suffixes.
//!
//! Source: Lee et al., "Deduplicating Training Data Makes Language Models Better" (2022,
//! arXiv:2107.06499), section 4.1; the definition is that of [`crate::exact_substring`].

use crate::Result;
use crate::exact_substring::{Corpus, Options, Ranges, Windows};
use crate::suffix_array::{Position, suffix_array_and_plcp};

/// Push every duplicate window of the corpus and its first occurrence, in ascending order.
///
/// # Errors
///
/// As [`crate::suffix_array::suffix_array`].
pub(crate) fn find(
    corpus: &Corpus<'_>,
    options: &Options<'_>,
    ranges: &mut Ranges<'_>,
) -> Result<()> {
    if corpus.n_bytes() <= i32::MAX_TEXT_BYTES as u64 {
        find_with::<i32>(corpus, options.min_bytes, ranges)
    } else {
        find_with::<i64>(corpus, options.min_bytes, ranges)
    }
}

/// Equal windows are a run of the suffix array in which each suffix shares `min_bytes` with the one
/// before. Members that would cross their document's end are passed over; they share the bytes, so
/// they do not break the run, and no separator is needed.
fn find_with<P: Position>(
    corpus: &Corpus<'_>,
    min_bytes: usize,
    ranges: &mut Ranges<'_>,
) -> Result<()> {
    let (suffixes, mut first) = suffix_array_and_plcp::<P>(&corpus.documents().concat())?;
    let whole = whole_windows(corpus, min_bytes);
    let mut run = 0;
    while run < suffixes.len() {
        let mut end = run + 1;
        while end < suffixes.len() && first[suffixes[end].load()].load() >= min_bytes {
            end += 1;
        }
        // The PLCP of this run is not read again: its place now holds the first occurrence.
        let members = &suffixes[run..end];
        let earliest = members.iter().map(|p| p.load()).filter(|&p| whole.contains(p)).min();
        for member in members {
            let position = member.load();
            let twin = earliest.filter(|_| whole.contains(position)).unwrap_or(position);
            first[position] = P::store(twin);
        }
        run = end;
    }
    for (position, twin) in first.iter().enumerate() {
        if twin.load() < position {
            let (start, first) = (position as u64, twin.load() as u64);
            ranges.push(Windows { start, last: start, first });
        }
    }
    Ok(())
}

/// The positions at which a window of `min_bytes` lies within its document.
fn whole_windows(corpus: &Corpus<'_>, min_bytes: usize) -> Bits {
    let mut whole = Bits::new(corpus.n_bytes() as usize);
    for document in 0..corpus.documents().len() {
        let (start, end) = (corpus.start(document) as usize, corpus.end(document) as usize);
        for position in
            (start..(end + 1).saturating_sub(min_bytes).max(start)).step_by(corpus.unit())
        {
            whole.insert(position);
        }
    }
    whole
}

/// A set of positions, one bit each.
struct Bits(Vec<u64>);

impl Bits {
    fn new(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)])
    }

    fn insert(&mut self, position: usize) {
        self.0[position / 64] |= 1 << (position % 64);
    }

    fn contains(&self, position: usize) -> bool {
        self.0[position / 64] >> (position % 64) & 1 == 1
    }
}
