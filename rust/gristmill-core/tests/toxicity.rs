//! Windows of plain words, against a twin that takes one rule after the other over whole words.

use gristmill_core::toxicity::{MAX_WORD_CHARS, windows_all};
use proptest::prelude::*;

fn windows(text: &str, max_words: usize) -> Vec<String> {
    let found = windows_all(&[text], max_words, 1).unwrap_or_default();
    found.iter().flat_map(|part| part.iter().map(str::to_owned)).collect()
}

fn plain(text: &str) -> String {
    windows(text, usize::MAX / 8).concat()
}

/// Undo the disguises of one ASCII word by the rules as they are written down.
fn naive_word(word: &str) -> String {
    let word: String = word.to_ascii_lowercase().chars().take(MAX_WORD_CHARS).collect();
    let is_letter = |c: &char| c.is_ascii_lowercase();
    let letters: Vec<usize> =
        word.chars().enumerate().filter(|(_, c)| is_letter(c)).map(|(at, _)| at).collect();
    let [first, .., last] = letters[..] else {
        return if letters.is_empty() { String::new() } else { shortened(&word) };
    };
    let mut meant = String::new();
    for (at, one) in word.chars().enumerate() {
        let looks = "0o1i!i3e4a@a5s$s7t".as_bytes().chunks(2).find(|pair| pair[0] == one as u8);
        match looks {
            Some(pair) if (first..=last).contains(&at) => meant.push(pair[1] as char),
            _ => meant.push(one),
        }
    }
    shortened(&meant)
}

/// Shorten what is drawn out.
fn shortened(word: &str) -> String {
    let mut meant = word.to_owned();
    for letter in ('a'..='z').chain(['*']) {
        let once = letter == '*' || "aeiou".contains(letter);
        let least = if letter == '*' { 2 } else { 3 };
        for length in (least..=MAX_WORD_CHARS).rev() {
            let short = letter.to_string().repeat(if once { 1 } else { 2 });
            meant = meant.replace(&letter.to_string().repeat(length), &short);
        }
    }
    meant
}

proptest! {
    #[test]
    fn a_word_is_undisguised_as_the_rules_say(word in "[a-zA-Z0-9]([a-cA-C13*@$!]{0,40}[a-zA-Z0-9])?") {
        prop_assume!(!word.to_lowercase().starts_with("www"));
        prop_assert_eq!(plain(&word), naive_word(&word));
    }

    #[test]
    fn windows_hold_every_word_in_order(text in "[a-z]{2,5}( [b-y]{2}|\n[b-y]{2}){0,80}", max in 1_usize..20) {
        let together = windows(&text, max).join(" ");
        prop_assert_eq!(together, plain(&text));
    }

    #[test]
    fn a_window_is_bounded(text in "([a-z]{2}[ \n]){0,120}", max in 1_usize..20) {
        for window in windows(&text, max) {
            prop_assert!(window.split_whitespace().count() <= max + max / 4);
        }
    }

    #[test]
    fn any_text_has_a_window_whatever_the_threads(texts in prop::collection::vec("\\PC{0,60}", 0..40)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let one = windows_all(&texts, 4, 1).unwrap();
        prop_assert_eq!(&one, &windows_all(&texts, 4, 2).unwrap());
        prop_assert_eq!(one.iter().flat_map(|part| part.per_text()).count(), texts.len());
    }
}

#[test]
fn the_twin_tells_disguises_from_numbers() {
    assert_eq!(naive_word("b1tch"), "bitch");
    assert_eq!(naive_word("2nd"), "2nd");
    assert_eq!(naive_word("404"), "");
}

#[test]
fn addresses_mentions_references_and_numbers_go() {
    assert_eq!(
        plain("see https://a.example/x?y WWW.B.EXAMPLE @you_2 &amp; &#8220;it&#8221; 12 ok"),
        "see it ok"
    );
}

#[test]
fn apostrophes_join_and_other_signs_part() {
    assert_eq!(plain("Don't can’t it's-so 'quoted'"), "dont cant its so quoted");
}

#[test]
fn letters_set_apart_are_joined() {
    assert_eq!(plain("f u c k this"), "fuck this");
    assert_eq!(plain("i.d.i.o.t"), "idiot");
    assert_eq!(plain("a b or so"), "a b or so");
}

#[test]
fn scripts_are_kept_and_pictures_are_words() {
    assert_eq!(plain("שלום Ünï 👍🏽!"), "שלום ünï 👍");
}

#[test]
fn a_window_ends_at_the_line_break_after_its_half() {
    assert_eq!(
        windows("one two three\nfour five six seven", 5),
        ["one two three", "four five six seven"]
    );
}

#[test]
fn a_short_rest_joins_the_window_before() {
    assert_eq!(windows("aa bb cc dd ee ff gg hh ii", 8), ["aa bb cc dd ee ff gg hh ii"]);
}

#[test]
fn a_word_without_end_is_cut_and_signs_without_end_take_no_time() {
    assert_eq!(plain(&"ab".repeat(5_000_000)).len(), MAX_WORD_CHARS);
    assert_eq!(plain(&format!("a{}", "!@$*".repeat(3_000_000))), "a");
    assert_eq!(plain(&"&@".repeat(3_000_000)), "");
}

#[test]
fn no_words_at_a_time_are_refused() {
    assert!(windows_all(&["a"], 0, 1).is_err());
    assert!(windows_all(&["a"], 1, 0).is_err());
}
