//! Which records are documents: successful responses and resources that are HTML, or the plain text
//! of conversion records. All others are counted by kind.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use super::body::{Http, http, payload};
use super::link;
use super::{Entry, Fault, Place, Reader, Record};
use crate::page::{self, Page, read_page};

/// What a batch holds at most, in bytes of text; the last document may go beyond.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_DOCS: usize = 256;
const SHOWN_BYTES: usize = 64 << 10;

/// What the caller wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// HTML pages: `response` and `resource` records.
    Pages,
    /// Texts: `conversion` records.
    Texts,
}

/// A page or a text, with what its record says of it.
#[derive(Debug)]
pub struct Document {
    /// Where its record begins.
    pub place: Place,
    /// `WARC-Target-URI`, as it stands.
    pub url: Option<String>,
    /// `WARC-Date`.
    pub date: Option<String>,
    /// `WARC-Record-ID`.
    pub record_id: Option<String>,
    /// Status of the response.
    pub status: Option<u16>,
    /// Media type and charset, as the server or the record declares them.
    pub content_type: Option<String>,
    /// `WARC-Identified-Content-Language`.
    pub languages: Option<String>,
    /// Why the body is not whole: `WARC-Truncated`, or `coding` for a coding that breaks off.
    pub truncated: Option<String>,
    /// What it holds.
    pub page: Page,
}

/// A record that should be a document and is none.
#[derive(Debug)]
pub struct Bad {
    /// Where it begins.
    pub place: Place,
    /// One of the reasons that the ledger knows.
    pub reason: &'static str,
    /// What is wrong.
    pub detail: String,
    /// Its first bytes.
    pub raw: Vec<u8>,
    /// Its length, as far as it is known.
    pub n_bytes: u64,
    /// `WARC-Target-URI`, as it stands.
    pub url: Option<String>,
}

/// What came of a record.
#[derive(Debug)]
pub enum Outcome {
    /// A document.
    Document(Box<Document>),
    /// A broken one.
    Bad(Bad),
}

/// Reads documents, in batches, and counts what is none.
pub struct Documents<R> {
    reader: Reader<R>,
    wanted: Wanted,
    repair: bool,
    limit: usize,
    others: BTreeMap<String, u64>,
    last_bad: Option<Place>,
}

impl<R: Read> Documents<R> {
    /// Take documents of up to `limit` bytes; `repair` replaces what a charset does not have.
    pub fn new(reader: Reader<R>, wanted: Wanted, repair: bool, limit: usize) -> Self {
        Self { reader, wanted, repair, limit, others: BTreeMap::new(), last_bad: None }
    }

    /// Records that are no documents, by kind: the record's type, and for those of a type that can
    /// hold documents why they hold none.
    pub fn others(&self) -> &BTreeMap<String, u64> {
        &self.others
    }

    /// The next few documents; none at the end.
    pub fn next_batch(&mut self) -> Vec<Outcome> {
        let (mut batch, mut size) = (Vec::new(), 0);
        while size < BATCH_BYTES && batch.len() < BATCH_DOCS {
            let found = match self.reader.next_entry() {
                None => break,
                Some(Entry::Fault(fault)) => Ok(Outcome::Bad(of_fault(fault))),
                Some(Entry::Record(record)) => {
                    classify(&record, self.wanted, self.repair, self.limit)
                }
            };
            match found {
                Err(kind) => *self.others.entry(kind).or_default() += 1,
                // a record that is too large may break off as well
                Ok(Outcome::Bad(bad)) if self.last_bad == Some(bad.place) => {}
                Ok(outcome) => {
                    size += self.note(&outcome);
                    batch.push(outcome);
                }
            }
        }
        batch
    }

    fn note(&mut self, outcome: &Outcome) -> usize {
        match outcome {
            Outcome::Document(document) => document.page.text.len(),
            Outcome::Bad(bad) => {
                self.last_bad = Some(bad.place);
                bad.raw.len()
            }
        }
    }
}

fn of_fault(fault: Fault) -> Bad {
    Bad {
        place: fault.place,
        reason: if fault.too_large { "too_large" } else { "bad_file" },
        detail: fault.detail,
        n_bytes: fault.raw.len() as u64,
        raw: fault.raw,
        url: None,
    }
}

/// The document that a record is, or the kind of record that it is instead.
fn classify(
    record: &Record<'_>,
    wanted: Wanted,
    repair: bool,
    limit: usize,
) -> Result<Outcome, String> {
    let kind = record.get("WARC-Type").unwrap_or_default().to_ascii_lowercase();
    match (wanted, kind.as_str()) {
        (Wanted::Pages, "response" | "resource") => page_of(record, &kind, repair, limit),
        (Wanted::Texts, "conversion") => text_of(record, repair),
        (
            _,
            "warcinfo" | "request" | "response" | "resource" | "metadata" | "revisit"
            | "conversion" | "continuation",
        ) => Err(kind),
        _ => Err("unknown type".into()),
    }
}

