//! Cuts text into words as spaCy's English tokenizer does.
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

use std::ops::Range;
use std::sync::LazyLock;

use hashbrown::HashMap;

use super::classes;
use super::sieve::Sieve;
use super::words::in_ranges;

/// The words of a part without white space.
pub(super) fn cut_part(part: &str) -> Vec<&str> {
    let mut cuts = Vec::new();
    RULES.cut(part, &mut cuts);
    cuts.into_iter().map(|cut| &part[cut]).collect()
}

pub(super) static RULES: LazyLock<Rules> = LazyLock::new(Rules::new);

/// The tokenizer's exceptions.
pub(super) struct Rules {
    /// Byte lengths of the words an exception is cut into.
    exceptions: HashMap<String, Vec<usize>>,
    /// The number of words that affixes alone would cut an exception into, where they cut at all.
    taken_apart: HashMap<String, usize>,
    /// Their first two bytes, so that few places need a look-up.
    taken_apart_heads: Sieve,
    /// What all exceptions look like from afar, so that few texts need a look-up.
    looks: Sieve,
    longest: usize,
    most_words: usize,
}

impl Rules {
    fn new() -> Self {
        let mut rules = Self {
            exceptions: HashMap::new(),
            taken_apart: HashMap::new(),
            taken_apart_heads: Sieve::default(),
            looks: Sieve::default(),
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
                rules.taken_apart_heads.insert(head(text));
                rules.most_words = rules.most_words.max(cuts.len());
            }
            rules.longest = rules.longest.max(text.len());
            rules.looks.insert(look(text));
        }
        rules.exceptions = exceptions.into_iter().collect();
        rules
    }

    fn exception(&self, text: &str) -> Option<&[usize]> {
        if text.len() > self.longest || !self.looks.contains(look(text)) {
            return None;
        }
        self.exceptions.get(text).map(Vec::as_slice)
    }

    /// Append the words of a part without white space, as byte ranges in order.
    pub(super) fn cut(&self, part: &str, cuts: &mut Vec<Range<usize>>) {
        let from = cuts.len();
        if part.bytes().all(|byte| byte.is_ascii_alphabetic()) && self.exception(part).is_none() {
            cuts.push(0..part.len());
            return;
        }
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
            if !self.taken_apart_heads.contains(head(rest)) {
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

/// The first two bytes, a zero for one that is not there.
fn head(text: &str) -> u32 {
    let byte = |at: usize| u32::from(text.as_bytes().get(at).copied().unwrap_or(0));
    byte(0) | byte(1) << 8
}

/// The first two bytes, the last one and the length.
fn look(text: &str) -> u32 {
    let last = text.as_bytes().last().copied().unwrap_or(0);
    head(text) | u32::from(last) << 16 | (text.len() as u32) << 24
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
    // No infix begins with one of these.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.bytes().all(plain) || is_url(text) {
        cuts.push(whole);
        return;
    }
    let (mut from, mut at) = (0, 0);
    while let Some(run) = text.as_bytes()[at..].iter().position(|byte| !plain(*byte)) {
        at += run;
        let Some(c) = text[at..].chars().next() else { break };
        let length = infix_len(&text[at..], c, text[..at].chars().next_back());
        if length > 0 && at > 0 {
            if from < at {
                cuts.push(whole.start + from..whole.start + at);
            }
            cuts.push(whole.start + at..whole.start + at + length);
            from = at + length;
        }
        at += length.max(c.len_utf8());
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

fn find(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(wanted).unwrap_or(text.len())
}
