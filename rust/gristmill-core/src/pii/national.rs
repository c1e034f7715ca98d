//! National identification numbers, each with its own check.
//!
//! A number whose form and check make a chance hit rarer than about one in a thousand stands alone; the
//! others need a word nearby that says what they are.

use std::ops::Range;

use super::identifier::luhn;
use super::near::{before, byte, goes_on_after, goes_on_before, word_before};
use super::{Entity, Found};

/// A number of digits only.
struct Plan {
    words: &'static [&'static str],
    /// The ways to group the digits that are in use; one group is a run of digits.
    groupings: &'static [&'static [usize]],
    /// The sign between groups; 0 when it may be a blank, a hyphen, a full stop or a slash.
    separator: u8,
    /// Whether it needs no word when it is grouped.
    alone: bool,
    check: fn(&[u32]) -> bool,
}

const PLANS: [Plan; 14] = [
    Plan {
        // Canada, Social Insurance Number
        words: &["sin", "social insurance", "assurance sociale", "nas"],
        groupings: &[&[9], &[3, 3, 3]],
        separator: 0,
        alone: false,
        check: |digits| digits[0] != 0 && luhn_of(digits),
    },
    Plan {
        // France, numéro d'inscription au répertoire with its key
        words: &["nir", "insee", "sécurité sociale", "securite sociale"],
        groupings: &[&[15], &[1, 2, 2, 2, 3, 3, 2], &[13, 2]],
        separator: 0,
        alone: true,
        check: nir,
    },
    Plan {
        // Germany, steuerliche Identifikationsnummer
        words: &["steuer", "steuer-id", "idnr", "identifikationsnummer", "tin", "tax id"],
        groupings: &[&[11], &[2, 3, 3, 3]],
        separator: 0,
        alone: false,
        check: tax_number_of_germany,
    },
    Plan {
        // Brazil, Cadastro de Pessoas Físicas
        words: &["cpf"],
        groupings: &[&[11]],
        separator: 0,
        alone: false,
        check: cpf,
    },
    Plan {
        // India, Aadhaar
        words: &["aadhaar", "aadhar", "uidai", "uid"],
        groupings: &[&[12], &[4, 4, 4]],
        separator: 0,
        alone: false,
        check: |digits| digits[0] >= 2 && verhoeff(digits),
    },
    Plan {
        // Poland, PESEL
        words: &["pesel"],
        groupings: &[&[11]],
        separator: 0,
        alone: false,
        check: pesel,
    },
    Plan {
        // Sweden, personnummer
        words: &["personnummer", "personnr", "samordningsnummer", "personal identity number"],
        groupings: &[&[10], &[12], &[6, 4], &[8, 4]],
        separator: b'-',
        alone: false,
        check: personnummer,
    },
    Plan {
        // Netherlands, burgerservicenummer
        words: &["bsn", "burgerservicenummer", "sofinummer"],
        groupings: &[&[9], &[4, 2, 3], &[3, 3, 3]],
        separator: 0,
        alone: false,
        check: |digits| sum(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 10]).is_multiple_of(11),
    },
    Plan {
        // Australia, tax file number
        words: &["tfn", "tax file number", "tax file"],
        groupings: &[&[9], &[3, 3, 3]],
        separator: 0,
        alone: false,
        check: |digits| sum(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11),
    },
    Plan {
        // South Korea, resident registration number
        words: &["rrn", "resident registration", "주민등록번호", "주민번호"],
        groupings: &[&[6, 7]],
        separator: b'-',
        alone: true,
        check: |digits| {
            resident_of_korea(digits)
                && (11 - sum(digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 0]) % 11) % 10
                    == digits[12]
        },
    },
    Plan {
        // the same since October 2020: its last digits are random
        words: &["rrn", "resident registration", "주민등록번호", "주민번호"],
        groupings: &[&[13], &[6, 7]],
        separator: b'-',
        alone: false,
        check: resident_of_korea,
    },
    Plan {
        // United Kingdom, NHS number
        words: &["nhs"],
        groupings: &[&[10], &[3, 3, 4]],
        separator: 0,
        alone: false,
        check: |digits| (11 - sum(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 0]) % 11) % 11 == digits[9],
    },
    Plan {
        // Switzerland, AHV number: an EAN-13 of the country 756
        words: &["ahv", "avs"],
        groupings: &[&[13], &[3, 4, 4, 2]],
        separator: b'.',
        alone: true,
        check: |digits| {
            digits.starts_with(&[7, 5, 6])
                && sum(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
        },
    },
    Plan {
        // Turkey, T.C. kimlik numarası
        words: &["kimlik", "tckn"],
        groupings: &[&[11]],
        separator: 0,
        alone: false,
        check: |digits| {
            let odd = sum(digits, &[1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0]);
            let even = sum(digits, &[0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0]);
            digits[0] != 0
                && (odd * 7 + 90 - even) % 10 == digits[9]
                && digits[..10].iter().sum::<u32>() % 10 == digits[10]
        },
    },
];

