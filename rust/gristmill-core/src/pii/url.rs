//! Addresses of web pages and files.

use super::address::{domain_end, dotted_quad};
use super::near::{before, byte, is_word};
use super::{Entity, Found};

const SCHEMES: [&str; 7] = ["http", "https", "ftp", "ftps", "sftp", "ws", "wss"];

const LONGEST_SCHEME: usize = 5;

/// Longer ones than any server takes are cut, so that hostile text costs no more than others.
const LONGEST: usize = 2_048;

/// The URL whose `://` is at `at`.
pub(super) fn url(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    if !bytes[at..].starts_with(b"://") {
        return None;
    }
    let letters = bytes[..at].iter().rev().take(LONGEST_SCHEME + 1);
    let start = at - letters.take_while(|byte| byte.is_ascii_alphabetic()).count();
    let known = SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(&text[start..at]));
    if !known || is_word(before(text, start, 1)) {
        return None;
    }
    let inside = |byte: &&u8| byte.is_ascii_graphic() && !b"/?#\"'<>`{}\\|".contains(byte);
    let authority = bytes[at + 3..].iter().take(253).take_while(inside).count();
    let user = memchr::memrchr(b'@', &bytes[at + 3..at + 3 + authority]).map_or(0, |at| at + 1);
    web_address(text, start, at + 3 + user)
}

/// The URLs without a scheme that begin with `www.`.
pub(super) fn bare_urls(text: &str) -> impl Iterator<Item = Found> {
    memchr::memmem::find_iter(text.as_bytes(), b"www.").filter_map(|at| {
        let last = before(text, at, 1);
        let begins = !is_word(last) && !b"./@-:".contains(&last);
        begins.then(|| web_address(text, at, at)).flatten()
    })
}

/// From `start` to the end of the path behind the host at `host`.
fn web_address(text: &str, start: usize, host: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let end = match dotted_quad(bytes, host) {
        Some((_, end)) => end,
        None => domain_end(text, host)?,
    };
    let part = |byte: &&u8| byte.is_ascii_graphic() && !b"\"'<>`{}\\|^".contains(byte);
    let rest = match byte(text, end) {
        b'/' | b'?' | b'#' | b':' => bytes[end..].iter().take(LONGEST).take_while(part).count(),
        _ => 0,
    };
    let mut span = start..end + rest;
    while span.end > end && closes(&text[span.clone()]) {
        span.end -= 1;
    }
    Some(Found { span, entity: Entity::Url, score: 0.9 })
}

/// Whether the last byte ends a sentence or a parenthesis that began before the URL.
fn closes(url: &str) -> bool {
    match url.as_bytes().last() {
        Some(b'.' | b',' | b';' | b':' | b'!' | b'?' | b'*') => true,
        Some(b')') => !url.contains('('),
        Some(b']') => !url.contains('['),
        _ => false,
    }
}
