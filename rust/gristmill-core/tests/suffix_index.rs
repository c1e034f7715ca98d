//! The index against searching every document from every place.

#![allow(clippy::expect_used)]

use gristmill_core::suffix_array::suffix_array;
use gristmill_core::suffix_index::{
    Arrays, Least, Occurrence, SEPARATOR, Shard, Span, SuffixIndex, join, sort,
};
use proptest::prelude::*;

/// A shard of these documents, in memory.
fn shard(texts: &[&str]) -> Shard<Vec<u8>> {
    let Arrays { text, starts } = join(texts);
    let (suffixes, samples) = sort(&text).expect("small");
    let suffixes = suffixes.iter().flat_map(|word| word.to_le_bytes()).collect();
    let starts = starts.iter().flat_map(|word| word.to_le_bytes()).collect();
    Shard::new(text, suffixes, samples, starts, "shard".into()).expect("lengths agree")
}

/// An index of shards of at most `per_shard` documents, in memory.
fn index(texts: &[&str], per_shard: usize) -> SuffixIndex<Vec<u8>> {
    SuffixIndex::new(texts.chunks(per_shard).map(shard).collect())
}

/// Every place of `pattern`: the document, and characters before it.
fn naive_places(texts: &[&str], pattern: &str) -> Vec<Occurrence> {
    let mut places = Vec::new();
    for (document, text) in texts.iter().enumerate() {
        for (offset, (at, _)) in text.char_indices().enumerate() {
            if text[at..].starts_with(pattern) {
                places.push(Occurrence { document, offset });
            }
        }
    }
    places
}

fn naive_locate(texts: &[&str], pattern: &str, limit: usize) -> Vec<Occurrence> {
    let mut places = naive_places(texts, pattern);
    places.dedup_by_key(|place| place.document);
    places.truncate(limit);
    places
}

/// All pairs of ends, then those that no other one contains.
fn naive_spans(texts: &[&str], text: &str, least: Least<'_>, limit: usize) -> Vec<Span> {
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for start in 0..ends.len() {
        for end in start + 1..ends.len() {
            let (from, to) = (ends[start], ends[end]);
            let whole = least.tokens.iter().filter(|token| from <= token.0 && token.1 <= to);
            if whole.count() >= least.min_tokens && !naive_places(texts, &text[from..to]).is_empty()
            {
                found.push((start, end));
            }
        }
    }
    let inside = |a: &(usize, usize), b: &(usize, usize)| a != b && b.0 <= a.0 && a.1 <= b.1;
    let maximal = found.iter().filter(|span| !found.iter().any(|other| inside(span, other)));
    maximal
        .map(|&(start, end)| Span {
            start,
            end,
            count: naive_places(texts, &text[ends[start]..ends[end]]).len(),
            occurrences: naive_locate(texts, &text[ends[start]..ends[end]], limit),
        })
        .collect()
}

fn words(text: &str) -> Vec<(usize, usize)> {
    text.split_inclusive(' ')
        .scan(0, |at, word| {
            *at += word.len();
            Some((*at - word.len(), *at - word.len() + word.trim_end().len()))
        })
        .filter(|(start, end)| start < end)
        .collect()
}

fn text(letters: &'static str, most: usize) -> impl Strategy<Value = String> {
    let letter = prop::sample::select(letters.chars().collect::<Vec<_>>());
    prop::collection::vec(letter, 0..most).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn suffixes_are_sorted(text in prop::collection::vec(0_u8..3, 0..80)) {
        let mut sorted: Vec<usize> = (0..text.len()).collect();
        sorted.sort_by_key(|&at| &text[at..]);
        let wide: Vec<i64> = suffix_array(&text).expect("small");
        let narrow: Vec<i32> = suffix_array(&text).expect("small");
        prop_assert_eq!(wide, sorted.iter().map(|&at| at as i64).collect::<Vec<_>>());
        prop_assert_eq!(narrow, sorted.iter().map(|&at| at as i32).collect::<Vec<_>>());
    }

    #[test]
    fn counts_and_places_are_those_of_the_twin(
        texts in prop::collection::vec(text("abé\0", 20), 0..6),
        pattern in text("abé\0", 4),
        per_shard in 1_usize..4,
        limit in 0_usize..4,
    ) {
        prop_assume!(!pattern.is_empty());
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let index = index(&texts, per_shard);
        let places = naive_places(&texts, &pattern);
        let located = index.locate(pattern.as_bytes(), limit).expect("in memory");
        prop_assert_eq!(index.count(pattern.as_bytes()).expect("in memory"), places.len());
        prop_assert_eq!(located, naive_locate(&texts, &pattern, limit));
        prop_assert_eq!(index.n_documents(), texts.len());
    }

    #[test]
    fn spans_are_all_maximal_ones(
        texts in prop::collection::vec(text("ab é", 40), 0..5),
        query in text("ab éz", 40),
        min_tokens in 1_usize..4,
        per_shard in 1_usize..4,
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tokens = words(&query);
        let least = Least { tokens: &tokens, min_tokens };
        prop_assert_eq!(
            index(&texts, per_shard).spans(&query, least, 2).expect("in memory"),
            naive_spans(&texts, &query, least, 2)
        );
    }
}

