//! How much of a text no one wrote: keyboard rows, base64, hex, mojibake, letters by chance.
//!
//! Our own measure, without a model. Two figures of each part between white space are summed over
//! the text. *Strange* characters lie in runs of letters and digits that no language and few
//! programs have: five consonants or five vowels in a row, four neighbors on a keyboard (five of its top row), four equal
//! letters, digits and capitals in turn, hexadecimal; or are controls, bytes read in the wrong
//! encoding, signs among small letters. *Order* says whether vowels and consonants take turns, as
//! they do in 0.62 to 0.84 of the pairs of letters of 58 languages written with vowels (marks on
//! consonants are vowels too) and in 0.56 of the pairs of the same words with their letters
//! shuffled; scripts without vowels, and Thai, have no order.

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
    let mut run = Run::default();
    let (mut before, mut last) = ('\0', '\0');
    let mut nucleus = None;
    for c in part.chars() {
        if c.is_ascii_alphanumeric() {
            run.take(c as u8);
        } else {
            found.strange += std::mem::take(&mut run).strange() + u32::from(is_alien(last, c));
        }
        found.strange += 3 * u32::from(is_noise(before, last, c));
        let next = is_nucleus(c);
        if let (Some(left), Some(right)) = (nucleus, next) {
            found.order += if left == right { -3 } else { 2 };
        }
        (before, last, nucleus) = (last, c, next);
    }
    found.strange += run.strange();
    found
}

/// A sign between small letters.
fn is_noise(before: char, sign: char, after: char) -> bool {
    matches!(sign, '|' | '^' | '~' | '!' | ';' | '`' | '#' | '%' | '&')
        && before.is_lowercase()
        && after.is_lowercase()
}

/// A control, or the second of two characters that are bytes of UTF-8 read as Latin-1 or
/// Windows-1252. Quotation marks may follow an accented letter.
fn is_alien(last: char, c: char) -> bool {
    let continues = match c {
        '«' | '»' | '·' | 'ª' | 'º' => false,
        '\u{80}'..='\u{BF}' => true,
        _ => "€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™›œžŸ".contains(c),
    };
    c.is_control() || c == '\u{FFFD}' || (continues && ('\u{C2}'..='\u{F4}').contains(&last))
}

/// Whether a letter stands for a vowel; none where that says nothing.
fn is_nucleus(c: char) -> Option<bool> {
    if c.is_ascii() {
        return c.is_ascii_alphabetic().then(|| is_vowel(c as u8 | 0x20) || c == 'y' || c == 'Y');
    }
    match c {
        '\u{C0}'..='\u{24F}' | '\u{370}'..='\u{52F}' | '\u{1E00}'..='\u{1EFF}' => {
            let small = c.to_lowercase().next().unwrap_or(c);
            c.is_alphabetic().then(|| is_accented_vowel(small))
        }
        '\u{900}'..='\u{DFF}' => match c.general_category_group() {
            GeneralCategoryGroup::Mark => Some(true),
            GeneralCategoryGroup::Letter => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u')
}

/// Small letters beyond ASCII: of Latin, Greek and Cyrillic.
fn is_accented_vowel(c: char) -> bool {
    matches!(c,
        '\u{E0}'..='\u{E6}' | '\u{E8}'..='\u{EF}' | '\u{F2}'..='\u{F6}' | '\u{F8}'..='\u{FD}'
        | '\u{FF}'..='\u{105}' | '\u{113}'..='\u{11B}' | '\u{129}'..='\u{131}'
        | '\u{14D}'..='\u{153}' | '\u{169}'..='\u{173}' | '\u{177}' | '\u{1A1}' | '\u{1B0}'
        | '\u{1CE}'..='\u{1DC}' | '\u{259}' | '\u{1EA1}'..='\u{1EF9}')
        || "αεηιουωάέήίόύώϊϋΐΰаеёиоуыэюяіїєәөүұѣ".contains(c)
}

/// A run of ASCII letters and digits.
#[derive(Default)]
struct Run {
    length: u32,
    last: u8,
    digits: u32,
    /// Turns between digits, small letters and capitals, other than from a capital to a small letter.
    turns: u32,
    not_hex: bool,
    /// Small consonants and small vowels up to here, then pairs of equal letters and of neighbors on
    /// a keyboard, to the right and to the left.
    consonants: u32,
    vowels: u32,
    equal: u32,
    right: u32,
    left: u32,
    /// One of these was too long.
    odd: bool,
}

impl Run {
    fn take(&mut self, byte: u8) {
        let small = byte.is_ascii_lowercase();
        self.length += 1;
        self.digits += u32::from(byte.is_ascii_digit());
        self.not_hex |= !byte.is_ascii_hexdigit();
        self.consonants =
            if small && !is_vowel(byte) && byte != b'y' { self.consonants + 1 } else { 0 };
        self.vowels = if small && is_vowel(byte) { self.vowels + 1 } else { 0 };
        let letter = byte | 0x20;
        let (here, there) = (key(letter), key(self.last | 0x20));
        let beside = |one: u8, other: u8| one != 0 && one == other + 1 && other != 0;
        let longer = |is: bool, length: u32| if is { length + 1 } else { 0 };
        self.equal = longer(byte.is_ascii_alphabetic() && letter == self.last | 0x20, self.equal);
        self.right = longer(beside(here, there), self.right);
        self.left = longer(beside(there, here), self.left);
        let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_lowercase());
        let begins = self.length == 1 || self.last.is_ascii_uppercase() && small;
        self.turns += u32::from(!begins && kind(byte) != kind(self.last));
        self.odd |= self.consonants >= 5 || self.vowels >= 5;
        // "Property" has four neighbors of the top row.
        let most = if here > TOP_ROW { 3 } else { 4 };
        self.odd |= self.equal >= 3 || self.right >= most || self.left >= most;
        self.last = byte;
    }

    /// All of its characters, when it is strange.
    fn strange(self) -> u32 {
        let mixed = self.digits > 0 && self.digits < self.length;
        let hex = mixed && !self.not_hex && (self.length == 2 || self.length >= 4);
        let coded = self.length >= 8 && self.turns * 4 >= self.length;
        if hex || coded || self.odd { self.length } else { 0 }
    }
}

/// The last place of the top row of a keyboard.
const TOP_ROW: u8 = 10;

/// Where a letter is on a keyboard: neighbors differ by one, rows by more; 0 for none.
fn key(letter: u8) -> u8 {
    const KEYS: &[u8] = b"qwertyuiop.asdfghjkl.zxcvbnm";
    static PLACES: [u8; 256] = {
        let mut places = [0; 256];
        let mut at = 0;
        while at < KEYS.len() {
            places[KEYS[at] as usize] = at as u8 + 1;
            at += 1;
        }
        places[b'.' as usize] = 0;
        places
    };
    PLACES[usize::from(letter)]
}
