//! The suffix-array engine: windows that are equal stand together among the sorted suffixes.
//!
//! Sorting is dear, so two passes over the text first take away what needs none (`repeats`): long
//! copies, and places that cannot repeat. What is left are *pieces*; they are sorted in one go, or
//! when that would take too much memory in *chunks*, each together with each one before it. Every
//! window of the corpus that has an equal one stands in a piece or in a copy, and the earliest of
//! equal windows always in a piece when another does, so the result is that of sorting everything.
//!
//! Source: Lee et al., "Deduplicating Training Data Makes Language Models Better" (2022,
//! arXiv:2107.06499), section 4.1; the definition is that of [`crate::exact_substring`]; sorting only
//! what can repeat is our own.

use std::ops::Range;

use crate::exact_substring::{Corpus, LONGEST_CHARACTER, Options, Ranges, Windows};
use crate::suffix_array::Position;
use crate::{Error, Result};

mod bits;
mod repeats;
mod samples;
mod sorted;

use bits::Bits;
use repeats::{Copy, Piece, Repeats};
use sorted::{MEMORY_EIGHTHS, Sorted};

/// Push every duplicate window of the corpus and its first occurrence, in ascending order.
///
/// # Errors
///
/// [`Error::Memory`] when the options allow too little, or as
/// [`crate::suffix_array::suffix_array`].
pub(crate) fn find(
    corpus: &Corpus<'_>,
    options: &Options<'_>,
    ranges: &mut Ranges<'_>,
) -> Result<()> {
    let memory = options.memory.unwrap_or(usize::MAX);
    let repeats = Repeats::find(corpus, options.min_bytes, memory);
    let mut search = Search::new(corpus, options.min_bytes, repeats);
    let chunk_bytes = search.chunk_bytes(memory)?;
    let chunks = search.split(chunk_bytes);
    if let [only] = &chunks[..] {
        search.compare(0..0, only.clone(), true)?;
    }
    for (number, chunk) in chunks.iter().enumerate() {
        for (earlier, first) in chunks[..number].iter().enumerate() {
            search.compare(first.clone(), chunk.clone(), earlier + 1 == number)?;
        }
    }
    search.push_windows(ranges);
    Ok(())
}

/// The pieces, end to end one text, and what is known of its windows.
struct Search<'a> {
    corpus: &'a Corpus<'a>,
    min_bytes: usize,
    repeats: Repeats,
    /// Where each piece starts in the text of all pieces; and its end.
    offsets: Vec<usize>,
    /// The windows that the copies' first ones repeat, by their places in that text, in order.
    originals: Vec<usize>,
    /// The places of windows that equal an earlier one.
    duplicates: Bits,
    /// The positions of some of these in the corpus, and of the first window equal to each: of all
    /// that follow none, and all originals.
    twins: Vec<(u64, u64)>,
}

impl<'a> Search<'a> {
    fn new(corpus: &'a Corpus<'a>, min_bytes: usize, repeats: Repeats) -> Self {
        let duplicates = Bits::new(0);
        let (offsets, originals, twins) = (Vec::new(), Vec::new(), Vec::new());
        Self { corpus, min_bytes, repeats, offsets, originals, duplicates, twins }
    }

    /// The most that a chunk may have for two of them to be sorted in `memory`; all when everything
    /// can be sorted at once.
    fn chunk_bytes(&self, memory: usize) -> Result<usize> {
        let Repeats { copies, pieces } = &self.repeats;
        let n_bytes: usize = pieces.iter().map(Piece::len).sum();
        // Each piece has an offset, and about as many twins as there are pieces are found.
        let known = size_of::<Copy>() + size_of::<usize>();
        let fixed = copies.capacity() * known
            + pieces.capacity() * (size_of::<Piece>() + size_of::<usize>() + 16)
            + n_bytes / 8;
        let room = memory.saturating_sub(fixed);
        if n_bytes <= room_for(room) {
            return Ok(n_bytes);
        }
        let least = 2 * self.min_bytes;
        if room_for(room) / 2 < least {
            let least = fixed + memory_for(n_bytes.min(2 * least));
            return Err(Error::Memory { memory, least });
        }
        let unit = self.corpus.unit();
        Ok(room_for(room) / 2 / unit * unit)
    }

    /// Group the pieces into chunks, cutting pieces where a chunk ends: the parts share the bytes of
    /// one window less a symbol.
    fn split(&mut self, chunk_bytes: usize) -> Vec<Range<usize>> {
        let overlap = (self.min_bytes - self.corpus.unit()) as u64;
        let mut pieces = Vec::with_capacity(self.repeats.pieces.len());
        let (mut chunks, mut first, mut room) = (Vec::new(), 0, chunk_bytes);
        for mut piece in std::mem::take(&mut self.repeats.pieces) {
            while piece.len() > room {
                if room >= self.min_bytes {
                    let end = piece.start + room as u64;
                    pieces.push(Piece { start: piece.start, end });
                    piece.start = end - overlap;
                }
                chunks.push(first..pieces.len());
                (first, room) = (pieces.len(), chunk_bytes);
            }
            room -= piece.len();
            pieces.push(piece);
        }
        chunks.push(first..pieces.len());
        self.repeats.pieces = pieces;
        self.index();
        chunks
    }

