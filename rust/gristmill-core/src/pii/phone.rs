//! Telephone numbers: international ones (E.164), those of the North American plan, and any other
//! grouping of digits that a word nearby calls a telephone number.

use std::ops::Range;

use super::near::{before, byte, is_word, word_after, word_before};
use super::{Entity, Found};

/// Words that make digits a telephone number.
const STRONG: [&str; 13] = [
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "cellphone",
    "fax",
    "whatsapp",
    "dial",
    "hotline",
    "telefon",
    "mobil",
    "handy",
];

/// Words that make it one when the digits are grouped like one.
const WEAK: [&str; 12] = [
    "call",
    "calling",
    "contact",
    "text",
    "sms",
    "message",
    "answering",
    "reach",
    "office",
    "desk",
    "ring",
    "registered",
];

/// Words that may stand behind a telephone number.
const BEHIND: [&str; 7] = ["office", "fax", "mobile", "cell", "home", "desk", "work"];

const MOST_GROUPS: usize = 7;

/// Digits with separators between them.
#[derive(Default)]
struct Number {
    start: usize,
    end: usize,
    plus: bool,
    parenthesis: bool,
    dots: bool,
    extension: bool,
    groups: [usize; MOST_GROUPS],
    n_groups: usize,
    digits: usize,
}

impl Number {
    fn groups(&self) -> &[usize] {
        &self.groups[..self.n_groups]
    }
}

/// The telephone number that begins with the digits `run`.
pub(super) fn phone(text: &str, run: &Range<usize>) -> Option<Found> {
    let number = parse(text, run)?;
    let score = if number.plus {
        international(text, &number)
    } else {
        north_american(text, &number).or_else(|| named(text, &number))
    }?;
    Some(Found { span: number.start..number.end, entity: Entity::Phone, score })
}

fn parse(text: &str, run: &Range<usize>) -> Option<Number> {
    if run.len() > 15 {
        return None;
    }
    let mut number = Number { start: run.start, end: run.end, ..Number::default() };
    if before(text, number.start, 1) == b'(' {
        number.start -= 1;
        number.parenthesis = true;
    }
    if before(text, number.start, 1) == b'+' {
        number.start -= 1;
        number.plus = true;
    }
    let last = before(text, number.start, 1);
    let joined = matches!(last, b'.' | b'-' | b',' | b'/' | b'(' | b'\\' | b'=' | b'$' | b'#')
        && is_word(before(text, number.start, 2));
    if is_word(last) || joined || (last == b'.' && number.start > 0) {
        return None;
    }
    take_groups(text, &mut number)?;
    take_extension(text, &mut number);
    let next = byte(text, number.end);
    let goes_on = is_word(next)
        || (matches!(next, b'-' | b'.' | b'/' | b':' | b',')
            && byte(text, number.end + 1).is_ascii_digit());
    (!goes_on).then_some(number)
}

fn take_groups(text: &str, number: &mut Number) -> Option<()> {
    let bytes = text.as_bytes();
    let mut at = number.start + usize::from(number.plus) + usize::from(number.parenthesis);
    let mut open = number.parenthesis;
    loop {
        let length = super::digits(&bytes[at..bytes.len().min(at + 16)]);
        *number.groups.get_mut(number.n_groups)? = length;
        number.n_groups += 1;
        number.digits += length;
        at += length;
        number.end = at;
        if number.digits > 18 {
            return None;
        }
        let mut gap = 0;
        while gap < 3 {
            match byte(text, at + gap) {
                b')' if open => open = false,
                b'(' if !open && gap < 2 => {
                    open = true;
                    number.parenthesis = true;
                }
                b' ' | b'-' => {}
                b'.' if gap == 0 => number.dots |= byte(text, at + 1).is_ascii_digit(),
                _ => break,
            }
            gap += 1;
        }
        if gap == 0 || !byte(text, at + gap).is_ascii_digit() {
            break;
        }
        at += gap;
    }
    Some(())
}

/// Take `x123` or ` ext. 123`.
fn take_extension(text: &str, number: &mut Number) {
    for word in ["x", " x", " ext. ", " ext ", " extension "] {
        let Some(rest) = text.as_bytes().get(number.end..number.end + word.len()) else { continue };
        let at = number.end + word.len();
        let length = super::digits(&text.as_bytes()[at..text.len().min(at + 7)]);
        if rest.eq_ignore_ascii_case(word.as_bytes()) && (1..=6).contains(&length) {
            number.extension = true;
            number.end = at + length;
            return;
        }
    }
}

