//! Compares a passage with an item, word for word.
//!
//! From each seed that both have, the comparison walks on in both directions for as long as the words
//! are equal, and over up to [`MAX_SKIPPED`] words of either side where two equal words follow: those
//! that somebody changed, put in or left out.

use std::cmp::Ordering;
use std::ops::Range;

use super::seeds::{Seeds, WORDS};
use super::{Part, Rule, hash_run};

/// Words that an edit may change, at most.
const MAX_SKIPPED: usize = 2;

/// How many words of the item and of the text are skipped, in the order in which it is tried.
const SKIPS: [(usize, usize); 8] =
    [(1, 1), (0, 1), (1, 0), (MAX_SKIPPED, MAX_SKIPPED), (1, 2), (2, 1), (0, 2), (2, 0)];

/// What a passage holds of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// The words of the text that stand in the item too, from the first to the last.
    pub words: Range<usize>,
    /// Words of the item, or of its first part, that stand in the passage; of so many.
    pub covered: usize,
    pub n_words: usize,
    pub has_ngram: bool,
}

/// How little a passage may have in common with an item, seen before the two are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Least {
    /// Words in seeds, for a find by coverage.
    pub words: usize,
    /// Seeds, for a find by an n-gram.
    pub seeds: usize,
}

/// Judges passages by one item.
pub(super) struct Judge<'a> {
    rule: Rule,
    item: u32,
    /// The words of all items.
    words: &'a [u64],
    /// The parts of this one.
    parts: &'a [Part],
    seeds: &'a Seeds,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        rule: Rule,
        item: u32,
        words: &'a [u64],
        parts: &'a [Part],
        seeds: &'a Seeds,
    ) -> Self {
        Self { rule, item, words, parts, seeds }
    }

    /// What a passage has at least that holds the item; none when no passage can hold it.
    pub(super) fn least(&self) -> Option<Least> {
        let words = self.units().filter_map(|unit| {
            let (n_words, in_seeds) = self.sizes(unit);
            let least = self.rule.least_in_seeds(n_words)?;
            (in_seeds >= least).then_some(least)
        });
        let seeds = self.parts.iter().filter_map(|&part| self.least_in_ngram(part));
        let (words, seeds) = (words.min(), seeds.min());
        let never = usize::MAX;
        (words.is_some() || seeds.is_some())
            .then_some(Least { words: words.unwrap_or(never), seeds: seeds.unwrap_or(never) })
    }

    /// What some words of a text, from the first seed of the item to the last, hold of it, when that
    /// is a find; n-grams are looked for when there `may_be_ngram`.
    pub(super) fn compare(
        &self,
        text: &[u64],
        passage: Range<usize>,
        may_be_ngram: bool,
    ) -> Option<Held> {
        let common = self.common(text, passage.clone());
        let (is_enough, covered, n_words) = self.best_unit(&common);
        let around = passage.start.saturating_sub(self.rule.ngram)
            ..(passage.end + self.rule.ngram).min(text.len());
        let has_ngram = may_be_ngram && self.has_ngram(&text[around]);
        (is_enough || has_ngram).then(|| {
            let words = common.text.marked();
            Held { words, covered, n_words, has_ngram }
        })
    }

    /// What coverage may be of: the whole item, or its first part, the question.
    fn units(&self) -> impl Iterator<Item = &'a [Part]> {
        let has_others = self.parts.len() > 1;
        std::iter::once(self.parts).chain(self.parts.chunks(1).take(usize::from(has_others)))
    }

    /// The words of the parts that have a seed, and how many of these stand in one, in the first
    /// place where the item has it.
    fn sizes(&self, unit: &[Part]) -> (usize, usize) {
        let mut sizes = (0, 0);
        for part in unit {
            let begins = |at: &usize| self.seeds.begins_first(*at);
            let in_seeds = n_covered((part.start..part.end).filter(begins));
            if in_seeds > 0 {
                sizes = (sizes.0 + part.end - part.start, sizes.1 + in_seeds);
            }
        }
        sizes
    }

    /// The fewest seeds in an n-gram of a part that has one.
    fn least_in_ngram(&self, part: Part) -> Option<usize> {
        let begins: Vec<bool> = (part.start..part.end).map(|at| self.seeds.begins(at)).collect();
        let n_seeds =
            |ngram: &[bool]| ngram[..=ngram.len() - WORDS].iter().filter(|begins| **begins).count();
        begins.windows(self.rule.ngram).map(n_seeds).filter(|&n_seeds| n_seeds > 0).min()
    }

    /// What the item and a passage have in common.
    fn common(&self, text: &[u64], passage: Range<usize>) -> Common {
        let item = self.bounds();
        let around =
            passage.start.saturating_sub(item.len())..(passage.end + item.len()).min(text.len());
        let mut common = Common {
            seeds: Marks::new(item.clone()),
            item: Marks::new(item),
            text: Marks::new(around),
            n_in_text: 0,
        };
        let mut known_until = passage.start;
        for (run, at) in text[passage.clone()].windows(WORDS).zip(passage.start..) {
            let Some(place) = self.seeds.place_in(hash_run(run), self.item) else { continue };
            let word = place.word as usize;
            if &self.words[word..word + WORDS] != run || common.seeds.has(word) {
                continue;
            }
            common.seeds.mark(word);
            common.n_in_text += at + WORDS - known_until.max(at);
            known_until = at + WORDS;
            if !(word..word + WORDS).all(|word| common.item.has(word)) {
                self.walk_from(text, word, at, &mut common);
            }
        }
        common
    }

    /// Mark what the item and the text have in common around the equal runs that start at these words.
    fn walk_from(&self, text: &[u64], word: usize, at: usize, common: &mut Common) {
        for step in 0..WORDS {
            common.item.mark(word + step);
            common.text.mark(at + step);
        }
        let Some(part) = self.parts.iter().find(|part| (part.start..part.end).contains(&word))
        else {
            return;
        };
        let (end, text_end) = (word + WORDS, at + WORDS);
        let item_after = &self.words[end..part.end];
        walk(
            |i| item_after.get(i),
            |j| text[text_end..].get(j),
            |i, j| {
                common.text.mark(text_end + j);
                common.item.mark(end + i)
            },
        );
        let item_before = &self.words[part.start..word];
        walk(
            |i| from_end(item_before, i),
            |j| from_end(&text[..at], j),
            |i, j| {
                common.text.mark(at - 1 - j);
                common.item.mark(word - 1 - i)
            },
        );
    }

    fn bounds(&self) -> Range<usize> {
        let start = self.parts.first().map_or(0, |part| part.start);
        start..self.parts.last().map_or(start, |part| part.end)
    }

    /// The unit of which the passage holds the largest share: whether that is enough, how many words,
    /// of how many.
    ///
    /// A seed counts once, however often the item or the passage has it; nor are more words covered
    /// than the passage has.
    fn best_unit(&self, common: &Common) -> (bool, usize, usize) {
        let n_in_text = common.text.count(common.text.range());
        let of_unit = |unit: &[Part]| {
            let (n_words, _) = self.sizes(unit);
            let parts = || unit.iter().map(|part| part.start..part.end);
            let covered: usize = parts().map(|part| common.item.count(part)).sum();
            let seeds = |part: Range<usize>| n_covered(part.filter(|&at| common.seeds.has(at)));
            let in_seeds = parts().map(seeds).sum::<usize>().min(common.n_in_text);
            let covered = covered.min(n_in_text).min(n_words);
            (self.is_enough(in_seeds, covered, n_words), covered, n_words)
        };
        let share = |&(is_enough, covered, n_words): &(bool, usize, usize)| {
            (is_enough, covered as f64 / n_words.max(1) as f64, n_words)
        };
        let order = |one: &_, other: &_| share(one).partial_cmp(&share(other));
        let units = self.units().map(of_unit);
        let best = units.max_by(|one, other| order(one, other).unwrap_or(Ordering::Equal));
        best.unwrap_or_default()
    }

    fn is_enough(&self, in_seeds: usize, covered: usize, n_words: usize) -> bool {
        self.rule.least_covered(n_words).is_some_and(|least| covered >= least)
            && self.rule.least_in_seeds(n_words).is_some_and(|least| in_seeds >= least)
    }

    /// Whether some words have an n-gram of the item, a seed in it.
    fn has_ngram(&self, text: &[u64]) -> bool {
        let ngram = self.rule.ngram;
        let mut known: Vec<(u64, usize)> = Vec::new();
        for part in self.parts {
            let runs = self.words[part.start..part.end].windows(ngram).zip(part.start..);
            let has_seed =
                |at: usize| (at..=at + ngram - WORDS).any(|word| self.seeds.begins(word));
            known.extend(runs.filter(|&(_, at)| has_seed(at)).map(|(run, at)| (hash_run(run), at)));
        }
        known.sort_unstable();
        !known.is_empty()
            && text.windows(ngram).any(|run| {
                let hash = hash_run(run);
                let first = known.partition_point(|&(other, _)| other < hash);
                known.get(first).is_some_and(|&(_, at)| &self.words[at..at + ngram] == run)
            })
    }
}

