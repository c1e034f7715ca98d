//! Numbers with a check: payment cards and bank accounts.

use std::ops::Range;

use super::near::{byte, goes_on_after, goes_on_before, word_before};
use super::{Entity, Found};

const CARD_WORDS: [&str; 12] = [
    "card",
    "credit",
    "debit",
    "visa",
    "mastercard",
    "amex",
    "maestro",
    "discover",
    "cc",
    "pan",
    "diners",
    "payment",
];

/// The payment card number that begins with the digits `run`.
pub(super) fn card(text: &str, run: &Range<usize>) -> Option<Found> {
    if !matches!(text.as_bytes()[run.start], b'1'..=b'6') || goes_on_before(text, run.start) {
        return None;
    }
    let (digits, length, end) = grouped_digits(text.as_bytes(), run)?;
    let digits = &digits[..length];
    let usual = card_lengths(digits);
    let named = word_before(text, run.start, &CARD_WORDS);
    let fits = usual.contains(&length) || (named && (12..=19).contains(&length));
    if !fits || goes_on_after(text, end) || !luhn(digits) || digits.iter().all(|d| *d == digits[0])
    {
        return None;
    }
    let score = if named { 0.99 } else { 0.8 };
    Some(Found { span: run.start..end, entity: Entity::Card, score })
}

const MOST_DIGITS: usize = 19;

/// Up to 19 digits, in one run or in groups of 3 to 7 with one blank or hyphen between them.
fn grouped_digits(bytes: &[u8], run: &Range<usize>) -> Option<([u8; MOST_DIGITS], usize, usize)> {
    let mut digits = [0; MOST_DIGITS];
    let (mut length, mut at, mut group) = (0, run.start, 0);
    let mut separator = 0;
    loop {
        match bytes.get(at) {
            Some(digit @ b'0'..=b'9') => {
                *digits.get_mut(length)? = digit - b'0';
                length += 1;
                group += 1;
            }
            Some(sign @ (b' ' | b'-'))
                if (4..=6).contains(&group)
                    && length < 16
                    && (separator == 0 || separator == *sign)
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) =>
            {
                separator = *sign;
                group = 0;
            }
            _ => break,
        }
        at += 1;
    }
    (length >= 12 && (separator == 0 || group >= 3)).then_some((digits, length, at))
}

/// The lengths of the numbers of the issuer, where it says enough by itself; else a word must.
fn card_lengths(digits: &[u8]) -> &'static [usize] {
    let prefix = |n: usize| digits.iter().take(n).fold(0_u32, |sum, d| sum * 10 + u32::from(*d));
    match (digits[0], prefix(2), prefix(3), prefix(4)) {
        (4, ..) | (_, 51..=55, ..) | (_, _, _, 2221..=2720) => &[16],
        (_, 34 | 37, ..) | (_, _, _, 1800 | 2131) => &[15],
        (_, _, _, 3528..=3589 | 6011) | (_, _, 644..=649, _) | (_, 65 | 62, ..) => &[16],
        _ => &[],
    }
}

/// The check of ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| match u32::from(*digit) {
            digit if position % 2 == 0 => digit,
            digit if digit < 5 => digit * 2,
            digit => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Countries with an IBAN, and its length there (SWIFT's IBAN registry).
const IBAN_LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The IBAN whose check digits begin the digits `run`.
pub(super) fn iban(text: &str, run: &Range<usize>) -> Option<Found> {
    let start = run.start.checked_sub(2)?;
    let bytes = text.as_bytes();
    let country = [bytes[start].to_ascii_uppercase(), bytes[start + 1].to_ascii_uppercase()];
    let &(_, length) = IBAN_LENGTHS.iter().find(|(code, _)| **code == country)?;
    if goes_on_before(text, start) || run.len() < 2 {
        return None;
    }
    let mut characters = Vec::with_capacity(length);
    let mut at = start;
    while characters.len() < length {
        match byte(text, at) {
            byte if byte.is_ascii_alphanumeric() => characters.push(byte.to_ascii_uppercase()),
            b' ' | b'-' if characters.len().is_multiple_of(4) && byte(text, at + 1) != b' ' => {}
            _ => return None,
        }
        at += 1;
    }
    let valid = !byte(text, at).is_ascii_alphanumeric() && mod_97(&characters) == 1;
    valid.then_some(Found { span: start..at, entity: Entity::Iban, score: 0.99 })
}

/// The remainder of ISO 7064's MOD 97-10, the first four characters moved to the end.
fn mod_97(characters: &[u8]) -> u32 {
    let (head, tail) = characters.split_at(4);
    tail.iter().chain(head).fold(0, |sum, &character| match character {
        b'0'..=b'9' => (sum * 10 + u32::from(character - b'0')) % 97,
        _ => (sum * 100 + u32::from(character - b'A') + 10) % 97,
    })
}
