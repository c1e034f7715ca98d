//! The bytes that records are cut from: those of the file, or what its gzip members inflate to.

use std::collections::VecDeque;
use std::io::Read;

use memchr::memmem;

use super::inflate::{MAGIC, Member, Step, Whole, WholeMembers, begins_with};
use super::input::Input;
use super::{Broken, Place};

/// Bytes of a member that libdeflate is tried on; a larger one is inflated piece by piece.
const LARGEST_TRY: usize = 1 << 20;
/// Bytes that a member may inflate to at once.
const LARGEST_WHOLE: usize = 4 << 20;
const PIECE_BYTES: usize = 256 << 10;
/// A member is a bomb when it inflates to more bytes than this, and this many times its size.
/// Deflate's limit is 1032; text on the web inflates to 3 to 10 times its size.
const BOMB_BYTES: u64 = 64 << 20;
const BOMB_RATIO: u64 = 100;
/// Bytes of a member within which its first few inflated ones are found.
const PROBE_BYTES: usize = 64 << 10;

/// What came when more was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum More {
    /// Bytes that go on from those before.
    Bytes,
    /// The first bytes of a gzip member, as many as this.
    Member(usize),
    /// Nothing, and nothing will.
    End,
}

/// A window on the stream of bytes.
pub(super) struct Stream<R> {
    input: Input<R>,
    gzip: Option<Gzip>,
}

struct Gzip {
    whole: WholeMembers,
    open: Option<Member>,
    /// Scratch: `from..end` are the window.
    bytes: Vec<u8>,
    from: usize,
    end: usize,
    /// How many bytes came before the window.
    position: u64,
    /// Where members begin, in the stream and in the file: the first one of a record, and those
    /// that may begin the next. Not all: a record can be spread over millions.
    members: VecDeque<(u64, u64)>,
}

impl<R: Read> Stream<R> {
    /// The stream of a file that stands at `offset`.
    pub(super) fn new(file: R, offset: u64, gzip: bool) -> Self {
        Self { input: Input::new(file, offset), gzip: gzip.then(Gzip::new) }
    }

    /// What is in memory and not consumed.
    pub(super) fn window(&self) -> &[u8] {
        self.gzip.as_ref().map_or(self.input.rest(), |gzip| &gzip.bytes[gzip.from..gzip.end])
    }

    /// Where the window begins.
    pub(super) fn place(&self) -> Place {
        match &self.gzip {
            None => Place { offset: self.input.position(), inner: 0 },
            Some(gzip) => match gzip.members.front() {
                Some(&(start, offset)) if gzip.from < gzip.end || gzip.open.is_some() => {
                    Place { offset, inner: gzip.position - start }
                }
                _ => Place { offset: self.input.position(), inner: 0 },
            },
        }
    }

    /// Whether the bytes are those of gzip members.
    pub(super) fn is_gzip(&self) -> bool {
        self.gzip.is_some()
    }

    /// Whether the window ends where a member or the file does.
    pub(super) fn at_edge(&self) -> bool {
        self.gzip.as_ref().map_or(self.input.ended(), |gzip| gzip.open.is_none())
    }

    /// Go on by up to `n` bytes of the window.
    pub(super) fn consume(&mut self, n: usize) {
        match &mut self.gzip {
            None => self.input.consume(n),
            Some(gzip) => gzip.consume(n),
        }
    }

    /// Whether a member begins at byte `at` of the window; never in a plain file.
    pub(super) fn begins_member(&self, at: usize) -> bool {
        self.gzip.as_ref().is_some_and(|gzip| {
            gzip.members.iter().any(|&(start, _)| start == gzip.position + at as u64)
        })
    }

    /// Append to the window.
    pub(super) fn more(&mut self) -> Result<More, Broken> {
        let Some(gzip) = &mut self.gzip else {
            let read = self.input.more().map_err(unreadable)?;
            return Ok(if read { More::Bytes } else { More::End });
        };
        if gzip.open.is_some() {
            return gzip.piece(&mut self.input);
        }
        gzip.member(&mut self.input)
    }

    /// Give up on this member and go to the next one that holds a WARC record, from `start` on.
    ///
    /// False when there is none. A member that failed is looked through from its second byte.
    pub(super) fn next_member(&mut self, start: u64) -> Result<bool, Broken> {
        let Some(gzip) = &mut self.gzip else { return Ok(false) };
        gzip.forget();
        self.input.back_to(start);
        self.input.history = 0;
        while self.input.position() < start {
            self.input.consume((start - self.input.position()) as usize);
            if self.input.position() < start && !self.input.more().map_err(unreadable)? {
                return Ok(false);
            }
        }
        loop {
            let rest = self.input.rest();
            let found = memmem::find(rest, MAGIC);
            let known = rest.len() - found.unwrap_or(rest.len()) >= PROBE_BYTES;
            if !known && !self.input.ended() {
                let left = found.unwrap_or((rest.len() + 1).saturating_sub(MAGIC.len()));
                self.input.consume(left);
                self.input.more().map_err(unreadable)?;
                continue;
            }
            let Some(at) = found else { return Ok(false) };
            let whole = begins_with(&rest[at..rest.len().min(at + PROBE_BYTES)], b"WARC/");
            self.input.consume(at + usize::from(!whole));
            if whole {
                return Ok(true);
            }
        }
    }

