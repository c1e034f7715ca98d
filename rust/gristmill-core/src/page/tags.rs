//! The start tags of a page, found without a tree: comments and the contents of scripts, styles and
//! the like are skipped, and a `<` or `>` in a quoted attribute is none.

use memchr::{memchr, memchr_iter, memchr3, memmem};

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'a> {
    name: &'a [u8],
    /// What stands between the name and the `>`.
    pub(super) attributes: &'a [u8],
    /// What follows on the `>`, up to the end of the page.
    pub(super) rest: &'a [u8],
}

impl<'a> Tag<'a> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Length of the name.
    pub(super) fn len(&self) -> usize {
        self.name.len()
    }

    /// First letter of the name, in lower case.
    pub(super) fn first(&self) -> u8 {
        self.name[0].to_ascii_lowercase()
    }

    /// Where the attributes begin and end in the page.
    pub(super) fn place_in(&self, html: &[u8]) -> (usize, usize) {
        let end = html.len() - self.rest.len();
        (end - 1 - self.attributes.len(), end)
    }

    /// Whether the content is text, whatever it looks like.
    fn is_raw(&self) -> bool {
        match self.first() {
            b's' => self.is("script") || self.is("style"),
            b't' => self.is("textarea") || self.is("title"),
            b'n' => self.is("noframes"),
            b'x' => self.is("xmp"),
            b'i' => self.is("iframe"),
            _ => false,
        }
    }

    /// The value of the first attribute of this name, character references as they stand.
    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        attributes(self.attributes)
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The element's text, for one that holds nothing else.
    pub(super) fn text(&self) -> &'a [u8] {
        &self.rest[..end_of_raw(self.rest, self.name)]
    }
}

/// All start tags in order.
pub(super) struct Tags<'a> {
    html: &'a [u8],
}

impl<'a> Tags<'a> {
    pub(super) fn new(html: &'a [u8]) -> Self {
        Self { html }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let at = memchr(b'<', self.html)? + 1;
            self.html = &self.html[at..];
            match self.html.first()? {
                b'!' if self.html.starts_with(b"!--") => {
                    let end = memmem::find(&self.html[1..], b"-->")? + 1;
                    self.html = &self.html[end..];
                }
                first if first.is_ascii_alphabetic() => return self.tag(),
                _ => {}
            }
        }
    }
}

impl<'a> Tags<'a> {
    fn tag(&mut self) -> Option<Tag<'a>> {
        let ends = |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'>');
        let length = self.html.iter().position(ends).unwrap_or(self.html.len());
        let (name, rest) = self.html.split_at(length);
        let end = end_of_tag(rest)?;
        self.html = &rest[end + 1..];
        let tag = Tag { name, attributes: &rest[..end], rest: self.html };
        if tag.is_raw() {
            self.html = &self.html[end_of_raw(self.html, name)..];
        }
        Some(tag)
    }
}

/// Where the `>` of a tag stands.
fn end_of_tag(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr3(b'>', b'"', b'\'', &rest[at..])?;
        if rest[at] == b'>' {
            return Some(at);
        }
        // only behind an equals sign does a quote open a value
        let opens = rest[..at].trim_ascii_end().ends_with(b"=");
        let quote = rest[at];
        at += 1;
        if opens {
            at += memchr(quote, &rest[at..])? + 1;
        }
    }
}

/// Where the text of a raw element ends.
fn end_of_raw(rest: &[u8], name: &[u8]) -> usize {
    let closes = |at: &usize| {
        let end = rest.get(at + 1..at + 2 + name.len()).and_then(|end| end.strip_prefix(b"/"));
        end.is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    memchr_iter(b'<', rest).find(closes).unwrap_or(rest.len())
}

/// Names and values of attributes, in order; no value is an empty one.
pub(super) fn attributes(mut text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let start = text.iter().position(|byte| !is_space(*byte) && *byte != b'/')?;
        text = &text[start..];
        // an equals sign that begins a name is part of it
        let ends = |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'=');
        let name = 1 + text[1..].iter().position(ends).unwrap_or(text.len() - 1);
        let (name, rest) = text.split_at(name);
        text = rest;
        let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else {
            return Some((name, &b""[..]));
        };
        let (value, rest) = value_of(value.trim_ascii_start());
        text = rest;
        Some((name, value))
    })
}

fn value_of(text: &[u8]) -> (&[u8], &[u8]) {
    if let [quote @ (b'"' | b'\''), quoted @ ..] = text {
        let end = memchr(*quote, quoted).unwrap_or(quoted.len());
        return (&quoted[..end], quoted.get(end + 1..).unwrap_or_default());
    }
    text.split_at(text.iter().position(|byte| is_space(*byte)).unwrap_or(text.len()))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c)
}