fn page_of(record: &Record<'_>, kind: &str, repair: bool, limit: usize) -> Result<Outcome, String> {
    let message = http(record.block());
    if let Some(status) = message.as_ref().map(|message| message.status.unwrap_or(0))
        && !(200..300).contains(&status)
    {
        return Err(format!("{kind}: status {}xx", status / 100));
    }
    let content_type = match &message {
        Some(message) => message.get("Content-Type"),
        None => record.get("Content-Type"),
    };
    let content_type = content_type.map(Cow::into_owned).filter(|declared| !declared.is_empty());
    if content_type.as_deref().is_some_and(|declared| !is_html(declared)) {
        return Err(format!("{kind}: not HTML"));
    }
    let Some(message) = message else {
        return html_of(record, kind, None, content_type, repair, limit);
    };
    html_of(record, kind, Some(&message), content_type, repair, limit)
}

fn html_of(
    record: &Record<'_>,
    kind: &str,
    message: Option<&Http<'_>>,
    content_type: Option<String>,
    repair: bool,
    limit: usize,
) -> Result<Outcome, String> {
    let body = message.map(|message| payload(message, limit));
    let bytes = body.as_ref().map_or(record.block(), |body| &body.bytes);
    if content_type.is_none() && !page::looks_like_html(bytes) {
        return Err(format!("{kind}: not HTML"));
    }
    if record.is_cut() || body.as_ref().is_some_and(|body| body.too_large) {
        let detail = format!("more than {limit} bytes in one page");
        return Ok(Outcome::Bad(bad(record, "too_large", detail, record.block())));
    }
    let coding = body.as_ref().is_some_and(|body| body.broken).then(|| "coding".to_owned());
    let truncated = record.get("WARC-Truncated").map(|why| why.into_owned()).or(coding);
    let mut page = read_page(bytes, content_type.as_deref(), truncated.is_some());
    for value in message.iter().flat_map(|message| message.all("Link")) {
        page.declared.licenses.extend(link::licenses(&value).into_iter().map(str::to_owned));
    }
    let status = message.and_then(|message| message.status);
    Ok(finish(record, page, repair, bytes, Facts { status, content_type, truncated }))
}

fn text_of(record: &Record<'_>, repair: bool) -> Result<Outcome, String> {
    let content_type = record.get("Content-Type").map(Cow::into_owned);
    let media = content_type.as_deref().map(media_type);
    if media.is_some_and(|media| !media.eq_ignore_ascii_case("text/plain")) {
        return Err("conversion: not plain text".into());
    }
    if record.is_cut() {
        let detail = format!("more than {} bytes in one text", record.block().len());
        return Ok(Outcome::Bad(bad(record, "too_large", detail, record.block())));
    }
    let truncated = record.get("WARC-Truncated").map(|why| why.into_owned());
    let page = page::read_text(record.block(), truncated.is_some());
    let facts = Facts { status: None, content_type, truncated };
    Ok(finish(record, page, repair, record.block(), facts))
}

struct Facts {
    status: Option<u16>,
    content_type: Option<String>,
    truncated: Option<String>,
}

fn finish(record: &Record<'_>, page: Page, repair: bool, bytes: &[u8], facts: Facts) -> Outcome {
    if let Some(fault) = page.fault.as_ref().filter(|_| !repair) {
        return Outcome::Bad(bad(record, "bad_utf8", fault.clone(), bytes));
    }
    let field = |name| record.get(name).map(|value| value.into_owned());
    Outcome::Document(Box::new(Document {
        place: record.place,
        url: field("WARC-Target-URI"),
        date: field("WARC-Date"),
        record_id: field("WARC-Record-ID"),
        status: facts.status,
        content_type: facts.content_type,
        languages: field("WARC-Identified-Content-Language"),
        truncated: facts.truncated,
        page,
    }))
}

fn bad(record: &Record<'_>, reason: &'static str, detail: String, bytes: &[u8]) -> Bad {
    Bad {
        place: record.place,
        reason,
        detail,
        raw: bytes[..bytes.len().min(SHOWN_BYTES)].to_vec(),
        n_bytes: (bytes.len() as u64).max(record.length),
        url: record.get("WARC-Target-URI").map(|url| url.into_owned()),
    }
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn is_html(content_type: &str) -> bool {
    let media = media_type(content_type);
    media.eq_ignore_ascii_case("text/html") || media.eq_ignore_ascii_case("application/xhtml+xml")
}