/// A plus sign, a country code, and 8 to 15 digits in all (ITU-T E.164).
fn international(text: &str, number: &Number) -> Option<f32> {
    let digits: Vec<u8> =
        text[number.start..number.end].bytes().filter(u8::is_ascii_digit).take(3).collect();
    let decimal = number.n_groups == 2 && number.dots;
    let fits = !decimal && has_country_code(&digits) && has_plan_length(number, &digits);
    fits.then_some(if number.n_groups > 1 { 0.95 } else { 0.8 })
}

/// Whether there are as many digits as the country's numbering plan has (ITU-T E.129 notices), country
/// code included, one more when a trunk zero stands in parentheses; 8 to 15 elsewhere.
fn has_plan_length(number: &Number, code: &[u8]) -> bool {
    let (least, most) = match code {
        [b'1' | b'7', ..] | [b'3', b'3' | b'4', ..] => (11, 11),
        [b'4', b'5', ..] => (10, 10),
        [b'4', b'4', ..] => (9, 12),
        _ => (8, 15),
    };
    let trunk = usize::from(number.parenthesis);
    (least..=most + trunk).contains(&number.digits)
}

/// Whether digits begin with a country code that is assigned.
fn has_country_code(digits: &[u8]) -> bool {
    matches!(
        digits,
        [b'1' | b'7', ..]
            | [b'2', b'0'..=b'7' | b'9', ..]
            | [b'3', ..]
            | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
            | [b'4', b'2', b'0' | b'1' | b'3']
            | [b'5' | b'6', ..]
            | [b'8', b'0'..=b'2' | b'4'..=b'8', ..]
            | [b'9', b'0'..=b'8', ..]
            | [b'9', b'9', b'1'..=b'6' | b'8']
    )
}

/// Three, three and four digits, after an optional 1, in the North American way of writing.
fn north_american(text: &str, number: &Number) -> Option<f32> {
    let groups = match number.groups() {
        [1 | 3, rest @ ..] if rest.len() == 3 => rest,
        groups => groups,
    };
    if groups != [3, 3, 4] || (number.n_groups == 4 && !begins_abroad(text, number)) {
        return None;
    }
    let digits: Vec<u8> =
        text[number.start..number.end].bytes().filter(u8::is_ascii_digit).collect();
    let digits = if number.n_groups == 4 { &digits[number.groups[0]..] } else { &digits[..] };
    let assigned = digits[0] >= b'2' && digits[3] >= b'2' && digits[1..3] != *b"11";
    let separators = text[number.start..number.end].bytes().filter(|byte| b"-.".contains(byte));
    let written = number.parenthesis || separators.take(2).count() == 2;
    let called = is_called(text, number, &STRONG) || number.extension;
    match (assigned, written, called) {
        (true, _, true) => Some(0.95),
        (true, true, false) => Some(0.75),
        (false, true, true) => Some(0.6),
        _ => None,
    }
}

fn begins_abroad(text: &str, number: &Number) -> bool {
    let number = text[number.start..].trim_start_matches('(');
    number.starts_with('1') && !number[1..].starts_with(|c: char| c.is_ascii_digit())
        || number.starts_with("001")
}

/// Six to fifteen digits that a word nearby calls a telephone number.
fn named(text: &str, number: &Number) -> Option<f32> {
    if is_date(text, number) || !(6..=15).contains(&number.digits) {
        return None;
    }
    let strong = is_called(text, number, &STRONG);
    let behind = word_after(text, number.end, 10, &BEHIND);
    let weak = word_before(text, number.start, &WEAK) && (!number.dots || number.n_groups > 4);
    if strong && (number.n_groups > 1 || number.digits >= 7) {
        return Some(0.8);
    }
    let grouped = match number.n_groups {
        1 => (9..=12).contains(&number.digits),
        2 => number.digits >= 7,
        _ => true,
    };
    ((weak || behind) && grouped).then_some(0.6)
}

fn is_called(text: &str, number: &Number, words: &[&str]) -> bool {
    word_before(text, number.start, words)
}

/// Year, month and day in either order, or two years.
fn is_date(text: &str, number: &Number) -> bool {
    let year = |at: usize| matches!(&text.as_bytes()[at..at + 2], b"19" | b"20");
    let plain = !number.parenthesis && !number.extension;
    plain
        && match number.groups() {
            [4, 2, 2] | [4, 2] => year(number.start),
            [4, 4] => year(number.start) && year(number.start + 5),
            [2, 2, 4] => year(number.end - 4),
            _ => false,
        }
}
