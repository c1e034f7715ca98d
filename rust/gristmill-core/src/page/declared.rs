//! What a page declares about itself: title, canonical address, date, license.
//!
//! Only what is meant for machines counts, and only as the page's own: `rel=license` and
//! `itemprop=license`, rights in `meta` tags as addresses, publication dates by the names of Open
//! Graph, Dublin Core and schema.org. A mere link to Creative Commons is no license of the page, but
//! is kept apart. JSON-LD comes as it stands; whoever reads it decides which of its things is the page.

use memchr::memmem;

use super::tags::{Tag, Tags};

/// Values of one kind that are kept.
const MOST_VALUES: usize = 8;
/// Bytes of the longest value that is kept, and of the longest JSON-LD.
const LONGEST_VALUE: usize = 2_000;
const LONGEST_JSON: usize = 256 << 10;
const COMMONS: &[u8] = b"creativecommons.org/";
const COMMONS_KINDS: [&[u8]; 2] =
    [b"creativecommons.org/licenses/", b"creativecommons.org/publicdomain/"];

/// Where a license stands as an address in a `meta` tag.
const RIGHTS: [&str; 7] = [
    "dc.rights",
    "dc.rights.license",
    "dcterms.license",
    "dcterms.rights",
    "dc.license",
    "rights-standard",
    "copyright-license",
];
const DATES: [&str; 6] = [
    "article:published_time",
    "og:published_time",
    "og:article:published_time",
    "dcterms.issued",
    "dc.date.issued",
    "citation_publication_date",
];

/// What a page declares; values as they stand, character references included.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Its title.
    pub title: Option<String>,
    /// Its canonical address.
    pub canonical: Option<String>,
    /// When it was published.
    pub published: Option<String>,
    /// Addresses of its licenses, each once.
    pub licenses: Vec<String>,
    /// Creative Commons licenses that it links to without saying that they are its own.
    pub license_links: Vec<String>,
    /// Its JSON-LD, as far as that speaks of licenses or dates.
    pub json_ld: Vec<String>,
}

/// Find the declarations of a page.
pub fn declarations(html: &str) -> Declared {
    let mut declared = Declared::default();
    let html = html.as_bytes();
    let mut marks = marks(html).into_iter().peekable();
    for tag in Tags::new(html) {
        match tag.name() {
            Some(Name::Anchor) => {
                let (start, end) = tag.place_in(html);
                while marks.next_if(|mark| *mark < start).is_some() {}
                if marks.peek().is_some_and(|mark| *mark < end) {
                    declared.link(&tag);
                }
            }
            Some(Name::Link) => declared.head_link(&tag),
            Some(Name::Meta) => declared.meta(&tag),
            Some(Name::Script) => declared.script(&tag),
            Some(Name::Time) => declared.time(&tag),
            Some(Name::Title) if declared.title.is_none() => declared.title = value(tag.text()),
            _ => {}
        }
    }
    declared
}

/// Where a page speaks of licenses at all: most of its links are not looked into.
fn marks(html: &[u8]) -> Vec<usize> {
    let needles = [&b"license"[..], b"License", b"LICENSE", COMMONS];
    let mut marks: Vec<usize> =
        needles.iter().flat_map(|needle| memmem::find_iter(html, needle)).collect();
    marks.sort_unstable();
    marks
}

enum Name {
    Anchor,
    Link,
    Meta,
    Script,
    Time,
    Title,
}

impl Tag<'_> {
    fn name(&self) -> Option<Name> {
        let (name, kind) = match (self.len(), self.first()) {
            (1, b'a') => ("a", Name::Anchor),
            (4, b'm') => ("meta", Name::Meta),
            (4, b'l') => ("link", Name::Link),
            (6, b's') => ("script", Name::Script),
            (4, b't') => ("time", Name::Time),
            (5, b't') => ("title", Name::Title),
            (4, b'a') => ("area", Name::Anchor),
            _ => return None,
        };
        self.is(name).then_some(kind)
    }
}

impl Declared {
    fn link(&mut self, tag: &Tag<'_>) {
        let Some(href) = tag.get("href") else { return };
        if has_word(tag.get("rel"), "license") || has_word(tag.get("itemprop"), "license") {
            keep(&mut self.licenses, href);
        } else if COMMONS_KINDS.iter().any(|kind| memmem::find(href, kind).is_some()) {
            keep(&mut self.license_links, href);
        }
    }

    fn head_link(&mut self, tag: &Tag<'_>) {
        if self.canonical.is_none() && has_word(tag.get("rel"), "canonical") {
            self.canonical = tag.get("href").and_then(value);
        }
        self.link(tag);
    }

    fn meta(&mut self, tag: &Tag<'_>) {
        let Some(content) = tag.get("content") else { return };
        if has_word(tag.get("itemprop"), "license") {
            keep(&mut self.licenses, content);
        }
        if has_word(tag.get("itemprop"), "datePublished") {
            self.publish(content);
        }
        let Some(name) = tag.get("property").or_else(|| tag.get("name")) else { return };
        let is_one =
            |names: &[&str]| names.iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()));
        if is_one(&DATES) {
            self.publish(content);
        }
        if is_one(&RIGHTS) && content.trim_ascii().starts_with(b"http") {
            keep(&mut self.licenses, content);
        }
    }

    fn script(&mut self, tag: &Tag<'_>) {
        let json = tag.get("type").is_some_and(|it| memmem::find(it, b"ld+json").is_some());
        if !json || self.json_ld.len() == MOST_VALUES {
            return;
        }
        let text = tag.text();
        let speaks = |key: &[u8]| memmem::find(text, key).is_some();
        if text.len() <= LONGEST_JSON && (speaks(b"\"license\"") || speaks(b"\"datePublished\"")) {
            self.json_ld.push(String::from_utf8_lossy(text).into_owned());
        }
    }

    fn time(&mut self, tag: &Tag<'_>) {
        let published =
            has_word(tag.get("itemprop"), "datePublished") || tag.get("pubdate").is_some();
        if let Some(when) = published.then(|| tag.get("datetime")).flatten() {
            self.publish(when);
        }
    }

    fn publish(&mut self, when: &[u8]) {
        if self.published.is_none() {
            self.published = value(when);
        }
    }
}

fn value(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.trim_ascii();
    let end = bytes.len().min(LONGEST_VALUE);
    let text = String::from_utf8_lossy(&bytes[..end]).trim_end_matches('\u{fffd}').to_owned();
    (!text.is_empty()).then_some(text)
}

fn keep(values: &mut Vec<String>, bytes: &[u8]) {
    if let Some(value) = value(bytes)
        && values.len() < MOST_VALUES
        && !values.contains(&value)
    {
        values.push(value);
    }
}

fn has_word(words: Option<&[u8]>, word: &str) -> bool {
    words.is_some_and(|words| {
        words.split(u8::is_ascii_whitespace).any(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    })
}
