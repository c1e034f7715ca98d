//! Splits text into words as spaCy's English tokenizer does, and numbers the words.
//!
//! The rules are those of spaCy 3.8 (MIT license, copyright 2016-2024 ExplosionAI GmbH and
//! contributors): text is cut at white space; each part loses its prefixes and suffixes
//! (punctuation, quotes, currency, units after digits), unless what is left is an exception
//! (`exceptions.txt`: contractions, abbreviations, emoticons) or a URL; then it is cut at infixes
//! (hyphens between letters and the like). spaCy lastly looks for exceptions that cutting took
//! apart; here only within one part between white space, where alone they can be put together
//! again. What a part becomes depends on nothing else, so each distinct part is cut once.
//!
//! Linear in the length of the text, whatever the text.

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::LazyLock;

use hashbrown::{HashMap, HashSet};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use xxhash_rust::xxh3::xxh3_64;

use super::classes;
use super::lines::Walked;

/// Words that a text needs two of to be English prose (Gopher, A1.1).
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// Parts longer than this are cut each time: few are met twice.
const LONGEST_KEPT_PART: usize = 64;

/// Parts and words that are remembered before the memory is emptied (between two texts).
const MOST_KEPT: usize = 1 << 18;

/// Whether `c` is in one of the sorted, inclusive ranges.
pub(super) fn in_ranges(ranges: &[(u32, u32)], c: char) -> bool {
    let c = u32::from(c);
    let at = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(at).is_some_and(|&(first, _)| first <= c)
}

/// Python's `str.isspace`: Unicode white space and the four separators before the space.
pub(super) fn is_space(c: char) -> bool {
    c == ' '
        || ('\t'..='\r').contains(&c)
        || ('\x1c'..='\x1f').contains(&c)
        || (!c.is_ascii() && c.is_whitespace())
}

/// Passes a key that is a hash already.
#[derive(Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;

/// What the signals ask of a word.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub chars: u32,
    /// Some character is a letter.
    pub alphabetic: bool,
    /// Some character is not punctuation.
    pub not_symbol: bool,
    /// Every character is Unicode punctuation.
    punctuation: bool,
    /// A sentence may end with it.
    ends_sentence: bool,
    /// One bit per stop word.
    pub stop_word: u8,
}

impl Word {
    fn new(word: &str) -> Self {
        let stop_word = STOP_WORDS.iter().position(|stop| *stop == word).map_or(0, |at| 1 << at);
        let mut chars = word.chars();
        Self {
            chars: word.chars().count() as u32,
            alphabetic: word.chars().any(is_letter),
            not_symbol: word.chars().any(|c| !in_ranges(classes::PUNCTUATION, c)),
            punctuation: word
                .chars()
                .all(|c| c.general_category_group() == GeneralCategoryGroup::Punctuation),
            ends_sentence: chars.next().is_some_and(|c| in_ranges(classes::SENTENCE_END, c))
                && chars.next().is_none(),
            stop_word,
        }
    }
}

/// Python's `str.isalpha` of one character.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || (!c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Letter)
}

/// Every part between white space met so far, the words it is cut into, and what is known of them.
///
/// Parts and words are known by a 64-bit hash of their bytes.
#[derive(Default)]
pub(super) struct Lexicon {
    /// Where a part's word ids lie in `pieces`.
    parts: ByHash<Range<u32>>,
    pieces: Vec<u32>,
    ids: ByHash<u32>,
    words: Vec<Word>,
    cuts: Vec<Range<usize>>,
}

impl Lexicon {
    /// Forget everything when too much is remembered; ids change, so only between texts.
    pub(super) fn make_room(&mut self) {
        if self.pieces.len().max(self.words.len()) > MOST_KEPT {
            *self = Self::default();
        }
    }

    pub(super) fn word(&self, id: u32) -> &Word {
        &self.words[id as usize]
    }

    pub(super) fn chars(&self, id: u32) -> u32 {
        self.words[id as usize].chars
    }

