//! From records to columns: lines of JSON and rows of tables, when they are as nearly all are.
//!
//! The reading that counts is Python's (`gristmill.sources.fields`); this one says yes only when it
//! is sure to give the same document, byte for byte. Every other record is named and left to Python:
//! broken ones, repeated keys or ids, escaped keys, numbers and dates in rare spellings, deep nesting.
//! Inside, that is an [`Option`]: `None` means not sure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use crate::digest;

mod json;
mod lines;
mod metadata;
mod moment;
mod seen;
mod table;

pub use json::python_float;
pub use lines::lines_in;
pub use table::{Cell, Cells, Column};

use metadata::{ADDED, Metadata};
use seen::Seen;

/// Declared licenses that are remembered; documents with further ones are left to Python.
const MOST_LICENSES: usize = 4_096;

/// Bytes of metadata that fill a batch: the offsets of Arrow's strings have 31 bits, a record is
/// shorter than what is left.
const MOST_METADATA: usize = 1 << 30;

/// What a recipe says of the source, and where its records lie.
#[derive(Debug)]
pub struct Origin {
    /// The source's name.
    pub source: String,
    /// The license of documents that declare none.
    pub license: String,
    /// What the file is called; `:` and the record's number follow.
    pub locator: String,
}

/// When a batch is full, and what is too long to be read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of text in a batch, reached by its last document.
    pub batch_bytes: usize,
    /// Records in a batch, reached by its last document.
    pub batch_docs: usize,
    /// Bytes of a line.
    pub longest: usize,
}

/// Why the reading stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// All is read, or the batch is full.
    Done,
    /// A record that starts here is not as most are; it counts as read.
    Unusual(usize),
    /// A record declares a license that [`Rows::add_license`] has to explain first.
    License(String),
}

/// Strings one after the other.
#[derive(Debug, Default)]
pub struct Strings {
    /// All of them.
    pub values: String,
    /// The bytes of each.
    pub lengths: Vec<usize>,
}

impl Strings {
    fn push(&mut self, value: &str) {
        self.values.push_str(value);
        self.lengths.push(value.len());
    }
}

/// The columns of a batch.
#[derive(Debug, Default)]
pub struct Columns {
    /// Column `id`.
    pub id: Strings,
    /// Column `text`, of documents that were lines.
    pub text: Strings,
    /// Column `source`.
    pub source: Strings,
    /// Column `license`.
    pub license: Strings,
    /// Column `url`; an empty one is none.
    pub url: Strings,
    /// Column `created`: microseconds since 1970, UTC.
    pub created: Vec<Option<i64>>,
    /// Column `metadata`.
    pub metadata: Strings,
}

/// A document on its way into the columns; what is None takes the source's value.
#[derive(Debug, Default)]
struct Row<'a> {
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    license: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    created: Option<i64>,
    metadata: Metadata<'a>,
}

/// The finished columns of a document that Python read.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The id.
    pub id: &'a str,
    /// The source.
    pub source: &'a str,
    /// The license.
    pub license: &'a str,
    /// The URL.
    pub url: Option<&'a str>,
    /// Microseconds since 1970, UTC.
    pub created: Option<i64>,
    /// A JSON object.
    pub metadata: &'a str,
}

#[derive(Debug)]
struct License {
    expression: String,
    declared: Option<String>,
}

/// What became of a record.
enum Added {
    Yes,
    NotSure,
    License(String),
}

/// Collects documents, and knows all ids that it ever met.
#[derive(Debug)]
pub struct Rows {
    origin: Origin,
    limits: Limits,
    licenses: HashMap<String, License>,
    seen: Seen,
    columns: Columns,
    n_bytes: usize,
    n_read: u64,
}

impl Rows {
    /// Start after `n_read` records of a file.
    #[must_use]
    pub fn new(origin: Origin, limits: Limits, n_read: u64) -> Self {
        Self {
            origin,
            limits,
            licenses: HashMap::new(),
            seen: Seen::default(),
            columns: Columns::default(),
            n_bytes: 0,
            n_read,
        }
    }

