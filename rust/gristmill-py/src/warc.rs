//! WARC files: a Python file in, records or documents out, in batches.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use gristmill_core::warc::{
    Bad, Document, Documents, Entry, Fault, LOOK_BACK, Outcome, Reader, Record, Span, Wanted, http,
    payload,
};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::leave;
use crate::page::{PageFields, page_fields};

/// Records of one call; few, as each may be as large as the limit.
const BATCH_RECORDS: usize = 64;
const BATCH_BYTES: usize = 4 << 20;

/// Where the first exception waits that is no `OSError`.
type Raised = Arc<Mutex<Option<PyErr>>>;

/// A Python file object; its `OSError` is the end of the file, any other exception comes through.
struct PyFile {
    file: Py<PyAny>,
    raised: Raised,
}

impl Read for PyFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let read = self
                .file
                .call_method1(py, "read", (buffer.len(),))
                .and_then(|bytes| Ok(bytes.extract::<PyBackedBytes>(py)?));
            match read {
                Ok(bytes) => {
                    let n = bytes.len().min(buffer.len());
                    buffer[..n].copy_from_slice(&bytes[..n]);
                    Ok(n)
                }
                Err(error) if error.is_instance_of::<PyOSError>(py) => {
                    Err(io::Error::other(error.value(py).to_string()))
                }
                Err(error) => {
                    let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
                    raised.get_or_insert(error);
                    Err(io::Error::other("interrupted"))
                }
            }
        })
    }
}

fn open(
    py: Python<'_>,
    file: Py<PyAny>,
    gzip: bool,
    span: Span,
    limit: usize,
) -> PyResult<(Reader<PyFile>, Raised)> {
    if span.start > 0 {
        file.call_method1(py, "seek", (span.start.saturating_sub(LOOK_BACK),))?;
    }
    let raised = Raised::default();
    let file = PyFile { file, raised: Arc::clone(&raised) };
    Ok((Reader::new(file, gzip, span, limit), raised))
}

fn check(raised: &Raised) -> PyResult<()> {
    let error = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
    error.map_or(Ok(()), Err)
}

/// Offset, inner offset, URL, date, record id, status, content type, languages, truncated, page.
type DocumentFields = (
    u64,
    u64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<u16>,
    Option<String>,
    Option<String>,
    Option<String>,
    PageFields,
);
/// Offset, inner offset, reason, detail, first bytes, length, URL.
type BadFields<'py> = (u64, u64, &'static str, String, Bound<'py, PyBytes>, u64, Option<String>);
/// One of the two.
type OutcomeFields<'py> = (Option<DocumentFields>, Option<BadFields<'py>>);

/// Reads the documents of a part of a WARC or WET file.
#[pyclass(module = "gristmill._core")]
pub struct WarcDocuments {
    documents: Documents<PyFile>,
    raised: Raised,
}

#[pymethods]
impl WarcDocuments {
    #[new]
    #[pyo3(signature = (file, gzip, start, stop, size, limit, texts, repair))]
    #[expect(clippy::too_many_arguments, reason = "a constructor of keywords")]
    fn new(
        py: Python<'_>,
        file: Py<PyAny>,
        gzip: bool,
        start: u64,
        stop: u64,
        size: u64,
        limit: usize,
        texts: bool,
        repair: bool,
    ) -> PyResult<Self> {
        let (reader, raised) = open(py, file, gzip, Span { start, stop, size }, limit)?;
        let wanted = if texts { Wanted::Texts } else { Wanted::Pages };
        Ok(Self { documents: Documents::new(reader, wanted, repair, limit), raised })
    }

    /// The next documents and bad records, in order; an empty list at the end.
    fn next_batch<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<OutcomeFields<'py>>> {
        let batch = leave(py, || Ok(self.documents.next_batch()))?;
        check(&self.raised)?;
        Ok(batch.into_iter().map(|outcome| outcome_fields(py, outcome)).collect())
    }

    /// How many records of each kind were no documents.
    fn others(&self) -> BTreeMap<String, u64> {
        self.documents.others().clone()
    }
}

