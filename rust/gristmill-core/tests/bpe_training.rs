//! Training against a slow twin that counts everything anew, and what may not change its result.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bpe_twins;

use std::collections::BTreeMap;

use bpe_twins::{options, replaced, trained};
use gristmill_core::bpe::encode::{AddedToken, Encoder, Options as Encoding, Specials};
use gristmill_core::bpe::pretokenize::Pattern;
use gristmill_core::bpe::train::{Base, Options, Trained, Trainer};
use gristmill_core::bpe::vocab::Vocabulary;
use gristmill_core::digest::xxh3_64;
use proptest::prelude::*;

/// Training that counts all pairs of all words again for each merge, from words as an encoder of
/// the vocabulary to extend gives them.
fn trained_slowly(texts: &[&str], options: &Options) -> Trained {
    let mut result = trained(&[], options.clone(), 1);
    let encoder = encoder(&result, options);
    let words = texts.iter().flat_map(|text| Pattern::Gpt2.words(text));
    let mut words: Vec<Vec<u32>> =
        words.map(|word| encoder.encode(word, Specials::Text).unwrap()).collect();
    while result.tokens.len() < options.vocab_size {
        let Some(pair) = commonest(&words, &result.tokens, options) else { break };
        let bytes = joined(&result.tokens, pair);
        let id = result.tokens.iter().position(|token| *token == bytes).unwrap_or_else(|| {
            result.tokens.push(bytes);
            result.tokens.len() - 1
        });
        result.merges.push((pair.0, pair.1, id as u32));
        for word in &mut words {
            *word = replaced(word, pair, id as u32);
        }
    }
    result
}

fn encoder(start: &Trained, options: &Options) -> Encoder {
    let tokens: Vec<_> = start.tokens.iter().cloned().map(Some).collect();
    let vocab = Vocabulary::new(&tokens, &start.merges, &[0]).unwrap();
    let ignore_merges = options.extend.as_ref().is_some_and(|base| base.ignore_merges);
    let encoding = Encoding { pattern: Pattern::Gpt2, ignore_merges, add_prefix_space: false };
    let special = |content: String| AddedToken { content, id: 0, special: true };
    Encoder::new(vocab, encoding, vec![special("<|endoftext|>".to_owned())]).unwrap()
}

fn commonest(words: &[Vec<u32>], tokens: &[Vec<u8>], options: &Options) -> Option<(u32, u32)> {
    let mut counts = BTreeMap::new();
    for pair in words.iter().flat_map(|word| word.windows(2)) {
        *counts.entry((pair[0], pair[1])).or_insert(0_u64) += 1;
    }
    counts.retain(|&pair, &mut n| {
        let bytes = joined(tokens, pair);
        let special = options.special_tokens.iter().any(|one| one.as_bytes() == bytes);
        n >= options.min_frequency && bytes.len() <= options.max_token_bytes && !special
    });
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, n)| *n == most).map(|(pair, _)| pair)
}