/// The national identification number that begins with, or has its first digits at, `run`.
pub(super) fn national_id(text: &str, run: &Range<usize>) -> Option<Found> {
    let found = |span, score| Found { span, entity: Entity::NationalId, score };
    let with_letters = [us_number, uk_number, spanish, italian, chinese, cpf_in_its_form];
    if let Some((span, score)) = with_letters.iter().find_map(|number| number(text, run)) {
        return Some(found(span, score));
    }
    let number = Grouped::read(text, run)?;
    let plan = |plan: &&Plan| {
        let grouped = number.groups().len() > 1;
        let signs = !grouped || plan.separator == 0 || plan.separator == number.separator;
        signs
            && plan.groupings.contains(&number.groups())
            && (plan.check)(&number.digits[..number.length])
            && ((plan.alone && (grouped || number.length == 15))
                || word_before(text, run.start, plan.words))
    };
    PLANS.iter().find(plan).map(|_| found(run.start..number.end, 0.95))
}

const MOST_DIGITS: usize = 15;
const MOST_GROUPS: usize = 7;

/// Digits in groups with the same sign between them.
struct Grouped {
    digits: [u32; MOST_DIGITS],
    length: usize,
    groups: [usize; MOST_GROUPS],
    n_groups: usize,
    separator: u8,
    end: usize,
}

impl Grouped {
    fn groups(&self) -> &[usize] {
        &self.groups[..self.n_groups]
    }

    fn read(text: &str, run: &Range<usize>) -> Option<Self> {
        let bytes = text.as_bytes();
        if run.len() > MOST_DIGITS || goes_on_before(text, run.start) {
            return None;
        }
        let mut number = Self {
            digits: [0; MOST_DIGITS],
            length: 0,
            groups: [0; MOST_GROUPS],
            n_groups: 1,
            separator: 0,
            end: run.start,
        };
        while let Some(&sign) = bytes.get(number.end) {
            if sign.is_ascii_digit() {
                *number.digits.get_mut(number.length)? = u32::from(sign - b'0');
                number.length += 1;
                number.groups[number.n_groups - 1] += 1;
            } else if b" -./".contains(&sign)
                && (number.separator == 0 || number.separator == sign)
                && byte(text, number.end + 1).is_ascii_digit()
            {
                number.separator = sign;
                number.n_groups += 1;
                if number.n_groups > MOST_GROUPS {
                    return None;
                }
            } else {
                break;
            }
            number.end += 1;
        }
        (number.length >= 9 && !goes_on_after(text, number.end)).then_some(number)
    }
}

/// The sum of the digits, each times its weight.
fn sum(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

fn luhn_of(digits: &[u32]) -> bool {
    let mut bytes = [0; MOST_DIGITS];
    bytes.iter_mut().zip(digits).for_each(|(byte, digit)| *byte = *digit as u8);
    luhn(&bytes[..digits.len()])
}

/// Whether month and day, two digits each, can be.
fn is_day(month: u64, day: u64) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Sex, year, month (20 and more where it is not known), place, and 97 less the rest by 97.
fn nir(digits: &[u32]) -> bool {
    let month = number(&digits[3..5]);
    matches!(digits[0], 1..=4 | 7 | 8)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - number(&digits[..13]) % 97 == number(&digits[13..])
}

/// One digit of the first ten occurs twice or three times, the others once at most; ISO 7064 MOD 11, 10.
fn tax_number_of_germany(digits: &[u32]) -> bool {
    let mut counts = [0; 10];
    digits[..10].iter().for_each(|digit| counts[*digit as usize] += 1);
    let repeated = |n| counts.iter().filter(|count| **count == n).count();
    let product = digits[..10].iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    digits[0] != 0
        && repeated(2) + repeated(3) == 1
        && counts.iter().all(|count| *count <= 3)
        && (11 - product) % 10 == digits[10]
}

/// Two check digits modulo 11; eleven equal digits are nobody's.
fn cpf(digits: &[u32]) -> bool {
    let check = |n: usize| {
        let sum: u32 = digits[..n].iter().zip((2..=n as u32 + 1).rev()).map(|(d, w)| d * w).sum();
        sum * 10 % 11 % 10 == digits[n]
    };
    digits.iter().any(|digit| *digit != digits[0]) && check(9) && check(10)
}

/// Verhoeff's check by the dihedral group of order 10.
fn verhoeff(digits: &[u32]) -> bool {
    let product = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (5 + a - b) % 5,
    };
    let check = digits.iter().rev().enumerate().fold(0, |check, (position, digit)| {
        let turned = (0..position % 8).fold(*digit as usize, |digit, _| TURNED[digit]);
        product(check, turned)
    });
    check == 0
}