    /// Append the ids of the words of a line without white space around it, and count its sentences.
    ///
    /// A sentence begins with the first token, and with each that follows a token ending a sentence
    /// and is not punctuation (spaCy's sentencizer); white space that is not one blank is a token.
    pub(super) fn walk(&mut self, line: &str, words: &mut Vec<u32>) -> Walked {
        let mut walked = Walked { spans: 0, sentences: usize::from(!line.is_empty()) };
        let mut ended = false;
        let mut rest = line;
        loop {
            let (space, part, after) = next_part(rest);
            if ended && !space.is_empty() && space != " " {
                walked.sentences += 1;
                ended = false;
            }
            if part.is_empty() {
                return walked;
            }
            rest = after;
            walked.spans += 1;
            let from = words.len();
            self.cut(part, words);
            for &id in &words[from..] {
                let word = &self.words[id as usize];
                if word.ends_sentence {
                    ended = true;
                } else if ended && !word.punctuation {
                    walked.sentences += 1;
                    ended = false;
                }
            }
        }
    }

    /// Append the ids of the words of one part between white space.
    fn cut(&mut self, part: &str, words: &mut Vec<u32>) {
        let key = xxh3_64(part.as_bytes());
        if part.len() <= LONGEST_KEPT_PART
            && let Some(pieces) = self.parts.get(&key)
        {
            words.extend_from_slice(&self.pieces[pieces.start as usize..pieces.end as usize]);
            return;
        }
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.clear();
        RULES.cut(part, &mut cuts);
        let from = words.len();
        for cut in &cuts {
            let id = self.id(&part[cut.clone()]);
            words.push(id);
        }
        self.cuts = cuts;
        if part.len() <= LONGEST_KEPT_PART {
            let start = self.pieces.len() as u32;
            self.pieces.extend_from_slice(&words[from..]);
            self.parts.insert(key, start..self.pieces.len() as u32);
        }
    }

    fn id(&mut self, word: &str) -> u32 {
        let words = &mut self.words;
        *self.ids.entry(xxh3_64(word.as_bytes())).or_insert_with(|| {
            words.push(Word::new(word));
            words.len() as u32 - 1
        })
    }
}

/// The white space at the start, the part behind it, and what follows.
fn next_part(text: &str) -> (&str, &str, &str) {
    let (space, text) = text.split_at(run_len(text, true));
    let (part, rest) = text.split_at(run_len(text, false));
    (space, part, rest)
}

/// Bytes at the start of `text` that all are white space, or that all are not.
fn run_len(text: &str, space: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii() {
            if is_space(char::from(byte)) != space {
                return at;
            }
            at += 1;
        } else {
            match text[at..].chars().next() {
                Some(c) if is_space(c) == space => at += c.len_utf8(),
                _ => return at,
            }
        }
    }
    at
}

fn find(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(wanted).unwrap_or(text.len())
}

/// The words of a part without white space.
pub(super) fn cut_part(part: &str) -> Vec<&str> {
    let mut cuts = Vec::new();
    RULES.cut(part, &mut cuts);
    cuts.into_iter().map(|cut| &part[cut]).collect()
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::new);

/// The tokenizer's exceptions.
struct Rules {
    /// Byte lengths of the words an exception is cut into.
    exceptions: HashMap<String, Vec<usize>>,
    /// The number of words that affixes alone would cut an exception into, where they cut at all.
    taken_apart: HashMap<String, usize>,
    /// Their first two bytes, so that few places need a look-up.
    taken_apart_heads: HashSet<[u8; 2]>,
    longest: usize,
    most_words: usize,
}