    /// Where the member begins that is being inflated, or the next one.
    pub(super) fn member_offset(&self) -> u64 {
        let open = self.gzip.as_ref().and_then(|gzip| gzip.open.as_ref());
        open.map_or(self.input.position(), |member| member.offset)
    }
}

impl Gzip {
    fn new() -> Self {
        Self {
            whole: WholeMembers::new(),
            open: None,
            bytes: vec![0; PIECE_BYTES],
            from: 0,
            end: 0,
            position: 0,
            members: VecDeque::new(),
        }
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.from);
        self.from += n;
        self.position += n as u64;
        while self.members.get(1).is_some_and(|&(start, _)| start <= self.position) {
            self.members.pop_front();
        }
    }

    fn forget(&mut self) {
        self.consume(self.end - self.from);
        self.open = None;
        self.members.clear();
    }

    /// The next member: all of it when it is small and sound, else its first piece.
    fn member<R: Read>(&mut self, input: &mut Input<R>) -> Result<More, Broken> {
        loop {
            if input.rest().len() < MAGIC.len() && input.more().map_err(unreadable)? {
                continue;
            }
            let (rest, offset) = (input.rest(), input.position());
            if rest.is_empty() {
                return Ok(More::End);
            }
            if !rest.starts_with(MAGIC) {
                return Err(Broken::Member(format!("no gzip member begins at byte {offset}")));
            }
            self.make_room();
            match self.whole.inflate(rest, &mut self.bytes[self.end..]) {
                Whole::Done(read, 0) => input.consume(read),
                Whole::Done(read, written) => {
                    input.consume(read);
                    if self.from == self.end || self.bytes[self.end..].starts_with(b"WARC/") {
                        self.begin(offset);
                    }
                    self.end += written;
                    return Ok(More::Member(written));
                }
                Whole::NoSpace if self.bytes.len() - self.end < LARGEST_WHOLE => self.grow(),
                Whole::Failed
                    if rest.len() < LARGEST_TRY && input.more().map_err(unreadable)? => {}
                _ => return self.first_piece(input),
            }
        }
    }

    fn first_piece<R: Read>(&mut self, input: &mut Input<R>) -> Result<More, Broken> {
        input.history = LARGEST_TRY;
        self.begin(input.position());
        self.open = Some(Member::new(input.position()));
        let before = self.end - self.from;
        self.piece(input)?;
        Ok(More::Member(self.end - self.from - before))
    }

    fn begin(&mut self, offset: u64) {
        if self.from == self.end {
            self.members.clear();
        }
        self.members.push_back((self.position + (self.end - self.from) as u64, offset));
    }

    /// Inflate on in the open member, until there is something or it ends.
    fn piece<R: Read>(&mut self, input: &mut Input<R>) -> Result<More, Broken> {
        self.make_room();
        while let Some(member) = &mut self.open {
            let room = self.end + PIECE_BYTES;
            let (read, written, ended) =
                match member.step(input.rest(), &mut self.bytes[self.end..room]) {
                    Step::Went(read, written, ended) => (read, written, ended),
                    Step::Damaged(how) => return Err(Broken::Member(damaged(member, &how))),
                };
            input.consume(read);
            self.end += written;
            let (total_read, total) = member.totals();
            if total > BOMB_BYTES && total / BOMB_RATIO > total_read {
                return Err(Broken::Bomb(bomb(member)));
            }
            if ended {
                self.open = None;
                input.history = 0;
            } else if read == 0 && written == 0 && !input.more().map_err(unreadable)? {
                return Err(Broken::End(cut_off(member)));
            }
            if written > 0 {
                break;
            }
        }
        Ok(More::Bytes)
    }

    /// Have room for a piece after the window.
    fn make_room(&mut self) {
        if self.from > self.bytes.len() / 2 || self.from == self.end {
            self.bytes.copy_within(self.from..self.end, 0);
            self.end -= self.from;
            self.from = 0;
        }
        if self.bytes.len() - self.end < PIECE_BYTES {
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.bytes.resize(2 * self.bytes.len(), 0);
    }
}

fn unreadable(error: std::io::Error) -> Broken {
    Broken::End(format!("the file breaks off here: {error}"))
}

fn damaged(member: &Member, how: &str) -> String {
    format!("the gzip member at byte {} is damaged: {how}", member.offset)
}

fn bomb(member: &Member) -> String {
    let (read, written) = member.totals();
    let offset = member.offset;
    format!("the gzip member at byte {offset} inflates {read} bytes to more than {written}")
}

fn cut_off(member: &Member) -> String {
    format!("the file breaks off inside the gzip member at byte {}", member.offset)
}
