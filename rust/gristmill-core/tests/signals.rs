//! Words equal spaCy's, repetition figures equal a slow obvious twin, nothing depends on threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{HashMap, HashSet};

use gristmill_core::signals::{BadWords, NAMES, measure, split_words};
use proptest::prelude::*;

/// Texts and their words, as spaCy 3.8's `spacy.blank("en")` gives them.
const SPACY: [(&str, &[&str]); 19] = [
    ("The cat sat.", &["The", "cat", "sat", "."]),
    ("don't, can't & won't", &["do", "n't", ",", "ca", "n't", "&", "wo", "n't"]),
    ("(e.g., Mr. Smith's dog)", &["(", "e.g.", ",", "Mr.", "Smith", "'s", "dog", ")"]),
    ("10km at 5km/h for $3.50", &["10", "km", "at", "5", "km/h", "for", "$", "3.50"]),
    ("self-made—yes", &["self", "-", "made", "—", "yes"]),
    ("see http://www.example.com/a?b=c.", &["see", "http://www.example.com/a?b=c", "."]),
    ("A.B.C. U.S. Ph.D.", &["A.B.C.", "U.S.", "Ph.D."]),
    ("wait...what?!", &["wait", "...", "what", "?", "!"]),
    ("def f(x): return x+1", &["def", "f(x", "):", "return", "x+1"]),
    ("foo.bar Foo.Bar end.Start", &["foo.bar", "Foo", ".", "Bar", "end", ".", "Start"]),
    ("and/or w/o 10a.m. 8)", &["and/or", "w/o", "10", "a.m.", "8)"]),
    ("“quoted” ‘text’ «x»", &["“", "quoted", "”", "‘", "text", "’", "«", "x", "»"]),
    ("user@example.com", &["user@example.com"]),
    ("1,000 3-4 x=y a:b", &["1,000", "3", "-", "4", "x", "=", "y", "a", ":", "b"]),
    ("Café-au-lait, naïve…", &["Café", "-", "au", "-", "lait", ",", "naïve", "…"]),
    ("日本語、テスト。", &["日本語、テスト", "。"]),
    ("🙂🙂 →", &["🙂", "🙂", "→"]),
    ("---- *** C++ C# .NET", &["----", "*", "*", "*", "C++", "C", "#", ".NET"]),
    ("it's 1990s’ 'tis", &["it", "'s", "1990s", "’", "'", "tis"]),
];

#[test]
fn words_are_those_of_spacy() {
    for (text, words) in SPACY {
        assert_eq!(split_words(text), words, "{text:?}");
    }
}

fn signal(text: &str, name: &str) -> f64 {
    let at = NAMES.iter().position(|one| *one == name).unwrap();
    measure(&[text], 1).unwrap()[0][at]
}

fn grams<'a>(words: &[&'a str], n: usize) -> Vec<Vec<&'a str>> {
    words.windows(n).map(<[&str]>::to_vec).collect()
}