impl Rules {
    fn new() -> Self {
        let mut rules = Self {
            exceptions: HashMap::new(),
            taken_apart: HashMap::new(),
            taken_apart_heads: HashSet::new(),
            longest: 0,
            most_words: 0,
        };
        let lines = include_str!("exceptions.txt").lines();
        let exceptions: Vec<(String, Vec<usize>)> = lines
            .map(|line| (line.replace(' ', ""), line.split(' ').map(str::len).collect()))
            .collect();
        let mut cuts = Vec::new();
        for (text, _) in &exceptions {
            cuts.clear();
            rules.cut_affixes(text, &mut cuts);
            if cuts.len() > 1 {
                rules.taken_apart.insert(text.clone(), cuts.len());
                rules.taken_apart_heads.extend(head(text));
                rules.most_words = rules.most_words.max(cuts.len());
            }
            rules.longest = rules.longest.max(text.len());
        }
        rules.exceptions = exceptions.into_iter().collect();
        rules
    }

    fn exception(&self, text: &str) -> Option<&[usize]> {
        if text.len() > self.longest {
            return None;
        }
        self.exceptions.get(text).map(Vec::as_slice)
    }

    /// Append the words of a part without white space, as byte ranges in order.
    fn cut(&self, part: &str, cuts: &mut Vec<Range<usize>>) {
        let from = cuts.len();
        self.cut_affixes(part, cuts);
        if cuts.len() > from + 1 {
            self.put_together(part, from, cuts);
        }
    }

    /// spaCy's `_split_affixes` and `_attach_tokens`.
    fn cut_affixes(&self, part: &str, cuts: &mut Vec<Range<usize>>) {
        let (mut start, mut end) = (0, part.len());
        let mut suffixes = Vec::new();
        let mut exception = None;
        while start < end {
            let text = &part[start..end];
            exception = self.exception(text);
            if exception.is_some() {
                break;
            }
            let prefix = prefix_len(text);
            if prefix > 0 && prefix < text.len() {
                exception = self.exception(&text[prefix..]);
                if exception.is_some() {
                    cuts.push(start..start + prefix);
                    start += prefix;
                    break;
                }
            }
            let suffix = suffix_len(&text[prefix..]);
            if suffix > 0 && suffix < text.len() {
                exception = self.exception(&text[..text.len() - suffix]);
                if exception.is_some() {
                    suffixes.push(end - suffix..end);
                    end -= suffix;
                    break;
                }
            }
            if prefix == 0 && suffix == 0 {
                break;
            }
            if prefix > 0 {
                cuts.push(start..start + prefix);
                start += prefix;
            }
            if suffix > 0 {
                suffixes.push(end - suffix..end);
                end -= suffix;
            }
        }
        match exception {
            Some(lengths) => {
                for length in lengths {
                    cuts.push(start..start + length);
                    start += length;
                }
            }
            None if start < end => cut_infixes(part, start..end, cuts),
            None => {}
        }
        cuts.extend(suffixes.into_iter().rev());
    }

    /// spaCy's `_apply_special_cases`: exceptions among neighboring words, the longest first.
    fn put_together(&self, part: &str, from: usize, cuts: &mut Vec<Range<usize>>) {
        let words = &cuts[from..];
        let mut found: Vec<(usize, usize)> = Vec::new();
        for first in 0..words.len() {
            let rest = &part[words[first].start..];
            if !head(rest).is_some_and(|head| self.taken_apart_heads.contains(&head)) {
                continue;
            }
            for n in 2..=self.most_words.min(words.len() - first) {
                let text = &part[words[first].start..words[first + n - 1].end];
                if text.len() > self.longest {
                    break;
                }
                if self.taken_apart.get(text) == Some(&n) {
                    found.push((n, first));
                }
            }
        }
        if found.is_empty() {
            return;
        }
        found.sort_by_key(|&(n, first)| (std::cmp::Reverse(n), first));
        let mut taken = vec![false; words.len()];
        let mut chosen = vec![0; words.len()];
        for (n, first) in found {
            if !taken[first] && !taken[first + n - 1] {
                chosen[first] = n;
            }
            taken[first..first + n].fill(true);
        }
        let apart = cuts.split_off(from);
        let mut at = 0;
        while at < apart.len() {
            let n = chosen[at];
            if n == 0 {
                cuts.push(apart[at].clone());
                at += 1;
                continue;
            }
            let mut start = apart[at].start;
            at += n;
            for length in self.exception(&part[start..apart[at - 1].end]).unwrap_or_default() {
                cuts.push(start..start + length);
                start += length;
            }
        }
    }
}

