//! How much of a text no one wrote: keyboard rows, base64, hex, mojibake, letters by chance.
//!
//! Our own measure, without a model. Two figures of each part between white space are summed over
//! the text. *Strange* characters lie in runs of letters and digits that no language and few
//! programs have: five consonants or six vowels in a row, four neighbors on a keyboard (five of its top row), four equal
//! letters, digits and capitals in turn, hexadecimal; or are controls, bytes read in the wrong
//! encoding, signs among small letters. *Order* says whether vowels and consonants take turns, as
//! they do in 0.62 to 0.84 of the pairs of letters of 58 languages written with vowels (marks on
//! consonants are vowels too) and in 0.56 of the pairs of the same words with their letters
//! shuffled; scripts without vowels, and Thai, have no order.
//!
//! Characters are looked at 64 at a time, one bit for each and class; what crosses from one window
//! into the next is not seen.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// What is counted of a part of a text.
#[derive(Clone, Copy, Default)]
pub(super) struct Oddity {
    /// Characters that are strange.
    pub strange: u32,
    /// Two for each pair of letters that take turns, minus three for each that does not: zero where
    /// 0.6 of them do.
    pub order: i32,
}

/// 0 for prose to 1 for gibberish.
///
/// Two strange characters of three are as bad as all. Order alone gives half at most: it says
/// little of short texts and of names.
pub(super) fn score(strange: u64, chars: u64, order: i64) -> f64 {
    if chars == 0 {
        return 0.0;
    }
    let strange = (1.5 * strange as f64 / chars as f64).min(1.0);
    let disorder = 1.0 / (1.0 + (order as f64 / 8.0 + 4.0).exp());
    1.0 - (1.0 - strange) * (1.0 - disorder / 2.0)
}

/// Look at a part between white space.
pub(super) fn look_at(part: &str) -> Oddity {
    let mut found = Oddity::default();
    let mut add = |window: &Window| {
        found.strange += window.strange();
        found.order += window.order();
    };
    if part.is_ascii() {
        part.as_bytes().chunks(WINDOW).for_each(|bytes| add(&Window::of_ascii(bytes)));
        return found;
    }
    let mut chars = part.chars().peekable();
    while chars.peek().is_some() {
        add(&Window::of(chars.by_ref().take(WINDOW)));
    }
    found
}

const WINDOW: usize = 64;

/// Classes of characters; a character's classes are one bit in each byte of a word.
const LOWER: usize = 0;
const UPPER: usize = 1;
const DIGIT: usize = 2;
const HEX: usize = 3;
/// Letters that order is told by, and those of them that are vowels.
const LETTER: usize = 4;
const NUCLEUS: usize = 5;
/// Signs that stand between small letters by mistake.
const SIGN: usize = 6;
/// Controls, and what stands for a character that was lost.
const ALIEN: usize = 7;

/// Classes of a character and the one before it.
const EQUAL: usize = 0;
/// Neighbors on a keyboard, to the right and to the left; the same outside its top row.
const RIGHT: usize = 1;
const LEFT: usize = 2;
const LOW_RIGHT: usize = 3;
const LOW_LEFT: usize = 4;
/// The second of two bytes of UTF-8 read as characters of Latin-1 or Windows-1252.
const MISREAD: usize = 5;

/// The bit of a class.
const fn bit(class: usize) -> u64 {
    0x80 << (8 * class)
}

/// One bit for each of up to 64 characters and class.
#[derive(Default)]
struct Window {
    alone: [u64; 8],
    paired: [u64; 8],
}

impl Window {
    fn of_ascii(bytes: &[u8]) -> Self {
        let mut window = Self::default();
        let mut last = 0;
        for (at, eight) in bytes.chunks(8).enumerate() {
            let (mut alone, mut paired) = (0, 0);
            for &byte in eight {
                let place = PLACES[usize::from(byte)];
                push(&mut alone, ALONE[usize::from(byte)]);
                push(&mut paired, PAIRED[usize::from(last) << 5 | usize::from(place)]);
                last = place;
            }
            window.keep(at, eight.len(), alone, paired);
        }
        window
    }