/// Words in runs of [`WORDS`] that start at these places, which ascend.
fn n_covered(starts: impl Iterator<Item = usize>) -> usize {
    let (mut n_words, mut known_until) = (0, 0);
    for start in starts {
        n_words += start + WORDS - start.max(known_until);
        known_until = start + WORDS;
    }
    n_words
}

/// What an item and a passage have in common.
struct Common {
    /// Words of the item at which a seed begins for the first time that the passage has.
    seeds: Marks,
    /// Words of the item that the passage has.
    item: Marks,
    /// Words of the passage that the item has.
    text: Marks,
    /// Words of the passage in seeds of the item, each seed once.
    n_in_text: usize,
}

/// Marked words in a range of words.
struct Marks {
    start: usize,
    marked: Vec<bool>,
}

impl Marks {
    fn new(range: Range<usize>) -> Self {
        Self { start: range.start, marked: vec![false; range.len()] }
    }

    /// Mark a word; whether it was not marked before. Words outside of the range cannot be marked.
    fn mark(&mut self, word: usize) -> bool {
        let marked = word.checked_sub(self.start).and_then(|at| self.marked.get_mut(at));
        marked.is_some_and(|marked| !std::mem::replace(marked, true))
    }

    fn has(&self, word: usize) -> bool {
        self.marked[word - self.start]
    }

