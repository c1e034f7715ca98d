//! Near-duplicates against brute force over sets of strings.

#![allow(clippy::expect_used)]

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use gristmill_core::Error;
use gristmill_core::exact_substring::Corpus;
use gristmill_core::lsh::Banding;
use gristmill_core::minhash::{Method, MinHash};
use gristmill_core::near_duplicates::{MAX_HEADS, Membership, Options, near_duplicates};
use gristmill_core::simd::Simd;
use gristmill_core::similarity::jaccard;
use gristmill_core::text::{Shingler, each_word, mix};
use gristmill_core::union_find::UnionFind;
use proptest::prelude::*;

const OPTIONS: Options<'_> = Options {
    threshold: 0.8,
    num_perm: 128,
    ngram: 3,
    verify: true,
    seed: 1,
    method: Method::OnePermutation,
    banding: None,
    threads: 1,
    memory: None,
    spill: None,
};

fn find(texts: &[&str], options: &Options<'_>, threads: usize) -> Vec<Membership> {
    near_duplicates(&Corpus::of_texts(texts), &Options { threads, ..*options }).expect("allowed")
}

fn representatives(texts: &[&str], options: &Options<'_>) -> Vec<u32> {
    find(texts, options, 1).iter().map(|membership| membership.representative).collect()
}

/// Lower-cased runs of letters, digits and underscores, as strings.
fn naive_words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.chars()
                .flat_map(char::to_lowercase)
                .map(|c| if c == 'ς' { 'σ' } else { c })
                .collect()
        })
        .collect()
}

/// The set of n-grams; few words are one n-gram, no words the text itself.
fn naive_shingles(text: &str, ngram: usize) -> HashSet<Vec<String>> {
    let words = naive_words(text);
    match words.len() {
        0 => HashSet::from([vec![String::new(), text.into()]]),
        n if n < ngram => HashSet::from([words]),
        _ => words.windows(ngram).map(<[String]>::to_vec).collect(),
    }
}

fn naive_jaccard(a: &str, b: &str, ngram: usize) -> f64 {
    let (a, b) = (naive_shingles(a, ngram), naive_shingles(b, ngram));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

/// Texts over few words, in groups of edited copies.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["a", "B", "Éa", "c_d", "7", "straße", "漢字", "x"]);
    let text = prop::collection::vec(word, 0..40);
    prop::collection::vec((text, 0..40_usize, 1..4_usize), 1..8).prop_map(|groups| {
        let edited = groups.into_iter().flat_map(|(words, at, copies)| {
            (0..copies).map(move |copy| {
                let mut words = words.clone();
                if copy > 0 && at < words.len() {
                    words[at] = ["edited", "changed", "other"][copy % 3];
                }
                words.join(["  ", ", ", "\n"][copy % 3])
            })
        });
        edited.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn words_are_those_of_the_twin(text in "([ -~éÉßİΣςЖk🦀—]{0,40}|[a-zA-Z_]{0,40} ?){0,8}") {
        let mut words = Vec::new();
        each_word(&text, |word| words.push(word));
        let twin: Vec<u64> = naive_words(&text)
            .iter()
            .map(|word| {
                let mut hash = 0;
                each_word(word, |word| hash = word);
                hash
            })
            .collect();
        prop_assert_eq!(words, twin);
    }

    #[test]
    fn every_pair_is_at_or_above_the_threshold(texts in texts(), ngram in 1_usize..6) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let spaced: Vec<String> = texts.iter().map(|t| t.replace("漢字", "漢 字")).collect();
        let options = Options { ngram, threshold: 0.7, ..OPTIONS };
        for (document, found) in find(&texts, &options, 1).into_iter().enumerate() {
            let exact = naive_jaccard(&spaced[document], &spaced[found.twin as usize], ngram);
            prop_assert!((found.jaccard - exact).abs() < 1e-6);
            prop_assert!(exact >= 0.7);
            prop_assert!(found.representative as usize <= document);
        }
    }

    #[test]
    fn threads_change_nothing(texts in texts()) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let texts = texts.repeat(5);
        prop_assert_eq!(find(&texts, &OPTIONS, 1), find(&texts, &OPTIONS, 3));
    }

    #[test]
    fn union_find_names_the_smallest_member(edges in prop::collection::vec((0_u32..30, 0_u32..30), 0..40)) {
        let mut sets: Vec<BTreeSet<u32>> = (0..30).map(|i| BTreeSet::from([i])).collect();
        let mut fast = UnionFind::new(30);
        for (a, b) in edges {
            let joined: BTreeSet<u32> = &sets[a as usize] | &sets[b as usize];
            prop_assert_eq!(fast.union(a, b), sets[a as usize] != sets[b as usize]);
            for &member in &joined {
                sets[member as usize] = joined.clone();
            }
        }
        let smallest: Vec<u32> = sets.iter().filter_map(|set| set.first().copied()).collect();
        prop_assert_eq!(fast.representatives(), smallest);
    }

    #[test]
    fn jaccard_is_that_of_sets(a in prop::collection::btree_set(0_u64..20, 0..15), b in prop::collection::btree_set(0_u64..20, 1..15)) {
        let exact = a.intersection(&b).count() as f64 / a.union(&b).count() as f64;
        let [a, b] = [a, b].map(Vec::from_iter);
        prop_assert_eq!(jaccard(&a, &b), exact);
    }
}

