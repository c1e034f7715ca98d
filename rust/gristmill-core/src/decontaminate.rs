//! Finds items of benchmarks in texts: verbatim, or with words changed here and there.
//!
//! Texts and items are compared as lower-cased words (see [`crate::text`]), so case, punctuation and
//! white space do not matter. An item consists of parts (question, choices, answer), and what is
//! compared never crosses from one part into the next.
//!
//! *Seeds* ([`seeds`]) are runs of [`seeds::WORDS`] words that are distinctive of few items. A text is
//! searched for all seeds of all items in one pass; where an item's seeds lie close together, less than
//! `ngram` words apart, is a *passage*. A passage is compared with the item word for word
//! ([`passage`]), and counts as a find
//!
//! * when it holds `ngram` consecutive words of a part, a seed among them (Brown et al. 2020, appendix
//!   C, with `ngram` 13), or
//! * when at least the share `coverage`, and at least [`LEAST_WORDS`], of the words of the item or of
//!   its first part, the question, stand in it, half of them in seeds, the others next to these or
//!   after an edit of one or two words. (Chowdhery et al. 2022, section 8, ask for 70 % of the 8-grams,
//!   of which an edit every eight words leaves none.)
//!
//! Cost: linear in the texts, and in (item + passage) for each passage that is compared.

use rayon::prelude::*;

mod longest;
mod passage;
mod scan;
mod seeds;

pub use longest::longest_match;
use passage::{Judge, Least};
use scan::Scanner;
pub use seeds::WORDS as SEED_WORDS;
use seeds::{SeedHash, Seeds};

use crate::text::Words;
use crate::threads::with_threads;
use crate::{Error, Result};

/// Fewer words say too little to be a find by coverage.
pub const LEAST_WORDS: usize = 8;

/// The largest number of words in an n-gram.
pub const MAX_NGRAM: usize = 1_000;

/// What counts as a find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// So many consecutive words of an item are a find by themselves.
    pub ngram: usize,
    /// So is this share of the words of an item or of its first part.
    pub coverage: f64,
}

impl Rule {
    fn check(self) -> Result<Self> {
        let refused = |name, value, allowed| Err(Error::Parameter { name, value, allowed });
        if !(SEED_WORDS..=MAX_NGRAM).contains(&self.ngram) {
            return refused("ngram", self.ngram.to_string(), "4 to 1000 words");
        }
        if !(self.coverage > 0.0 && self.coverage <= 1.0) {
            return refused("coverage", self.coverage.to_string(), "above 0, at most 1");
        }
        Ok(self)
    }

    /// Words of a unit of `n_words` that must be covered; none when it is too short to count.
    fn least_covered(self, n_words: usize) -> Option<usize> {
        let least = (self.coverage * n_words as f64).ceil() as usize;
        (n_words >= LEAST_WORDS).then_some(least.max(LEAST_WORDS))
    }

    /// Words of such a unit that must stand in seeds: half of those.
    fn least_in_seeds(self, n_words: usize) -> Option<usize> {
        self.least_covered(n_words).map(|least| least.div_ceil(2))
    }
}

/// A passage of a text that holds an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Find {
    /// The item.
    pub item: u32,
    /// Where in the text the passage starts, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The share of the item's words that it holds, or of those of its first part when that is
    /// larger; parts without a seed do not count.
    pub coverage: f64,
    /// Words that this share is of.
    pub n_words: usize,
    /// Whether it holds `ngram` consecutive words of the item.
    pub has_ngram: bool,
    /// Characters of the longest string that the passage and the item have in common.
    pub longest: usize,
}

/// Words of an item that are compared without crossing into others: where they stand among all words.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
}

/// Items to look for.
#[derive(Debug)]
pub struct Items {
    rule: Rule,
    /// The text of each item, its parts one a line.
    texts: Vec<String>,
    /// The words of all parts, one part after the other.
    words: Vec<u64>,
    parts: Vec<Part>,
    /// For each item its first part; at the end, the number of parts.
    first_part: Vec<usize>,
    seeds: Seeds,
    /// For each item, what a passage has at least that holds it; none when none can.
    least: Vec<Option<Least>>,
}

impl Items {
    /// Prepare items; the first `n_parts[0]` of `parts` are the first item, and so on.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for a `rule` outside its range, when `n_parts` are not those of all parts,
    /// or there are 2^32 words or more.
    pub fn new(parts: &[&str], n_parts: &[usize], rule: Rule) -> Result<Self> {
        let rule = rule.check()?;
        let n_given = n_parts.iter().sum::<usize>();
        if n_given != parts.len() {
            let value = format!("{n_given} parts in items, {} given", parts.len());
            let allowed = "the parts of all items";
            return Err(Error::Parameter { name: "n_parts", value, allowed });
        }
        let (words, letters, bounds) = read_words(parts)?;
        let mut first_part = vec![0];
        let mut texts = Vec::with_capacity(n_parts.len());
        for n_parts in n_parts {
            let first = first_part[first_part.len() - 1];
            texts.push(parts[first..first + n_parts].join("\n"));
            first_part.push(first + n_parts);
        }
        let seeds = Seeds::new(&words, &letters, &bounds, &first_part);
        let least = Vec::new();
        let mut items = Self { rule, texts, words, parts: bounds, first_part, seeds, least };
        items.least = (0..items.texts.len()).map(|item| items.judge(item as u32).least()).collect();
        Ok(items)
    }

