//! Points in time: ISO 8601 in its usual spellings to microseconds, and back.

use std::fmt::Write as _;

const DAY_S: i64 = 86_400;
/// Microseconds from 1970 to the years 2 and 9999: a zone's offset leads out of no year that Python
/// has.
const RANGE_US: std::ops::Range<i64> = -62_104_060_800_000_000..253_370_764_800_000_000;

/// A moment that Python has in every time zone.
pub(super) fn usual(us: i64) -> Option<i64> {
    RANGE_US.contains(&us).then_some(us)
}

/// Seconds since 1970 as a moment.
pub(super) fn of_seconds(seconds: i64) -> Option<i64> {
    usual(seconds.checked_mul(1_000_000)?)
}

/// Days since 1970 as a moment.
pub(super) fn of_days(days: i32) -> Option<i64> {
    of_seconds(i64::from(days) * DAY_S)
}

/// Read `2024-02-29`, `2024-02-29T12:30:00` with a space for the `T`, 3 or 6 digits after a point,
/// `Z` or `+01:00`; without a zone it is UTC.
pub(super) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, time) = bytes.split_at_checked(10)?;
    let &[y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0] = date else { return None };
    let (year, month, day) = (digits(&[y3, y2, y1, y0])?, digits(&[m1, m0])?, digits(&[d1, d0])?);
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let us = (days_from_civil(year, month, day) * DAY_S * 1_000_000).checked_add(match time {
        [] => 0,
        [b'T' | b' ', clock @ ..] => time_of_day(clock)?,
        _ => return None,
    })?;
    usual(us)
}

fn time_of_day(clock: &[u8]) -> Option<i64> {
    let (clock, rest) = clock.split_at_checked(8)?;
    let &[h1, h0, b':', m1, m0, b':', s1, s0] = clock else { return None };
    let seconds = seconds(&[h1, h0], &[m1, m0])? + below(60, &[s1, s0])?;
    let (fraction, zone) = match rest {
        [b'.', rest @ ..] => {
            let n_digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, zone) = rest.split_at(n_digits);
            let unit = match n_digits {
                3 => 1_000,
                6 => 1,
                _ => return None,
            };
            (digits(fraction)? * unit, zone)
        }
        zone => (0, zone),
    };
    Some((seconds - offset(zone)?) * 1_000_000 + fraction)
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [] | b"Z" => Some(0),
        &[b'+', h1, h0, b':', m1, m0] => seconds(&[h1, h0], &[m1, m0]),
        &[b'-', h1, h0, b':', m1, m0] => Some(-seconds(&[h1, h0], &[m1, m0])?),
        _ => None,
    }
}

fn seconds(hours: &[u8], minutes: &[u8]) -> Option<i64> {
    Some(below(24, hours)? * 3_600 + below(60, minutes)? * 60)
}

fn below(limit: i64, bytes: &[u8]) -> Option<i64> {
    digits(bytes).filter(|&number| number < limit)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The date as Python's `isoformat` has it.
pub(super) fn date(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The moment as Python's `isoformat` has it, in UTC or without a zone.
pub(super) fn iso(us: i64, utc: bool) -> String {
    let (seconds, fraction) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
    let (days, of_day) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let (hours, minutes) = (of_day / 3_600, of_day / 60 % 60);
    let mut text = format!("{}T{hours:02}:{minutes:02}:{:02}", date(days), of_day % 60);
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}"); // a String takes all that is written
    }
    if utc {
        text.push_str("+00:00");
    }
    text
}
