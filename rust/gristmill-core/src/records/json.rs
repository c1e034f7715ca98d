//! JSON as Python reads and writes it, as far as that is beyond doubt.
//!
//! A line holds no control characters (its reader looked), so a string has none to refuse.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use memchr::memchr2;

/// Objects and arrays within each other; Python allows about a thousand.
const DEEPEST: usize = 64;
/// Characters of the longest integer; Python refuses those beyond 4,300 digits.
const LONGEST_INTEGER: usize = 64;

/// A number as JSON spells it.
pub(super) enum Number<'a> {
    Integer(&'a str),
    Float(f64),
}

/// A place in JSON text.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Whether nothing but white space is left.
    pub(super) fn ended(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Go over a word that comes next.
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.peek()?;
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// Call `member` at the value of each key of an object.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        self.enclosed(b'}', |cursor| {
            let Cow::Borrowed(key) = cursor.string()? else { return None };
            cursor.take(b':')?;
            member(cursor, key)
        })
    }

    /// Call `each` at what stands between commas, up to `end`.
    fn enclosed(&mut self, end: u8, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        if self.peek()? != end {
            each(self)?;
            while self.peek()? == b',' {
                self.at += 1;
                each(self)?;
            }
        }
        self.depth -= 1;
        self.take(end)
    }

    /// A string; borrowed exactly when it has no escapes.
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let rest = &self.text[self.at..];
        let found = memchr2(b'"', b'\\', rest.as_bytes())?;
        if rest.as_bytes()[found] == b'"' {
            self.at += found + 1;
            return Some(Cow::Borrowed(&rest[..found]));
        }
        let mut decoded = String::new();
        self.rest_of_string(&mut decoded)?;
        Some(Cow::Owned(decoded))
    }

    /// Append a string to `out`.
    pub(super) fn string_into(&mut self, out: &mut String) -> Option<()> {
        self.take(b'"')?;
        self.rest_of_string(out)
    }

    fn rest_of_string(&mut self, out: &mut String) -> Option<()> {
        loop {
            let rest = &self.text[self.at..];
            let found = memchr2(b'"', b'\\', rest.as_bytes())?;
            out.push_str(&rest[..found]);
            self.at += found + 1;
            if rest.as_bytes()[found] == b'"' {
                return Some(());
            }
            out.push(self.escape()?);
        }
    }

    /// The character of an escape; a half of a surrogate pair alone is none.
    fn escape(&mut self) -> Option<char> {
        let byte = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(match byte {
            b'n' => '\n',
            b'"' | b'\\' | b'/' => char::from(byte),
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let unit = self.unit()?;
                if !(0xD800..0xDC00).contains(&unit) {
                    return char::from_u32(unit);
                }
                self.text[self.at..].starts_with("\\u").then(|| self.at += 2)?;
                let low = self.unit()?.checked_sub(0xDC00).filter(|&low| low < 0x400)?;
                return char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low);
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
    }

    /// A number; not one beyond the range of floats, nor an integer of uncommon length.
    pub(super) fn number(&mut self) -> Option<Number<'a>> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += usize::from(self.peek()? == b'-');
        match bytes.get(self.at)? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        let integer = self.at;
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        let spelled = &self.text[start..self.at];
        if self.at == integer {
            let usual = spelled != "-0" && spelled.len() <= LONGEST_INTEGER;
            return usual.then_some(Number::Integer(spelled));
        }
        spelled.parse().ok().filter(|value: &f64| value.is_finite()).map(Number::Float)
    }

    fn digits(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let n_digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += n_digits;
        (n_digits > 0).then_some(())
    }

    /// Append a value as Python writes it: keys sorted, characters outside ASCII as they are.
    pub(super) fn value(&mut self, out: &mut String) -> Option<()> {
        match self.peek()? {
            b'"' => write_string(&self.string()?, out),
            b'{' => self.sorted_object(out)?,
            b'[' => self.array(out)?,
            b't' => self.copy_word("true", out)?,
            b'f' => self.copy_word("false", out)?,
            b'n' => self.copy_word("null", out)?,
            _ => match self.number()? {
                Number::Integer(spelled) => out.push_str(spelled),
                Number::Float(value) => out.push_str(&python_float(value)),
            },
        }
        Some(())
    }

    fn copy_word(&mut self, word: &str, out: &mut String) -> Option<()> {
        out.push_str(word);
        self.word(word)
    }

    fn array(&mut self, out: &mut String) -> Option<()> {
        self.at += 1;
        let mut separator = "";
        out.push('[');
        self.enclosed(b']', |cursor| {
            out.push_str(std::mem::replace(&mut separator, ", "));
            cursor.value(out)
        })?;
        out.push(']');
        Some(())
    }

    fn sorted_object(&mut self, out: &mut String) -> Option<()> {
        let mut values = String::new();
        let mut members: Vec<(&str, Range<usize>)> = Vec::new();
        self.object(|cursor, key| {
            let start = values.len();
            cursor.value(&mut values)?;
            members.push((key, start..values.len()));
            Some(())
        })?;
        members.sort_unstable_by_key(|member| member.0);
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
        let mut separator = "{";
        for (key, value) in members {
            out.push_str(std::mem::replace(&mut separator, ", "));
            write_string(key, out);
            out.push_str(": ");
            out.push_str(&values[value]);
        }
        out.push_str(if separator == "{" { "{}" } else { "}" });
        Some(())
    }
}

/// Append a string with the escapes that Python uses.
pub(super) fn write_string(value: &str, out: &mut String) {
    out.push('"');
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            0x08 => out.push_str("\\b"),
            0x0C => out.push_str("\\f"),
            byte @ (b'"' | b'\\') => out.extend(['\\', char::from(byte)]),
            byte => drop(write!(out, "\\u{byte:04x}")), // a String takes all that is written
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// A finite number as Python's `repr` spells it: the fewest digits that read back as the same, with
/// an exponent when it is below -4 or above 15.
#[must_use]
pub fn python_float(value: f64) -> String {
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let fixed = format!("{value}");
    if fixed.contains('.') { fixed } else { fixed + ".0" }
}
