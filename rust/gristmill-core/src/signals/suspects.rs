//! Phrases that C4 refuses lines and documents for.
//!
//! Each has a word that few parts between white space hold, so that few lines need a search.

use std::sync::LazyLock;

use regex::bytes::Regex;

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static LOREM_IPSUM: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)lorem ipsum"));
static JAVASCRIPT: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)javascript"));
static POLICY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies",
    )
});

/// Whether a part between white space may belong to one of the phrases.
pub(super) fn in_part(part: &str) -> bool {
    let begins = |rest: &[u8], word: &str| {
        rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
    };
    (0..part.len().saturating_sub(4)).any(|at| {
        let rest = &part.as_bytes()[at..];
        match rest[0] | 0x20 {
            b'j' => begins(rest, "javascript"),
            b'l' => begins(rest, "lorem"),
            b't' => begins(rest, "terms"),
            b'p' => begins(rest, "privacy"),
            b'c' => begins(rest, "cookie"),
            _ => false,
        }
    })
}

pub(super) fn has_lorem_ipsum(line: &str) -> bool {
    LOREM_IPSUM.is_match(line.as_bytes())
}

pub(super) fn has_javascript(line: &str) -> bool {
    JAVASCRIPT.is_match(line.as_bytes())
}

pub(super) fn has_policy(line: &str) -> bool {
    POLICY.is_match(line.as_bytes())
}
