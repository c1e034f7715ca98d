//! Phrases that C4 refuses lines and documents for.
//!
//! Each has a word that few parts between white space hold, so that few lines need a search.

use std::sync::LazyLock;

use regex::bytes::Regex;

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by every test")]
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static RARE: LazyLock<Regex> =
    LazyLock::new(|| pattern("(?i-u)javascript|lorem|terms|privacy|cookie"));
static LOREM_IPSUM: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)lorem ipsum"));
static JAVASCRIPT: LazyLock<Regex> = LazyLock::new(|| pattern("(?i-u)javascript"));
static POLICY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies",
    )
});

/// Whether a part between white space may belong to one of the phrases.
pub(super) fn in_part(part: &str) -> bool {
    part.len() >= "terms".len() && RARE.is_match(part.as_bytes())
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
