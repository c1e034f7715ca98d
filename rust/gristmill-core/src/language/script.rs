//! Which script a text is in, and its words.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Scripts that narrow the choice of languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Script {
    /// No letter.
    None,
    /// Latin, with its extensions and Vietnamese.
    Latin,
    /// Cyrillic.
    Cyrillic,
    /// Arabic.
    Arabic,
    /// Devanagari.
    Devanagari,
    /// Han, Hiragana and Katakana.
    HanKana,
    /// Any of the scripts in which one language is written, by its place in `SINGLE`.
    Single(u8),
}

/// Blocks whose letters are all in one language's script: first and last character, and its code.
///
/// Hebrew, Bengali and Ethiopic have a second language each (`yi`, `as`, `ti`); see `rarer`.
pub const SINGLE: [(u32, u32, &str); 24] = [
    (0x0370, 0x03FF, "el"),
    (0x0530, 0x058F, "hy"),
    (0x0590, 0x05FF, "he"),
    (0x0780, 0x07BF, "dv"),
    (0x0980, 0x09FF, "bn"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B00, 0x0B7F, "or"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0D80, 0x0DFF, "si"),
    (0x0E00, 0x0E7F, "th"),
    (0x0E80, 0x0EFF, "lo"),
    (0x0F00, 0x0FFF, "bo"),
    (0x1000, 0x109F, "my"),
    (0x10A0, 0x10FF, "ka"),
    (0x1100, 0x11FF, "ko"),
    (0x1200, 0x139F, "am"),
    (0x13A0, 0x13FF, "chr"),
    (0x1400, 0x167F, "iu"),
    (0x1780, 0x17FF, "km"),
    (0x1F00, 0x1FFF, "el"),
];

const HANGUL: u8 = 18;

/// The words of a piece in the script that most of its letters have.
pub struct Words {
    /// That script.
    pub script: Script,
    /// Bytes of its letters in that script.
    pub bytes: usize,
    /// Bytes of its letters in any script.
    pub all_bytes: usize,
    /// Letters of one kind that tell two languages of the script apart: Kana, or those of `rarer`.
    pub telling: usize,
    /// The words in that script, lower case, each in `<` and `>`.
    pub marked: Vec<u8>,
}

impl Words {
    /// The words without their marks.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let words =
            self.marked.split(|&byte| byte == b'>').filter_map(|word| word.strip_prefix(b"<"));
        words.map(String::from_utf8_lossy)
    }
}

/// Read the words of `piece`.
pub fn words(piece: &str) -> Words {
    let (script, bytes, all_bytes) = leading(piece);
    let mut read = Words { script, bytes, all_bytes, telling: 0, marked: Vec::new() };
    match script {
        Script::None => {}
        Script::HanKana => read.telling = piece.chars().filter(|&c| is_kana(c)).count(),
        Script::Single(_) => read.telling = piece.chars().filter(|&c| is_rarer(c)).count(),
        _ => read.marked = marked(piece, script),
    }
    read
}

/// The script with the most bytes of letters in `piece`, those bytes, and the bytes of all letters.
///
/// Latin counts half: names and commands in it stand in texts of all scripts, seldom the reverse.
fn leading(piece: &str) -> (Script, usize, usize) {
    let n_ascii = piece.bytes().filter(u8::is_ascii_alphabetic).count();
    let mut counts = [0_usize; 6 + SINGLE.len()];
    if !piece.is_ascii() {
        for c in piece.chars().filter(|c| !c.is_ascii()) {
            counts[slot(letter(c).script)] += c.len_utf8();
        }
    }
    counts[slot(Script::None)] = 0;
    counts[slot(Script::Latin)] += n_ascii;
    let all = counts.iter().sum();
    let weight = |at: usize| if at == slot(Script::Latin) { counts[at] } else { 2 * counts[at] };
    let best = (0..counts.len()).rev().max_by_key(|&at| weight(at)).unwrap_or(0);
    if all == 0 { (Script::None, 0, 0) } else { (script_at(best), counts[best], all) }
}

fn slot(script: Script) -> usize {
    match script {
        Script::None => 0,
        Script::Latin => 1,
        Script::Cyrillic => 2,
        Script::Arabic => 3,
        Script::Devanagari => 4,
        Script::HanKana => 5,
        Script::Single(at) => 6 + usize::from(at),
    }
}