    /// Number the bytes of the pieces.
    fn index(&mut self) {
        let mut end = 0;
        self.offsets = vec![0];
        self.offsets.extend(self.repeats.pieces.iter().map(|piece| {
            end += piece.len();
            end
        }));
        self.duplicates = Bits::new(end);
        let parts = self.repeats.copies.iter().flat_map(|copy| self.parts(copy.first, copy.last));
        let originals = parts.map(|part| self.repeats.original(part.start));
        self.originals = originals.filter_map(|position| self.place(position)).collect();
        self.originals.sort_unstable();
    }

    /// The place of a window in the text of the pieces.
    fn place(&self, position: u64) -> Option<usize> {
        let pieces = &self.repeats.pieces;
        let number = pieces.partition_point(|piece| piece.start <= position).checked_sub(1)?;
        let window_end = position + self.min_bytes as u64;
        (window_end <= pieces[number].end)
            .then(|| self.offsets[number] + (position - pieces[number].start) as usize)
    }

    /// The position of a window in the corpus.
    fn position(&self, place: usize) -> u64 {
        let number = self.offsets.partition_point(|&offset| offset <= place) - 1;
        self.repeats.pieces[number].start + (place - self.offsets[number]) as u64
    }

    /// Find the windows of two chunks that equal an earlier one: in the first chunk, or with
    /// `in_both` in either.
    fn compare(&mut self, one: Range<usize>, two: Range<usize>, in_both: bool) -> Result<()> {
        let n_bytes = |chunk: &Range<usize>| self.offsets[chunk.end] - self.offsets[chunk.start];
        if n_bytes(&one) + n_bytes(&two) <= i32::MAX_TEXT_BYTES {
            self.compare_with::<i32>(one, two, in_both)
        } else {
            self.compare_with::<i64>(one, two, in_both)
        }
    }

    fn compare_with<P: Position>(
        &mut self,
        one: Range<usize>,
        two: Range<usize>,
        in_both: bool,
    ) -> Result<()> {
        let joined = Joined::new(self, one, two);
        let text = joined.text(self);
        let sorted = Sorted::<P>::new(&text, joined.windows(self), self.min_bytes)?;
        self.corpus.release();
        let first = 0..if in_both { text.len() } else { joined.border };
        let mut wanted = Bits::new(text.len());
        self.take_new(&joined, &sorted.duplicates(&first), &mut wanted);
        sorted.twins(&wanted, &first, |at, twin| {
            let [at, twin] = [at, twin].map(|at| self.position(joined.place(at)));
            // Pieces may hold windows of copies, whose originals are earlier and may be elsewhere.
            self.twins.push((at, self.repeats.original(twin)));
        });
        Ok(())
    }

    /// Note the duplicates that were not known, and put those whose twins may be asked for into
    /// `wanted`.
    fn take_new(&mut self, joined: &Joined, found: &Bits, wanted: &mut Bits) {
        let unit = self.corpus.unit();
        for (at, range) in joined.pieces(self) {
            let mut last_new = usize::MAX;
            let shift = range.start - at;
            let mut at = found.next(at);
            // Past that, or between symbols, no window begins.
            while at + shift + self.min_bytes <= range.end {
                let place = at + shift;
                if at.is_multiple_of(unit) && !self.duplicates.contains(place) {
                    self.duplicates.insert(place);
                    let follows = last_new != usize::MAX && last_new + unit == at;
                    if !follows || self.min_bytes < LONGEST_CHARACTER {
                        wanted.insert(at);
                    }
                    last_new = at;
                }
                at = found.next(at + 1);
            }
        }
        for (places, at) in joined.parts(self) {
            let [from, to] = [places.start, places.end]
                .map(|end| self.originals.partition_point(|&place| place < end));
            let ats = self.originals[from..to].iter().map(|place| place - places.start + at);
            ats.filter(|&at| found.contains(at)).for_each(|at| wanted.insert(at));
        }
    }

    /// The first window equal to the one at `position`.
    fn first(&self, position: u64) -> u64 {
        let found = self.twins.binary_search_by_key(&position, |twin| twin.0);
        found.map_or(position, |place| self.twins[place].1)
    }

    /// Windows in the parts in which they are pushed; each asks for a first occurrence.
    fn parts(&self, start: u64, last: u64) -> impl Iterator<Item = Windows> + use<> {
        Windows { start, last, first: start }.parts(self.min_bytes, self.corpus.unit())
    }

