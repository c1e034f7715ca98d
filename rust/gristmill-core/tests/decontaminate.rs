//! Decontamination: the words it compares, and the longest string in common, against slow twins.

use gristmill_core::decontaminate::{Items, Rule, longest_match};
use gristmill_core::text::Words;
use proptest::prelude::*;

/// The table of all pairs of characters.
fn longest_of_pairs(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let (mut row, mut longest) = (vec![0; other.len() + 1], 0);
    for first in one.chars() {
        for at in (0..other.len()).rev() {
            row[at + 1] = if first == other[at] { row[at] + 1 } else { 0 };
            longest = longest.max(row[at + 1]);
        }
    }
    longest
}

proptest! {
    #[test]
    fn the_longest_match_is_that_of_all_pairs(one in "[abé日 ]{0,40}", other in "[abé日è本 ]{0,40}") {
        prop_assert_eq!(longest_match(&one, &other).unwrap(), longest_of_pairs(&one, &other));
    }

    #[test]
    fn each_span_holds_the_word_of_its_hash(text in "[aB_9 .é日ไ\u{301}Σς]{0,60}") {
        let (mut words, mut hashes, mut alone) = (Words::default(), Vec::new(), Vec::new());
        words.hash(&text, &mut hashes);
        let spans = words.spans(&text);
        prop_assert_eq!(spans.len(), hashes.len());
        for (span, hash) in spans.into_iter().zip(hashes) {
            words.hash(&text[span], &mut alone);
            prop_assert_eq!(&alone, &[hash]);
        }
    }
}

#[test]
fn the_twin_tells_strings_apart() {
    assert_eq!(longest_of_pairs("abcd", "xbcy"), 2);
}

#[test]
fn words_are_found_across_portions() {
    let text = "été_and winter, 日本 ".repeat(2_000);
    let mut words = Words::default();
    let spans = words.spans(&text);
    assert_eq!(spans.len(), 4 * 2_000);
    assert_eq!(&text[spans[7_996].clone()], "été_and");
}

#[test]
fn a_rule_outside_its_range_is_refused() {
    for (ngram, coverage) in [(3, 0.5), (1_001, 0.5), (13, 0.0), (13, f64::NAN)] {
        assert!(Items::new(&["a"], &[1], Rule { ngram, coverage }).is_err());
    }
}
