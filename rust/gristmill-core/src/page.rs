//! A web page: from its bytes to its text, and what it declares about itself.
//!
//! No tree is built: both the charset and the declarations stand in tags, which one pass finds.

mod charset;
mod declared;
mod tags;

use std::borrow::Cow;

pub use declared::{Declared, declarations};

/// What was made of a page's bytes.
#[derive(Debug)]
pub struct Page {
    /// The page without a byte order mark; U+FFFD stands for what its charset does not have.
    pub text: String,
    /// Name of the charset, as the Encoding Standard spells it.
    pub charset: &'static str,
    /// What was replaced in `text`, if anything.
    pub fault: Option<String>,
    /// What the page says of itself; empty for plain text.
    pub declared: Declared,
}

/// Read an HTML page; `content_type` is what the server said, and `cut` that its end is missing.
pub fn read_page(bytes: &[u8], content_type: Option<&str>, cut: bool) -> Page {
    let label = content_type.and_then(charset_label);
    let decoded = charset::decode(bytes, label, true, cut);
    let declared = declarations(&decoded.text);
    page(decoded, declared)
}

/// Read plain text, which is UTF-8 unless a byte order mark says otherwise.
pub fn read_text(bytes: &[u8], cut: bool) -> Page {
    page(charset::decode(bytes, Some("utf-8"), false, cut), Declared::default())
}

fn page(decoded: charset::Decoded<'_>, declared: Declared) -> Page {
    let text = Cow::into_owned(decoded.text);
    Page { text, charset: decoded.charset, fault: decoded.fault, declared }
}

/// The charset parameter of a content type.
fn charset_label(content_type: &str) -> Option<&str> {
    let parameter = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })?;
    Some(parameter.trim().trim_matches(['"', '\'']))
}

/// Whether bytes without a declared type are HTML, by their first tag.
///
/// Source: MIME Sniffing Standard, section 7.1, without the tags that a fragment begins with.
pub fn looks_like_html(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let tags: [&[u8]; 7] =
        [b"<!doctype html", b"<html", b"<head", b"<body", b"<title", b"<script", b"<!--"];
    tags.iter().any(|tag| bytes.get(..tag.len()).is_some_and(|it| it.eq_ignore_ascii_case(tag)))
}