#[test]
fn the_twin_counts_an_edit() {
    assert_eq!(naive_jaccard("a b c d", "a b c e", 2), 0.5);
    assert_eq!(naive_jaccard("", " ", 2), 0.0);
}

#[test]
fn unspaced_scripts_are_split_by_character() {
    let count = |text: &str| {
        let mut n = 0;
        each_word(text, |_| n += 1);
        n
    };
    assert_eq!(count("漢字かな交じり"), 7);
    assert_eq!(count("ไทย"), 3);
    assert_eq!(count("한국어 텍스트"), 2);
    assert_eq!(count("हिन्दी में"), 2);
}

#[test]
fn case_and_punctuation_do_not_count() {
    let texts = ["Ein Fuß, ein Bein und ÄPFEL!", "ein fuß ein bein und äpfel", "ein anderer Text"];
    assert_eq!(representatives(&texts, &OPTIONS), [0, 0, 2]);
}

#[test]
fn texts_without_words_cluster_only_when_identical() {
    let texts = ["", " ", "\n", "", "...", " ", "... ", "..."];
    assert_eq!(representatives(&texts, &OPTIONS), [0, 1, 2, 0, 4, 1, 6, 4]);
}

#[test]
fn short_texts_are_compared_whole() {
    let texts = ["yes", "no", "Yes!", "yes no", "no yes"];
    assert_eq!(representatives(&texts, &Options { ngram: 5, ..OPTIONS }), [0, 1, 0, 3, 4]);
}

/// `n_words` words drawn from many by `seed`.
fn random_words(seed: u64, n_words: u64) -> Vec<String> {
    (0..n_words).map(|i| format!("w{}", mix(seed << 32 | i) % 50_000)).collect()
}

