//! The charset of a page, and its text.
//!
//! In order: a byte order mark, the server's word, the page's own within its first 1,024 bytes, UTF-8
//! if it is that, else what its bytes look like (chardetng, as Firefox does). A declaration that the
//! bytes contradict gives way to the next one that they do not.
//!
//! Source: Encoding Standard; HTML Standard, section 13.2.3.2.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use memchr::memmem;

use super::tags::Tags;

const PRESCAN_BYTES: usize = 1024;
/// Bytes that the detector looks at.
const DETECT_BYTES: usize = 64 << 10;

/// A page's text.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) charset: &'static str,
    pub(super) fault: Option<String>,
}

/// Decode a page; `label` is the declared charset, `html` whether it may hold another declaration,
/// `cut` whether half a character at its end is no fault.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    label: Option<&str>,
    html: bool,
    cut: bool,
) -> Decoded<'a> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return with(encoding, &bytes[length..], cut, "its byte order mark");
    }
    let server = label.and_then(known).map(|encoding| (encoding, "its content type"));
    let own = html.then(|| prescan(&bytes[..bytes.len().min(PRESCAN_BYTES)])).flatten();
    let own = own.map(|encoding| (encoding, "its meta tag"));
    let mut first = None;
    for (encoding, by) in [server, own, Some((UTF_8, "default"))].into_iter().flatten() {
        let decoded = with(encoding, bytes, cut, by);
        if decoded.fault.is_none() {
            return decoded;
        }
        first.get_or_insert(decoded);
    }
    match first {
        Some(decoded) if server.is_some() || own.is_some() => decoded,
        _ => with(detect(bytes), bytes, cut, "its bytes"),
    }
}

fn with<'a>(encoding: &'static Encoding, bytes: &'a [u8], cut: bool, by: &str) -> Decoded<'a> {
    let bytes = if cut && encoding == UTF_8 { whole_characters(bytes) } else { bytes };
    let charset = encoding.name();
    if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        return Decoded { text, charset, fault: None };
    }
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Decoded { text, charset, fault: Some(format!("not valid {charset}, which {by} says it is")) }
}

fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(DETECT_BYTES)], bytes.len() <= DETECT_BYTES);
    detector.guess(None, Utf8Detection::Deny)
}

fn known(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != REPLACEMENT)
}

/// The charset that a page's first bytes declare.
fn prescan(start: &[u8]) -> Option<&'static Encoding> {
    let declared = xml_encoding(start).or_else(|| {
        Tags::new(start).filter(|tag| tag.is("meta")).find_map(|tag| {
            let label = tag.get("charset").or_else(|| {
                let declares = tag.get("http-equiv")?.eq_ignore_ascii_case(b"content-type");
                declares.then(|| tag.get("content")).flatten().and_then(content_charset)
            })?;
            known(&String::from_utf8_lossy(label))
        })
    })?;
    // bytes in which a tag can be read are neither of these
    Some(match declared {
        it if it == UTF_16LE || it == UTF_16BE => UTF_8,
        it if it == X_USER_DEFINED => WINDOWS_1252,
        it => it,
    })
}

fn content_charset(content: &[u8]) -> Option<&[u8]> {
    let content_lower = content.to_ascii_lowercase();
    let at = memmem::find(&content_lower, b"charset")? + b"charset".len();
    let value = content[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let quoted = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    quoted.split(|byte| b";\"' \t\r\n".contains(byte)).next()
}

fn xml_encoding(start: &[u8]) -> Option<&'static Encoding> {
    let declaration = start.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &declaration[..memmem::find(declaration, b"?>")?];
    let at = memmem::find(declaration, b"encoding")? + b"encoding".len();
    let value = declaration[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
    let label = value.get(1..)?.split(|byte| *byte == value[0]).next()?;
    known(&String::from_utf8_lossy(label))
}
