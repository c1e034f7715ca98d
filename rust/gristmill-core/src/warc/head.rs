//! Header fields, as WARC and HTTP have them: a first line, then `Name: value` lines, then an empty
//! one. Lines end in CR LF or in LF, and one that begins with a space goes on from the line before.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memmem};

/// The fields of a head, as places in the bytes that it was read from.
#[derive(Debug, Clone, Default)]
pub struct Head {
    first: Range<usize>,
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// Bytes of the head with its empty line.
    pub(super) len: usize,
}

impl Head {
    /// Read the head that `bytes` begin with; None when no empty line ends it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<()> {
        self.fields.clear();
        self.len = end_of_head(bytes)?;
        let mut lines = lines(&bytes[..self.len]);
        self.first = lines.next().unwrap_or_default();
        for line in lines {
            match bytes[line.start] {
                b' ' | b'\t' => {
                    if let Some((_, value)) = self.fields.last_mut() {
                        value.end = line.end;
                    }
                }
                _ => self.fields.extend(field(bytes, line)),
            }
        }
        Some(())
    }

    /// The first line.
    pub(super) fn first<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.first.clone()]
    }

    /// The value of the first field of this name, in any case; folded lines as one.
    pub fn get<'a>(&self, bytes: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
        let named =
            |field: &Range<usize>| bytes[field.clone()].eq_ignore_ascii_case(name.as_bytes());
        let (_, value) = self.fields.iter().find(|(field, _)| named(field))?;
        Some(unfolded(&bytes[value.clone()]))
    }

    /// All fields in order.
    pub fn fields<'a>(
        &self,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a, '_> {
        let text = |range: &Range<usize>| unfolded(&bytes[range.clone()]);
        self.fields.iter().map(move |(name, value)| (text(name), text(value)))
    }
}

/// Where the head that `bytes` begin with ends, behind its empty line.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b'\n', &bytes[at..])? + 1;
        match &bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The lines of a head that are not empty, without their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let end = start + memchr(b'\n', &bytes[start..])?;
        at = end + 1;
        let end = if bytes[start..end].ends_with(b"\r") { end - 1 } else { end };
        Some(start..end)
    })
    .filter(|line| !line.is_empty())
}

fn field(bytes: &[u8], line: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let colon = line.start + memchr(b':', &bytes[line.clone()])?;
    Some((trimmed(bytes, line.start..colon), trimmed(bytes, colon + 1..line.end)))
}

fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &bytes[range.clone()];
    let start = range.start + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

fn unfolded(value: &[u8]) -> Cow<'_, str> {
    if memmem::find(value, b"\n").is_none() {
        return String::from_utf8_lossy(value);
    }
    let parts = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let joined = parts.collect::<Vec<_>>().join(&b' ');
    Cow::Owned(String::from_utf8_lossy(joined.trim_ascii()).into_owned())
}