#[test]
fn planted_pairs_are_found_as_often_as_the_theory_says() {
    let banding = Banding::derive(0.8, 128, true);
    assert!(banding.probability(0.85) > 0.98);
    assert!(banding.probability(0.4) < 0.2);
    let n_pairs = 300;
    let texts: Vec<String> = (0..n_pairs)
        .flat_map(|seed| {
            let words = random_words(seed, 200);
            let mut edited = words.clone();
            for edit in 0..6 {
                edited[edit * 33] = "edited".into(); // similarity about 0.83
            }
            [words.join(" "), edited.join(" ")]
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = find(&texts, &OPTIONS, 2);
    let n_found =
        (0..n_pairs as usize).filter(|i| found[2 * i + 1].representative == 2 * *i as u32);
    assert!(n_found.count() >= 290);
    assert!((0..n_pairs as usize).all(|i| found[2 * i].representative == 2 * i as u32));
}

#[test]
fn signatures_agree_as_often_as_sets_overlap() {
    for method in [Method::OnePermutation, Method::KPermutation] {
        agree_as_often_as_sets_overlap(method);
    }
}

fn agree_as_often_as_sets_overlap(method: Method) {
    let minhash = MinHash::new(512, 3, method);
    for n_shared in [3_u64, 30, 300] {
        let (mut agree, mut all) = (0, 0);
        for trial in 0..40_u64 {
            let set = |from: u64| -> Vec<u64> {
                (from..from + 2 * n_shared).map(|i| mix(trial << 32 | i)).collect()
            };
            let [mut a, mut b] = [Vec::new(), Vec::new()];
            minhash.sign(&set(0), &mut a);
            minhash.sign(&set(n_shared), &mut b);
            agree += a.iter().zip(&b).filter(|(a, b)| a == b).count();
            all += a.len();
        }
        let share = agree as f64 / all as f64; // the similarity is one third
        assert!((share - 1.0 / 3.0).abs() < 0.08, "{share} at {n_shared}");
    }
}

/// The smallest value of each function, straight from the definition in `minhash/permutations.rs`.
fn naive_minima(shingles: &[u64], num_perm: u64, seed: u64) -> Vec<u32> {
    let seed = mix(seed);
    let value = |shingle: u64, i: u64| {
        let parameter = mix(seed.wrapping_add(i + 1));
        let hash = (mix(shingle ^ seed) >> 32) as u32;
        hash.wrapping_mul(parameter as u32 | 1).wrapping_add((parameter >> 32) as u32)
    };
    (0..num_perm)
        .map(|i| shingles.iter().map(|&shingle| value(shingle, i)).min().expect("not empty"))
        .collect()
}

#[test]
fn signatures_are_the_same_on_every_path() {
    let text: String = (0..3_000)
        .map(|i| format!("W{} x{}", mix(i) % 900, ["", "é", "漢字", "_"][i as usize % 4]))
        .collect::<Vec<_>>()
        .join(" ");
    for num_perm in [1, 7, 64, 127, 128, 129, 300] {
        for method in [Method::OnePermutation, Method::KPermutation] {
            let [mut signature, mut expected] = [Vec::new(), Vec::new()];
            let mut shingles = Vec::new();
            for (path, simd) in Simd::available().into_iter().enumerate() {
                Shingler::with(5, simd).shingle(&text, &mut shingles);
                MinHash::with(num_perm, 9, method, simd).sign(&shingles, &mut signature);
                if path == 0 {
                    expected.clone_from(&signature);
                }
                assert_eq!(signature, expected, "{simd:?}");
            }
            if method == Method::KPermutation {
                assert_eq!(expected, naive_minima(&shingles, num_perm as u64, 9));
            }
        }
    }
}

#[test]
fn words_may_begin_and_end_at_any_place_of_a_portion() {
    // Words of 1 to 100 letters drift against the blocks of 64 and the portions of 4,096 bytes.
    for simd in Simd::available() {
        for length in [1, 15, 16, 17, 63, 64, 65, 100] {
            let words: Vec<String> = (0..300).map(|i| format!("{i:0length$}")).collect();
            let text = words.join("-");
            for cut in [0, 1, 64, text.len() / 2, text.len()] {
                let (mut left, mut expected) = (Vec::new(), Vec::new());
                let text = &text[cut..];
                Shingler::with(1, simd).shingle(text, &mut left);
                for word in text.split('-').filter(|word| !word.is_empty()) {
                    each_word(word, |hash| expected.push(hash));
                }
                let n_same = left.iter().zip(&expected).filter(|(a, b)| a == b).count();
                assert!(text.is_empty() || (n_same, left.len()) == (expected.len(), n_same));
            }
        }
    }
}

#[test]
fn memory_changes_nothing_and_spills() {
    let texts: Vec<String> = (0..4_000_u64)
        .map(|i| {
            let mut words = random_words(i / 3, 60);
            words[(i % 60) as usize] = "edited".into();
            words.join(" ")
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let free = find(&texts, &OPTIONS, 1);
    assert!(free.iter().zip(0..).any(|(found, i)| found.representative != i));
    for (memory, threads) in [(0, 1), (1 << 16, 2), (1 << 22, 3)] {
        let options = Options { memory: Some(memory), ..OPTIONS };
        assert_eq!(find(&texts, &options, threads), free);
    }
    let options = Options { memory: Some(0), spill: Some(Path::new("/dev/null/spill")), ..OPTIONS };
    let refused = near_duplicates(&Corpus::of_texts(&texts), &options);
    assert!(matches!(refused, Err(Error::Io { .. })));
}

#[test]
fn bands_and_rows_may_be_given() {
    let texts = ["a b c d e f g h", "a b c d e f g h i"];
    let banding = Some((128, 1));
    let options = Options { threshold: 0.5, banding, ..OPTIONS };
    assert_eq!(representatives(&texts, &options), [0, 0]);
    for banding in [(0, 4), (4, 0), (16, 9), (usize::MAX, 2)] {
        let options = Options { banding: Some(banding), ..OPTIONS };
        let refused = near_duplicates(&Corpus::of_texts(&texts), &options);
        assert!(matches!(refused, Err(Error::Parameter { name: "bands x rows", .. })));
    }
}

#[test]
fn shingles_are_the_same_wherever_they_stand() {
    let mut shingler = Shingler::new(3);
    let [mut whole, mut part] = [Vec::new(), Vec::new()];
    shingler.shingle("one two three four five six", &mut whole);
    shingler.shingle("Three; four, FIVE", &mut part);
    assert_eq!(whole[2..3], part);
}

#[test]
fn a_chain_joins_through_its_middle() {
    // Neighbors share 0.8 and more, the ends less.
    let words = random_words(9, 120);
    let text = |from: usize| words[from..from + 100].join(" ");
    let texts = [text(0), text(10), text(20)];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = find(&texts, &OPTIONS, 1);
    assert_eq!(found[2].representative, 0);
    assert_eq!(found[2].twin, 1);
    assert!(found[2].jaccard >= 0.8);
}

#[test]
fn a_bucket_costs_a_bounded_number_of_comparisons() {
    // Unverified, with one row per band, all texts share buckets; identical texts fold first.
    let texts: Vec<String> = (0..3_000).map(|i| format!("same start but number {i}")).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.extend(["same start but number 1"; 20_000]);
    let options = Options { threshold: 0.9, ngram: 1, num_perm: 16, ..OPTIONS };
    let found = find(&texts, &options, 2);
    assert!(found[3_000..].iter().all(|membership| membership.representative == 1));
    assert_eq!(MAX_HEADS, 8);
}

#[test]
fn unverified_candidates_have_no_similarity() {
    let texts = ["a b c d e f g h", "a b c d e f g h i", "unrelated words stand in this one here"];
    let options = Options { verify: false, threshold: 0.5, ..OPTIONS };
    let found = find(&texts, &options, 1);
    assert_eq!(found[1].representative, 0);
    assert!(found[1].jaccard.is_nan());
    assert_eq!(found[2].representative, 2);
}

#[test]
fn options_outside_their_range_are_refused_by_name() {
    for (options, name) in [
        (Options { threshold: 0.0, ..OPTIONS }, "threshold"),
        (Options { threshold: 1.01, ..OPTIONS }, "threshold"),
        (Options { threshold: f64::NAN, ..OPTIONS }, "threshold"),
        (Options { num_perm: 0, ..OPTIONS }, "num_perm"),
        (Options { ngram: 0, ..OPTIONS }, "ngram"),
    ] {
        let refused = near_duplicates(&Corpus::of_texts(&["a"]), &options);
        assert!(matches!(refused, Err(Error::Parameter { name: n, .. }) if n == name));
    }
    assert_eq!(find(&[], &OPTIONS, 1), []);
}
