//! Structured personal data: where it is, what it is, and texts with it masked.
//!
//! One scan over the bytes proposes: a run of digits, an `@`, a `:` and the first letters of known
//! credentials are the only places where anything begins. Parsers with bounded look-around then
//! decide by checksums, address ranges, numbering plans and the words nearby, so the time is linear
//! in the text, whatever the text. Names, places and organizations are not sought.

mod address;
mod crypto;
mod identifier;
mod near;
mod phone;
mod place;
mod secret;

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::{Error, Result};

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Entity {
    /// An e-mail address under a top-level domain that exists.
    Email,
    /// A telephone number.
    Phone,
    /// A payment card number (ISO/IEC 7812).
    Card,
    /// An international bank account number (ISO 13616).
    Iban,
    /// A public IPv4 or IPv6 address.
    Ip,
    /// A national identification number: US SSN and ITIN, UK National Insurance number.
    NationalId,
    /// The `user:password` of a URL.
    UrlCredential,
    /// An API key, token, private key, or the value given to something called a password.
    Secret,
    /// A Bitcoin or Ethereum address.
    Crypto,
    /// A pair of geographic coordinates.
    Geo,
}

impl Entity {
    /// Every kind, in the order of the public interface.
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::Ip,
        Self::NationalId,
        Self::UrlCredential,
        Self::Secret,
        Self::Crypto,
        Self::Geo,
    ];

    /// The name in the public interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::NationalId => "national_id",
            Self::UrlCredential => "url_credential",
            Self::Secret => "secret",
            Self::Crypto => "crypto",
            Self::Geo => "geo",
        }
    }

    /// Which one stays when two findings overlap: the one that says more about its text.
    fn rank(self) -> u8 {
        match self {
            Self::Secret => 9,
            Self::UrlCredential => 8,
            Self::Crypto => 7,
            Self::Iban => 6,
            Self::Card => 5,
            Self::Email => 4,
            Self::Ip => 3,
            Self::Geo => 2,
            Self::NationalId => 1,
            Self::Phone => 0,
        }
    }
}

/// A set of entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entities(u16);

impl Entities {
    /// Every entity.
    pub const ALL: Self = Self((1 << Entity::ALL.len()) - 1);

    /// Whether `entity` is in the set.
    #[must_use]
    pub fn has(self, entity: Entity) -> bool {
        self.0 >> entity as u8 & 1 == 1
    }

    /// The set of the entities with these names.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for a name that no entity has.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut set = 0;
        for name in names {
            let Some(entity) = Entity::ALL.iter().find(|entity| entity.name() == name) else {
                return Err(Error::Parameter {
                    name: "entities",
                    value: name.to_owned(),
                    allowed: "email phone card iban ip national_id url_credential secret crypto geo",
                });
            };
            set |= 1 << *entity as u8;
        }
        Ok(Self(set))
    }
}

/// A piece of personal data.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it is, in bytes or, from [`find_all`], in characters.
    pub span: Range<usize>,
    /// What it is.
    pub entity: Entity,
    /// How sure that is, 0 to 1: checksums and context raise it.
    pub score: f32,
}

/// Find the personal data of `text`, in order, without overlaps; spans are in bytes.
///
/// Of two findings that overlap the more specific entity stays, then the longer one. The others are
/// sought whether `wanted` or not, so what is found of one entity does not depend on the rest.
#[must_use]
pub fn find(text: &str, wanted: Entities) -> Vec<Found> {
    let mut found = propose(text);
    found.sort_by_key(|one| (one.span.start, std::cmp::Reverse(one.span.end)));
    let mut kept: Vec<Found> = Vec::with_capacity(found.len());
    for one in found {
        match kept.last_mut() {
            Some(last) if one.span.start < last.span.end => {
                if one.entity.rank() > last.entity.rank() {
                    *last = one;
                }
            }
            _ => kept.push(one),
        }
    }
    kept.retain(|one| wanted.has(one.entity));
    kept
}

