//! Both engines against a twin that compares all pairs of windows.

#![allow(clippy::expect_used)]

use std::collections::HashMap;

use gristmill_core::exact_substring::{Corpus, Engine, Options, Range, exact_duplicates};
use gristmill_core::{Error, Result};
use proptest::prelude::*;

/// Two and four letters; characters of one to four bytes, some of which share bytes.
const ALPHABETS: [&str; 6] = ["ab", "acgt", "ab\0\n", "aé€🦀", "éè©ã", "🦀🦁🐀🐁"];

/// The definition, word for word: windows in order, the first of each kept, bytes marked, runs of
/// marks shrunk to characters. Places count symbols of `unit` bytes; `boundary` tells where a
/// range of a document may begin or end.
fn naive_with(
    documents: &[&[u8]],
    min_bytes: usize,
    unit: usize,
    boundary: impl Fn(usize, usize) -> bool,
) -> Vec<Range> {
    let mut seen: HashMap<&[u8], (u32, u64)> = HashMap::new();
    let mut ranges = Vec::new();
    for (document, &bytes) in documents.iter().enumerate() {
        let mut twins: Vec<Option<(u32, u64)>> = vec![None; bytes.len()];
        let mut marked = vec![false; bytes.len()];
        for start in (0..(bytes.len() + 1).saturating_sub(min_bytes)).step_by(unit) {
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
            let from = (start..=end).find(|&i| boundary(document, i)).unwrap_or(end);
            let to = (start..=end).rev().find(|&i| boundary(document, i)).unwrap_or(start);
            if from < to {
                // The first duplicate window that reaches beyond `from`.
                let mut windows = (start..).filter(|&at| at + min_bytes > from);
                let window = windows.find(|&at| twins[at].is_some()).expect("one covers it");
                let (twin_document, twin_offset) = twins[window].expect("it was chosen for that");
                ranges.push(Range {
                    document: document as u32,
                    start: from as u64,
                    end: to as u64,
                    twin_document,
                    twin_offset: twin_offset + (from - window) as u64,
                });
            }
            start = end;
        }
    }
    ranges
}

fn naive(texts: &[&str], min_bytes: usize) -> Vec<Range> {
    let documents: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    naive_with(&documents, min_bytes, 1, |document, i| texts[document].is_char_boundary(i))
}

fn naive_symbols(documents: &[&[u8]], min_bytes: usize, unit: usize) -> Vec<Range> {
    naive_with(documents, min_bytes, unit, |_, i| i % unit == 0)
}

fn range(document: u32, start: u64, end: u64, twin: (u32, u64)) -> Range {
    Range { document, start, end, twin_document: twin.0, twin_offset: twin.1 }
}

fn find(texts: &[&str], min_bytes: usize, engine: Engine, threads: usize) -> Result<Vec<Range>> {
    let options = Options { min_bytes, engine, threads, ..Options::default() };
    exact_duplicates(&Corpus::of_texts(texts), &options)
}

fn both_in(corpus: &Corpus<'_>, min_bytes: usize, threads: usize) -> Vec<Range> {
    let [winnowing, suffixes] = [Engine::Winnowing, Engine::SuffixArray].map(|engine| {
        let options = Options { min_bytes, engine, threads, ..Options::default() };
        exact_duplicates(corpus, &options).expect("allowed")
    });
    assert_eq!(winnowing, suffixes);
    winnowing
}

fn both(texts: &[&str], min_bytes: usize, threads: usize) -> Vec<Range> {
    both_in(&Corpus::of_texts(texts), min_bytes, threads)
}

type Symbols = Vec<usize>;

/// Documents of up to `longest` symbols below 4 that have nothing to do with each other.
fn unrelated(longest: usize) -> BoxedStrategy<Vec<Symbols>> {
    prop::collection::vec(prop::collection::vec(0_usize..4, 0..longest), 0..6).boxed()
}

/// Pieces of one periodic, Fibonacci or Thue-Morse word, or of one with long runs.
fn repetitive(longest: usize) -> BoxedStrategy<Vec<Symbols>> {
    let word = prop_oneof![
        prop::collection::vec(0_usize..4, 1..9).prop_map(move |period| period
            .iter()
            .copied()
            .cycle()
            .take(2 * longest)
            .collect()),
        (0_usize..4, 0_usize..4).prop_map(move |(one, two)| fibonacci(one, two, 2 * longest)),
        (0_usize..4, 0_usize..4).prop_map(move |pair| thue_morse(pair, 2 * longest)),
        prop::collection::vec((0_usize..4, 1..longest), 1..6).prop_map(|runs| {
            runs.iter().flat_map(|&(symbol, n)| std::iter::repeat_n(symbol, n)).collect()
        }),
    ];
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), 0..longest), 1..5);
    (word, cuts)
        .prop_map(|(word, cuts): (Symbols, _)| {
            let cut = |(at, n): (prop::sample::Index, usize)| {
                let start = at.index(word.len());
                word[start..word.len().min(start + n)].to_vec()
            };
            cuts.into_iter().map(cut).collect()
        })
        .boxed()
}

fn fibonacci(one: usize, two: usize, n: usize) -> Symbols {
    let (mut short, mut long) = (vec![one], vec![one, two]);
    while long.len() < n {
        let next = [&long[..], &short].concat();
        short = std::mem::replace(&mut long, next);
    }
    long
}

fn thue_morse((one, two): (usize, usize), n: usize) -> Symbols {
    (0..n).map(|i| if i.count_ones() % 2 == 0 { one } else { two }).collect()
}

