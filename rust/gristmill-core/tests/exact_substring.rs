//! Both engines against a twin that compares all pairs of windows.

#![allow(clippy::expect_used)]

use std::collections::HashMap;

use gristmill_core::exact_substring::{Corpus, Engine, Options, Range, exact_duplicates};
use gristmill_core::{Error, Result};
use proptest::prelude::*;

/// The definition, word for word: windows in order, the first of each kept, bytes marked, runs of
/// marks shrunk to characters.
fn naive(texts: &[&str], min_bytes: usize) -> Vec<Range> {
    let mut seen: HashMap<&[u8], (u32, u64)> = HashMap::new();
    let mut ranges = Vec::new();
    for (document, text) in texts.iter().enumerate() {
        let bytes = text.as_bytes();
        let mut twins: Vec<Option<(u32, u64)>> = vec![None; bytes.len()];
        let mut marked = vec![false; bytes.len()];
        for start in 0..(bytes.len() + 1).saturating_sub(min_bytes) {
            let window = &bytes[start..start + min_bytes];
            if let Some(&twin) = seen.get(window) {
                twins[start] = Some(twin);
                marked[start..start + min_bytes].fill(true);
            } else {
                seen.insert(window, (document as u32, start as u64));
            }
        }
        let mut start = 0;
        while start < bytes.len() {
            if !marked[start] {
                start += 1;
                continue;
            }
            let end = (start..bytes.len()).find(|&i| !marked[i]).unwrap_or(bytes.len());
            let from = (start..=end).find(|&i| text.is_char_boundary(i)).unwrap_or(end);
            let to = (start..=end).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(start);
            if from < to {
                let (twin_document, twin_offset) = twins[start].expect("a range starts a window");
                ranges.push(Range {
                    document: document as u32,
                    start: from as u64,
                    end: to as u64,
                    twin_document,
                    twin_offset: twin_offset + (from - start) as u64,
                });
            }
            start = end;
        }
    }
    ranges
}

fn range(document: u32, start: u64, end: u64, twin: (u32, u64)) -> Range {
    Range { document, start, end, twin_document: twin.0, twin_offset: twin.1 }
}

fn find(texts: &[&str], min_bytes: usize, engine: Engine, threads: usize) -> Result<Vec<Range>> {
    let options = Options { min_bytes, engine, threads, ..Options::default() };
    exact_duplicates(&Corpus::of_texts(texts), &options)
}

fn both(texts: &[&str], min_bytes: usize, threads: usize) -> Vec<Range> {
    let [winnowing, suffixes] = [Engine::Winnowing, Engine::SuffixArray]
        .map(|engine| find(texts, min_bytes, engine, threads).expect("allowed"));
    assert_eq!(winnowing, suffixes);
    winnowing
}

fn texts(letters: &'static str) -> impl Strategy<Value = Vec<String>> {
    let letter = prop::sample::select(letters.chars().collect::<Vec<_>>());
    let text = prop::collection::vec(letter, 0..60).prop_map(String::from_iter);
    prop::collection::vec(text, 0..6)
}

/// Long texts glued from few pieces, so that long windows repeat in many contexts.
fn glued() -> impl Strategy<Value = Vec<String>> {
    let piece = prop::collection::vec(prop::sample::select(vec!['a', 'b', 'é', '\0']), 1..200)
        .prop_map(String::from_iter);
    prop::collection::vec(piece, 1..5).prop_flat_map(|pieces| {
        let text = prop::collection::vec(prop::sample::select(pieces), 0..8)
            .prop_map(|chosen| chosen.concat());
        prop::collection::vec(text, 1..6)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn two_letters(texts in texts("ab"), min_bytes in 1_usize..12, threads in 1_usize..4) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assert_eq!(both(&texts, min_bytes, threads), naive(&texts, min_bytes));
    }

    #[test]
    fn four_letters_with_nul(texts in texts("ab\0\n"), min_bytes in 1_usize..6) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assert_eq!(both(&texts, min_bytes, 1), naive(&texts, min_bytes));
    }

    #[test]
    fn characters_of_one_to_four_bytes(texts in texts("aéè€🦀🦁"), min_bytes in 1_usize..14) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assert_eq!(both(&texts, min_bytes, 1), naive(&texts, min_bytes));
    }

    #[test]
    fn long_windows_in_many_contexts(texts in glued(), min_bytes in 20_usize..300) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assert_eq!(both(&texts, min_bytes, 2), naive(&texts, min_bytes));
    }
}

#[test]
fn the_twin_keeps_the_first_and_never_crosses_documents() {
    assert_eq!(naive(&["abcd", "xxabcdyy"], 4), [range(1, 2, 6, (0, 0))]);
    assert_eq!(naive(&["ab", "cd", "abcd"], 3), []);
    assert_eq!(naive(&["aaaaa"], 3), [range(0, 1, 5, (0, 0))]);
    assert_eq!(naive(&["é", "é"], 1), [range(1, 0, 2, (0, 0))]);
}

#[test]
fn half_a_character_is_never_cut() {
    // The second bytes of é and © are equal, and so are the first bytes of é and è.
    assert_eq!(both(&["é", "©è"], 1, 1), naive(&["é", "©è"], 1));
    assert_eq!(both(&["xéy", "zéy"], 2, 1), [range(1, 1, 4, (0, 1))]);
}

#[test]
fn touching_ranges_merge() {
    assert_eq!(both(&["abcd", "wxyz", "abcdwxyz"], 4, 1), [range(2, 0, 8, (0, 0))]);
}

#[test]
fn nothing_in_gives_nothing_out() {
    for texts in [&[][..], &[""], &["", "", ""], &["short", "short"]] {
        assert_eq!(both(texts, 100, 1), []);
    }
    assert_eq!(both(&["abc", "abc"], usize::MAX, 2), []);
}

#[test]
fn one_letter_a_million_times_takes_linear_time() {
    let text = "a".repeat(1_000_000);
    for min_bytes in [1, 100, 100_000] {
        assert_eq!(both(&[&text], min_bytes, 1), [range(0, 1, 1_000_000, (0, 0))]);
    }
}

#[test]
fn many_copies_of_one_document_take_linear_time() {
    let text: String = (0..40).map(|i| format!("line {} of the license\n", i * i)).collect();
    let texts = vec![text.as_str(); 5_000];
    let ranges = both(&texts, 100, 2);
    assert_eq!(ranges.len(), 4_999);
    assert_eq!(ranges[4_998], range(4_999, 0, text.len() as u64, (0, 0)));
}

#[test]
fn zero_is_refused_by_name() {
    for (min_bytes, threads, name) in [(0, 1, "min_bytes"), (1, 0, "threads")] {
        let refused = find(&["a"], min_bytes, Engine::Winnowing, threads);
        assert!(matches!(refused, Err(Error::Parameter { name: n, .. }) if n == name));
    }
    assert!(Engine::from_name("suffix_tree").is_err());
}
