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

/// Whether a part between white space may belong to one of the phrases: "javascript", "lorem",
/// "terms", "privacy" or "cookie" begin somewhere in it.
pub(super) fn in_part(part: &str) -> bool {
    const BEGINNINGS: [[u8; 4]; 5] = [*b"java", *b"lore", *b"term", *b"priv", *b"cook"];
    let four = |bytes: [u8; 4]| u32::from_le_bytes(bytes) | 0x2020_2020;
    // Without a branch for each place: few of them could be predicted.
    part.as_bytes().windows(4).fold(false, |found, bytes| {
        let here = four([bytes[0], bytes[1], bytes[2], bytes[3]]);
        BEGINNINGS.iter().fold(found, |found, beginning| found | (here == four(*beginning)))
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