/// The permutation that Verhoeff's check applies once more at each place.
const TURNED: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// The month says the century too: 80 to 92 for 18xx, 1 to 12 for 19xx, 21 to 32 for 20xx …
fn pesel(digits: &[u32]) -> bool {
    is_day(number(&digits[2..4]) % 20, number(&digits[4..6]))
        && sum(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// Year, month, day (60 more for people not registered), serial and Luhn's check without the century.
fn personnummer(digits: &[u32]) -> bool {
    let digits = &digits[digits.len() - 10..];
    is_day(number(&digits[2..4]), number(&digits[4..6]) % 60) && luhn_of(digits)
}

/// Year, month, day, and 1 to 8 for century, sex and origin.
fn resident_of_korea(digits: &[u32]) -> bool {
    is_day(number(&digits[2..4]), number(&digits[4..6])) && (1..=8).contains(&digits[6])
}

/// `NNN.NNN.NNN-NN`, a CPF as it is printed.
fn cpf_in_its_form(text: &str, run: &Range<usize>) -> Option<(Range<usize>, f32)> {
    let written = text.as_bytes().get(run.start..run.start + 14)?;
    let signs = written[3] == b'.' && written[7] == b'.' && written[11] == b'-';
    if run.len() != 3 || !signs || goes_on_before(text, run.start) {
        return None;
    }
    let digits: Vec<u32> =
        written.iter().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0')).collect();
    let end = run.start + 14;
    let valid = digits.len() == 11 && cpf(&digits) && !goes_on_after(text, end);
    valid.then_some((run.start..end, 0.95))
}

const US_WORDS: [&str; 7] =
    ["ssn", "social security", "itin", "taxpayer", "tax id", "insurance", "ss#"];

/// A US Social Security number or Individual Taxpayer Identification Number.
///
/// With hyphens, or with anything between its parts when a word before says what it is.
fn us_number(text: &str, run: &Range<usize>) -> Option<(Range<usize>, f32)> {
    let bytes = text.as_bytes();
    let start = run.start;
    let separated = run.len() == 3 && matches!(byte(text, run.end), b'-' | b' ');
    if goes_on_before(text, start) || !(separated || run.len() == 9) {
        return None;
    }
    let gap = usize::from(separated);
    let at = [start, start + 3 + gap, start + 5 + 2 * gap];
    let end = at[2] + 4;
    let parts =
        [bytes.get(at[0]..at[0] + 3)?, bytes.get(at[1]..at[1] + 2)?, bytes.get(at[2]..end)?];
    let sign = byte(text, start + 3);
    let digits = parts.iter().all(|part| part.iter().all(u8::is_ascii_digit));
    if !digits || (separated && byte(text, at[2] - 1) != sign) || goes_on_after(text, end) {
        return None;
    }
    let [area, group, serial] =
        parts.map(|part| part.iter().fold(0_u32, |sum, d| sum * 10 + u32::from(d - b'0')));
    let taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    let assigned = area < 900 && area != 666 && area > 0 && group > 0 && serial > 0;
    let named = word_before(text, start, &US_WORDS);
    if !(assigned || taxpayer) || !(named || (separated && sign == b'-')) {
        return None;
    }
    Some((start..end, if named { 0.99 } else { 0.8 }))
}

/// A UK National Insurance number: two letters, six digits, a letter from A to D.
fn uk_number(text: &str, run: &Range<usize>) -> Option<(Range<usize>, f32)> {
    let gap = usize::from(before(text, run.start, 1) == b' ');
    let start = run.start.checked_sub(2 + gap)?;
    let letters = [byte(text, start), byte(text, start + 1)];
    let usable = |byte: u8| byte.is_ascii_uppercase() && !b"DFIQUV".contains(&byte);
    let unused = [*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"];
    if !letters.iter().all(|byte| usable(*byte))
        || letters[1] == b'O'
        || unused.contains(&letters)
        || goes_on_before(text, start)
    {
        return None;
    }
    let (mut at, mut digits) = (run.start, 0);
    while digits < 6 {
        match byte(text, at) {
            b'0'..=b'9' => digits += 1,
            b' ' if digits > 0 && digits % 2 == 0 && gap == 1 => {}
            _ => return None,
        }
        at += 1;
    }
    at += usize::from(byte(text, at) == b' ' && gap == 1);
    let valid = matches!(byte(text, at), b'A'..=b'D') && !goes_on_after(text, at + 1);
    valid.then_some((start..at + 1, 0.8))
}

const SPANISH_WORDS: [&str; 4] = ["dni", "nif", "nie", "documento"];

/// Spain: a DNI (eight digits and a letter) that a word names, or an NIE (X, Y or Z and seven digits).
fn spanish(text: &str, run: &Range<usize>) -> Option<(Range<usize>, f32)> {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let is_nie = run.len() == 7;
    let hyphen = |at: usize| usize::from(byte(text, at) == b'-');
    let start = match before(text, run.start, 1) {
        b'X'..=b'Z' if is_nie => run.start - 1,
        b'-' if is_nie && matches!(before(text, run.start, 2), b'X'..=b'Z') => run.start - 2,
        _ if run.len() == 8 => run.start,
        _ => return None,
    };
    let end = run.end + hyphen(run.end) + 1;
    let origin = if is_nie { usize::from(byte(text, start) - b'X') } else { 0 };
    let digits: usize = text[run.clone()].parse().ok()?;
    let whole = origin * 10_000_000 + digits;
    let valid = byte(text, end - 1) == LETTERS[whole % 23]
        && !goes_on_before(text, start)
        && !goes_on_after(text, end);
    (valid && (is_nie || word_before(text, start, &SPANISH_WORDS))).then_some((start..end, 0.95))
}

/// Italy: a codice fiscale, `LLLLLLNNLNNLNNNL` with a check letter.
fn italian(text: &str, run: &Range<usize>) -> Option<(Range<usize>, f32)> {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
        6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    let start = run.start.checked_sub(6).filter(|_| run.len() == 2)?;
    let code = text.as_bytes().get(start..start + 16)?.to_ascii_uppercase();
    let formed = code.iter().zip(b"LLLLLLNNLNNLNNNL").all(|(byte, form)| match form {
        b'N' => byte.is_ascii_digit(),
        _ => byte.is_ascii_uppercase(),
    });
    if !formed || goes_on_before(text, start) || goes_on_after(text, start + 16) {
        return None;
    }
    let day = (code[9] - b'0') * 10 + code[10] - b'0';
    let value =
        |byte: u8| usize::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' + 10 });
    let check: u32 = (0..15)
        .map(|place| match value(code[place]) {
            value if place % 2 == 0 => ODD[value],
            value if value < 10 => value as u32,
            value => value as u32 - 10,
        })
        .sum();
    let valid = b"ABCDEHLMPRST".contains(&code[8])
        && matches!(day, 1..=31 | 41..=71)
        && check % 26 == u32::from(code[15] - b'A');
    valid.then_some((start..start + 16, 0.99))
}

/// China: a resident identity number, 17 digits and the check of ISO 7064 MOD 11-2.
fn chinese(text: &str, run: &Range<usize>) -> Option<(Range<usize>, f32)> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let bytes = text.as_bytes();
    let last = match (run.len(), byte(text, run.end)) {
        (18, _) => u32::from(bytes[run.end - 1] - b'0'),
        (17, b'X' | b'x') => 10,
        _ => return None,
    };
    let digits: Vec<u32> =
        bytes[run.start..run.start + 17].iter().map(|digit| u32::from(digit - b'0')).collect();
    let end = run.start + 18;
    let valid = matches!(number(&digits[..2]), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
        && matches!(number(&digits[6..10]), 1900..=2099)
        && is_day(number(&digits[10..12]), number(&digits[12..14]))
        && (12 - sum(&digits, &WEIGHTS) % 11) % 11 == last
        && !goes_on_before(text, run.start)
        && !goes_on_after(text, end);
    valid.then_some((run.start..end, 0.99))
}