fn outcome_fields(py: Python<'_>, outcome: Outcome) -> OutcomeFields<'_> {
    match outcome {
        Outcome::Document(document) => (Some(document_fields(*document)), None),
        Outcome::Bad(bad) => (None, Some(bad_fields(py, bad))),
    }
}

fn document_fields(document: Document) -> DocumentFields {
    (
        document.place.offset,
        document.place.inner,
        document.url,
        document.date,
        document.record_id,
        document.status,
        document.content_type,
        document.languages,
        document.truncated,
        page_fields(document.page),
    )
}

fn bad_fields(py: Python<'_>, bad: Bad) -> BadFields<'_> {
    let raw = PyBytes::new(py, &bad.raw);
    (bad.place.offset, bad.place.inner, bad.reason, bad.detail, raw, bad.n_bytes, bad.url)
}

/// Offset, inner offset, header fields, and the block or the decoded HTTP body in it.
type RecordFields<'py> = (u64, u64, Vec<(String, String)>, Bound<'py, PyBytes>);
/// Offset, inner offset, and what is wrong.
type FaultFields = (u64, u64, String);

/// A record outside the reader's window.
struct Kept {
    place: (u64, u64),
    fields: Vec<(String, String)>,
    /// Its place among the bytes of the batch.
    body: Range<usize>,
}

/// Reads the records of a part of a WARC file, of whatever type.
#[pyclass(module = "gristmill._core")]
pub struct WarcRecords {
    reader: Reader<PyFile>,
    raised: Raised,
    limit: usize,
    http: bool,
    /// The bodies of a batch, one after the other: memory that is taken once.
    bodies: Vec<u8>,
}

#[pymethods]
impl WarcRecords {
    #[new]
    #[pyo3(signature = (file, gzip, start, stop, size, limit, http))]
    #[expect(clippy::too_many_arguments, reason = "a constructor of keywords")]
    fn new(
        py: Python<'_>,
        file: Py<PyAny>,
        gzip: bool,
        start: u64,
        stop: u64,
        size: u64,
        limit: usize,
        http: bool,
    ) -> PyResult<Self> {
        let (reader, raised) = open(py, file, gzip, Span { start, stop, size }, limit)?;
        Ok(Self { reader, raised, limit, http, bodies: Vec::new() })
    }

    /// The next records and faults, in order; an empty list at the end.
    fn next_batch<'py>(
        &mut self,
        py: Python<'py>,
    ) -> PyResult<Vec<(Option<RecordFields<'py>>, Option<FaultFields>)>> {
        let batch = leave(py, || Ok(self.batch()))?;
        check(&self.raised)?;
        Ok(batch
            .into_iter()
            .map(|entry| match entry {
                Ok(kept) => {
                    let body = PyBytes::new(py, &self.bodies[kept.body]);
                    (Some((kept.place.0, kept.place.1, kept.fields, body)), None)
                }
                Err(fault) => (None, Some((fault.place.offset, fault.place.inner, fault.detail))),
            })
            .collect())
    }
}

impl WarcRecords {
    fn batch(&mut self) -> Vec<Result<Kept, Fault>> {
        let mut batch = Vec::new();
        self.bodies.clear();
        while batch.len() < BATCH_RECORDS && self.bodies.len() < BATCH_BYTES {
            match self.reader.next_entry() {
                None => break,
                Some(Entry::Fault(fault)) => batch.push(Err(fault)),
                Some(Entry::Record(record)) => {
                    batch.push(Ok(keep(&record, self.http, self.limit, &mut self.bodies)));
                }
            }
        }
        batch
    }
}

fn keep(record: &Record<'_>, decode: bool, limit: usize, bodies: &mut Vec<u8>) -> Kept {
    let start = bodies.len();
    match decode.then(|| http(record.block())).flatten() {
        Some(message) => bodies.extend_from_slice(&payload(&message, limit).bytes),
        None => bodies.extend_from_slice(record.block()),
    }
    let fields = record.head.fields(record.bytes);
    let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Kept { place: (record.place.offset, record.place.inner), fields, body: start..bodies.len() }
}
