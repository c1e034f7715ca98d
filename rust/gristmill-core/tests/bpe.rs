//! Byte-level BPE against slow twins: the published expressions, a merge that searches everything.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bpe_twins;

use bpe_twins::{options, replaced, trained};
use gristmill_core::bpe::encode::{AddedToken, Encoder, Options, Specials};
use gristmill_core::bpe::pretokenize::Pattern;
use gristmill_core::bpe::train::Trained;
use gristmill_core::bpe::vocab::{Merge, Vocabulary};
use proptest::prelude::*;
use regex::Regex;

/// A published expression without its look-ahead alternatives, which the twin does by hand.
struct Published {
    alternatives: Vec<Regex>,
    /// `\s++$` stands before the newline alternative.
    closes: bool,
    newlines: Option<Regex>,
}

fn published(pattern: &Pattern) -> Published {
    let (alternatives, newlines): (&[&str], _) = match pattern {
        Pattern::Gpt2 => {
            (&["'s|'t|'re|'ve|'m|'ll|'d", r" ?\p{L}+", r" ?\p{N}+", r" ?[^\s\p{L}\p{N}]+"], None)
        }
        Pattern::Cl100k | Pattern::Llama3 | Pattern::Qwen2 => (
            &[
                "'(?i:[sdmt]|ll|ve|re)",
                r"[^\r\n\p{L}\p{N}]?\p{L}+",
                if *pattern == Pattern::Qwen2 { r"\p{N}" } else { r"\p{N}{1,3}" },
                r" ?[^\s\p{L}\p{N}]+[\r\n]*",
            ],
            Some(r"^(?:\s*[\r\n]+)"),
        ),
        Pattern::O200k => (
            &[
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"\p{N}{1,3}",
                r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            ],
            Some(r"^(?:\s*[\r\n]+)"),
        ),
        Pattern::Custom(_) => panic!("not published"),
    };
    Published {
        alternatives: alternatives
            .iter()
            .map(|one| Regex::new(&format!("^(?:{one})")).unwrap())
            .collect(),
        closes: *pattern == Pattern::Cl100k,
        newlines: newlines.map(|one| Regex::new(one).unwrap()),
    }
}

impl Published {
    fn words<'t>(&self, mut text: &'t str) -> Vec<&'t str> {
        let mut words = Vec::new();
        while !text.is_empty() {
            let (word, rest) = text.split_at(self.first(text));
            words.push(word);
            text = rest;
        }
        words
    }

    fn first(&self, text: &str) -> usize {
        if let Some(found) = self.alternatives.iter().find_map(|one| one.find(text)) {
            return found.end();
        }
        let blank = text.trim_start_matches(char::is_whitespace);
        let end = text.len() - blank.len();
        if self.closes && blank.is_empty() {
            return end;
        }
        if let Some(found) = self.newlines.as_ref().and_then(|one| one.find(text)) {
            return found.end();
        }
        let run: Vec<_> = text[..end].char_indices().collect();
        if blank.is_empty() || run.len() == 1 { end } else { run[run.len() - 1].0 }
    }
}

/// Text of the characters that the patterns tell apart, with some of everything else.
fn hard_text() -> impl Strategy<Value = String> {
    let special = "aAbzZsStTlLvVeErRdDmM'  \t\n\r/.,-_0129\u{b}\u{85}\u{a0}\u{2003}\u{3000}ſKéÉßǅ\
                   ʰªあ한Ⅷ½²٣\u{301}\u{308}\u{20dd}\u{200d}🙂中\u{feff}\u{e0100}\u{10ffff}";
    let special = prop::sample::select(special.chars().collect::<Vec<_>>());
    let one = prop_oneof![
        12 => special.prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
        1 => prop::sample::select(vec!["'ll", "'S", "'ſ", "  ", "\r\n", "ABC", "abc"])
            .prop_map(String::from),
    ];
    prop::collection::vec(one, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn words_are_the_matches_of_the_published_expressions(text in hard_text()) {
        thread_local! {
            static TWINS: Vec<(Pattern, Published)> =
                Pattern::ALL.map(|pattern| (pattern.clone(), published(&pattern))).into();
        }
        TWINS.with(|twins| {
            for (pattern, twin) in twins {
                prop_assert_eq!(pattern.words(&text), twin.words(&text), "{:?}", pattern);
            }
            Ok(())
        })?;
    }
}

#[test]
fn the_twin_tells_the_patterns_apart() {
    let words = |pattern, text| published(&pattern).words(text).join("|");
    assert_eq!(words(Pattern::Gpt2, "I'll say 12345 a\n  "), "I|'ll| say| 12345| a|\n  ");
    assert_eq!(words(Pattern::Cl100k, "I'LL say 12345 a\n  "), "I|'LL| say| |123|45| a|\n  ");
    assert_eq!(words(Pattern::Llama3, "I'LL say 12345 a\n  "), "I|'LL| say| |123|45| a|\n|  ");
    assert_eq!(words(Pattern::Qwen2, "x 12"), "x| |1|2");
    assert_eq!(words(Pattern::O200k, "HTTPServer's a/\n"), "HTTPServer's| a|/\n");
}

#[test]
fn an_unknown_pattern_is_refused_by_name() {
    let error = Pattern::from_name("gpt5").unwrap_err().to_string();
    assert!(error.contains("gpt5") && error.contains("o200k"), "{error}");
}

fn corpus() -> Vec<String> {
    let words = ["low", "lower", "lowest", "new", "newer", "wide", "été", "naïve", "中文", "🙂🙃"];
    (0..3000).map(|i| format!("{} {} {i}\n", words[i % 10], words[i * i % 7])).collect()
}

fn encoder(trained: &Trained, ignore_merges: bool) -> Encoder {
    let tokens: Vec<_> = trained.tokens.iter().cloned().map(Some).collect();
    let vocab = Vocabulary::new(&tokens, &trained.merges, &[0]).unwrap();
    let options = Options { pattern: Pattern::Gpt2, ignore_merges, add_prefix_space: false };
    let end = AddedToken { content: "<|endoftext|>".to_owned(), id: 0, special: true };
    Encoder::new(vocab, options, vec![end]).unwrap()
}

/// Encoding that looks for the lowest rank anywhere after each merge.
fn encoded_slowly(trained: &Trained, text: &str) -> Vec<u32> {
    let id_of = |byte: u8| trained.tokens.iter().position(|token| token == &[byte]).unwrap() as u32;
    let encode = |word: &str| {
        let mut ids: Vec<u32> = word.bytes().map(id_of).collect();
        for &(left, right, result) in &trained.merges {
            ids = replaced(&ids, (left, right), result);
        }
        ids
    };
    Pattern::Gpt2.words(text).into_iter().flat_map(encode).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ids_are_those_of_applying_every_merge_in_turn(texts in prop::collection::vec(
        prop_oneof![hard_text(), "[lowern ]{0,300}", "[ab]{100,400}"], 1..6,
    )) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let trained = trained(&texts, options(300), 1);
        let encoder = encoder(&trained, false);
        for text in texts {
            let ids = encoder.encode(text, Specials::Text).unwrap();
            prop_assert_eq!(&ids, &encoded_slowly(&trained, text));
            prop_assert_eq!(encoder.decode(&ids, false).unwrap(), text.as_bytes());
            prop_assert_eq!(encoder.encode(text, Specials::Text).unwrap(), ids, "from the cache");
        }
    }
}

