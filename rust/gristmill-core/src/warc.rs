//! WARC and WET files: bytes in, records out, and of the records those that are documents.
//!
//! Reading is three layers. [`stream`] gives the bytes, inflated when they are gzip members; it knows
//! where in the file each member began. [`Reader`] cuts records out of them and, after a fault, finds
//! the next one. [`Documents`] takes the HTTP envelope off and keeps what is a page or a text.
//! Memory is bounded by the caller's limit on a record's block, whatever lengths the file declares.
//!
//! Source: ISO 28500 (WARC 1.1), RFC 1952 (gzip), RFC 9112 (HTTP/1.1).

mod body;
mod documents;
mod head;
mod inflate;
mod input;
mod link;
mod reader;
mod stream;

pub use body::{Http, Payload, http, payload};
pub use documents::{Bad, Document, Documents, Outcome, Wanted};
pub use head::Head;
pub use reader::{Entry, Fault, Reader, Record, Span};

/// How far before its start a range is read: an empty line there makes the start a boundary.
pub const LOOK_BACK: u64 = 4;

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Byte of the file: of the record itself, or of the gzip member that holds it.
    pub offset: u64,
    /// Bytes of that member before the record; not zero only where a member holds several.
    pub inner: u64,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Broken {
    /// The records do not follow each other: look for the next one.
    Record(String),
    /// The compressed data is damaged: look for the next member.
    Member(String),
    /// A member inflates without end: look for the next one.
    Bomb(String),
    /// Nothing more can be read.
    End(String),
}
