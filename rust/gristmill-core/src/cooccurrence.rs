//! Counts terms of given lists, and which groups of terms stand near which term.
//!
//! A *term* is a set of phrases, a phrase is one or more words; words are those of [`crate::text`],
//! lower-cased. Each term is in any number of *groups*. At every word the longest phrase that begins
//! there counts, for all terms that have it; phrases that begin at different words may overlap. A
//! term stands where its first word stands. Two stand *near* each other when at least one and at
//! most `window` words lie between their places, in the same text.
//!
//! Of the words of a text nearly all begin no phrase: a bit array over the words' hashes says so
//! (8 KiB, in the L1 cache), and only what passes it is looked up. Words are compared by 64 bits of
//! hash. Everything is a sum of integers, so neither threads nor order can show.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::text::{WordHashes, each_word};
use crate::threads::with_threads;
use crate::{Error, Result};

/// A phrase and the term that it stands for.
pub type Phrase = (String, usize);

const FILTER_BITS: usize = 1 << 16;

/// What is looked for.
pub struct Terms {
    /// The groups of each term.
    groups: Vec<Vec<usize>>,
    n_groups: usize,
    /// For each term, its row of the cells.
    row_of: Vec<Option<usize>>,
    n_rows: usize,
    window: usize,
    /// Which lowest 16 bits the hashes of words in phrases have.
    filter: Vec<u64>,
    word_ids: HashMap<u64, usize>,
    /// For each word, the phrases that begin with it, the longest first.
    phrases: Vec<Vec<WordPhrase>>,
}

struct WordPhrase {
    rest: Vec<usize>,
    terms: Vec<usize>,
}

/// How often one group stood near one term.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Pairs of an occurrence of the term and one of the group.
    pub pairs: u64,
    /// Texts that have such a pair.
    pub texts: u64,
    /// Sum over the texts of the square of their pairs.
    pub squares: u128,
}

/// What was counted.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Words of all texts.
    pub words: u64,
    /// Occurrences of each term, and the texts that have it.
    pub terms: Vec<(u64, u64)>,
    /// One row of groups per center, in the order they were given, then one for whole texts: there
    /// `pairs` is how often the group occurs.
    pub cells: Vec<Cell>,
}

impl Terms {
    /// Prepare the lists: `phrases`, the `groups` of each term, and the terms that are `centers`,
    /// around which `window` words to each side are looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when a phrase has no word, a term does not exist or is a center twice, or
    /// the window is zero.
    pub fn new(
        phrases: &[Phrase],
        groups: Vec<Vec<usize>>,
        centers: &[usize],
        window: usize,
    ) -> Result<Self> {
        if window == 0 {
            return Err(refused("window", window.to_string(), "1 word or more"));
        }
        let mut row_of = vec![None; groups.len()];
        for (row, &term) in centers.iter().enumerate() {
            match row_of.get_mut(term) {
                Some(free @ None) => *free = Some(row),
                _ => return Err(refused("centers", term.to_string(), "each term once")),
            }
        }
        let n_groups = groups.iter().flatten().max().map_or(0, |last| last + 1);
        let mut terms = Self {
            groups,
            n_groups,
            row_of,
            n_rows: centers.len() + 1,
            window,
            filter: vec![0; FILTER_BITS / 64],
            word_ids: HashMap::new(),
            phrases: Vec::new(),
        };
        phrases.iter().try_for_each(|(phrase, term)| terms.add(phrase, *term))?;
        for begun in &mut terms.phrases {
            begun.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len()));
        }
        Ok(terms)
    }

    /// Add one phrase of a term.
    fn add(&mut self, phrase: &str, term: usize) -> Result<()> {
        if term >= self.groups.len() {
            return Err(refused("term", term.to_string(), "a number below that of the terms"));
        }
        let mut words = Vec::new();
        each_word(phrase, |hash| words.push(self.word_id(hash)));
        let Some((&first, rest)) = words.split_first() else {
            return Err(refused("phrase", format!("{phrase:?}"), "at least one word"));
        };
        let begun = &mut self.phrases[first];
        match begun.iter_mut().find(|known| known.rest == rest) {
            Some(known) if known.terms.contains(&term) => {}
            Some(known) => known.terms.push(term),
            None => begun.push(WordPhrase { rest: rest.to_vec(), terms: vec![term] }),
        }
        Ok(())
    }

    fn word_id(&mut self, hash: u64) -> usize {
        let (at, bit) = filter_bit(hash);
        self.filter[at] |= bit;
        let next = self.phrases.len();
        let id = *self.word_ids.entry(hash).or_insert(next);
        if id == next {
            self.phrases.push(Vec::new());
        }
        id
    }

    /// Nothing counted yet.
    #[must_use]
    pub fn no_counts(&self) -> Counts {
        Counts {
            words: 0,
            terms: vec![(0, 0); self.groups.len()],
            cells: vec![Cell::default(); self.n_rows * self.n_groups],
        }
    }

    /// Count in `texts`; the same for any number of threads.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] or [`Error::Io`] when `threads` is zero or cannot be started.
    pub fn count(&self, texts: &[&str], threads: usize) -> Result<Counts> {
        let share = texts.len().div_ceil(threads.max(1) * 8).max(1);
        with_threads(threads, || {
            let parts = texts.par_chunks(share).fold(
                || Counter::new(self),
                |mut counter, texts| {
                    texts.iter().for_each(|text| counter.take(text));
                    counter
                },
            );
            Ok(parts.map(|counter| counter.counts).reduce(|| self.no_counts(), Counts::plus))
        })
    }
}