fn head(text: &str) -> Option<[u8; 2]> {
    text.as_bytes().first_chunk().copied()
}

/// Punctuation that is cut off at either end.
fn is_affix(c: char) -> bool {
    match c {
        '!' | '"' | '#' | '&' | '\'' | '(' | ')' | '*' | ',' | ':' | ';' | '<' | '>' | '?'
        | '[' | ']' | '_' | '`' | '{' | '}' => true,
        _ if c.is_ascii() => false,
        '¡' | '«' | '´' | '·' | '»' | '¿' | '،' | '؛' | '؟' | '٪' | '۔' | '।' | '–' | '—' | '‘'
        | '’' | '‚' | '“' | '”' | '„' | '…' | '\u{2329}' | '\u{232A}' | '⟦' | '⟧' | '、' | '。'
        | '〈' | '〉' | '《' | '》' | '「' | '」' | '『' | '』' | '【' | '】' | '〔' | '〕'
        | '！' | '（' | '）' | '，' | '：' | '；' | '？' | '～' => true,
        _ => in_ranges(classes::ICONS, c),
    }
}

/// Signs of money of one character.
fn is_currency(c: char) -> bool {
    matches!(c, '$' | '£' | '€' | '¥' | '฿' | '﷼' | '\u{20A0}'..='\u{20BF}')
}

const DOLLARS: [&str; 3] = ["US$", "C$", "A$"];

/// Units that are cut off behind a digit.
const UNITS: [&str; 94] = [
    "km", "km²", "km³", "m", "m²", "m³", "dm", "dm²", "dm³", "cm", "cm²", "cm³", "mm", "mm²",
    "mm³", "ha", "µm", "nm", "yd", "in", "ft", "kg", "g", "mg", "µg", "t", "lb", "oz", "m/s",
    "km/h", "kmh", "mph", "hPa", "Pa", "mbar", "mb", "MB", "kb", "KB", "gb", "GB", "tb", "TB", "T",
    "G", "M", "K", "%", "км", "км²", "км³", "м", "м²", "м³", "дм", "дм²", "дм³", "см", "см²",
    "см³", "мм", "мм²", "мм³", "нм", "кг", "г", "мг", "м/с", "км/ч", "кПа", "Па", "мбар", "Кб",
    "КБ", "кб", "Мб", "МБ", "мб", "Гб", "ГБ", "гб", "Тб", "ТБ", "тбكم", "كم²", "كم³", "م", "م²",
    "م³", "سم", "سم²", "سم³", "مم", "كم",
];

/// Bytes of the prefix to cut off, 0 for none.
fn prefix_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'+') => usize::from(!bytes.get(1).is_some_and(u8::is_ascii_digit)),
        Some(b'.') => dots_len(bytes),
        Some(b'U' | b'C' | b'A') => {
            DOLLARS.iter().find(|sign| text.starts_with(**sign)).map_or(0, |sign| sign.len())
        }
        Some(b'%' | b'=' | b'$') => 1,
        _ => match text.chars().next() {
            Some(c) if is_affix(c) || c == '§' || is_currency(c) => c.len_utf8(),
            _ => 0,
        },
    }
}

/// Length of the dots at the start, 0 for a single one.
fn dots_len(bytes: &[u8]) -> usize {
    let n = bytes.iter().take_while(|byte| **byte == b'.').count();
    if n > 1 { n } else { 0 }
}

