//! Structured personal data: where it is, what it is, and texts with it masked.
//!
//! One scan over the bytes proposes: a run of digits, an `@`, a `:` and the first letters of known
//! credentials are the only places where anything begins. Parsers with bounded look-around then
//! decide by checksums, address ranges, numbering plans and the words nearby, so the time is linear
//! in the text, whatever the text. Names, places and organizations are not sought, but those that a caller's model
//! found take part: they are resolved, masked and counted with the rest.

mod address;
mod crypto;
mod entity;
mod identifier;
mod national;
mod near;
mod phone;
mod place;
mod scrub;
mod secret;
mod url;

use std::ops::Range;

use rayon::prelude::*;

pub use entity::{Entities, Entity};
pub use scrub::{Actions, Scrubbed, scrub, scrub_all};

use crate::{Error, Result};

/// A piece of personal data.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it is, in bytes or, from [`find_all`], in characters.
    pub span: Range<usize>,
    /// What it is.
    pub entity: Entity,
    /// How sure that is, 0 to 1: checksums and context raise it.
    pub score: f32,
}

/// Find the personal data of `text`, in order, without overlaps; spans are in bytes.
///
/// Of two findings that overlap the more specific entity stays, then the longer one. The others are
/// sought whether `wanted` or not, so what is found of one entity does not depend on the rest.
#[must_use]
pub fn find(text: &str, wanted: Entities) -> Vec<Found> {
    find_with(text, wanted, &[])
}

/// As `find`, with what a model found in `text`, in characters.
fn find_with(text: &str, wanted: Entities, named: &[Found]) -> Vec<Found> {
    let mut found = propose(text);
    found.extend(in_bytes(text, named));
    found.sort_by_key(|one| (one.span.start, std::cmp::Reverse(one.span.end)));
    let mut kept: Vec<Found> = Vec::with_capacity(found.len());
    for one in found {
        match kept.last_mut() {
            Some(last) if one.span.start < last.span.end => {
                if one.entity.rank() > last.entity.rank() {
                    *last = one;
                }
            }
            _ => kept.push(one),
        }
    }
    kept.retain(|one| wanted.has(one.entity));
    kept
}

/// Findings whose spans are in characters, with spans in bytes; without those that lie behind the end.
fn in_bytes(text: &str, named: &[Found]) -> Vec<Found> {
    if named.is_empty() {
        return Vec::new();
    }
    let mut at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    at.push(text.len());
    let span = |one: &Found| Some(*at.get(one.span.start)?..*at.get(one.span.end)?);
    let moved = |one: &Found| Some(Found { span: span(one)?, ..one.clone() });
    named.iter().filter_map(moved).filter(|one| !one.span.is_empty()).collect()
}

/// Everything that a parser accepts, overlaps included.
fn propose(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let (mut at, mut behind_url) = (0, 0);
    while let Some(step) = bytes[at..].iter().position(|byte| TRIGGERS[usize::from(*byte)]) {
        at += step;
        match bytes[at] {
            b'@' => found.extend(address::email(text, at)),
            b':' => {
                found.extend(address::url_credential(text, at));
                found.extend(address::ipv6(text, at));
                if at >= behind_url
                    && let Some(url) = url::url(text, at)
                {
                    behind_url = url.span.end;
                    found.push(url);
                }
            }
            _ => {
                let run = at..at + digits(&bytes[at..]);
                found.extend(address::ipv4(text, &run));
                found.extend(identifier::card(text, &run));
                found.extend(identifier::iban(text, &run));
                found.extend(national::national_id(text, &run));
                found.extend(phone::phone(text, &run));
                found.extend(crypto::wallet(text, &run));
                found.extend(place::coordinates(text, &run));
                at = run.end - 1;
            }
        }
        at += 1;
    }
    found.extend(url::bare_urls(text));
    secret::secrets(text, &mut found);
    found
}

const TRIGGERS: [bool; 256] = {
    let mut triggers = [false; 256];
    triggers[b'@' as usize] = true;
    triggers[b':' as usize] = true;
    let mut digit = b'0';
    while digit <= b'9' {
        triggers[digit as usize] = true;
        digit += 1;
    }
    triggers
};

/// How many digits `bytes` begins with.
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Find the personal data of every text; spans are in characters. The same for any number of
/// threads.
///
/// `named` holds for each text what a caller's model found in it, spans in characters; it may be
/// empty.
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero or the threads cannot be started.
pub fn find_all(
    texts: &[&str],
    wanted: Entities,
    named: &[Vec<Found>],
    threads: usize,
) -> Result<Vec<Vec<Found>>> {
    each(texts, named, threads, |text, named| {
        let mut found = find_with(text, wanted, named);
        let (mut byte, mut character) = (0, 0);
        for one in &mut found {
            character += text[byte..one.span.start].chars().count();
            let end = character + text[one.span.clone()].chars().count();
            byte = one.span.end;
            one.span = character..end;
            character = end;
        }
        found
    })
}

fn each<'a, T: Send>(
    texts: &[&'a str],
    named: &[Vec<Found>],
    threads: usize,
    one: impl Fn(&'a str, &[Found]) -> T + Sync,
) -> Result<Vec<T>> {
    let one =
        |(at, text): (usize, &&'a str)| one(text, named.get(at).map_or(&[][..], Vec::as_slice));
    if threads == 1 {
        return Ok(texts.iter().enumerate().map(one).collect());
    }
    let refused =
        |allowed| Error::Parameter { name: "threads", value: threads.to_string(), allowed };
    if threads == 0 {
        return Err(refused("1 or more"));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|_| refused("as many threads as the system can start"))?;
    Ok(pool.install(|| texts.par_iter().enumerate().map(one).collect()))
}
