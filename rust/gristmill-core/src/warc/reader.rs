//! Records out of a stream of bytes, one after the other, whatever stands between them.
//!
//! A record counts only when something follows that can: the next record, or the end. Where that is
//! not so its length is wrong, and neither its block nor what follows can be trusted. The reader then
//! goes on with the next version line behind an empty one, or with the next gzip member that holds a
//! record. The same search finds the first record of a range, so that any set of ranges that tile a
//! file gives each sound record once. It can be misled only by a file whose blocks hold WARC records
//! verbatim, and only where a range begins inside such a block.

use std::io::Read;

use memchr::memmem;

use super::head::{Head, end_of_head};
use super::stream::{More, Stream};
use super::{Broken, LOOK_BACK, Place};

const LONGEST_HEAD: usize = 1 << 20;
/// Bytes that a block may have at most, where the file's size is not known.
const LONGEST_BLOCK: u64 = 1 << 40;
const VERSION: &[u8] = b"WARC/";
const ARC: &[u8] = b"filedesc://";
/// Bytes of a broken record that are shown.
const SHOWN_BYTES: usize = 64 << 10;

/// The part of a file to read.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Records that begin here or later, …
    pub start: u64,
    /// … and before this byte.
    pub stop: u64,
    /// Bytes of the whole file; `u64::MAX` when that is not known.
    pub size: u64,
}

/// A record, as long as the reader stands on it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it begins.
    pub place: Place,
    /// Its header fields, places in `bytes`.
    pub head: &'a Head,
    /// Head and block, the block as far as it is in memory.
    pub bytes: &'a [u8],
    /// The block's length.
    pub length: u64,
}

impl<'a> Record<'a> {
    /// The value of a header field.
    pub fn get(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.head.get(self.bytes, name)
    }

    /// The block, at most as long as the reader's limit.
    pub fn block(&self) -> &'a [u8] {
        &self.bytes[self.head.len..]
    }

    /// Whether the block is longer than the reader's limit.
    pub fn is_cut(&self) -> bool {
        self.length > self.block().len() as u64
    }
}

/// Something that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins.
    pub place: Place,
    /// Whether it is too large, rather than broken.
    pub too_large: bool,
    /// What is wrong with it.
    pub detail: String,
    /// Its first bytes.
    pub raw: Vec<u8>,
}

/// What a file holds.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A record.
    Record(Record<'a>),
    /// A stretch that holds none.
    Fault(Fault),
}

/// What to do before the next record can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Record,
    /// Find a version line.
    Line,
    /// Find a gzip member from this byte of the file on.
    Member(u64),
    Nothing,
}

/// Reads the records that begin in a part of a file.
pub struct Reader<R> {
    stream: Stream<R>,
    span: Span,
    limit: usize,
    next: Next,
    place: Place,
    head: Head,
    length: u64,
    /// Bytes of the record in the window, and bytes that are not in memory yet.
    held: usize,
    left: u64,
}

impl<R: Read> Reader<R> {
    /// A reader of a file that stands [`LOOK_BACK`] bytes before `span.start`, or at its beginning.
    ///
    /// `limit` bounds how much of a block is kept, and with it the memory.
    pub fn new(file: R, gzip: bool, span: Span, limit: usize) -> Self {
        let next = match (span.start, gzip) {
            (0, _) => Next::Record,
            (_, true) => Next::Member(span.start),
            (_, false) => Next::Line,
        };
        let stream = Stream::new(file, span.start.saturating_sub(LOOK_BACK), gzip);
        let (place, head) = (Place::default(), Head::default());
        Self { stream, span, limit, next, place, head, length: 0, held: 0, left: 0 }
    }

