//! The winnowing engine: finds duplicate windows without sorting suffixes, in linear time.
//!
//! 1. *Choose.* Each window has an anchor that depends on its bytes alone, so copies have copies of it
//!    (`anchors`). Windows with one anchor are an entry with a key that their copies share (`entries`);
//!    there is an entry for about every 30th byte.
//! 2. *Group.* Entries are sorted into buckets by key, each small enough for the cache (`runs`). Within
//!    a bucket, an entry whose whole context stood earlier is a duplicate; the few others of one key
//!    are compared with each other (`groups`).
//! 3. *Prove.* What was found is put back into the order of the corpus and compared byte by byte,
//!    along long copies as far as they go (`verify`). Should one comparison fail, a collision of two
//!    64-bit hashes, all is done again with other hashes; after three times the suffix array decides.
//!    So the result never depends on luck.
//!
//! Source: Schleimer, Wilkerson and Aiken, "Winnowing: Local Algorithms for Document Fingerprinting"
//! (2003); the exact use of it is our own.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rayon::prelude::*;

use crate::exact_substring::{Corpus, Options, Ranges, Windows};
use crate::{Error, Result, suffix_windows};

mod anchors;
mod entries;
mod groups;
mod plan;

mod verify;

use crate::runs::{Room, Stretch, Writer};
use anchors::MAX_WINDOW;
use entries::{Entries, POSITION_BITS};
use groups::Groups;
use plan::Plan;
use verify::{Claim, Proof};

/// Seeds of the hashes, one per attempt.
const SEEDS: [u64; 3] = [0, 0x0243_F6A8_885A_308D, 0x0AB7_E151_628A_ED2A];
/// Bytes of text whose claims are proved together, as a power of two.
const CLAIM_BITS: u32 = 22;

/// Push every duplicate window of the corpus, in ascending order.
///
/// # Errors
///
/// [`Error::Parameter`] when the corpus has more than 2^44 bytes or the memory is too little,
/// [`Error::Io`] when spilling fails.
pub(crate) fn find(
    corpus: &Corpus<'_>,
    options: &Options<'_>,
    ranges: &mut Ranges<'_>,
) -> Result<()> {
    if corpus.n_bytes() >> POSITION_BITS != 0 {
        return Err(Error::Parameter {
            name: "texts",
            value: format!("{} bytes", corpus.n_bytes()),
            allowed: "at most 16 TiB with engine winnowing",
        });
    }
    if options.min_bytes / corpus.unit() > MAX_WINDOW {
        // Hashes around anchors would cost more than sorting, whose speed does not depend on them.
        return suffix_windows::find(corpus, options, ranges);
    }
    for seed in SEEDS {
        if let Some(windows) = Search::new(corpus, options, seed)?.windows()? {
            for &found in windows.iter().flatten() {
                for mut part in found.parts(options.min_bytes, corpus.unit()) {
                    if ranges.asks_for_first(part.start) {
                        part.first = first_occurrence(&windows, part.first);
                    }
                    ranges.push(part);
                }
            }
            return Ok(());
        }
    }
    suffix_windows::find(corpus, options, ranges)
}

/// All duplicate windows, in order and disjoint, each with an earlier copy; a vector for each
/// `1 << CLAIM_BITS` bytes of the corpus.
type Found = Vec<Vec<Windows>>;

/// Follow the copies of the window at `position` down to the one that is no copy.
fn first_occurrence(found: &Found, mut position: u64) -> u64 {
    let copy_of = |position: u64| {
        let bucket = (position >> CLAIM_BITS) as usize;
        let after = found[bucket].partition_point(|one| one.start <= position);
        // The last windows of a bucket may reach into the next one.
        let before = match after {
            0 => bucket.checked_sub(1).and_then(|bucket| found[bucket].last()),
            after => Some(&found[bucket][after - 1]),
        };
        let windows = before.filter(|one| one.last >= position)?;
        Some(windows.first + (position - windows.start))
    };
    while let Some(earlier) = copy_of(position) {
        position = earlier;
    }
    position
}

/// What a thread takes at a time: some documents, or part of one.
struct Piece {
    documents: Range<usize>,
    /// Where in the one document windows begin that are the piece's own; everywhere when absent.
    offsets: Option<Range<usize>>,
}

/// One attempt, with one choice of hashes.
struct Search<'a> {
    corpus: &'a Corpus<'a>,
    window: usize,
    seed: u64,
    plan: Plan,
    room: Room,
}

impl<'a> Search<'a> {
    fn new(corpus: &'a Corpus<'a>, options: &Options<'_>, seed: u64) -> Result<Self> {
        let plan = Plan::new(corpus, options)?;
        let room = Room::new(plan.kept_bytes, options.spill);
        Ok(Self { corpus, window: options.min_bytes, seed, plan, room })
    }

    /// All duplicate windows; None when a hash collided.
    fn windows(&self) -> Result<Option<Found>> {
        let (entries, repeats) = self.entries()?;
        let mut claims = repeats;
        claims.extend(self.claims(&entries)?);
        drop(entries);
        self.prove(&claims)
    }

