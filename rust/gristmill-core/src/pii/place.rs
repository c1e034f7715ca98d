//! Pairs of geographic coordinates: degrees with a hemisphere, `geo:` URIs, and decimal pairs that a
//! word nearby calls a position.

use std::ops::Range;

use super::near::{before, byte, is_word, word_before};
use super::{Entity, Found};

const PLACE_WORDS: [&str; 14] = [
    "lat",
    "latitude",
    "lon",
    "lng",
    "long",
    "longitude",
    "coordinate",
    "coord",
    "coords",
    "gps",
    "geo",
    "location",
    "position",
    "latlng",
];

/// Fewest decimals of a pair that names a place and not a region: 3 are about 100 m.
const FEWEST_DECIMALS: usize = 3;

/// Degrees, and how they were written.
struct Angle {
    end: usize,
    degrees: f64,
    decimals: usize,
    /// `N`, `S`, `E` or `W`, or 0.
    hemisphere: u8,
}

/// The coordinates that begin with the digits `run`.
pub(super) fn coordinates(text: &str, run: &Range<usize>) -> Option<Found> {
    if run.len() > 3 || !matches!(text.as_bytes().get(run.end), Some(b'.' | 0xC2)) {
        return None;
    }
    let signed = matches!(before(text, run.start, 1), b'-' | b'+');
    let start = run.start - usize::from(signed);
    if is_word(before(text, start, 1)) || before(text, start, 1) == b'.' {
        return None;
    }
    let latitude = angle(text, run.start)?;
    let second = behind_separator(text, latitude.end)?;
    let longitude = angle(text, second)?;
    if latitude.degrees > 90.0 || longitude.degrees > 180.0 || is_word(byte(text, longitude.end)) {
        return None;
    }
    let named = match (latitude.hemisphere, longitude.hemisphere) {
        (b'N' | b'S', b'E' | b'W') => true,
        (0, 0) => {
            latitude.decimals.min(longitude.decimals) >= FEWEST_DECIMALS
                && word_before(text, start, &PLACE_WORDS)
        }
        _ => false,
    };
    let span = start..longitude.end;
    named.then_some(Found { span, entity: Entity::Geo, score: 0.9 })
}

/// Where the second number begins: behind at most four blanks, commas, semicolons and a sign.
fn behind_separator(text: &str, end: usize) -> Option<usize> {
    let gap = (0..4).take_while(|n| matches!(byte(text, end + n), b' ' | b',' | b';')).count();
    let at = end + gap + usize::from(matches!(byte(text, end + gap), b'-' | b'+'));
    (gap > 0 && byte(text, at).is_ascii_digit()).then_some(at)
}

/// `40.7128`, `40.7128° N`, `40°26′46″N`.
fn angle(text: &str, start: usize) -> Option<Angle> {
    let (mut degrees, mut at, decimals) = decimal(text, start)?;
    if text[at..].starts_with('°') {
        at += '°'.len_utf8();
        for (signs, part) in [(["′", "'", "’"], 60.0), (["″", "\"", "”"], 3600.0)] {
            let from = at + usize::from(byte(text, at) == b' ');
            let Some((value, end, _)) = decimal(text, from) else { break };
            let Some(sign) = signs.iter().find(|sign| text[end..].starts_with(**sign)) else {
                break;
            };
            degrees += value / part;
            at = end + sign.len();
        }
    }
    let from = at + usize::from(byte(text, at) == b' ');
    let hemisphere = byte(text, from);
    if matches!(hemisphere, b'N' | b'S' | b'E' | b'W') && !is_word(byte(text, from + 1)) {
        return Some(Angle { end: from + 1, degrees, decimals, hemisphere });
    }
    Some(Angle { end: at, degrees, decimals, hemisphere: 0 })
}

/// Up to three digits and up to 15 decimals.
fn decimal(text: &str, start: usize) -> Option<(f64, usize, usize)> {
    let bytes = text.as_bytes();
    let count = |at: usize, most: usize| {
        super::digits(&bytes[at.min(bytes.len())..bytes.len().min(at + most)])
    };
    let whole = count(start, 4);
    if whole == 0 || whole > 3 {
        return None;
    }
    let mut end = start + whole;
    let decimals = if byte(text, end) == b'.' { count(end + 1, 16) } else { 0 };
    if decimals > 15 {
        return None;
    }
    end += if decimals > 0 { decimals + 1 } else { 0 };
    Some((text[start..end].parse().ok()?, end, decimals))
}
