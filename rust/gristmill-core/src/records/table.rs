//! Tables: a row is a record, a column a key.

use std::borrow::Cow;

use super::json::python_float;
use super::lines::is_short;
use super::metadata::EXTRA;
use super::{Added, Row, Rows, Stop, moment};

/// A value of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A string, perhaps not valid, or bytes.
    Bytes(&'a [u8]),
    /// An integer.
    Integer(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970, in UTC or without a zone.
    Moment {
        /// The microseconds.
        us: i64,
        /// Whether the zone is named.
        utc: bool,
    },
    /// Anything else: the row is unusual.
    Other,
}

/// The value of a column by row.
pub type Cells<'a> = Box<dyn Fn(usize) -> Cell<'a> + Sync + 'a>;

/// A column and its name.
pub type Column<'a> = (&'a str, Cells<'a>);

impl Rows {
    /// Read the rows of `columns` from `at` to `end`, but for their texts, which stay where they are.
    /// The batch has `n_bad` bad records. Gives the row after the last that was read.
    pub fn read_table(
        &mut self,
        columns: &[Column<'_>],
        mut at: usize,
        end: usize,
        n_bad: usize,
    ) -> (usize, Stop) {
        while at < end && !self.is_full(n_bad) {
            let added = match row(columns, at) {
                Some((row, text)) => self.append(self.n_read, row, text),
                None => Added::NotSure,
            };
            if let Added::License(declared) = added {
                return (at, Stop::License(declared));
            }
            self.n_read += 1;
            at += 1;
            if matches!(added, Added::NotSure) {
                return (at, Stop::Unusual(at - 1));
            }
        }
        (at, Stop::Done)
    }
}

fn row<'a>(columns: &[Column<'a>], at: usize) -> Option<(Row<'a>, &'a str)> {
    let (mut row, mut text) = (Row::default(), None);
    for (name, cell) in columns {
        let cell = cell(at);
        match *name {
            "text" => text = Some(valid(cell)?),
            "id" => row.id = string(cell)?,
            "source" => row.source = string(cell)?,
            "license" => row.license = string(cell)?,
            "url" => row.url = string(cell)?,
            "created" => row.created = created(cell)?,
            "metadata" => given(cell, &mut row)?,
            name => row.metadata.add(EXTRA, name, |out| extra(cell, out))?,
        }
    }
    Some((row, text?))
}

fn valid(cell: Cell<'_>) -> Option<&str> {
    let Cell::Bytes(bytes) = cell else { return None };
    simdutf8::basic::from_utf8(bytes).ok()
}

/// A column that should be a string; numbers are spelled out.
fn string(cell: Cell<'_>) -> Option<Option<Cow<'_, str>>> {
    Some(match cell {
        Cell::Null => None,
        Cell::Bytes(_) => Some(Cow::Borrowed(valid(cell)?)).filter(|value| !value.is_empty()),
        Cell::Integer(number) => Some(number.to_string().into()),
        Cell::Float(number) if number.is_finite() => Some(python_float(number).into()),
        _ => return None,
    })
}

fn created(cell: Cell<'_>) -> Option<Option<i64>> {
    let us = match cell {
        Cell::Null => return Some(None),
        Cell::Bytes(_) => moment::parse(valid(cell)?),
        Cell::Integer(seconds) => moment::of_seconds(seconds),
        Cell::Date(days) => moment::of_days(days),
        Cell::Moment { us, .. } => moment::usual(us),
        Cell::Float(_) | Cell::Bool(_) | Cell::Other => None,
    };
    us.map(Some)
}

fn given<'a>(cell: Cell<'a>, row: &mut Row<'a>) -> Option<()> {
    match cell {
        Cell::Null => Some(()),
        Cell::Bytes(_) => {
            let text = valid(cell)?;
            let has_control_characters = text.bytes().any(|byte| byte < 0x20);
            (!has_control_characters).then(|| row.metadata.add_json(text))?
        }
        _ => None,
    }
}

/// Append the value of a column that is no column of a document; whether it stays.
fn extra(cell: Cell<'_>, out: &mut String) -> Option<bool> {
    match cell {
        Cell::Null => return Some(false),
        Cell::Bytes(_) => {
            let value = valid(cell)?;
            super::json::write_string(value, out);
            return Some(is_short(value));
        }
        Cell::Integer(number) => out.push_str(&number.to_string()),
        Cell::Float(number) if number.is_finite() => out.push_str(&python_float(number)),
        Cell::Float(_) => return Some(false),
        Cell::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Cell::Date(days) => {
            moment::of_days(days)?;
            super::json::write_string(&moment::date(days.into()), out);
        }
        Cell::Moment { us, utc } => {
            super::json::write_string(&moment::iso(moment::usual(us)?, utc), out);
        }
        Cell::Other => return None,
    }
    Some(true)
}
