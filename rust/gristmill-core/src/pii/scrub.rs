//! Texts with their personal data masked or pseudonymised.

use std::borrow::Cow;

use hashbrown::HashMap;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{Entities, Entity, Found, each, find_with};
use crate::{Error, Result};

/// What is done with which entities.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// Replaced by `<EMAIL_1>`, numbered within the text.
    pub mask: Entities,
    /// Replaced by `<EMAIL_` and a keyed hash of the value.
    pub pseudonymise: Entities,
    /// Counted only.
    pub count: Entities,
    /// The key of the pseudonyms.
    pub key: Vec<u8>,
}

/// A text with its personal data replaced, and how many pieces of each entity there were.
pub type Scrubbed<'a> = (Cow<'a, str>, [u32; Entity::ALL.len()]);

/// Replace the personal data of every text; the same for any number of threads.
///
/// `named` holds for each text what a caller's model found in it, as for [`super::find_all`].
///
/// # Errors
///
/// [`Error::Parameter`] when `threads` is zero, the threads cannot be started, or pseudonyms are
/// wanted without a key.
pub fn scrub_all<'a>(
    texts: &[&'a str],
    actions: &Actions,
    named: &[Vec<Found>],
    threads: usize,
) -> Result<Vec<Scrubbed<'a>>> {
    if actions.key.is_empty() && actions.pseudonymise != Entities::default() {
        let allowed = "at least one byte, where there are pseudonyms";
        return Err(Error::Parameter { name: "key", value: String::new(), allowed });
    }
    each(texts, named, threads, |text, named| scrub_with(text, actions, named))
}

/// Put `<EMAIL_1>`, `<EMAIL_2>` … in the place of each piece of personal data.
///
/// Equal values get equal numbers within the text; upper and lower case, and how digits are grouped,
/// make no difference.
#[must_use]
pub fn scrub(text: &str, mask: Entities) -> Scrubbed<'_> {
    scrub_with(text, &Actions { mask, ..Actions::default() }, &[])
}

fn scrub_with<'a>(text: &'a str, actions: &Actions, named: &[Found]) -> Scrubbed<'a> {
    let mut counts = [0; Entity::ALL.len()];
    let changed = actions.mask.and(actions.pseudonymise);
    let mut found = find_with(text, changed.and(actions.count), named);
    found.iter().for_each(|one| counts[one.entity as usize] += 1);
    found.retain(|one| changed.has(one.entity));
    if found.is_empty() {
        return (Cow::Borrowed(text), counts);
    }
    let mut labels = Labels { actions, numbers: HashMap::new(), distinct: [0; Entity::ALL.len()] };
    let mut scrubbed = String::with_capacity(text.len());
    let mut from = 0;
    for Found { span, entity, .. } in found {
        scrubbed.push_str(&text[from..span.start]);
        let label = labels.of(entity, normalized(&text[span.clone()], entity));
        scrubbed.push_str(&format!("<{}_{label}>", entity.name().to_ascii_uppercase()));
        from = span.end;
    }
    scrubbed.push_str(&text[from..]);
    (Cow::Owned(scrubbed), counts)
}

/// What stands for the values of one text.
struct Labels<'a> {
    actions: &'a Actions,
    numbers: HashMap<(Entity, String), usize>,
    distinct: [usize; Entity::ALL.len()],
}

impl Labels<'_> {
    fn of(&mut self, entity: Entity, value: String) -> String {
        if self.actions.pseudonymise.has(entity) {
            return pseudonym(&self.actions.key, entity, &value);
        }
        let distinct = &mut self.distinct[entity as usize];
        let number = *self.numbers.entry((entity, value)).or_insert_with(|| {
            *distinct += 1;
            *distinct
        });
        number.to_string()
    }
}

/// 64 bits of the HMAC of entity and value: with ten million values two share one by a chance of
/// 3 in a million.
fn pseudonym(key: &[u8], entity: Entity, value: &str) -> String {
    let mut mac = Hmac::<Sha256>::new(&whole_block(key));
    for part in [entity.name().as_bytes(), b"\0", value.as_bytes()] {
        mac.update(part);
    }
    mac.finalize().into_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key as HMAC takes it: a longer one than a block is hashed, a shorter one filled up with zeros.
fn whole_block(key: &[u8]) -> Key<Hmac<Sha256>> {
    let mut block = Key::<Hmac<Sha256>>::default();
    let hash = Sha256::digest(key);
    let bytes = if key.len() > block.len() { &hash[..] } else { key };
    block[..bytes.len()].copy_from_slice(bytes);
    block
}

fn normalized(value: &str, entity: Entity) -> String {
    match entity {
        Entity::Email | Entity::Ip | Entity::PrivateIp => value.to_ascii_lowercase(),
        Entity::Person | Entity::Location | Entity::Organization => {
            value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
        }
        Entity::Phone | Entity::Card | Entity::Iban | Entity::NationalId => value
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect(),
        _ => value.to_owned(),
    }
}