    /// The next record or fault; None at the end.
    pub fn next_entry(&mut self) -> Option<Entry<'_>> {
        match self.read() {
            Ok(false) => None,
            Ok(true) => Some(Entry::Record(Record {
                place: self.place,
                head: &self.head,
                bytes: &self.stream.window()[..self.held],
                length: self.length,
            })),
            Err(broken) => Some(Entry::Fault(self.fault(broken))),
        }
    }

    fn read(&mut self) -> Result<bool, Broken> {
        self.leave()?;
        self.find()?;
        if self.next == Next::Nothing || !self.enter()? {
            self.next = Next::Nothing;
            return Ok(false);
        }
        self.read_head()?;
        self.read_block()?;
        Ok(true)
    }

    /// Go behind the last record.
    fn leave(&mut self) -> Result<(), Broken> {
        self.stream.consume(std::mem::take(&mut self.held));
        while self.left > 0 {
            self.fill(1)?;
            let n = self.left.min(self.stream.window().len() as u64);
            self.stream.consume(n as usize);
            self.left -= n;
            if self.left == 0 {
                self.check_end(0)?;
            }
        }
        Ok(())
    }

    /// Find the next record after a fault, or the first of the range.
    fn find(&mut self) -> Result<(), Broken> {
        loop {
            let found = match self.next {
                Next::Line => self.find_line(),
                Next::Member(start) => self.stream.next_member(start),
                Next::Record | Next::Nothing => return Ok(()),
            };
            // The stretch that is looked through is one fault, and was reported.
            self.next = match found {
                Ok(true) => Next::Record,
                Ok(false) | Err(Broken::End(_)) => Next::Nothing,
                Err(_) => Next::Member(self.stream.member_offset() + 1),
            };
        }
    }

    fn find_line(&mut self) -> Result<bool, Broken> {
        loop {
            if let Some(at) = self.boundary() {
                self.stream.consume(at);
                return Ok(true);
            }
            // what may be the start of a boundary stays
            let tail = b"\r\n\r\nWARC/0.17\r\n".len();
            let window = self.stream.window().len();
            self.stream.consume(window.saturating_sub(tail));
            if self.stream.more()? == More::End {
                return Ok(false);
            }
        }
    }

    /// Where in the window a record begins, at or after the range's start.
    fn boundary(&self) -> Option<usize> {
        let window = self.stream.window();
        let before = self.span.start.saturating_sub(self.stream.place().offset);
        let earliest = if self.stream.is_gzip() { 0 } else { before as usize };
        memmem::find_iter(window, VERSION)
            .filter(|&at| at >= earliest)
            .find(|&at| self.stream.begins_member(at) || is_version_line(window, at))
    }

    /// Stand on the first byte of the next record; false when the range has none.
    fn enter(&mut self) -> Result<bool, Broken> {
        loop {
            let window = self.stream.window();
            let blank = window.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let empty = blank == window.len();
            self.stream.consume(blank);
            self.place = self.stream.place();
            if self.place.offset >= self.span.stop && (!empty || self.stream.at_edge()) {
                return Ok(false);
            }
            if !empty {
                return Ok(true);
            }
            if self.stream.more()? == More::End {
                return Ok(false);
            }
        }
    }

    fn read_head(&mut self) -> Result<(), Broken> {
        self.fill(VERSION.len())?;
        self.check_version()?;
        let mut seen = 0;
        while end_of_head(&self.stream.window()[seen..]).is_none() {
            let window = self.stream.window().len();
            if window > LONGEST_HEAD {
                let why = format!("no empty line ends its header within {LONGEST_HEAD} bytes");
                return Err(Broken::Record(why));
            }
            seen = window.saturating_sub(b"\n\r\n".len());
            self.fill(window + 1)?;
        }
        self.head.read(self.stream.window());
        self.length = self.read_length()?;
        Ok(())
    }

    fn check_version(&self) -> Result<(), Broken> {
        let window = self.stream.window();
        if window.starts_with(VERSION) {
            return Ok(());
        }
        if window.starts_with(&ARC[..window.len().min(ARC.len())]) {
            let why =
                "this is an ARC file, which is not read; convert it to WARC (warcio recompress)";
            return Err(Broken::End(why.into()));
        }
        let shown = String::from_utf8_lossy(&window[..window.len().min(16)]).into_owned();
        Err(Broken::Record(format!("no record begins here: {shown:?} where WARC/ is expected")))
    }

    fn read_length(&self) -> Result<u64, Broken> {
        let declared = self.head.get(self.stream.window(), "Content-Length");
        let Some(declared) = declared else {
            return Err(Broken::Record("its header has no Content-Length".into()));
        };
        let most = LONGEST_BLOCK.min(self.most());
        match declared.parse::<u64>() {
            Ok(length) if length <= most && !declared.starts_with('+') => Ok(length),
            _ => Err(Broken::Record(format!(
                "its Content-Length is {declared:.40}; at most {most} bytes are left"
            ))),
        }
    }

    /// Bytes that can be left after the head; a plain file has no more than are in it.
    fn most(&self) -> u64 {
        let gone = self.place.offset + self.head.len as u64;
        if self.stream.is_gzip() { u64::MAX } else { self.span.size.saturating_sub(gone) }
    }

    fn read_block(&mut self) -> Result<(), Broken> {
        let kept = self.length.min(self.limit as u64);
        let end = self.head.len + kept as usize;
        self.fill(end)?;
        if kept == self.length {
            self.check_end(end)?;
        }
        (self.held, self.left) = (end, self.length - kept);
        Ok(())
    }

    /// Have `n` bytes of this record in the window.
    fn fill(&mut self, n: usize) -> Result<(), Broken> {
        while self.stream.window().len() < n {
            match self.stream.more()? {
                More::End => return Err(Broken::End("the file ends inside this record".into())),
                More::Member(size) => {
                    let window = self.stream.window();
                    if window[window.len() - size..].starts_with(VERSION) {
                        let why = "it breaks off where the next gzip member begins";
                        return Err(Broken::Record(why.into()));
                    }
                }
                More::Bytes => {}
            }
        }
        Ok(())
    }

    /// See that what follows on the block is the next record, or nothing.
    fn check_end(&mut self, mut at: usize) -> Result<(), Broken> {
        loop {
            match self.stream.window().get(at) {
                Some(b'\r' | b'\n') if at < LONGEST_HEAD + self.limit => at += 1,
                Some(_) => break,
                None if self.stream.at_edge() => return Ok(()),
                None => match self.stream.more() {
                    // The file breaks off behind the block: that is the next record's fault.
                    Ok(More::End) | Err(Broken::End(_)) => return Ok(()),
                    Ok(_) => {}
                    Err(broken) => return Err(broken),
                },
            }
        }
        while self.stream.window().len() < at + VERSION.len() && !self.stream.at_edge() {
            self.stream.more()?;
        }
        let follows = &self.stream.window()[at..];
        if follows.starts_with(&VERSION[..follows.len().min(VERSION.len())]) {
            return Ok(());
        }
        let why =
            format!("no record follows its {} bytes; its Content-Length is wrong", self.length);
        Err(Broken::Record(why))
    }

    fn fault(&mut self, broken: Broken) -> Fault {
        let window = self.stream.window();
        let raw = window[..window.len().min(SHOWN_BYTES)].to_vec();
        (self.held, self.left) = (0, 0);
        let (next, too_large, detail) = match broken {
            Broken::Record(detail) => {
                self.stream.consume(1); // not found again
                (Next::Line, false, detail)
            }
            Broken::Member(detail) => (self.after_member(), false, detail),
            Broken::Bomb(detail) => (self.after_member(), true, detail),
            Broken::End(detail) => (Next::Nothing, false, detail),
        };
        self.next = next;
        Fault { place: self.place, too_large, detail, raw }
    }

    fn after_member(&self) -> Next {
        Next::Member(self.stream.member_offset() + 1)
    }
}

/// Whether a version line begins here, behind an empty line that ends in the same way.
fn is_version_line(window: &[u8], at: usize) -> bool {
    let (before, after) = (&window[..at], &window[at + VERSION.len()..]);
    let digits = |from: usize| after[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let major = digits(0);
    if major == 0 || after.get(major) != Some(&b'.') {
        return false;
    }
    let rest = &after[major + 1 + digits(major + 1)..];
    (before.ends_with(b"\r\n\r\n") && rest.starts_with(b"\r\n"))
        || (before.ends_with(b"\n\n") && rest.starts_with(b"\n"))
}