fn script_at(slot: usize) -> Script {
    match slot {
        0 => Script::None,
        1 => Script::Latin,
        2 => Script::Cyrillic,
        3 => Script::Arabic,
        4 => Script::Devanagari,
        5 => Script::HanKana,
        at => Script::Single((at - 6) as u8),
    }
}

/// What a character is to the model.
#[derive(Clone, Copy)]
struct Letter {
    /// Its lower case: the first character of it where there are more.
    lower: char,
    script: Script,
}

impl Letter {
    fn of(c: char) -> Self {
        Self { lower: c.to_lowercase().next().unwrap_or(c), script: script_of(c) }
    }
}

/// Letters of the first 8 Ki characters, which all scripts with a case are among.
static LETTERS: LazyLock<Vec<Letter>> =
    LazyLock::new(|| ('\0'..'\u{2000}').map(Letter::of).collect());

fn letter(c: char) -> Letter {
    LETTERS.get(c as usize).copied().unwrap_or_else(|| Letter::of(c))
}

fn script_of(c: char) -> Script {
    match c as u32 {
        0x41..=0x5A | 0x61..=0x7A => Script::Latin,
        0..=0x7F => Script::None,
        0xAA | 0xBA | 0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x24F | 0x250..=0x2AF => Script::Latin,
        0x1E00..=0x1EFF | 0x2C60..=0x2C7F | 0xA720..=0xA7FF => Script::Latin,
        0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Script::Cyrillic,
        0x600..=0x605 | 0x60C | 0x61B..=0x61F | 0x660..=0x66D | 0x6D4 | 0x6F0..=0x6F9 => {
            Script::None
        }
        0x600..=0x6FF
        | 0x750..=0x77F
        | 0x8A0..=0x8FF
        | 0xFB50..=0xFDCF
        | 0xFDF0..=0xFDFF
        | 0xFE70..=0xFEFE => Script::Arabic,
        0x964..=0x970 => Script::None,
        0x900..=0x97F | 0xA8E0..=0xA8FF => Script::Devanagari,
        0x3005..=0x3007 | 0x3041..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F => Script::HanKana,
        0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3134F => Script::HanKana,
        0xAC00..=0xD7AF | 0x3130..=0x318F => Script::Single(HANGUL),
        point if c.is_alphabetic() => single(point),
        _ => Script::None,
    }
}

fn single(point: u32) -> Script {
    SINGLE
        .iter()
        .position(|&(first, last, _)| (first..=last).contains(&point))
        .map_or(Script::None, |at| Script::Single(at as u8))
}

fn is_kana(c: char) -> bool {
    matches!(c as u32, 0x3041..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F)
}

/// Letters of Yiddish that Hebrew has not, of Assamese that Bengali has not.
fn is_rarer(c: char) -> bool {
    matches!(c, '\u{5F0}'..='\u{5F2}' | '\u{FB1D}' | 'ৰ' | 'ৱ')
}

/// The language that a script's second language is when its telling letters are there.
pub fn rarer(code: &str) -> Option<&'static str> {
    match code {
        "he" => Some("yi"),
        "bn" => Some("as"),
        _ => None,
    }
}

fn marked(piece: &str, script: Script) -> Vec<u8> {
    let mut marked = Vec::with_capacity(2 * piece.len() + 1);
    if piece.is_ascii() {
        mark_ascii(piece, &mut marked);
        return marked;
    }
    let mut inside = false;
    for c in piece.chars() {
        let letter = letter(c);
        if letter.script == script {
            if !inside {
                marked.push(b'<');
            }
            inside = true;
            push(&mut marked, letter.lower);
        } else if inside && !is_mark(c) {
            marked.push(b'>');
            inside = false;
        }
    }
    if inside {
        marked.push(b'>');
    }
    marked
}

/// As `marked` of Latin script, of a piece that is all ASCII.
fn mark_ascii(piece: &str, marked: &mut Vec<u8>) {
    for word in piece.as_bytes().split(|byte| !byte.is_ascii_alphabetic()) {
        if !word.is_empty() {
            marked.push(b'<');
            marked.extend(word.iter().map(u8::to_ascii_lowercase));
            marked.push(b'>');
        }
    }
}

fn push(bytes: &mut Vec<u8>, c: char) {
    if c.is_ascii() {
        bytes.push(c as u8);
    } else {
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Combining marks and joiners end no word; the model does not see them.
fn is_mark(c: char) -> bool {
    matches!(c as u32, 0x300..=0x36F | 0x200B..=0x200F | 0xAD)
}