    fn of(chars: impl Iterator<Item = char>) -> Self {
        let mut window = Self::default();
        let (mut last, mut before) = (0, '\0');
        let (mut n, mut alone, mut paired) = (0, 0, 0);
        for c in chars {
            let place = if c.is_ascii() { PLACES[c as usize] } else { 0 };
            push(&mut alone, classes_of(c));
            let misread = if is_misread(before, c) { bit(MISREAD) } else { 0 };
            push(&mut paired, PAIRED[usize::from(last) << 5 | usize::from(place)] | misread);
            (last, before) = (place, c);
            n += 1;
            if n % 8 == 0 {
                window.keep(n / 8 - 1, 8, alone, paired);
                (alone, paired) = (0, 0);
            }
        }
        if n % 8 > 0 {
            window.keep(n / 8, n % 8, alone, paired);
        }
        window
    }

    /// Take over the classes of the `length` characters of group `at`.
    fn keep(&mut self, at: usize, length: usize, alone: u64, paired: u64) {
        let rows = self.alone.iter_mut().zip(&mut self.paired);
        let bytes = alone.to_le_bytes().into_iter().zip(paired.to_le_bytes());
        for ((one, two), (first, second)) in rows.zip(bytes) {
            *one |= u64::from(first >> (8 - length)) << (8 * at);
            *two |= u64::from(second >> (8 - length)) << (8 * at);
        }
    }

    fn order(&self) -> i32 {
        let (letter, nucleus) = (self.alone[LETTER], self.alone[NUCLEUS]);
        let pairs = letter & (letter << 1);
        let alike = pairs & !(nucleus ^ (nucleus << 1));
        2 * pairs.count_ones() as i32 - 5 * alike.count_ones() as i32
    }

    fn strange(&self) -> u32 {
        let [lower, upper, digit, hex, _, nucleus, sign, alien] = self.alone;
        let misread = self.paired[MISREAD];
        let noise = sign & (lower << 1) & (lower >> 1);
        let odd = five(lower & !nucleus)
            | five(lower & nucleus) & (lower & nucleus) >> 5
            | three(self.paired[EQUAL])
            | three(self.paired[LOW_RIGHT])
            | three(self.paired[LOW_LEFT])
            | three(self.paired[RIGHT]) & self.paired[RIGHT] >> 3
            | three(self.paired[LEFT]) & self.paired[LEFT] >> 3;
        let others = 3 * noise.count_ones() + 2 * misread.count_ones() + alien.count_ones();
        let mut runs = lower | upper | digit;
        // Nothing below can be true: most parts are told here.
        if odd == 0 && digit == 0 && upper.count_ones() < 3 {
            return others;
        }
        let turns = (digit ^ digit << 1) | (lower ^ lower << 1) & !(upper << 1);
        let mut n_chars = others;
        while runs != 0 {
            let start = runs.trailing_zeros();
            let length = (runs >> start).trailing_ones();
            let run = u64::MAX >> (64 - length) << start;
            runs &= !run;
            let n = |class: u64| (class & run).count_ones();
            let mixed = n(digit) > 0 && n(digit) < length;
            let is_hex = mixed && n(hex) == length && (length == 2 || length >= 4);
            let coded =
                length >= 8 && n(upper | digit) >= 3 && n(turns & !(1 << start)) * 4 >= length;
            n_chars += if is_hex || coded || odd & run != 0 { length } else { 0 };
        }
        n_chars
    }
}

fn push(classes: &mut u64, next: u64) {
    *classes = *classes >> 1 & 0x7F7F_7F7F_7F7F_7F7F | next;
}

/// The first of each three, and of each five, bits in a row.
fn three(bits: u64) -> u64 {
    bits & bits >> 1 & bits >> 2
}

fn five(bits: u64) -> u64 {
    three(bits) & bits >> 3 & bits >> 4
}

/// [`classes_of`] the bytes of ASCII.
static ALONE: [u64; 128] = {
    let mut classes = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = classes_of_ascii(byte as u8);
        byte += 1;
    }
    classes
};