/// Bytes of the suffix to cut off, 0 for none; the longest one when several fit.
fn suffix_len(text: &str) -> usize {
    let mut backwards = text.chars().rev();
    let Some(last) = backwards.next() else { return 0 };
    let before = backwards.next();
    match last {
        '.' if before == Some('.') => text.bytes().rev().take_while(|byte| *byte == b'.').count(),
        '.' => usize::from(ends_before_dot(before, backwards.next())),
        '…' if before == Some('…') => 6,
        's' | 'S' if before == Some('\'') => 2,
        's' | 'S' if before == Some('’') => 4,
        '+' => usize::from(before.is_some_and(|c| c.is_ascii_digit())),
        _ if is_affix(last) => last.len_utf8(),
        _ => unit_len(text),
    }
}

/// Whether a dot behind these characters (the nearest first) is cut off.
fn ends_before_dot(before: Option<char>, second: Option<char>) -> bool {
    let Some(c) = before else { return false };
    let degrees = matches!(c, 'F' | 'f' | 'C' | 'c' | 'K' | 'k') && second == Some('°');
    let capitals = is_upper(c) && second.is_some_and(is_upper);
    c.is_ascii_digit() || is_lower(c) || is_before_dot(c) || degrees || capitals
}

/// Signs that a dot is cut off behind, letters and digits apart.
fn is_before_dot(c: char) -> bool {
    match c {
        '%' | '-' | '+' | '|' | '²' => true,
        '–' | '—' => false,
        _ => is_affix(c) && !in_ranges(classes::ICONS, c),
    }
}

/// Bytes of the unit or sign of money that follows the last digit.
fn unit_len(text: &str) -> usize {
    let tail = text.bytes().rev().take(10).position(|byte| byte.is_ascii_digit());
    let Some(length) = tail.filter(|length| *length > 0) else { return 0 };
    let tail = &text[text.len() - length..];
    let mut chars = tail.chars();
    let one_sign = chars.next().is_some_and(is_currency) && chars.next().is_none();
    if one_sign || DOLLARS.contains(&tail) || UNITS.contains(&tail) { length } else { 0 }
}

/// spaCy's letters.
fn is_alpha(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && in_ranges(classes::ALPHA, c))
}

/// spaCy's small letters, with those that have no case.
fn is_lower(c: char) -> bool {
    c.is_ascii_lowercase() || (!c.is_ascii() && !c.is_uppercase() && in_ranges(classes::ALPHA, c))
}

/// spaCy's capital letters, with those that have no case.
fn is_upper(c: char) -> bool {
    c.is_ascii_uppercase() || (!c.is_ascii() && !c.is_lowercase() && in_ranges(classes::ALPHA, c))
}

fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | ','
            | '`'
            | '«'
            | '´'
            | '»'
            | '‘'
            | '’'
            | '‚'
            | '“'
            | '”'
            | '„'
            | '\u{2329}'
            | '\u{232A}'
            | '⟦'
            | '⟧'
            | '\u{3008}'..='\u{3011}' | '〔' | '〕' | '（' | '）'
    )
}

/// Cut `part[whole]`, which has no affixes, at its infixes; a URL stays whole.
fn cut_infixes(part: &str, whole: Range<usize>, cuts: &mut Vec<Range<usize>>) {
    let text = &part[whole.clone()];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.bytes().all(plain) || is_url(text) {
        cuts.push(whole);
        return;
    }
    let (mut from, mut at) = (0, 0);
    let mut before = None;
    while let Some(c) = text[at..].chars().next() {
        let length = infix_len(&text[at..], c, before);
        if length > 0 && at > 0 {
            if from < at {
                cuts.push(whole.start + from..whole.start + at);
            }
            cuts.push(whole.start + at..whole.start + at + length);
            from = at + length;
        }
        at += length.max(c.len_utf8());
        before = text[..at].chars().next_back();
    }
    if from < text.len() {
        cuts.push(whole.start + from..whole.end);
    }
}

