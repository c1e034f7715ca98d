//! What happens to a text before it is cut into words: added tokens are found in it, and a space may
//! go before each segment between them.

use std::borrow::Cow;
use std::cmp::Reverse;

use regex::Regex;

use crate::{Error, Result};

/// An expression that finds added tokens, the leftmost and the longest of those; None for no tokens.
pub fn matcher(mut contents: Vec<&str>) -> Result<Option<Regex>> {
    let refused = |problem: String| Error::Format { what: "added tokens".to_owned(), problem };
    if contents.is_empty() {
        return Ok(None);
    }
    if contents.contains(&"") {
        return Err(refused("one of them is empty".to_owned()));
    }
    // an expression takes the first alternative that matches, so the longest go first
    contents.sort_by_key(|content| Reverse(content.len()));
    let alternatives: Vec<_> = contents.into_iter().map(regex::escape).collect();
    Regex::new(&alternatives.join("|")).map(Some).map_err(|error| refused(error.to_string()))
}

/// A segment, with a space before it when one is wanted and it begins with none.
#[inline]
pub fn with_prefix_space(segment: &str, wanted: bool) -> Cow<'_, str> {
    if wanted && !segment.is_empty() && !segment.starts_with(' ') {
        return format!(" {segment}").into();
    }
    segment.into()
}
