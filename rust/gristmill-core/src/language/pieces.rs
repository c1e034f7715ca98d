//! The parts of a text that are judged.

/// Bytes of a piece of a text that is judged whole.
const WHOLE: usize = 256;

/// Pieces of a text that is longer than `N_PIECES * SAMPLE`, and the bytes of each.
const N_PIECES: usize = 8;
const SAMPLE: usize = 128;

/// Cut `text` into pieces: all of it up to 1 KiB, else eight parts spread evenly over it.
///
/// The first part begins half a gap into the text: heads are boilerplate more often than middles.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let (n_pieces, size) = if text.len() <= N_PIECES * SAMPLE {
        (text.len().div_ceil(WHOLE).max(1), text.len().div_ceil(text.len().div_ceil(WHOLE).max(1)))
    } else {
        (N_PIECES, SAMPLE)
    };
    let gap = (text.len() - (n_pieces * size).min(text.len())) / n_pieces;
    (0..n_pieces).map(move |at| {
        let start = gap / 2 + at * (size + gap);
        let start = text.ceil_char_boundary(start.min(text.len()));
        let stop = text.ceil_char_boundary((start + size).min(text.len()));
        &text[start..stop]
    })
}
