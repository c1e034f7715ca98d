//! JSON Lines: a line is a record.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::json::{Cursor, Number, python_float};
use super::metadata::EXTRA;
use super::{Added, Row, Rows, Stop, moment};

/// Characters of the longest string that goes to the metadata under its own key.
pub(super) const LONGEST_EXTRA: usize = 1_000;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

const COLUMNS: [&str; 7] = ["text", "id", "source", "license", "url", "created", "metadata"];

impl Rows {
    /// Read `block` from `at` on: lines that each end in a newline, but for the last of a file.
    /// The batch has `n_bad` bad records. Gives the place after the last line that was read.
    pub fn read_lines(&mut self, block: &[u8], mut at: usize, n_bad: usize) -> (usize, Stop) {
        if self.columns.text.values.capacity() == 0 {
            self.columns.text.values.reserve(self.limits.batch_bytes);
        }
        while at < block.len() && !self.is_full(n_bad) {
            let rest = &block[at..];
            let end = memchr(b'\n', rest);
            let next = at + end.map_or(rest.len(), |end| end + 1);
            match self.line(&rest[..end.unwrap_or(rest.len())]) {
                Added::License(declared) => return (at, Stop::License(declared)),
                Added::NotSure => {
                    self.n_read += 1;
                    return (next, Stop::Unusual(at));
                }
                Added::Yes => {
                    self.n_read += 1;
                    at = next;
                }
            }
        }
        (at, Stop::Done)
    }

    fn line(&mut self, line: &[u8]) -> Added {
        let line = match self.n_read {
            0 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
            _ => line,
        };
        if line.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x0B) {
            return Added::Yes; // blank: no record
        }
        if line.len() >= self.limits.longest || has_control_characters(line) {
            return Added::NotSure;
        }
        let mut texts = std::mem::take(&mut self.columns.text);
        let start = texts.values.len();
        let added = match row(line, &mut texts.values) {
            Some(row) => self.append(self.n_read + 1, row, &texts.values[start..]),
            None => Added::NotSure,
        };
        match added {
            Added::Yes => texts.lengths.push(texts.values.len() - start),
            _ => texts.values.truncate(start),
        }
        self.columns.text = texts;
        added
    }
}

/// How many lines end in some bytes.
#[must_use]
pub fn lines_in(bytes: &[u8]) -> usize {
    memchr_iter(b'\n', bytes).count()
}

/// Read the columns of a line; its text is appended to `texts`.
fn row<'a>(line: &'a [u8], texts: &mut String) -> Option<Row<'a>> {
    let line = simdutf8::basic::from_utf8(line).ok()?;
    let (mut row, mut met) = (Row::default(), [false; COLUMNS.len()]);
    let mut cursor = Cursor::new(line);
    cursor.object(|cursor, key| {
        if let Some(column) = COLUMNS.iter().position(|&column| column == key)
            && std::mem::replace(&mut met[column], true)
        {
            return None;
        }
        match key {
            "text" => cursor.string_into(texts)?,
            "id" => row.id = string(cursor)?,
            "source" => row.source = string(cursor)?,
            "license" => row.license = string(cursor)?,
            "url" => row.url = string(cursor)?,
            "created" => row.created = created(cursor)?,
            "metadata" => given(cursor, &mut row)?,
            _ => row.metadata.add(EXTRA, key, |out| extra(cursor, out))?,
        }
        Some(())
    })?;
    cursor.ended()?;
    met[0].then_some(row)
}

/// Whether there are any but the carriage return of a line's end.
fn has_control_characters(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Without an early end the loop becomes vector instructions.
    line.iter().fold(false, |any, &byte| any | (byte < 0x20))
}

/// A column that should be a string; numbers are spelled out.
fn string<'a>(cursor: &mut Cursor<'a>) -> Option<Option<Cow<'a, str>>> {
    Some(match cursor.peek()? {
        b'"' => Some(cursor.string()?).filter(|value| !value.is_empty()),
        b'n' => {
            cursor.word("null")?;
            None
        }
        _ => Some(match cursor.number()? {
            Number::Integer(spelled) => spelled.into(),
            Number::Float(value) => python_float(value).into(),
        }),
    })
}

fn created(cursor: &mut Cursor<'_>) -> Option<Option<i64>> {
    match cursor.peek()? {
        b'"' => moment::parse(&cursor.string()?).map(Some),
        b'n' => cursor.word("null").map(|()| None),
        _ => match cursor.number()? {
            Number::Integer(seconds) => moment::of_seconds(seconds.parse().ok()?).map(Some),
            Number::Float(_) => None,
        },
    }
}

fn given<'a>(cursor: &mut Cursor<'a>, row: &mut Row<'a>) -> Option<()> {
    match cursor.peek()? {
        b'{' => row.metadata.add_object(cursor),
        b'n' => cursor.word("null"),
        _ => None,
    }
}

/// Append the value of a key that is no column; whether it is short enough to stay.
fn extra(cursor: &mut Cursor<'_>, out: &mut String) -> Option<bool> {
    match cursor.peek()? {
        b'"' => {
            let value = cursor.string()?;
            super::json::write_string(&value, out);
            Some(is_short(&value))
        }
        b'{' | b'[' | b'n' => cursor.value(out).map(|()| false),
        _ => cursor.value(out).map(|()| true),
    }
}

/// Whether a string has at most so many characters as go to the metadata.
pub(super) fn is_short(value: &str) -> bool {
    value.len() <= LONGEST_EXTRA || value.chars().count() <= LONGEST_EXTRA
}