fn joined(tokens: &[Vec<u8>], (left, right): (u32, u32)) -> Vec<u8> {
    [&*tokens[left as usize], &*tokens[right as usize]].concat()
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    // two letters give runs like aaaa, and tokens that come about in more than one way
    prop::collection::vec(prop_oneof!["[ab c|<>\u{e9}]{0,40}", "[ab]{0,80}"], 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn merges_are_those_of_counting_anew(
        texts in texts(),
        extra in 0_usize..60,
        min_frequency in 1_u64..4,
        max_token_bytes in prop_oneof![2_usize..9, Just(usize::MAX)],
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let special_tokens = vec!["ab".to_owned(), "<|x|>".to_owned()];
        let options = Options {
            special_tokens, min_frequency, max_token_bytes, ..options(258 + extra)
        };
        prop_assert_eq!(trained(&texts, options.clone(), 1), trained_slowly(&texts, &options));
    }

    #[test]
    fn an_extended_vocabulary_counts_words_as_it_encodes_them(
        before in texts(),
        texts in texts(),
        extra in 0_usize..30,
        ignore_merges in any::<bool>(),
    ) {
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut base = base_of(&trained(&before, options(270), 1));
        base.ignore_merges = ignore_merges;
        base.tokens.push(Some(b"abab".to_vec())); // which no merge makes
        let options = Options { extend: Some(base), ..options(272 + extra) };
        prop_assert_eq!(trained(&texts, options.clone(), 1), trained_slowly(&texts, &options));
    }
}

fn base_of(trained: &Trained) -> Base {
    Base {
        tokens: trained.tokens.iter().cloned().map(Some).collect(),
        merges: trained.merges.clone(),
        added: vec![("<|endoftext|>".to_owned(), 0, true)],
        ignore_merges: false,
        add_prefix_space: false,
    }
}

fn corpus() -> Vec<String> {
    let words = ["low", "lower", "lowest", "new", "newer", "wide", "été", "naïve", "中文", "🙂🙃"];
    (0..3000).map(|i| format!("{} {} {i}\n", words[i % 10], words[i * i % 7])).collect()
}

#[test]
fn any_number_of_threads_and_any_order_train_the_same() {
    let corpus: Vec<String> = corpus().iter().map(|text| text.repeat(60)).collect();
    let mut texts: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let one = trained(&texts, options(400), 1);
    assert_eq!(one.tokens.len(), 400);
    assert_eq!(trained(&texts, options(400), 3), one);
    texts.reverse();
    assert_eq!(trained(&texts, options(400), 2), one);
}

#[test]
fn a_vocabulary_without_room_or_with_a_special_token_twice_is_refused() {
    for (vocab_size, specials) in [(256, vec!["ab"]), (300, vec!["ab", "ab"]), (300, vec![""])] {
        let special_tokens = specials.into_iter().map(str::to_owned).collect();
        let options = Options { vocab_size, special_tokens, ..options(300) };
        assert!(Trainer::new(Pattern::Gpt2, options).is_err());
    }
    assert!(Trainer::new(Pattern::Gpt2, options(257)).is_ok());
}

#[test]
fn extending_goes_on_where_training_stopped() {
    let corpus = corpus();
    let texts: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let base = Some(base_of(&trained(&texts, options(300), 1)));
    let extended = trained(&texts, Options { extend: base, ..options(350) }, 1);
    assert_eq!(extended, trained(&texts, options(350), 1));
}

#[test]
fn texts_are_cut_as_the_extended_encoder_cuts_them() {
    let mut base = base_of(&trained(&[], options(257), 1));
    base.add_prefix_space = true;
    base.added.push(("<tool>".to_owned(), 257, false));
    base.tokens.push(Some(b"<tool>".to_vec()));
    let special_tokens = vec!["<|endoftext|>".to_owned(), "<|new|>".to_owned()];
    let options = Options { extend: Some(base), special_tokens, ..options(261) };
    let result = trained(&["x<tool>x<tool>x", "x"], options, 1);
    assert_eq!(result.tokens[257..], [&b"<tool>"[..], b"<|new|>", b" x"]);
}

#[test]
fn a_vocabulary_that_cannot_be_extended_so_is_refused() {
    let base = base_of(&trained(&["abab abab"], options(258), 1));
    let refused = |vocab_size, special: &str, base: Base| {
        let special_tokens = vec![special.to_owned()];
        let options = Options { extend: Some(base), special_tokens, ..options(vocab_size) };
        Trainer::new(Pattern::Gpt2, options).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(refused(258, "<|endoftext|>", base.clone()), Ok(()));
    let error = refused(258, "<|new|>", base.clone()).unwrap_err();
    assert!(error.contains("258 for a vocabulary of 258 ids"), "{error}");
    let error = refused(300, "ab", base.clone()).unwrap_err();
    assert!(error.contains("\"ab\" is not allowed: tokens that are no ordinary"), "{error}");
    let damaged = Base { merges: vec![(0, 0, 5)], ..base };
    assert!(refused(300, "<|new|>", damaged).unwrap_err().contains("merge 0"));
}

/// The texts whose hash is below the largest of the thresholds 2^e (5/4, 6/4, 7/4 or 8/4) that fits.
fn sampled<'t>(texts: &[&'t str], budget: usize) -> Vec<&'t str> {
    let hash = |text: &str| u128::from(xxh3_64(text.as_bytes()) | 1);
    let thresholds = (0..64).flat_map(|e| (5..=8).map(move |quarters| (quarters << e) / 4));
    let below = |threshold: u128| -> Vec<&str> {
        texts.iter().copied().filter(|text| hash(text) < threshold).collect()
    };
    let fits = |texts: &Vec<&str>| texts.iter().map(|text| text.len()).sum::<usize>() <= budget;
    thresholds.map(below).rev().find(fits).unwrap()
}

#[test]
fn a_sample_depends_on_the_texts_and_the_budget_alone() {
    let corpus = corpus();
    let mut texts: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let size: usize = texts.iter().map(|text| text.len()).sum();
    for budget in [200, size / 9, size / 2, size - 1, size] {
        let sample = sampled(&texts, budget);
        let sample_size = sample.iter().map(|text| text.len()).sum::<usize>();
        assert!(sample_size <= budget && sample_size * 3 > budget * 2, "{sample_size} of {budget}");
        let expected = trained(&sample, options(400), 1);
        let options = Options { sample_bytes: Some(budget as u64), ..options(400) };
        assert_eq!(trained(&texts, options.clone(), 1), expected);
        let mut trainer = Trainer::new(Pattern::Gpt2, options).unwrap();
        texts.reverse();
        for (i, portion) in texts.chunks(170).enumerate() {
            trainer.add(portion, 1 + i % 3).unwrap();
        }
        assert_eq!(trainer.train().unwrap(), expected);
    }
}

#[test]
fn a_sample_without_a_text_is_refused() {
    let options = Options { sample_bytes: Some(3), ..options(300) };
    let mut trainer = Trainer::new(Pattern::Gpt2, options.clone()).unwrap();
    trainer.add(&["more than three bytes"], 1).unwrap();
    let error = trainer.train().unwrap_err().to_string();
    assert!(error.contains("sample_bytes = 3 is not allowed: enough for some"), "{error}");
    assert_eq!(trained(&[], options, 1).tokens.len(), 257);
}

#[test]
fn learning_in_steps_gives_the_same() {
    let corpus = corpus();
    let texts: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let mut trainer = Trainer::new(Pattern::Gpt2, options(400)).unwrap();
    trainer.add(&texts, 1).unwrap();
    let mut learner = trainer.learner().unwrap();
    let made: Vec<usize> = (0..4).map(|_| learner.learn(60)).collect();
    assert_eq!(made, [60, 60, 23, 0]);
    assert_eq!(learner.finish(), trained(&texts, options(400), 1));
}

#[test]
fn a_long_text_without_a_space_is_not_quadratic() {
    // going over the whole word for each merge would take minutes
    let mut random = 1_u32;
    let mut letter = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (random >> 24) as u8 % 16)
    };
    let text: String = (0..4 << 20).map(|_| letter()).collect();
    assert_eq!(trained(&[&text], options(6000), 1).tokens.len(), 6000);
}