#[test]
fn any_number_of_threads_encodes_the_same_in_order() {
    let corpus = corpus();
    let texts: Vec<&str> = corpus.iter().map(String::as_str).cycle().take(60_000).collect();
    let encoder = encoder(&trained(&texts[..3000], options(500), 1), false);
    let one = encoder.encode_batch(&texts, Specials::Text, 1).unwrap();
    assert_eq!(encoder.encode_batch(&texts, Specials::Text, 3).unwrap(), one);
    let counts = encoder.count_batch(&texts, Specials::Text, 2).unwrap();
    let lengths = one.offsets.windows(2).map(|ends| (ends[1] - ends[0]) as u64);
    assert_eq!(counts, lengths.collect::<Vec<_>>());
    assert_eq!(encoder.encode_batch(&[], Specials::Text, 2).unwrap().offsets, [0]);
    assert!(encoder.encode_batch(&texts, Specials::Text, 0).is_err());
}

#[test]
fn more_words_than_the_cache_holds_are_still_right() {
    let encoder = encoder(&trained(&["0123 4567 89"], options(270), 1), false);
    let text: String =
        (0..400_000).map(|i: u32| format!(" {}", i.wrapping_mul(2_654_435_761))).collect();
    let ids = encoder.encode(&text, Specials::Text).unwrap();
    assert_eq!(encoder.decode(&ids, false).unwrap(), text.as_bytes());
    assert_eq!(encoder.encode(&text, Specials::Text).unwrap(), ids);
}

#[test]
fn a_special_token_in_a_text_follows_the_policy() {
    let encoder = encoder(&trained(&[], options(257), 1), false);
    let text = "a<|endoftext|>b";
    let end = |ids: Vec<u32>| ids.iter().filter(|&&id| id == 0).count();
    assert_eq!(end(encoder.encode(text, Specials::Text).unwrap()), 0);
    assert_eq!(end(encoder.encode(text, Specials::Encode).unwrap()), 1);
    let error = encoder.encode(text, Specials::Refuse).unwrap_err().to_string();
    assert!(error.contains("text 0") && error.contains("byte 1"), "{error}");
    assert_eq!(encoder.decode(&[0], false).unwrap(), b"<|endoftext|>");
    assert_eq!(encoder.decode(&[0], true).unwrap(), b"");
}

#[test]
fn a_word_that_is_a_token_needs_no_merges_when_they_are_ignored() {
    let mut trained = trained(&[], options(257), 1);
    trained.tokens.push(b" word".to_vec());
    assert_eq!(encoder(&trained, true).encode(" word", Specials::Text).unwrap(), [257]);
    assert_eq!(encoder(&trained, false).encode(" word", Specials::Text).unwrap().len(), 5);
}

#[test]
fn a_damaged_vocabulary_is_refused_with_the_fault() {
    let good = trained(&["aaaa"], options(258), 1);
    let tokens: Vec<_> = good.tokens.iter().cloned().map(Some).collect();
    let refused = |tokens: &[Option<Vec<u8>>], merges: &[Merge]| {
        Vocabulary::new(tokens, merges, &[0]).unwrap_err().to_string()
    };
    assert!(Vocabulary::new(&tokens, &good.merges, &[0]).is_ok());
    let (left, right, result) = good.merges[0];
    for merge in [(result, right, result), (left, right, left), (left, 9999, result), (0, 0, 0)] {
        assert!(refused(&tokens, &[merge]).contains("merge 0"), "{merge:?}");
    }
    let mut holed = tokens.clone();
    holed[left as usize] = None;
    assert!(refused(&holed, &[]).contains("0x61"));
}

#[test]
fn a_megabyte_without_a_space_is_not_quadratic() {
    let text = "ab".repeat(1 << 19);
    let trained = trained(&[&text], options(270), 1);
    let encoder = encoder(&trained, false);
    let ids = encoder.encode(&text, Specials::Text).unwrap();
    assert_eq!(encoder.decode(&ids, false).unwrap(), text.as_bytes());
}