    /// For each item, whether any text can be found to hold it: not when it is too short, or when no
    /// run of [`SEED_WORDS`] of its words is distinctive.
    pub fn findable(&self) -> Vec<bool> {
        self.least.iter().map(Option::is_some).collect()
    }

    /// Find items in each text: the finds, ordered by item and start; the same for any number of
    /// `threads`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when `threads` is zero.
    pub fn find(&self, texts: &[&str], threads: usize) -> Result<Vec<Vec<Find>>> {
        with_threads(threads, || {
            let search = |finder: &mut Finder<'_>, text: &&str| finder.find(text);
            texts.par_iter().map_init(|| Finder::new(self), search).collect()
        })
    }

    fn judge(&self, item: u32) -> Judge<'_> {
        let (first, end) = (self.first_part[item as usize], self.first_part[item as usize + 1]);
        Judge::new(self.rule, item, &self.words, &self.parts[first..end], &self.seeds)
    }
}

/// The words of all parts, how many bytes of letters each has, and which are whose.
fn read_words(parts: &[&str]) -> Result<(Vec<u64>, Vec<usize>, Vec<Part>)> {
    let (mut reader, mut words, mut of_part) = (Words::default(), Vec::new(), Vec::new());
    let (mut letters, mut bounds) = (Vec::new(), Vec::with_capacity(parts.len()));
    for part in parts {
        reader.hash(part, &mut of_part);
        bounds.push(Part { start: words.len(), end: words.len() + of_part.len() });
        words.extend_from_slice(&of_part);
        let spans = reader.spans(part).into_iter();
        letters.extend(spans.map(|span| letter_bytes(&part[span])));
    }
    if u32::try_from(words.len()).is_ok() {
        return Ok((words, letters, bounds));
    }
    let (value, allowed) = (format!("{} words", words.len()), "fewer than 2^32 words");
    Err(Error::Parameter { name: "items", value, allowed })
}

/// Searches texts; keeps its buffers between them.
struct Finder<'a> {
    items: &'a Items,
    reader: Words,
    words: Vec<u64>,
    scanner: Scanner<'a>,
}

impl<'a> Finder<'a> {
    fn new(items: &'a Items) -> Self {
        let scanner = Scanner::new(&items.seeds, &items.least, items.rule.ngram);
        Self { items, reader: Words::default(), words: Vec::new(), scanner }
    }

    fn find(&mut self, text: &str) -> Result<Vec<Find>> {
        self.reader.hash(text, &mut self.words);
        let (mut finds, mut spans) = (Vec::new(), Vec::new());
        for &candidate in self.scanner.candidates(&self.words) {
            let judge = self.items.judge(candidate.item);
            let Some(held) =
                judge.compare(&self.words, candidate.start..candidate.end, candidate.may_be_ngram)
            else {
                continue;
            };
            if spans.is_empty() {
                spans = self.reader.spans(text);
            }
            let start = marks_before(text, spans[held.words.start].start);
            let end = marks_after(text, spans[held.words.end - 1].end);
            finds.push(Find {
                item: candidate.item,
                start,
                end,
                coverage: held.covered as f64 / held.n_words as f64,
                n_words: held.n_words,
                has_ngram: held.has_ngram,
                longest: longest_match(
                    &self.items.texts[candidate.item as usize],
                    &text[start..end],
                )?,
            });
        }
        Ok(finds)
    }
}

fn letter_bytes(word: &str) -> usize {
    word.chars().filter(|character| character.is_alphabetic()).map(char::len_utf8).sum()
}

fn is_mark(character: &char) -> bool {
    !character.is_alphanumeric() && *character != '_' && !character.is_whitespace()
}

/// Where the punctuation before `start` begins.
fn marks_before(text: &str, start: usize) -> usize {
    start - text[..start].chars().rev().take_while(is_mark).map(char::len_utf8).sum::<usize>()
}

/// Where the punctuation after `end` stops.
fn marks_after(text: &str, end: usize) -> usize {
    end + text[end..].chars().take_while(is_mark).map(char::len_utf8).sum::<usize>()
}

/// The hash of a run of words.
fn hash_run(words: &[u64]) -> SeedHash {
    words
        .iter()
        .fold(0, |hash: u64, &word| hash.wrapping_mul(crate::text::GOLDEN).wrapping_add(word))
}
