//! The exact similarity join against a comparison of each text with each.

#![allow(clippy::expect_used)]

use std::collections::HashSet;

use gristmill_core::Error;
use gristmill_core::minhash::MinHash;
use gristmill_core::similarity::{SimilarPair, signatures, similar_pairs, similarities};
use gristmill_core::text::Shingler;
use proptest::prelude::*;

/// Sets of n-grams as strings; few words are one n-gram.
fn naive_set(text: &str, ngram: usize) -> HashSet<Vec<&str>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.len() {
        0 => HashSet::from([vec!["nothing", text]]),
        n if n < ngram => HashSet::from([words]),
        _ => words.windows(ngram).map(<[&str]>::to_vec).collect(),
    }
}

fn naive_jaccard(a: &str, b: &str, ngram: usize) -> f64 {
    let (a, b) = (naive_set(a, ngram), naive_set(b, ngram));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

/// Each with each; a text whose set stood earlier has one pair, with the first that had it.
fn naive_pairs(texts: &[&str], ngram: usize, least: f64) -> Vec<SimilarPair> {
    let sets: Vec<_> = texts.iter().map(|text| naive_set(text, ngram)).collect();
    let first = |of: usize| (0..=of).find(|&other| sets[other] == sets[of]).expect("itself");
    let mut pairs = Vec::new();
    for left in 0..texts.len() {
        for right in left + 1..texts.len() {
            let similarity = naive_jaccard(texts[left], texts[right], ngram);
            let firsts = first(left) == left && first(right) == right;
            if firsts && similarity >= least || !firsts && first(right) == left {
                pairs.push((left as u32, right as u32, similarity));
            }
        }
    }
    pairs
}

/// Texts of few words, so that they often resemble each other.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "é", "g1"]);
    let text = prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "));
    let group = (text, prop::collection::vec(0..20_usize, 0..5));
    prop::collection::vec(group, 0..10).prop_map(|groups| {
        let copies = groups.into_iter().flat_map(|(text, edits)| {
            let edited = |&at: &usize| {
                let mut words: Vec<&str> = text.split(' ').collect();
                if let Some(word) = words.get_mut(at) {
                    *word = "edit";
                }
                words.join(" ")
            };
            let copies: Vec<String> = edits.iter().map(edited).collect();
            [text].into_iter().chain(copies)
        });
        copies.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn pairs_are_those_of_the_twin(
        texts in texts(), ngram in 1..4_usize, least in prop::sample::select(
            vec![0.001, 0.1, 1.0 / 3.0, 0.5, 0.6, 2.0 / 3.0, 0.75, 0.8, 0.9, 1.0]
        ),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = similar_pairs(&texts, ngram, least, 1).expect("allowed");
        prop_assert_eq!(&found, &naive_pairs(&texts, ngram, least));
        prop_assert_eq!(&found, &similar_pairs(&texts, ngram, least, 3).expect("allowed"));
    }

    #[test]
    fn similarities_are_those_of_the_twin(
        texts in texts().prop_filter("some", |texts| !texts.is_empty()),
        pairs in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..30),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let pairs: Vec<(u32, u32)> = pairs
            .iter()
            .map(|(a, b)| (a.index(texts.len()) as u32, b.index(texts.len()) as u32))
            .collect();
        let twin: Vec<f64> = pairs
            .iter()
            .map(|&(a, b)| naive_jaccard(texts[a as usize], texts[b as usize], 2))
            .collect();
        prop_assert_eq!(similarities(&texts, &pairs, 2, 2).expect("allowed"), twin);
    }
}

#[test]
fn the_twin_leaves_out_pairs_of_folded_texts() {
    let texts = ["a b", "a b", "a c", "a b"];
    let expected = vec![(0, 1, 1.0), (0, 2, 1.0 / 3.0), (0, 3, 1.0)];
    assert_eq!(naive_pairs(&texts, 1, 0.3), expected);
}

#[test]
fn similarities_of_more_pairs_than_a_block_are_in_the_order_of_the_pairs() {
    let texts: Vec<String> = (0..300).map(|n| format!("a b c {} {}", n % 7, n % 11)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let pairs: Vec<(u32, u32)> = (0..90_000).map(|n| (n * 7 % 300, n / 300)).collect();
    let found = similarities(&texts, &pairs, 1, 2).expect("allowed");
    for at in (0..pairs.len()).step_by(997) {
        let (a, b) = pairs[at];
        assert_eq!(found[at], naive_jaccard(texts[a as usize], texts[b as usize], 1));
    }
}

#[test]
fn many_equal_texts_cost_a_pair_each() {
    let text = "one text of many words that stands there again and again";
    let mut texts = vec![text; 200_000];
    texts.push("one text of many words that stands there again and once more");
    let found = similar_pairs(&texts, 2, 0.5, 2).expect("allowed");
    assert_eq!(found.len(), 200_000);
    assert_eq!(found[199_999], (0, 200_000, naive_jaccard(text, texts[200_000], 2)));
}

#[test]
fn more_pairs_than_fit_are_refused_with_the_remedy() {
    let texts: Vec<String> = (0..6_000).map(|n| format!("a b c d e f g h i {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let refused = similar_pairs(&texts, 1, 0.5, 2).expect_err("18 million pairs").to_string();
    assert!(refused.contains("smaller sample"), "{refused}");
}

#[test]
fn signatures_are_those_of_the_kernel_text_by_text() {
    let texts = ["", "one two three four", "五 六", "one two three five"];
    let found = signatures(&texts, 16, 2, 7, 3).expect("allowed");
    let (mut shingler, mut shingles, mut signature) = (Shingler::new(2), Vec::new(), Vec::new());
    for (text, row) in texts.iter().zip(found.chunks(16)) {
        shingler.shingle(text, &mut shingles);
        MinHash::new(16, 7).sign(&shingles, &mut signature);
        assert_eq!(row, signature);
    }
}

#[test]
fn parameters_outside_their_range_are_named() {
    let name_of = |error| match error {
        Error::Parameter { name, .. } => name,
        other => panic!("{other}"),
    };
    for least in [0.0, -0.1, 1.1, f64::NAN] {
        assert_eq!(name_of(similar_pairs(&["a"], 1, least, 1).expect_err("least")), "least");
    }
    assert_eq!(name_of(similar_pairs(&["a"], 0, 0.5, 1).expect_err("ngram")), "ngram");
    assert_eq!(name_of(similar_pairs(&["a"], 1, 0.5, 0).expect_err("threads")), "threads");
    assert_eq!(name_of(similarities(&["a"], &[(0, 1)], 1, 1).expect_err("pair")), "pair");
    for num_perm in [0, 4_097] {
        assert_eq!(name_of(signatures(&["a"], num_perm, 1, 0, 1).expect_err("perm")), "num_perm");
    }
}
