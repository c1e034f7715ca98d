//! Names the language of a text: by its script where that decides, else by a linear model of the
//! n-grams of its words.
//!
//! A long text is judged by pieces spread over all of it, so the cost is bounded and neither its
//! head nor one quotation decides. A piece is judged in the script that most of its letters have.

mod model;
mod pieces;
mod script;

pub use model::{DIM, Model};
pub use script::Script;

use rayon::prelude::*;

use crate::Result;
use crate::threads::with_threads;
use model::Bonus;
use pieces::{PIECE, pieces};
use script::words;

/// Letters, in UTF-8 bytes, below which any answer would be a guess.
pub const MIN_BYTES: usize = 12;

/// The highest score: no answer is certain.
pub const MAX_SCORE: f32 = 0.99;

/// What was found of one text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'m> {
    /// The language's code, none when there are too few letters or the model has none for them.
    pub language: Option<&'m str>,
    /// The share of the letters in that language, each piece weighted by how sure it is.
    pub score: f32,
    /// Whether another opinion is not worth its time.
    pub sure: bool,
}

/// Score from which an answer is sure, of a text of one piece: a tenth of the sentences of
/// 75 languages lie below.
const SURE: f32 = 0.9;

/// The same of a longer text: what is unsure of it is mostly what it holds.
const SURE_OF_PIECES: f32 = 0.3;

/// Name the language of each text; those of the codes in `hints` are taken to be likelier.
///
/// # Errors
///
/// [`crate::Error::Parameter`] when `threads` is zero.
pub fn identify<'m>(
    model: &'m Model,
    texts: &[&str],
    hints: &[String],
    threads: usize,
) -> Result<Vec<Found<'m>>> {
    let bonus = model.bonus(hints);
    with_threads(threads, || {
        Ok(texts.par_iter().map(|text| identify_one(model, text, &bonus)).collect())
    })
}

/// The words of `text` as the model reads them: lower case, one script, a space between them.
pub fn model_words(text: &str) -> (Script, String) {
    let read = words(text);
    let joined = read.iter().collect::<Vec<_>>().join(" ");
    (read.script, joined)
}

fn identify_one<'m>(model: &'m Model, text: &str, bonus: &Bonus) -> Found<'m> {
    let mut shares = vec![0.0_f32; model.n_codes()];
    let mut n_bytes = 0;
    for piece in pieces(text) {
        let read = words(piece);
        n_bytes += read.all_bytes;
        model.share_out(&read, bonus, &mut shares);
    }
    let best = (0..shares.len()).max_by(|&a, &b| shares[a].total_cmp(&shares[b]).then(b.cmp(&a)));
    match best.map(|code| (model.code(code), shares[code] / n_bytes as f32)) {
        Some((language, score)) if n_bytes >= MIN_BYTES && score > 0.0 => {
            let enough = if text.len() > PIECE { SURE_OF_PIECES } else { SURE };
            let sure = score >= enough;
            Found { language: Some(language), score: score.min(MAX_SCORE), sure }
        }
        _ => Found { language: None, score: 0.0, sure: true },
    }
}