    /// How many documents are held.
    #[must_use]
    pub fn n_docs(&self) -> usize {
        self.columns.created.len()
    }

    /// How many records of the file there were, an unusual one at which the reading stopped included.
    #[must_use]
    pub fn n_read(&self) -> u64 {
        self.n_read
    }

    /// Count a record that is read elsewhere.
    pub fn skip(&mut self) {
        self.n_read += 1;
    }

    /// Whether the batch is full when it has `n_bad` bad records too.
    #[must_use]
    pub fn is_full(&self, n_bad: usize) -> bool {
        self.n_bytes >= self.limits.batch_bytes
            || self.n_docs() + n_bad >= self.limits.batch_docs
            || self.columns.metadata.values.len() >= MOST_METADATA
    }

    /// Take the columns; the ids stay known.
    #[must_use]
    pub fn take(&mut self) -> Columns {
        self.n_bytes = 0;
        std::mem::take(&mut self.columns)
    }

    /// Explain a declared license: its expression, and what of it is kept in the metadata.
    pub fn add_license(&mut self, license: String, expression: String, declared: Option<String>) {
        self.licenses.insert(license, License { expression, declared });
    }

    /// Append a document with `n_bytes` of text that Python made of record `number`; the text is
    /// given unless its place is elsewhere.
    ///
    /// # Errors
    ///
    /// The number of the record that has its id already.
    pub fn add(
        &mut self,
        number: u64,
        row: &Finished<'_>,
        text: Option<&str>,
        n_bytes: usize,
    ) -> Result<(), u64> {
        self.seen.insert(row.id, number)?;
        self.columns.id.push(row.id);
        if let Some(text) = text {
            self.columns.text.push(text);
        }
        self.columns.source.push(row.source);
        self.columns.license.push(row.license);
        self.columns.url.push(row.url.unwrap_or_default());
        self.columns.created.push(row.created);
        self.columns.metadata.push(row.metadata);
        self.n_bytes += n_bytes;
        Ok(())
    }

    /// Append a document but for its text, when its license is known and its id and keys are not
    /// repeated.
    fn append(&mut self, number: u64, mut row: Row<'_>, text: &str) -> Added {
        let license = match row.license.as_deref() {
            None => self.origin.license.as_str(),
            Some(declared) => match self.licenses.get(declared) {
                None if self.licenses.len() < MOST_LICENSES => {
                    return Added::License(declared.to_owned());
                }
                None => return Added::NotSure,
                Some(known) => {
                    if let Some(declared) = &known.declared {
                        row.metadata.add_str(ADDED, "declared_license", declared);
                    }
                    &known.expression
                }
            },
        };
        let id = row.id.take().unwrap_or_else(|| {
            let locator = format!("{}:{number}", self.origin.locator);
            row.metadata.add_str(ADDED, "locator", &locator);
            generated_id(&self.origin.source, &locator, text).into()
        });
        let before = self.columns.metadata.values.len();
        let written = row.metadata.write(&mut self.columns.metadata.values);
        if written.is_none() || self.seen.insert(&id, number).is_err() {
            self.columns.metadata.values.truncate(before);
            return Added::NotSure;
        }
        self.columns.metadata.lengths.push(self.columns.metadata.values.len() - before);
        self.columns.id.push(&id);
        self.columns.source.push(row.source.as_deref().unwrap_or(&self.origin.source));
        self.columns.license.push(license);
        self.columns.url.push(row.url.as_deref().unwrap_or_default());
        self.columns.created.push(row.created);
        self.n_bytes += text.len();
        Added::Yes
    }
}

/// The id of a document that brings none: the digest of what it is, in hex.
fn generated_id(source: &str, locator: &str, text: &str) -> String {
    let mut hasher = digest::Hasher::new();
    for part in [source, "\0", locator, "\0", text] {
        hasher.update(part.as_bytes());
    }
    let mut id = String::with_capacity(32);
    let _ = write!(id, "{:032x}", hasher.digest()); // a String takes all that is written
    id
}
