//! Quality signals of Gopher, C4 and FineWeb: every figure their rules compare, one row per text.
//!
//! Only figures here; thresholds and decisions belong to the caller. Each figure is computed as
//! datatrove 0.10.1 computes it (`gopher_quality_filter`, `gopher_repetition_filter`, `c4_filters`,
//! `fineweb_quality_filter`), on characters, with Python's notions of a line and of white space.
//! Words come from `tokenizer.rs`, which follows spaCy's English tokenizer as datatrove does.
//!
//! Two things differ from datatrove. A duplicated n-gram is compared word by word, not by the
//! concatenation of its words. A figure that datatrove leaves undefined (a share of nothing, or one
//! it never reaches because an earlier rule dropped the document) is 0 or what the formula gives.
//! `gibberish_score` is our own (`gibberish.rs`).

mod bad_words;
mod classes;
mod gibberish;
mod lines;
mod repetition;
mod sieve;
mod suspects;
mod tokenizer;
mod walk;
mod words;

use rayon::prelude::*;

use crate::{Error, Result};
pub use bad_words::BadWords;
use lines::{LineFigures, LineMeter};
use repetition::Repetition;
use words::{Lexicon, Words};

/// The names of the signals, in the order of a row.
pub const NAMES: [&str; 30] = [
    "gopher_word_count",
    "gopher_mean_word_length",
    "gopher_hash_ratio",
    "gopher_ellipsis_ratio",
    "gopher_bullet_line_ratio",
    "gopher_ellipsis_line_ratio",
    "gopher_alpha_word_ratio",
    "gopher_stop_words",
    "gopher_dup_para_frac",
    "gopher_dup_para_char_frac",
    "gopher_dup_line_frac",
    "gopher_dup_line_char_frac",
    "gopher_top_2_gram_char_frac",
    "gopher_top_3_gram_char_frac",
    "gopher_top_4_gram_char_frac",
    "gopher_dup_5_gram_char_frac",
    "gopher_dup_6_gram_char_frac",
    "gopher_dup_7_gram_char_frac",
    "gopher_dup_8_gram_char_frac",
    "gopher_dup_9_gram_char_frac",
    "gopher_dup_10_gram_char_frac",
    "c4_lorem_ipsum",
    "c4_curly_bracket",
    "c4_sentence_count",
    "c4_kept_line_ratio",
    "fineweb_line_punct_ratio",
    "fineweb_short_line_ratio",
    "fineweb_char_dup_ratio",
    "fineweb_list_ratio",
    "gibberish_score",
];

/// The figures of one text, by [`NAMES`].
pub type Row = [f64; NAMES.len()];

/// Measure every text; the same for any number of threads.
///
/// Linear in the text's size but for the few candidates of a repeated n-gram.
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero or the threads cannot be started.
pub fn measure(texts: &[&str], threads: usize) -> Result<Vec<Row>> {
    let run = |texts: &[&str]| {
        let mut meter = Meter::default();
        texts.iter().map(|text| meter.measure(text)).collect::<Vec<_>>()
    };
    if threads == 1 {
        return Ok(run(texts));
    }
    let refused =
        |allowed| Error::Parameter { name: "threads", value: threads.to_string(), allowed };
    if threads == 0 {
        return Err(refused("1 or more"));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|_| refused("as many threads as the system can start"))?;
    let share = texts.len().div_ceil(threads * 8).max(1);
    Ok(pool.install(|| texts.par_chunks(share).flat_map_iter(run).collect()))
}

/// The words of `text` that the signals count, in order.
#[must_use]
pub fn split_words(text: &str) -> Vec<&str> {
    text.split(words::is_space).flat_map(tokenizer::cut_part).collect()
}

/// What is reused from text to text.
#[derive(Default)]
struct Meter {
    lexicon: Lexicon,
    lines: LineMeter,
    words: Words,
    repetition: Repetition,
}

impl Meter {
    fn measure(&mut self, text: &str) -> Row {
        self.words.clear();
        let lines = self.lines.measure(text, &mut self.lexicon, &mut self.words);
        let repeated = self.repetition.measure(&self.words.hashes, &self.words.ends);
        row(text, &self.words, &lines, &repeated)
    }
}

/// `part / whole`, and 0 for a share of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn row(text: &str, words: &Words, lines: &LineFigures, repeated: &repetition::Figures) -> Row {
    let chars = text.chars().count();
    let n_words = words.hashes.len();
    let ellipses = memchr::memmem::find_iter(text.as_bytes(), "...").count()
        + memchr::memmem::find_iter(text.as_bytes(), "…").count();
    let hashes = memchr::memchr_iter(b'#', text.as_bytes()).count();
    let [top_2, top_3, top_4] = repeated.top.map(|n_chars| share(n_chars, chars));
    let [dup_5, dup_6, dup_7, dup_8, dup_9, dup_10] =
        repeated.duplicated.map(|n_chars| share(n_chars, chars));
    [
        words.not_symbols as f64,
        share(words.not_symbol_chars, words.not_symbols),
        share(hashes, n_words),
        share(ellipses, n_words),
        share(lines.bullets, lines.lines),
        share(lines.ellipses, lines.lines),
        share(words.alphabetic, n_words),
        f64::from(words.n_stop_words()),
        share(lines.paragraphs.duplicates, lines.paragraphs.count),
        share(lines.paragraphs.duplicate_chars, chars),
        share(lines.filled.duplicates, lines.filled.count),
        share(lines.filled.duplicate_chars, chars),
        top_2,
        top_3,
        top_4,
        dup_5,
        dup_6,
        dup_7,
        dup_8,
        dup_9,
        dup_10,
        f64::from(u8::from(lines.lorem_ipsum)),
        f64::from(u8::from(lines.curly_bracket)),
        lines.sentences as f64,
        share(lines.kept, lines.lines),
        share(lines.terminated, lines.not_blank),
        share(lines.short, lines.not_blank),
        share(lines.not_blank_duplicate_chars, chars - lines.newlines),
        share(lines.newlines, n_words),
        words.gibberish(),
    ]
}
