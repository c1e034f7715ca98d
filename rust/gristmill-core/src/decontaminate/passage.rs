//! Compares a passage with an item, word for word.

use std::cmp::Ordering;
use std::ops::Range;

use super::seeds::{Place, Seeds, WORDS};
use super::{Part, Rule, hash_run};

/// What a passage holds of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// The words of the text that stand in the item too, from the first to the last.
    pub words: Range<usize>,
    /// Words in seeds, of the item or of one of its parts, that stand in the passage; of so many.
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
        let words = self.units().filter_map(|unit| self.rule.least_covered(self.in_seeds(unit)));
        let seeds = self.parts.iter().filter_map(|&part| self.least_in_ngram(part));
        let (words, seeds) = (words.min(), seeds.min());
        let never = usize::MAX;
        (words.is_some() || seeds.is_some())
            .then_some(Least { words: words.unwrap_or(never), seeds: seeds.unwrap_or(never) })
    }

    /// What some words of a text, from the first seed of the item to the last, hold of it, when that
    /// is a find.
    pub(super) fn compare(&self, text: &[u64], passage: Range<usize>) -> Option<Held> {
        let common = self.common(text, passage.clone());
        let (is_enough, covered, n_words) = self.best_unit(&common);
        let around = passage.start.saturating_sub(self.rule.ngram)
            ..(passage.end + self.rule.ngram).min(text.len());
        let has_ngram = self.has_ngram(&text[around]);
        if !is_enough && !has_ngram {
            return None;
        }
        let words = self.extended(text, passage, common.first?, common.last?);
        Some(Held { words, covered, n_words, has_ngram })
    }

    /// What coverage may be of: all parts, or any one.
    fn units(&self) -> impl Iterator<Item = &'a [Part]> {
        std::iter::once(self.parts).chain(self.parts.chunks(1).filter(|_| self.parts.len() > 1))
    }

    /// Words that stand in a seed, in the first place where the item has it.
    fn in_seeds(&self, unit: &[Part]) -> usize {
        let begins = |at: &usize| self.seeds.begins_first(*at);
        unit.iter().map(|part| n_covered((part.start..part.end).filter(begins))).sum()
    }

    /// The fewest seeds in an n-gram of a part that has one.
    fn least_in_ngram(&self, part: Part) -> Option<usize> {
        let begins: Vec<bool> = (part.start..part.end).map(|at| self.seeds.begins(at)).collect();
        let n_seeds =
            |ngram: &[bool]| ngram[..=ngram.len() - WORDS].iter().filter(|begins| **begins).count();
        begins.windows(self.rule.ngram).map(n_seeds).filter(|&n_seeds| n_seeds > 0).min()
    }

    /// The seeds of the item that stand in a passage.
    fn common(&self, text: &[u64], passage: Range<usize>) -> Common {
        let (first_word, end) = self.bounds();
        let mut common = Common {
            first_word,
            has_seed: vec![false; end - first_word],
            n_in_text: 0,
            first: None,
            last: None,
        };
        let mut known_until = passage.start;
        for (run, at) in text[passage.clone()].windows(WORDS).zip(passage.start..) {
            let Some(place) = self.seeds.place_in(hash_run(run), self.item) else { continue };
            let word = place.word as usize;
            if &self.words[word..word + WORDS] != run {
                continue;
            }
            common.first = common.first.or(Some(place));
            common.last = Some(place);
            if !std::mem::replace(&mut common.has_seed[word - first_word], true) {
                common.n_in_text += at + WORDS - known_until.max(at);
                known_until = at + WORDS;
            }
        }
        common
    }

    fn bounds(&self) -> (usize, usize) {
        let start = self.parts.first().map_or(0, |part| part.start);
        (start, self.parts.last().map_or(start, |part| part.end))
    }

    /// The unit of which the passage holds the largest share: whether that is enough, how many words in
    /// seeds, of how many.
    ///
    /// A seed counts once, however often the item or the passage has it; nor are more words covered
    /// than the passage has.
    fn best_unit(&self, common: &Common) -> (bool, usize, usize) {
        let of_unit = |unit| {
            let n_words = self.in_seeds(unit);
            let covered = common.covered(unit).min(common.n_in_text);
            (self.is_enough(covered, n_words), covered, n_words)
        };
        let share = |&(is_enough, covered, n_words): &(bool, usize, usize)| {
            (is_enough, covered as f64 / n_words.max(1) as f64, n_words)
        };
        let worse = |one: &_, other: &_| share(one).partial_cmp(&share(other));
        let best = self
            .units()
            .map(of_unit)
            .max_by(|one, other| worse(one, other).unwrap_or(Ordering::Equal));
        best.unwrap_or_default()
    }

    fn is_enough(&self, covered: usize, n_words: usize) -> bool {
        self.rule.least_covered(n_words).is_some_and(|least| covered >= least)
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

    /// The passage with the words before and after it that the item has in the same places.
    fn extended(
        &self,
        text: &[u64],
        passage: Range<usize>,
        first: Place,
        last: Place,
    ) -> Range<usize> {
        let part_of = |place: Place| {
            let at = place.word as usize;
            self.parts.iter().find(|part| (part.start..part.end).contains(&at)).copied()
        };
        let (first_word, last_end) = (first.word as usize, last.word as usize + WORDS);
        let before = part_of(first).map_or(&[][..], |part| &self.words[part.start..first_word]);
        let after = part_of(last).map_or(&[][..], |part| &self.words[last_end..part.end]);
        let pairs_before = before.iter().rev().zip(text[..passage.start].iter().rev());
        let pairs_after = after.iter().zip(&text[passage.end..]);
        let n_before = pairs_before.take_while(|(one, other)| one == other).count();
        let n_after = pairs_after.take_while(|(one, other)| one == other).count();
        passage.start - n_before..passage.end + n_after
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
    /// The first word of the item, among the words of all items.
    first_word: usize,
    /// For each word of the item, whether the passage has the seed that begins there for the first
    /// time.
    has_seed: Vec<bool>,
    /// Words of the passage in seeds of the item, each seed once.
    n_in_text: usize,
    /// The places in the item of the first and the last seed.
    first: Option<Place>,
    last: Option<Place>,
}

impl Common {
    /// Words of a unit that stand in seeds of the passage.
    fn covered(&self, unit: &[Part]) -> usize {
        let has_seed = |at: &usize| self.has_seed[at - self.first_word];
        unit.iter().map(|part| n_covered((part.start..part.end).filter(has_seed))).sum()
    }
}