#[test]
fn the_twin_knows_overlaps_and_containment() {
    let least = Least { tokens: &[(0, 2), (3, 5)], min_tokens: 1 };
    let spans = naive_spans(&["ab cd", "xab"], "ab cx", least, 5);
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].start, spans[0].end, spans[0].count), (0, 4, 1));
    assert_eq!(naive_places(&["aaa"], "aa").len(), 2);
}

#[test]
fn nothing_crosses_documents_and_the_separator_is_never_found() {
    let index = index(&["ab", "cd", ""], 5);
    assert_eq!(index.count(b"bc").expect("in memory"), 0);
    assert_eq!(index.count(&[SEPARATOR]).expect("in memory"), 0);
    assert_eq!(index.count(&[b'b', SEPARATOR]).expect("in memory"), 0);
    assert_eq!(index.count(b"").expect("in memory"), 0);
    assert_eq!(index.count(b"cd").expect("in memory"), 1);
}

#[test]
fn a_long_copy_is_traced_in_linear_time() {
    let text: String = (0..60_000_u64).map(|i| format!("{} ", i * i % 9_973)).collect();
    let tokens = words(&text);
    let least = Least { tokens: &tokens, min_tokens: 8 };
    let spans = index(&[&text], 1).spans(&text, least, 5).expect("in memory");
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].start, spans[0].end), (0, text.len()));
}

/// A few letters, many times: long runs of suffixes that begin alike.
fn long(letters: &'static str) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(letters.chars().collect::<Vec<_>>());
    let run =
        (piece, 1_usize..2_000).prop_map(|(letter, length)| letter.to_string().repeat(length));
    let mixed =
        prop::collection::vec(prop::sample::select(vec!["ab", "ba", "\0", "é", " "]), 0..600)
            .prop_map(|pieces| pieces.concat());
    prop_oneof![run, mixed]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn shards_of_many_samples_count_and_locate_as_the_twin_does(
        texts in prop::collection::vec(long("ab\0"), 1..12),
        patterns in prop::collection::vec(text("ab\0é ", 24), 1..12),
        cuts in prop::collection::vec((0_usize..12, 0_usize..3_000, 1_usize..80), 8),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let index = index(&texts, texts.len());
        let taken = cuts.iter().map(|&(document, start, length)| {
            let text = texts[document % texts.len()].chars();
            text.skip(start % 600).take(length).collect::<String>()
        });
        for pattern in patterns.into_iter().chain(taken).filter(|pattern| !pattern.is_empty()) {
            let places = naive_places(&texts, &pattern);
            prop_assert_eq!(index.count(pattern.as_bytes()).expect("in memory"), places.len());
            if places.len() <= 16_384 {
                let located = index.locate(pattern.as_bytes(), 3).expect("in memory");
                prop_assert_eq!(located, naive_locate(&texts, &pattern, 3));
            }
        }
    }
}

#[test]
fn shards_of_more_samples_than_are_held_are_searched_through_both_levels() {
    // 600,000 suffixes: 9,375 samples, of which 74 are held.
    let texts: Vec<String> =
        (0..3_000_u64).map(|i| format!("{} {:0200}", i * i % 9_973, i * i * i)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let index = index(&texts, texts.len());
    let starts = |text: &str, pattern: &str| {
        (0..text.len()).filter(|&at| text[at..].starts_with(pattern)).count()
    };
    for (document, text) in texts.iter().enumerate().step_by(31) {
        for pattern in [*text, &text[3..], &text[text.len() - 12..], &text[..4]] {
            let expected: usize = texts.iter().map(|text| starts(text, pattern)).sum();
            let found = index.count(pattern.as_bytes()).expect("in memory");
            assert_eq!(found, expected, "of {pattern:?} from document {document}");
        }
    }
}

#[test]
fn arrays_that_do_not_belong_together_are_refused() {
    let refused = Shard::new(vec![1, 2], vec![0; 7], vec![0; 32], vec![0; 8], "a shard".into());
    let error = refused.expect_err("7 bytes are no suffix array").to_string();
    assert!(error.starts_with("a shard: 7 bytes of suffixes, 32 of samples"), "{error}");
}

#[test]
fn damaged_suffixes_give_wrong_answers_but_no_panic() {
    let text = b"abcd\xFF".repeat(50);
    for damage in [0x00, 0x01, 0x7F, 0xEE] {
        let (suffixes, samples) = (vec![damage; 4 * text.len()], vec![damage; 16 * 5]);
        let starts = vec![damage; 8 * 50];
        let shard = Shard::new(text.clone(), suffixes, samples, starts, "a shard".into());
        let index = SuffixIndex::new(vec![shard.expect("sizes agree")]);
        let tokens = [(0, 4)];
        let least = Least { tokens: &tokens, min_tokens: 1 };
        for pattern in ["abc", "a", "zzzz"] {
            index.count(pattern.as_bytes()).expect("in memory");
            index.locate(pattern.as_bytes(), 5).expect("in memory");
        }
        index.spans("abcdabcd", least, 5).expect("in memory");
    }
}
