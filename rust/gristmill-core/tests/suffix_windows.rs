//! The suffix-array engine in any memory and for any symbols, against a twin that compares all pairs.

#![allow(clippy::expect_used)]

use std::collections::HashMap;

use gristmill_core::exact_substring::{Corpus, Engine, Options, Range, exact_duplicates};
use gristmill_core::{Error, Result};
use proptest::prelude::*;

/// The definition for sequences of symbols of `unit` bytes: windows in order, the first of each kept,
/// bytes marked.
fn naive(documents: &[&[u8]], unit: usize, min_bytes: usize) -> Vec<Range> {
    let mut seen: HashMap<&[u8], (u32, u64)> = HashMap::new();
    let mut ranges: Vec<Range> = Vec::new();
    for (document, bytes) in documents.iter().enumerate() {
        let document = document as u32;
        for start in (0..(bytes.len() + 1).saturating_sub(min_bytes)).step_by(unit) {
            let end = start + min_bytes;
            let Some(&(twin_document, twin_offset)) = seen.get(&bytes[start..end]) else {
                seen.insert(&bytes[start..end], (document, start as u64));
                continue;
            };
            match ranges.last_mut() {
                Some(last) if last.document == document && start as u64 <= last.end => {
                    last.end = end as u64;
                }
                _ => ranges.push(Range {
                    document,
                    start: start as u64,
                    end: end as u64,
                    twin_document,
                    twin_offset,
                }),
            }
        }
    }
    ranges
}

fn find(
    documents: &[&[u8]],
    unit: usize,
    min_bytes: usize,
    memory: Option<usize>,
) -> Result<Vec<Range>> {
    let engine = Engine::SuffixArray;
    let options = Options { min_bytes, engine, memory, ..Options::default() };
    exact_duplicates(&Corpus::of_symbols(documents.to_vec(), unit), &options)
}

/// The least memory that is enough, found by giving what the error for too little asks for; none when
/// nothing has to be sorted. (More memory filters better, and leaves other pieces.)
fn least(documents: &[&[u8]], unit: usize, min_bytes: usize) -> Option<usize> {
    let mut memory = 0;
    for _ in 0..9 {
        match find(documents, unit, min_bytes, Some(memory)) {
            Err(Error::Memory { memory: given, least }) if given < least => memory = least,
            Err(error) => panic!("{error}"),
            Ok(_) => return (memory > 0).then_some(memory),
        }
    }
    panic!("{memory} bytes are not enough either");
}

/// Texts glued from few pieces, each of so many letters out of four.
fn glued(lengths: std::ops::Range<usize>, most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop::collection::vec(prop::sample::select(b"abc\0".to_vec()), lengths);
    prop::collection::vec(piece, 1..6).prop_flat_map(move |pieces| {
        let text = prop::collection::vec(prop::sample::select(pieces), 0..most)
            .prop_map(|chosen| chosen.concat());
        prop::collection::vec(text, 1..7)
    })
}

/// The same as many bytes, each letter a symbol of `unit` bytes.
fn widened(texts: &[Vec<u8>], unit: usize) -> Vec<Vec<u8>> {
    let widen = |text: &Vec<u8>| {
        let symbol = |&letter: &u8| [letter & 1, letter, 0, letter & 1].into_iter().take(unit);
        text.iter().flat_map(symbol).collect()
    };
    texts.iter().map(widen).collect()
}

fn check(texts: &[Vec<u8>], unit: usize, min_symbols: usize, share: f64) {
    let texts = widened(texts, unit);
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let min_bytes = min_symbols * unit;
    let expected = naive(&texts, unit, min_bytes);
    let unlimited = find(&texts, unit, min_bytes, None).expect("allowed");
    assert_eq!(unlimited, expected);
    if let Some(least) = least(&texts, unit, min_bytes) {
        let mut n_enough = 0;
        for memory in [least, least + (share * 10.0 * least as f64) as usize] {
            match find(&texts, unit, min_bytes, Some(memory)) {
                Err(error) => assert!(matches!(error, Error::Memory { .. }), "{error}"),
                Ok(found) => {
                    assert_eq!(found, expected, "in {memory} bytes");
                    n_enough += 1;
                }
            }
        }
        assert!(n_enough > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn short_windows_in_any_memory(
        texts in glued(1..30, 8),
        unit in prop::sample::select(vec![1_usize, 2, 4]),
        min_symbols in 1_usize..12,
        share in 0.0..1.0,
    ) {
        check(&texts, unit, min_symbols, share);
    }

    #[test]
    fn windows_that_are_filtered_first_in_any_memory(
        texts in glued(20..400, 8),
        unit in prop::sample::select(vec![1_usize, 2, 4]),
        min_symbols in 40_usize..130,
        share in 0.0..1.0,
    ) {
        check(&texts, unit, min_symbols, share);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn documents_of_many_blocks(
        texts in glued(100..3_000, 12),
        min_symbols in 40_usize..130,
        share in 0.0..1.0,
    ) {
        check(&texts, 1, min_symbols, share);
    }
}

#[test]
fn the_twin_sees_only_whole_symbols() {
    let texts: [&[u8]; 2] = [b"abcd", b"bcda"];
    assert_eq!(naive(&texts, 2, 2), []);
    let range = Range { document: 1, start: 0, end: 3, twin_document: 0, twin_offset: 1 };
    assert_eq!(naive(&texts, 1, 3), [range]);
}

#[test]
fn one_document_larger_than_any_chunk_is_cut_with_an_overlap() {
    let line: Vec<u8> = (0..300_u32).flat_map(|i| (i * i).to_le_bytes()).collect();
    let text = [&line[..], b"between", &line, &line].concat();
    let least = least(&[&text], 1, 25).expect("too large for nothing");
    assert!(least < 2 * text.len(), "{least} bytes do not force chunks");
    for memory in [least, 2 * least, 5 * least] {
        let found = find(&[&text], 1, 25, Some(memory)).expect("enough");
        assert_eq!(found, naive(&[&text], 1, 25), "in {memory} bytes");
    }
}

#[test]
fn too_little_memory_is_refused_with_the_least() {
    let text: Vec<u8> = (0..40_000_u32).flat_map(|i| (i % 7_001).to_le_bytes()).collect();
    let refused = find(&[&text], 4, 20, Some(1_000)).expect_err("too little").to_string();
    assert!(refused.starts_with("memory = 1000 bytes is not allowed: at least "), "{refused}");
}

#[test]
fn long_copies_of_copies_and_periods_take_linear_time() {
    let period: Vec<u8> = (0..250_u8).collect();
    let text = period.repeat(4_000);
    let copies = vec![text.as_slice(); 8];
    for min_bytes in [45, 100, 5_000] {
        let ranges = find(&copies, 1, min_bytes, None).expect("allowed");
        assert_eq!(ranges.len(), 8);
        let whole = (0, text.len() as u64);
        assert!(ranges[1..].iter().all(|range| (range.start, range.end) == whole));
        assert_eq!((ranges[0].start, ranges[0].twin_offset), (250, 0));
    }
}
