//! Compares a passage with an item, word for word.

use super::seeds::{SeedHash, Seeds, WORDS};
use super::{Part, Rule, hash_run};

/// What a passage holds of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The first and the last word of the text that stand in the item too, in runs of [`WORDS`].
    pub start: usize,
    pub end: usize,
    /// Words of the item, or of one of its parts, that stand in the passage; of so many.
    pub covered: usize,
    pub n_words: usize,
    pub has_ngram: bool,
}

/// Judges passages by one item.
pub(super) struct Judge<'a> {
    rule: Rule,
    /// The words of all items.
    words: &'a [u64],
    /// The parts of this one.
    parts: &'a [Part],
    seeds: &'a Seeds,
}

impl<'a> Judge<'a> {
    pub(super) fn new(rule: Rule, words: &'a [u64], parts: &'a [Part], seeds: &'a Seeds) -> Self {
        Self { rule, words, parts, seeds }
    }

    /// A lower bound for the seeds in a passage that holds the item; none when no passage can.
    pub(super) fn least_hits(&self) -> Option<usize> {
        let of_ngrams = self.parts.iter().filter_map(|&part| self.least_in_ngram(part)).min();
        let covered_by_one = WORDS * self.most_equal_seeds();
        let of_coverage = self.units().filter_map(|unit| {
            let least = self.rule.least_covered(n_words(unit))?;
            let by_seeds = least.saturating_sub(self.without_seed(unit));
            Some(by_seeds.div_ceil(covered_by_one).max(1))
        });
        let has_seed =
            self.parts.iter().any(|part| (part.start..part.end).any(|at| self.seeds.begins(at)));
        of_coverage.min().into_iter().chain(of_ngrams).min().filter(|_| has_seed)
    }

    /// What the words `start` to `end` of a text, and a few around them, hold of the item, when that
    /// is a find.
    pub(super) fn compare(&self, text: &[u64], start: usize, end: usize) -> Option<Held> {
        let region = start.saturating_sub(self.rule.ngram)..(end + self.rule.ngram).min(text.len());
        let mut runs = Runs::of(self.parts, self.words, WORDS);
        let (first, last) = runs.mark(&text[region.clone()])?;
        let covered = Covered::new(&runs, self.parts);
        let (covered, n_words, is_enough) = self
            .units()
            .map(|unit| {
                let (covered, n_words) = (covered.count(unit), n_words(unit));
                let is_enough =
                    self.rule.least_covered(n_words).is_some_and(|least| covered >= least);
                (covered, n_words, is_enough)
            })
            .max_by(|one, other| {
                let share = |&(covered, n_words, is_enough): &(usize, usize, bool)| {
                    (is_enough, covered as f64 / n_words.max(1) as f64, n_words)
                };
                share(one).partial_cmp(&share(other)).unwrap_or(std::cmp::Ordering::Equal)
            })?;
        let has_ngram = self.has_ngram(&text[region.clone()]);
        (is_enough || has_ngram).then_some(Held {
            start: region.start + first,
            end: region.start + last + WORDS,
            covered,
            n_words,
            has_ngram,
        })
    }