/// Everything that a parser accepts, overlaps included.
fn propose(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|byte| TRIGGERS[usize::from(*byte)]) {
        at += step;
        match bytes[at] {
            b'@' => found.extend(address::email(text, at)),
            b':' => {
                found.extend(address::url_credential(text, at));
                found.extend(address::ipv6(text, at));
            }
            _ => {
                let run = at..at + digits(&bytes[at..]);
                found.extend(address::ipv4(text, &run));
                found.extend(identifier::card(text, &run));
                found.extend(identifier::iban(text, &run));
                found.extend(identifier::national_id(text, &run));
                found.extend(phone::phone(text, &run));
                found.extend(crypto::wallet(text, &run));
                found.extend(place::coordinates(text, &run));
                at = run.end - 1;
            }
        }
        at += 1;
    }
    secret::secrets(text, &mut found);
    found
}

const TRIGGERS: [bool; 256] = {
    let mut triggers = [false; 256];
    triggers[b'@' as usize] = true;
    triggers[b':' as usize] = true;
    let mut digit = b'0';
    while digit <= b'9' {
        triggers[digit as usize] = true;
        digit += 1;
    }
    triggers
};

/// How many digits `bytes` begins with.
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Find the personal data of every text; spans are in characters. The same for any number of
/// threads.
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero or the threads cannot be started.
pub fn find_all(texts: &[&str], wanted: Entities, threads: usize) -> Result<Vec<Vec<Found>>> {
    each(texts, threads, |text| {
        let mut found = find(text, wanted);
        let (mut byte, mut character) = (0, 0);
        for one in &mut found {
            character += text[byte..one.span.start].chars().count();
            let end = character + text[one.span.clone()].chars().count();
            byte = one.span.end;
            one.span = character..end;
            character = end;
        }
        found
    })
}

/// A text with its personal data masked, and how many pieces of each entity there were.
pub type Scrubbed<'a> = (Cow<'a, str>, [u32; Entity::ALL.len()]);

/// Mask the personal data of every text; the same for any number of threads.
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero or the threads cannot be started.
pub fn scrub_all<'a>(
    texts: &[&'a str],
    wanted: Entities,
    threads: usize,
) -> Result<Vec<Scrubbed<'a>>> {
    each(texts, threads, |text| scrub(text, wanted))
}

/// Put `<EMAIL_1>`, `<EMAIL_2>` … in the place of each piece of personal data.
///
/// Equal values get equal numbers within the text; upper and lower case, and how digits are grouped,
/// make no difference.
#[must_use]
pub fn scrub(text: &str, wanted: Entities) -> Scrubbed<'_> {
    let mut counts = [0; Entity::ALL.len()];
    let found = find(text, wanted);
    if found.is_empty() {
        return (Cow::Borrowed(text), counts);
    }
    let mut numbers: HashMap<(Entity, String), usize> = HashMap::new();
    let mut distinct = [0; Entity::ALL.len()];
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for Found { span, entity, .. } in found {
        counts[entity as usize] += 1;
        let value = normalized(&text[span.clone()], entity);
        let number = *numbers.entry((entity, value)).or_insert_with(|| {
            distinct[entity as usize] += 1;
            distinct[entity as usize]
        });
        masked.push_str(&text[from..span.start]);
        masked.push_str(&format!("<{}_{number}>", entity.name().to_ascii_uppercase()));
        from = span.end;
    }
    masked.push_str(&text[from..]);
    (Cow::Owned(masked), counts)
}

fn normalized(value: &str, entity: Entity) -> String {
    match entity {
        Entity::Email | Entity::Ip => value.to_ascii_lowercase(),
        Entity::Phone | Entity::Card | Entity::Iban | Entity::NationalId => value
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect(),
        _ => value.to_owned(),
    }
}

fn each<'a, T: Send>(
    texts: &[&'a str],
    threads: usize,
    one: impl Fn(&'a str) -> T + Sync,
) -> Result<Vec<T>> {
    if threads == 1 {
        return Ok(texts.iter().map(|text| one(text)).collect());
    }
    let refused =
        |allowed| Error::Parameter { name: "threads", value: threads.to_string(), allowed };
    if threads == 0 {
        return Err(refused("1 or more"));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|_| refused("as many threads as the system can start"))?;
    Ok(pool.install(|| texts.par_iter().map(|text| one(text)).collect()))
}