/// Bytes of the infix at the start of `text`, whose first character is `c`, or 0.
fn infix_len(text: &str, c: char, before: Option<char>) -> usize {
    if c.is_ascii_alphanumeric() {
        return 0;
    }
    let after = |n: usize| text[n..].chars().next();
    let before = before.unwrap_or('\0');
    let word_before = is_alpha(before) || before.is_ascii_digit();
    let joins = |n: usize| word_before && after(n).is_some_and(is_alpha);
    let arithmetic =
        |n| before.is_ascii_digit() && after(n).is_some_and(|c| c.is_ascii_digit() || c == '-');
    match c {
        '.' if dots_len(text.as_bytes()) > 0 => dots_len(text.as_bytes()),
        '.' => usize::from(
            (is_lower(before) || is_quote(before))
                && after(1).is_some_and(|c| is_upper(c) || is_quote(c)),
        ),
        '+' | '*' | '^' => usize::from(arithmetic(1)),
        ',' => usize::from(is_alpha(before) && after(1).is_some_and(is_alpha)),
        ':' | '<' | '>' | '=' | '/' => usize::from(joins(1)),
        '-' if arithmetic(1) => 1,
        '-' | '–' | '—' | '~' => ["-", "–", "—", "--", "---", "——", "~"]
            .iter()
            .find(|hyphen| text.starts_with(**hyphen) && joins(hyphen.len()))
            .map_or(0, |hyphen| hyphen.len()),
        '…' => '…'.len_utf8(),
        _ if !c.is_ascii() && in_ranges(classes::ICONS, c) => c.len_utf8(),
        _ => 0,
    }
}

/// Whether all of `text` is a URL by spaCy's pattern (after Diego Perini's): a scheme, a user, both
/// optional; a host with a top-level domain, or a public IPv4 address; a port, a path.
fn is_url(text: &str) -> bool {
    if memchr::memchr(b'.', text.as_bytes()).is_none() {
        return false;
    }
    if is_host_and_path(text) {
        return true;
    }
    let scheme = |c: char| c.is_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    let behind_scheme = memchr::memmem::find(text.as_bytes(), b"://")
        .filter(|&at| text[..at].chars().all(scheme) && text[..at].chars().nth(1).is_some())
        .map(|at| at + 3);
    if behind_scheme.is_some_and(|at| is_host_and_path(&text[at..])) {
        return true;
    }
    memchr::memchr_iter(b'@', text.as_bytes()).any(|at| at > 0 && is_host_and_path(&text[at + 1..]))
}

fn is_host_and_path(text: &str) -> bool {
    let host_char =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{A1}'..='\u{FFFF}');
    let (host, rest) = text.split_at(find(text, |c| !host_char(c)));
    (is_public_address(host) || is_host(host)) && is_port_and_path(rest)
}

fn is_host(host: &str) -> bool {
    let Some((labels, top)) = host.rsplit_once('.') else { return false };
    let n = top.chars().take(64).count();
    (2..=63).contains(&n) && top.chars().all(is_lower) && labels.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c != '-' && c != '_');
    edge(label.chars().next())
        && edge(label.chars().next_back())
        && label.chars().take(65).count() <= 64
}

/// Dotted quad outside the private, loopback, multicast and reserved ranges.
fn is_public_address(host: &str) -> bool {
    let mut octets = [0_u8; 4];
    let mut parts = host.split('.');
    for octet in &mut octets {
        let Some(part) = parts.next() else { return false };
        let Ok(value) = part.parse() else { return false };
        *octet = value;
    }
    let [first, second, _, last] = octets;
    let private =
        matches!((first, second), (10 | 127, _) | (169, 254) | (192, 168) | (172, 16..=31));
    parts.next().is_none() && (1..=223).contains(&first) && (1..=254).contains(&last) && !private
}

fn is_port_and_path(rest: &str) -> bool {
    let path = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            if !(2..=5).contains(&digits) {
                return false;
            }
            &port[digits..]
        }
        None => rest,
    };
    path.is_empty() || path.starts_with(['/', '?', '#'])
}