    fn pieces(&self) -> Vec<Piece> {
        let piece_bytes = self.plan.piece_bytes;
        let mut pieces = Vec::new();
        let (mut from, mut n_bytes) = (0, 0);
        for (number, document) in self.corpus.documents().iter().enumerate() {
            if n_bytes + document.len() > piece_bytes && from < number {
                pieces.push(Piece { documents: from..number, offsets: None });
                (from, n_bytes) = (number, 0);
            }
            if document.len() > piece_bytes {
                for start in (0..document.len()).step_by(piece_bytes) {
                    let offsets = start..document.len().min(start + piece_bytes);
                    pieces.push(Piece { documents: number..number + 1, offsets: Some(offsets) });
                }
                from = number + 1;
            } else {
                n_bytes += document.len();
            }
        }
        pieces.push(Piece { documents: from..self.corpus.documents().len(), offsets: None });
        pieces
    }

    /// The entries of all windows, by key; and claims of windows that repeat the ones before them.
    fn entries(&self) -> Result<(Vec<Stretch<5>>, Vec<Stretch<4>>)> {
        let pieces = self.pieces().into_par_iter().map(|piece| self.entries_of(piece));
        Ok(pieces.collect::<Result<Vec<_>>>()?.into_iter().unzip())
    }

    fn entries_of(&self, piece: Piece) -> Result<(Stretch<5>, Stretch<4>)> {
        let Self { corpus, window, plan, room, .. } = self;
        let mut finder = Entries::new(*window, corpus.unit(), self.seed);
        let mut entries = Writer::new(plan.n_buckets, plan.piece_entries);
        let mut claims = Writer::new(self.n_claim_buckets(), 0);
        for number in piece.documents {
            let text = corpus.documents()[number];
            let offsets = piece.offsets.clone().unwrap_or(0..text.len());
            let seen = text.len().min(offsets.end + window - corpus.unit());
            let position = corpus.start(number) + offsets.start as u64;
            finder.each(
                &text[offsets.start..seen],
                position,
                |key, entry| entries.push(plan.bucket_of(key), entry.pack()),
                |claim| claims.push((claim.start >> CLAIM_BITS) as usize, claim.pack()),
            );
        }
        if plan.resident_bytes.is_some() {
            corpus.release();
        }
        Ok((entries.finish(room)?, claims.finish(room)?))
    }

    fn n_claim_buckets(&self) -> usize {
        (self.corpus.n_bytes() >> CLAIM_BITS) as usize + 1
    }

    /// Claims of duplicate windows that together name all of them, by position.
    fn claims(&self, entries: &[Stretch<5>]) -> Result<Vec<Stretch<4>>> {
        let buckets: Vec<usize> = (0..self.plan.n_buckets).collect();
        let share = self.plan.n_buckets.div_ceil(8 * rayon::current_num_threads());
        let claims = buckets.par_chunks(share).map(|buckets| self.claims_of(buckets, entries));
        Ok(claims.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn claims_of(&self, buckets: &[usize], entries: &[Stretch<5>]) -> Result<Vec<Stretch<4>>> {
        let mut groups = Groups::new(self.corpus, self.window, self.plan.resident_bytes);
        let mut records = Vec::new();
        let mut done = Vec::new();
        let mut claims = Writer::new(self.n_claim_buckets(), 0);
        for &bucket in buckets {
            records.clear();
            for stretch in entries {
                stretch.append(bucket, &self.room, &mut records)?;
            }
            groups.each(&records, |claim| {
                claims.push((claim.start >> CLAIM_BITS) as usize, claim.pack());
            });
            if claims.n_records() > self.plan.piece_entries {
                let full = std::mem::replace(&mut claims, Writer::new(self.n_claim_buckets(), 0));
                done.push(full.finish(&self.room)?);
            }
        }
        done.push(claims.finish(&self.room)?);
        Ok(done)
    }

    fn prove(&self, claims: &[Stretch<4>]) -> Result<Option<Found>> {
        let collided = AtomicBool::new(false);
        let proved = (0..self.n_claim_buckets()).into_par_iter().map(|bucket| {
            let proved = self.prove_bucket(bucket, claims)?;
            collided.fetch_or(proved.is_none(), Relaxed);
            Ok(proved.unwrap_or_default())
        });
        let mut found: Found = proved.collect::<Result<_>>()?;
        make_disjoint(&mut found, self.corpus.unit() as u64);
        Ok((!collided.into_inner()).then_some(found))
    }

    fn prove_bucket(&self, bucket: usize, claims: &[Stretch<4>]) -> Result<Option<Vec<Windows>>> {
        let mut records = Vec::new();
        for stretch in claims {
            stretch.append(bucket, &self.room, &mut records)?;
        }
        records.sort_unstable_by_key(|&[high, low, ..]| u64::from(high) << 32 | u64::from(low));
        let mut proof = Proof::new(self.corpus, self.window, self.plan.resident_bytes);
        let holds = records.iter().all(|record| proof.take(Claim::unpack(*record)));
        Ok(holds.then(|| proof.finish()))
    }
}

/// Leave out what the last windows of the bucket before have reached.
fn make_disjoint(found: &mut Found, unit: u64) {
    let mut end = 0;
    for windows in found {
        windows.retain(|one| one.last >= end);
        if let Some(one) = windows.first_mut()
            && one.start < end
        {
            (one.start, one.first) = (end, one.first + end - one.start);
        }
        end = windows.last().map_or(end, |last| last.last + unit);
    }
}