    /// What coverage may be of: all parts, or any one.
    fn units(&self) -> impl Iterator<Item = &'a [Part]> {
        std::iter::once(self.parts).chain(self.parts.chunks(1).filter(|_| self.parts.len() > 1))
    }

    /// The fewest seeds in an n-gram of a part that has one.
    fn least_in_ngram(&self, part: Part) -> Option<usize> {
        let begins: Vec<bool> = (part.start..part.end).map(|at| self.seeds.begins(at)).collect();
        let ngrams = begins.windows(self.rule.ngram);
        let n_seeds =
            |ngram: &[bool]| ngram[..=self.rule.ngram - WORDS].iter().filter(|is| **is).count();
        ngrams.map(n_seeds).filter(|&n_seeds| n_seeds > 0).min()
    }

    /// How often the same run of words stands in the item, at most.
    fn most_equal_seeds(&self) -> usize {
        let runs = Runs::of(self.parts, self.words, WORDS);
        runs.sorted.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len).max().unwrap_or(1)
    }

    /// Words that stand in no seed.
    fn without_seed(&self, unit: &[Part]) -> usize {
        let is_in_seed = |part: &Part, at: usize| {
            ((at + 1).saturating_sub(WORDS).max(part.start)..=at)
                .any(|first| self.seeds.begins(first))
        };
        unit.iter()
            .map(|part| (part.start..part.end).filter(|&at| !is_in_seed(part, at)).count())
            .sum()
    }

    /// Whether some words have an n-gram of the item, a seed in it.
    fn has_ngram(&self, text: &[u64]) -> bool {
        let ngram = self.rule.ngram;
        let runs = Runs::of(self.parts, self.words, ngram);
        let has_seed = |at: usize| (at..=at + ngram - WORDS).any(|word| self.seeds.begins(word));
        text.windows(ngram).any(|run| {
            runs.equal(run)
                .is_some_and(|range| runs.sorted[range].iter().any(|&(_, at)| has_seed(at)))
        })
    }
}

fn n_words(unit: &[Part]) -> usize {
    unit.iter().map(|part| part.end - part.start).sum()
}

/// The runs of so many words of an item, ordered by hash.
struct Runs<'a> {
    words: &'a [u64],
    n_words: usize,
    sorted: Vec<(SeedHash, usize)>,
    /// Which of them are marked: those that some text has.
    marked: Vec<bool>,
}

impl<'a> Runs<'a> {
    fn of(parts: &[Part], words: &'a [u64], n_words: usize) -> Self {
        let of_part = |part: &Part| {
            let runs = words[part.start..part.end].windows(n_words);
            runs.zip(part.start..).map(|(run, at)| (hash_run(run), at)).collect::<Vec<_>>()
        };
        let mut sorted: Vec<_> = parts.iter().flat_map(of_part).collect();
        sorted.sort_unstable();
        let marked = vec![false; sorted.len()];
        Self { words, n_words, sorted, marked }
    }

    /// The places in `sorted` that are equal to some words.
    fn equal(&self, run: &[u64]) -> Option<std::ops::Range<usize>> {
        let hash = hash_run(run);
        let first = self.sorted.partition_point(|&(other, _)| other < hash);
        let &(other, at) = self.sorted.get(first)?;
        let is_equal = other == hash && &self.words[at..at + self.n_words] == run;
        is_equal.then(|| first..self.sorted.partition_point(|&(other, _)| other <= hash))
    }

    /// Mark the runs that `text` has; where in it the first and the last of them start.
    fn mark(&mut self, text: &[u64]) -> Option<(usize, usize)> {
        let mut ends = None;
        for (at, run) in text.windows(self.n_words).enumerate() {
            let Some(range) = self.equal(run) else { continue };
            ends = Some((ends.map_or(at, |(first, _)| first), at));
            if !self.marked[range.start] {
                self.marked[range].fill(true);
            }
        }
        ends
    }
}

/// Which words of an item stand in marked runs.
struct Covered {
    first: usize,
    is_covered: Vec<bool>,
}

impl Covered {
    fn new(runs: &Runs<'_>, parts: &[Part]) -> Self {
        let first = parts.first().map_or(0, |part| part.start);
        let end = parts.last().map_or(0, |part| part.end);
        let mut is_covered = vec![false; end - first];
        for (&(_, at), is_marked) in runs.sorted.iter().zip(&runs.marked) {
            if *is_marked {
                is_covered[at - first..at - first + runs.n_words].fill(true);
            }
        }
        Self { first, is_covered }
    }

    fn count(&self, unit: &[Part]) -> usize {
        let words = |part: &Part| &self.is_covered[part.start - self.first..part.end - self.first];
        unit.iter().map(|part| words(part).iter().filter(|is| **is).count()).sum()
    }
}