    fn range(&self) -> Range<usize> {
        self.start..self.start + self.marked.len()
    }

    fn count(&self, words: Range<usize>) -> usize {
        let words = words.start - self.start..words.end - self.start;
        self.marked[words].iter().filter(|marked| **marked).count()
    }

    /// The words from the first to the last that is marked.
    fn marked(&self) -> Range<usize> {
        let first = self.marked.iter().position(|marked| *marked).unwrap_or(0);
        let last = self.marked.iter().rposition(|marked| *marked).map_or(first, |last| last + 1);
        self.start + first..self.start + last
    }
}

/// Call `take` with the places of equal words, as far as an item and a text go on together, until it
/// gives false.
fn walk<'a>(
    item: impl Fn(usize) -> Option<&'a u64>,
    text: impl Fn(usize) -> Option<&'a u64>,
    mut take: impl FnMut(usize, usize) -> bool,
) {
    let equal = |i: usize, j: usize| item(i).is_some_and(|word| text(j) == Some(word));
    let (mut i, mut j) = (0, 0);
    loop {
        while equal(i, j) {
            if !take(i, j) {
                return;
            }
            (i, j) = (i + 1, j + 1);
        }
        let go_on =
            |&&(di, dj): &&(usize, usize)| equal(i + di, j + dj) && equal(i + di + 1, j + dj + 1);
        let Some(&(di, dj)) = SKIPS.iter().find(go_on) else { return };
        (i, j) = (i + di, j + dj);
    }
}

fn from_end(words: &[u64], at: usize) -> Option<&u64> {
    words.get(words.len().checked_sub(at + 1)?)
}