fn refused(name: &'static str, value: String, allowed: &'static str) -> Error {
    Error::Parameter { name, value, allowed }
}

/// The place of a hash in the filter.
#[inline]
fn filter_bit(hash: u64) -> (usize, u64) {
    let bit = hash as usize % FILTER_BITS;
    (bit / 64, 1 << (bit % 64))
}

impl Counts {
    /// The sum of two counts over the same terms.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.words += other.words;
        for (mine, more) in self.terms.iter_mut().zip(other.terms) {
            *mine = (mine.0 + more.0, mine.1 + more.1);
        }
        for (mine, more) in self.cells.iter_mut().zip(other.cells) {
            mine.pairs += more.pairs;
            mine.texts += more.texts;
            mine.squares += more.squares;
        }
        self
    }
}

/// Numbers of one text: few of many places are not zero, and those are listed.
struct Sparse {
    counts: Vec<u64>,
    touched: Vec<usize>,
}

impl Sparse {
    fn new(n: usize) -> Self {
        Self { counts: vec![0; n], touched: Vec::new() }
    }

    fn add(&mut self, at: usize) {
        if self.counts[at] == 0 {
            self.touched.push(at);
        }
        self.counts[at] += 1;
    }

    fn drain(&mut self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.touched.drain(..).map(|at| (at, std::mem::take(&mut self.counts[at])))
    }
}

/// Counts on one thread; keeps its buffers between texts.
struct Counter<'t> {
    terms: &'t Terms,
    counts: Counts,
    words: WordHashes,
    /// Places in the text, each with its word.
    hits: Vec<(usize, usize)>,
    /// Places in the text, each with a term.
    found: Vec<(usize, usize)>,
    occurrences: Sparse,
    near: Sparse,
}

impl<'t> Counter<'t> {
    fn new(terms: &'t Terms) -> Self {
        Self {
            terms,
            counts: terms.no_counts(),
            words: WordHashes::default(),
            hits: Vec::new(),
            found: Vec::new(),
            occurrences: Sparse::new(terms.groups.len()),
            near: Sparse::new(terms.n_rows * terms.n_groups),
        }
    }

    fn take(&mut self, text: &str) {
        self.find_words(text);
        self.find_terms();
        self.find_near();
        for (term, n) in self.occurrences.drain() {
            let (occurrences, texts) = &mut self.counts.terms[term];
            *occurrences += n;
            *texts += 1;
        }
        for (at, n) in self.near.drain() {
            let cell = &mut self.counts.cells[at];
            cell.pairs += n;
            cell.texts += 1;
            cell.squares += u128::from(n) * u128::from(n);
        }
    }

    /// List the words that are in some phrase.
    fn find_words(&mut self, text: &str) {
        let (terms, hits) = (self.terms, &mut self.hits);
        hits.clear();
        let mut at = 0;
        self.words.each_portion(text, |hashes| {
            for (&hash, place) in hashes.iter().zip(at..) {
                let (word, bit) = filter_bit(hash);
                if terms.filter[word] & bit != 0
                    && let Some(&id) = terms.word_ids.get(&hash)
                {
                    hits.push((place, id));
                }
            }
            at += hashes.len();
        });
        self.counts.words += at as u64;
    }

    /// List the terms, by the longest phrase that begins at each word.
    fn find_terms(&mut self) {
        self.found.clear();
        for (at, &(place, word)) in self.hits.iter().enumerate() {
            let after = &self.hits[at + 1..];
            let begins = |phrase: &&WordPhrase| {
                phrase.rest.len() <= after.len()
                    && phrase
                        .rest
                        .iter()
                        .zip(place + 1..)
                        .zip(after)
                        .all(|((&word, place), &hit)| hit == (place, word))
            };
            if let Some(phrase) = self.terms.phrases[word].iter().find(begins) {
                for &term in &phrase.terms {
                    self.found.push((place, term));
                    self.occurrences.add(term);
                }
            }
        }
    }

    /// Count the groups around each center, and in the whole text.
    fn find_near(&mut self) {
        let Terms { groups, n_groups, row_of, n_rows, window, .. } = self.terms;
        for (at, &(place, term)) in self.found.iter().enumerate() {
            for group in &groups[term] {
                self.near.add((n_rows - 1) * n_groups + group);
            }
            let Some(row) = row_of[term] else { continue };
            let before = self.found[..at].iter().rev();
            let close = |&&(other, _): &&(usize, usize)| other.abs_diff(place) <= *window;
            let around = before.take_while(close).chain(self.found[at..].iter().take_while(close));
            for &(_, other) in around.filter(|(other, _)| *other != place) {
                for group in &groups[other] {
                    self.near.add(row * n_groups + group);
                }
            }
        }
    }
}
