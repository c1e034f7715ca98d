//! The HTTP message in a block: its status, its fields, and its body as the page was sent.
//!
//! Crawlers store what came over the wire, or undo the transfer and content codings and leave the
//! fields as they were. So a coding that the body does not follow is taken as undone already; one
//! that it follows up to a fault gives what came before.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use memchr::memchr;

use super::head::{Head, end_of_head};
use super::inflate::MAGIC;

const BROTLI_BUFFER: usize = 64 << 10;
/// Content codings that are undone; more on one body is an attack.
const MOST_CODINGS: usize = 3;

/// An HTTP response.
#[derive(Debug)]
pub struct Http<'a> {
    bytes: &'a [u8],
    head: Head,
    /// The status, as far as the first line has one.
    pub status: Option<u16>,
}

impl<'a> Http<'a> {
    /// The value of a header field.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.head.get(self.bytes, name)
    }

    /// The values of all header fields of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let fields = self.head.fields(self.bytes);
        fields.filter(move |field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1)
    }

    /// What follows the head, as stored.
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[self.head.len..]
    }
}

/// A body without its codings.
#[derive(Debug)]
pub struct Payload<'a> {
    /// Its bytes, at most as many as were allowed.
    pub bytes: Cow<'a, [u8]>,
    /// Whether there are more.
    pub too_large: bool,
    /// Whether a coding breaks off.
    pub broken: bool,
}

/// Read a block that holds an HTTP response; None when it does not.
pub fn http(block: &[u8]) -> Option<Http<'_>> {
    let mut head = Head::default();
    if !block.starts_with(b"HTTP/") {
        return None;
    }
    if end_of_head(block).is_none() || head.read(block).is_none() {
        return None;
    }
    let status = head.first(block).split(|byte| *byte == b' ').nth(1).and_then(number);
    Some(Http { bytes: block, head, status })
}

fn number(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The body of a response without its transfer and content codings, up to `limit` bytes.
pub fn payload<'a>(http: &Http<'a>, limit: usize) -> Payload<'a> {
    let mut payload = Payload {
        bytes: Cow::Borrowed(http.body()),
        too_large: http.body().len() > limit,
        broken: false,
    };
    let chunked =
        http.get("Transfer-Encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked"));
    if let Some((bytes, broken)) = chunked.then(|| dechunked(http.body())).flatten() {
        payload = Payload { too_large: bytes.len() > limit, bytes: Cow::Owned(bytes), broken };
    }
    let codings = http.get("Content-Encoding").unwrap_or_default().to_ascii_lowercase();
    for coding in codings.rsplit(',').take(MOST_CODINGS) {
        if let Some(decoded) = decoded(&payload.bytes, coding.trim(), limit) {
            payload = Payload { broken: payload.broken || decoded.broken, ..decoded };
        }
    }
    payload
}

/// The chunks joined, and whether they break off; None when the body does not begin with one.
fn dechunked(body: &[u8]) -> Option<(Vec<u8>, bool)> {
    let (mut joined, mut rest) = (Vec::new(), body);
    loop {
        let Some((size, head)) = chunk_head(rest) else {
            // What follows on the last sound chunk stays: it may be the rest of the page.
            joined.extend_from_slice(rest);
            return (rest.len() < body.len()).then_some((joined, true));
        };
        if size == 0 {
            return Some((joined, false));
        }
        let data = &rest[head..];
        if data.len() < size {
            joined.extend_from_slice(data);
            return Some((joined, true));
        }
        joined.extend_from_slice(&data[..size]);
        rest = &data[size..];
        rest = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
}

/// Size of the chunk that begins here, and of the line that says so.
fn chunk_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let line = &bytes[..memchr(b'\n', &bytes[..bytes.len().min(256)])?];
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    if !size.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
    Some((size, line.len() + 1))
}

/// A body without one content coding; None when it does not have it.
fn decoded(body: &[u8], coding: &str, limit: usize) -> Option<Payload<'static>> {
    let found = match coding {
        "gzip" | "x-gzip" if body.starts_with(MAGIC) => read(GzDecoder::new(body), limit),
        "deflate" if is_zlib(body) => read(ZlibDecoder::new(body), limit),
        "deflate" => read(DeflateDecoder::new(body), limit),
        "br" => read(brotli_decompressor::Decompressor::new(body, BROTLI_BUFFER), limit),
        _ => return None,
    };
    let undone =
        found.broken && (found.bytes.is_empty() || body.trim_ascii_start().starts_with(b"<"));
    (!undone).then_some(found)
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 15 == 8
        && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

fn read(decoder: impl Read, limit: usize) -> Payload<'static> {
    let mut bytes = Vec::new();
    let broken = decoder.take(limit as u64 + 1).read_to_end(&mut bytes).is_err();
    let too_large = bytes.len() > limit;
    bytes.truncate(limit);
    Payload { bytes: Cow::Owned(bytes), too_large, broken }
}