/// datatrove's `find_top_duplicate`, over the characters of the text.
fn naive_top(words: &[&str], n: usize, chars: usize) -> f64 {
    let all = grams(words, n);
    let mut counts: HashMap<&Vec<&str>, usize> = HashMap::new();
    for gram in &all {
        *counts.entry(gram).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let first = all.iter().find(|gram| counts[gram] == most);
    first.map_or(0.0, |gram| (gram.join(" ").chars().count() * most) as f64 / chars as f64)
}

/// datatrove's `find_all_duplicate`, over the characters of the text.
fn naive_duplicated(words: &[&str], n: usize, chars: usize) -> f64 {
    let (mut seen, mut repeated, mut at) = (HashSet::new(), 0, 0);
    while at + n <= words.len() {
        if seen.insert(words[at..at + n].to_vec()) {
            at += 1;
        } else {
            repeated += words[at..at + n].concat().chars().count();
            at += n;
        }
    }
    repeated as f64 / chars as f64
}

proptest! {
    #[test]
    fn n_gram_shares_are_those_of_the_naive_twin(
        words in prop::collection::vec(prop::sample::select(&["a", "bb", "ccc", "é", "the"][..]), 1..120)
    ) {
        let text = words.join(" ");
        let chars = text.chars().count();
        for n in 2..=4 {
            let name = format!("gopher_top_{n}_gram_char_frac");
            prop_assert_eq!(signal(&text, &name), naive_top(&words, n, chars), "{}", name);
        }
        for n in 5..=10 {
            let name = format!("gopher_dup_{n}_gram_char_frac");
            prop_assert_eq!(signal(&text, &name), naive_duplicated(&words, n, chars), "{}", name);
        }
    }

    #[test]
    fn words_lose_nothing_but_white_space(text in "(\\PC|[ \n\t.,'():/-]){0,60}") {
        let kept: String = text.split_whitespace().collect();
        prop_assert_eq!(split_words(&text).concat(), kept);
    }

    #[test]
    fn figures_do_not_depend_on_threads_or_neighbors(texts in prop::collection::vec(".{0,80}", 0..20)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let alone: Vec<_> = texts.iter().flat_map(|text| measure(&[text], 1).unwrap()).collect();
        prop_assert_eq!(&measure(&texts, 1).unwrap(), &alone);
        prop_assert_eq!(&measure(&texts, 3).unwrap(), &alone);
    }
}

#[test]
fn the_twin_tells_one_occurrence_from_two() {
    let once: Vec<&str> = "a b c d e".split(' ').collect();
    let twice: Vec<&str> = "a b c d e a b c d e".split(' ').collect();
    assert_eq!(naive_duplicated(&once, 5, 9), 0.0);
    assert_eq!(naive_duplicated(&twice, 5, 19), 5.0 / 19.0);
}

#[test]
fn a_text_with_more_parts_than_are_remembered_is_measured_as_its_twin_says() {
    // Every word occurs twice, far apart, beside the same neighbors.
    let numbers: Vec<String> = (0..120_000).map(|n| format!("w{n}x.y({n})")).collect();
    let text = [numbers.join(" "), numbers.join(" ")].join("\n");
    let words = split_words(&text);
    let chars = text.chars().count();
    assert_eq!(signal(&text, "gopher_dup_5_gram_char_frac"), naive_duplicated(&words, 5, chars));
    assert_eq!(signal(&text, "gopher_top_3_gram_char_frac"), naive_top(&words, 3, chars));
}

/// Lines as Python's `str.splitlines` has them, parts as `str.split` does.
#[test]
fn every_line_break_and_white_space_of_python_is_one() {
    for line_break in ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1e", "\u{85}", "\u{2028}"] {
        let text = format!("- one two{line_break}three four");
        assert_eq!(signal(&text, "gopher_bullet_line_ratio"), 0.5, "{line_break:?}");
    }
    for space in [" ", "\t", "\x1f", "\u{a0}", "\u{3000}", " \u{2003} "] {
        let text = format!("- one{space}two");
        assert_eq!(signal(&text, "gopher_bullet_line_ratio"), 1.0, "{space:?}");
        assert_eq!(signal(&text, "gopher_word_count"), 2.0, "{space:?}");
    }
}

#[test]
fn bad_words_are_counted_apart_and_in_lower_case() {
    let words = BadWords::new(&["foo", "bar baz", "x+"], true).unwrap();
    let texts = ["Foo!", "food", "a (BAR BAZ) foo", "x+", "foo_", "", "föo foo\u{301}"];
    assert_eq!(words.count(&texts, 1).unwrap(), [1, 0, 2, 1, 0, 0, 0]);
    assert_eq!(words.count(&texts, 3).unwrap(), words.count(&texts, 1).unwrap());
    let within = BadWords::new(&["foo"], false).unwrap();
    assert_eq!(within.count(&["food foo"], 1).unwrap(), [2]);
    assert!(BadWords::new(&[], true).unwrap_err().to_string().contains("at least one"));
}

#[test]
fn zero_threads_are_refused() {
    assert!(measure(&[], 0).unwrap_err().to_string().contains("threads = 0"));
}

#[test]
fn hostile_texts_end_soon_and_give_numbers() {
    let n = 60_000;
    for unit in ["(", "a", ".", "@", "a.b@", "'s", "8)", "\n", "a ", "[1]", "é", "…", "5km", "://"]
    {
        let text = unit.repeat(n);
        for figure in measure(&[&text], 1).unwrap()[0] {
            assert!(figure.is_finite(), "{unit:?}");
        }
    }
}
