//! The pinned character classes against `regex-syntax`, whose tables tiktoken uses too.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use gristmill_core::bpe::unicode::{self, LETTER, LOWER, NEWLINE, NUMBER, OTHER, SPACE, UPPER};
use regex::Regex;

/// The class of every character by the published definitions, through regular expressions.
fn twin() -> Vec<(char, u8)> {
    let classes = [
        (r"^\p{L}$", LETTER),
        (r"^\p{N}$", NUMBER),
        (r"^\s$", SPACE),
        (r"^[^\s\p{L}\p{N}]$", OTHER),
        (r"^[\r\n]$", NEWLINE),
        (r"^[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]$", UPPER),
        (r"^[\p{Ll}\p{Lm}\p{Lo}\p{M}]$", LOWER),
    ];
    let classes = classes.map(|(pattern, bit)| (Regex::new(pattern).unwrap(), bit));
    let mut buffer = [0; 4];
    (0..=0x0010_ffff)
        .filter_map(char::from_u32)
        .map(|c| {
            let text: &str = c.encode_utf8(&mut buffer);
            let bits = classes.iter().filter(|(pattern, _)| pattern.is_match(text));
            (c, bits.fold(0, |class, (_, bit)| class | bit))
        })
        .collect()
}

/// When this fails after an update of `regex`, the crate has moved to a newer Unicode; the table
/// stays as it is (ids of existing vocabularies depend on it) and the crate's version is pinned.
#[test]
fn every_character_has_the_class_of_the_published_expressions() {
    for (c, class) in twin() {
        assert_eq!(unicode::class_of(c), class, "U+{:04X}", u32::from(c));
    }
}

/// Prints the table: `cargo test --test bpe_unicode print -- --ignored --nocapture`.
#[test]
#[ignore = "writes the table; run by hand"]
fn print_the_table() {
    let mut last = 0;
    let mut column = 0;
    for (c, class) in twin() {
        if class != last {
            print!(
                "{}0x{:07x},",
                if column % 8 == 0 { "\n    " } else { " " },
                (u32::from(c) << 8) | u32::from(class)
            );
            column += 1;
            last = class;
        }
    }
    println!();
}