const fn classes_of_ascii(byte: u8) -> u64 {
    let nucleus = matches!(byte | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let hex = if byte.is_ascii_hexdigit() { bit(HEX) } else { 0 };
    hex | match byte {
        b'a'..=b'z' => bit(LOWER) | bit(LETTER) | if nucleus { bit(NUCLEUS) } else { 0 },
        b'A'..=b'Z' => bit(UPPER) | bit(LETTER) | if nucleus { bit(NUCLEUS) } else { 0 },
        b'0'..=b'9' => bit(DIGIT),
        b'|' | b'^' | b'~' | b'!' | b';' | b'`' | b'#' | b'%' | b'&' => bit(SIGN),
        0..=0x1F | 0x7F => bit(ALIEN),
        _ => 0,
    }
}

fn classes_of(c: char) -> u64 {
    let letter = |nucleus: bool| bit(LETTER) | if nucleus { bit(NUCLEUS) } else { 0 };
    match c {
        _ if c.is_ascii() => ALONE[c as usize],
        '\u{80}'..='\u{9F}' | '\u{FFFD}' => bit(ALIEN),
        '\u{C0}'..='\u{24F}' | '\u{370}'..='\u{52F}' | '\u{1E00}'..='\u{1EFF}' => {
            let small = c.to_lowercase().next().unwrap_or(c);
            if c.is_alphabetic() { letter(is_vowel(small)) } else { 0 }
        }
        '\u{900}'..='\u{DFF}' => match c.general_category_group() {
            GeneralCategoryGroup::Mark => letter(true),
            GeneralCategoryGroup::Letter => letter(false),
            _ => 0,
        },
        _ => 0,
    }
}

/// Small letters beyond ASCII: of Latin, Greek and Cyrillic.
fn is_vowel(c: char) -> bool {
    matches!(c,
        '\u{E0}'..='\u{E6}' | '\u{E8}'..='\u{EF}' | '\u{F2}'..='\u{F6}' | '\u{F8}'..='\u{FD}'
        | '\u{FF}'..='\u{105}' | '\u{113}'..='\u{11B}' | '\u{129}'..='\u{131}'
        | '\u{14D}'..='\u{153}' | '\u{169}'..='\u{173}' | '\u{177}' | '\u{1A1}' | '\u{1B0}'
        | '\u{1CE}'..='\u{1DC}' | '\u{259}' | '\u{1EA1}'..='\u{1EF9}')
        || "αεηιουωάέήίόύώϊϋΐΰаеёиоуыэюяіїєәөүұѣ".contains(c)
}

/// Whether two characters are bytes of UTF-8 read as Latin-1 or Windows-1252. Quotation marks may
/// follow an accented letter.
fn is_misread(first: char, second: char) -> bool {
    ('\u{C2}'..='\u{F4}').contains(&first)
        && match second {
            '«' | '»' | '·' | 'ª' | 'º' => false,
            '\u{80}'..='\u{BF}' => true,
            _ => "€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™›œžŸ".contains(second),
        }
}

/// Letters by their places on a keyboard, row by row.
const KEYS: &[u8] = b"qwertyuiopasdfghjklzxcvbnm";
const TOP_ROW: usize = 10;
const MIDDLE_ROW: usize = 19;

/// The place of each letter on a keyboard, from 1; 0 for others.
static PLACES: [u8; 128] = {
    let mut places = [0; 128];
    let mut at = 0;
    while at < KEYS.len() {
        places[KEYS[at] as usize] = at as u8 + 1;
        places[KEYS[at].to_ascii_uppercase() as usize] = at as u8 + 1;
        at += 1;
    }
    places
};

/// The classes of two places, each five bits.
static PAIRED: [u64; 1024] = {
    let mut classes = [0; 1024];
    let mut place = 1;
    while place <= KEYS.len() {
        classes[place << 5 | place] = bit(EQUAL);
        if place != TOP_ROW && place != MIDDLE_ROW && place < KEYS.len() {
            let is_low = place > TOP_ROW;
            let (low_right, low_left) =
                if is_low { (bit(LOW_RIGHT), bit(LOW_LEFT)) } else { (0, 0) };
            classes[place << 5 | (place + 1)] = bit(RIGHT) | low_right;
            classes[(place + 1) << 5 | place] = bit(LEFT) | low_left;
        }
        place += 1;
    }
    classes
};