/// Copies of one document, each with one symbol replaced, taken out or put in.
fn changed_copies(longest: usize) -> BoxedStrategy<Vec<Symbols>> {
    let change = (any::<prop::sample::Index>(), prop::collection::vec(0_usize..4, 0..3));
    (prop::collection::vec(0_usize..4, 1..longest), prop::collection::vec(change, 1..5))
        .prop_map(|(original, changes)| {
            let mut copies = vec![original.clone()];
            copies.extend(changes.into_iter().map(|(at, put)| {
                let at = at.index(original.len());
                [&original[..at], &put, &original[at + 1..]].concat()
            }));
            copies
        })
        .boxed()
}

/// Documents glued from few pieces, so that long windows repeat in many contexts.
fn glued(longest: usize) -> BoxedStrategy<Vec<Symbols>> {
    let piece = prop::collection::vec(0_usize..4, 1..longest);
    prop::collection::vec(piece, 1..5)
        .prop_flat_map(|pieces| {
            let document = prop::collection::vec(prop::sample::select(pieces), 0..8)
                .prop_map(|chosen| chosen.concat());
            prop::collection::vec(document, 1..6)
        })
        .boxed()
}

fn any_kind(longest: usize) -> BoxedStrategy<Vec<Symbols>> {
    prop_oneof![
        unrelated(longest),
        repetitive(longest),
        changed_copies(longest),
        glued(longest / 3)
    ]
    .boxed()
}

/// The documents as texts over one of `ALPHABETS`.
fn texts(documents: BoxedStrategy<Vec<Symbols>>) -> impl Strategy<Value = Vec<String>> {
    (prop::sample::select(&ALPHABETS[..]), documents).prop_map(|(alphabet, documents)| {
        let letters: Vec<char> = alphabet.chars().collect();
        let letter = |&i: &usize| letters[i % letters.len()];
        documents.iter().map(|symbols| symbols.iter().map(letter).collect()).collect()
    })
}

/// The documents as symbols of `unit` bytes that share their bytes: what is equal across symbols
/// must not count.
fn as_symbols(documents: &[Symbols], unit: usize) -> Vec<Vec<u8>> {
    const IDS: [u32; 4] = [0, 0x0100_0001, 0x0101_0101, 0x0001_0100];
    let spell = |&i: &usize| IDS[i].to_le_bytes()[4 - unit..].to_vec();
    documents.iter().map(|symbols| symbols.iter().flat_map(spell).collect()).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn short_windows(texts in texts(any_kind(60)), min_bytes in 1_usize..14, threads in 1_usize..4) {
        let texts = borrowed(&texts);
        prop_assert_eq!(both(&texts, min_bytes, threads), naive(&texts, min_bytes));
    }

    #[test]
    fn windows_longer_than_some_documents(
        texts in texts(any_kind(90)), min_bytes in 12_usize..40, threads in 1_usize..4,
    ) {
        let texts = borrowed(&texts);
        prop_assert_eq!(both(&texts, min_bytes, threads), naive(&texts, min_bytes));
    }

    #[test]
    fn symbols_of_two_and_four_bytes(
        documents in any_kind(60), unit in prop::sample::select(vec![2, 4]), n in 1_usize..20,
    ) {
        let documents = as_symbols(&documents, unit);
        let documents: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
        let found = both_in(&Corpus::of_symbols(documents.clone(), unit), n * unit, 1);
        prop_assert_eq!(found, naive_symbols(&documents, n * unit, unit));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn long_windows_in_many_contexts(
        texts in texts(any_kind(600)), min_bytes in 30_usize..300, threads in 1_usize..4,
    ) {
        let texts = borrowed(&texts);
        prop_assert_eq!(both(&texts, min_bytes, threads), naive(&texts, min_bytes));
    }

    #[test]
    fn many_symbols_of_two_and_four_bytes(
        documents in any_kind(500), unit in prop::sample::select(vec![2, 4]), n in 10_usize..90,
    ) {
        let documents = as_symbols(&documents, unit);
        let documents: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
        let found = both_in(&Corpus::of_symbols(documents.clone(), unit), n * unit, 2);
        prop_assert_eq!(found, naive_symbols(&documents, n * unit, unit));
    }
}

#[test]
fn symbols_match_only_where_symbols_begin() {
    let (one, two) = ([0_u8, 1, 1, 0, 2, 2], [1_u8, 1, 0, 2]);
    let corpus = Corpus::of_symbols(vec![&one, &two], 2);
    assert_eq!(naive_symbols(&[&one, &two], 4, 2), []);
    assert_eq!(both_in(&corpus, 4, 1), []);
    let aligned = [9_u8, 9, 1, 0, 2, 2];
    let corpus = Corpus::of_symbols(vec![&one, &aligned], 2);
    assert_eq!(both_in(&corpus, 4, 1), [range(1, 2, 6, (0, 2))]);
}

#[test]
fn half_a_symbol_is_no_threshold() {
    let corpus = Corpus::of_symbols(vec![&[1, 0, 1, 0]], 2);
    let options = Options { min_bytes: 3, ..Options::default() };
    let refused = exact_duplicates(&corpus, &options);
    assert!(matches!(refused, Err(Error::Parameter { name: "min_bytes", .. })));
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

#[test]
fn hundreds_of_contexts_around_the_same_words() {
    // Two letters in documents of 600: every short string stands in hundreds of contexts.
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        if state >> 16 & 1 == 0 { 'a' } else { 'b' }
    };
    let documents: Vec<String> = (0..60).map(|_| (0..600).map(|_| letter()).collect()).collect();
    let texts: Vec<&str> = documents.iter().map(String::as_str).collect();
    for min_bytes in [8, 13, 14, 16, 20, 24] {
        assert_eq!(both(&texts, min_bytes, 2), naive(&texts, min_bytes));
    }
}