    fn push_windows(mut self, ranges: &mut Ranges<'_>) {
        self.twins.sort_unstable();
        self.twins.dedup_by_key(|twin| twin.0); // the earliest stays
        let mut copies = self.repeats.copies.iter().peekable();
        let push_copy = |copy: &Copy, ranges: &mut Ranges<'_>| {
            for part in self.parts(copy.first, copy.last) {
                let first = self.first(self.repeats.original(part.start));
                ranges.push(Windows { first, ..part });
            }
        };
        for (piece, offset) in self.repeats.pieces.iter().zip(&self.offsets) {
            self.each_run(*offset..*offset + piece.len(), |from, last| {
                let [start, last] = [from, last].map(|at| piece.start + (at - offset) as u64);
                while let Some(copy) = copies.next_if(|copy| copy.first < start) {
                    push_copy(copy, ranges);
                }
                for part in self.parts(start, last) {
                    ranges.push(Windows { first: self.first(part.start), ..part });
                }
            });
        }
        copies.for_each(|copy| push_copy(copy, ranges));
    }

    /// Visit the first and last of neighbouring duplicates among some places.
    fn each_run(&self, places: Range<usize>, mut visit: impl FnMut(usize, usize)) {
        let unit = self.corpus.unit();
        let mut from = self.duplicates.next(places.start);
        while from < places.end {
            let mut last = from;
            while last + unit < places.end && self.duplicates.contains(last + unit) {
                last += unit;
            }
            visit(from, last);
            from = self.duplicates.next(last + 1);
        }
    }
}

/// How much text can be sorted in `memory`.
fn room_for(memory: usize) -> usize {
    let narrow = memory.saturating_mul(8) / MEMORY_EIGHTHS[0];
    if narrow <= i32::MAX_TEXT_BYTES {
        return narrow;
    }
    (memory.saturating_mul(8) / MEMORY_EIGHTHS[1]).max(i32::MAX_TEXT_BYTES)
}

/// How much memory sorting takes.
fn memory_for(n_bytes: usize) -> usize {
    let wide = usize::from(n_bytes > i32::MAX_TEXT_BYTES);
    n_bytes.saturating_mul(MEMORY_EIGHTHS[wide]).div_ceil(8)
}

/// Two chunks end to end.
struct Joined {
    chunks: [Range<usize>; 2],
    /// Where the text of the second begins in that of both.
    border: usize,
    /// The places of the chunks' first bytes in the text of all pieces.
    places: [usize; 2],
}

impl Joined {
    fn new(search: &Search<'_>, one: Range<usize>, two: Range<usize>) -> Self {
        let places = [search.offsets[one.start], search.offsets[two.start]];
        Self { border: search.offsets[one.end] - places[0], places, chunks: [one, two] }
    }

    fn place(&self, at: usize) -> usize {
        if at < self.border { self.places[0] + at } else { self.places[1] + at - self.border }
    }

    /// The places of either chunk, and where its text begins here.
    fn parts(&self, search: &Search<'_>) -> [(Range<usize>, usize); 2] {
        let places = |chunk: &Range<usize>| search.offsets[chunk.start]..search.offsets[chunk.end];
        [(places(&self.chunks[0]), 0), (places(&self.chunks[1]), self.border)]
    }

    /// Where each piece stands here, and in the text of all pieces.
    fn pieces(&self, search: &Search<'_>) -> Vec<(usize, Range<usize>)> {
        let mut at = 0;
        let numbers = self.chunks.iter().flat_map(Range::clone);
        let mut piece = |number: usize| {
            let places = search.offsets[number]..search.offsets[number + 1];
            at += places.len();
            (at - places.len(), places)
        };
        numbers.map(&mut piece).collect()
    }

    fn text(&self, search: &Search<'_>) -> Vec<u8> {
        let numbers = self.chunks.iter().flat_map(Range::clone);
        let n_bytes = self.pieces(search).last().map_or(0, |(at, places)| at + places.len());
        let mut text = Vec::with_capacity(n_bytes);
        crate::huge::advise_capacity(&text);
        for piece in numbers.map(|number| search.repeats.pieces[number]) {
            let document = search.corpus.document_at(piece.start);
            let start = (piece.start - search.corpus.start(document)) as usize;
            let bytes = search.corpus.documents()[document];
            text.extend_from_slice(&bytes[start..start + piece.len()]);
        }
        text
    }

    /// Where windows begin that lie within their piece.
    fn windows(&self, search: &Search<'_>) -> Bits {
        let pieces = self.pieces(search);
        let mut windows = Bits::new(pieces.last().map_or(0, |(at, places)| at + places.len()));
        for (at, places) in pieces {
            let end = at + (places.len() + 1).saturating_sub(search.min_bytes);
            (at..end).step_by(search.corpus.unit()).for_each(|window| windows.insert(window));
        }
        windows
    }
}
