//! What learning starts from: the bytes and the special tokens, or a vocabulary to extend.

use super::{Base, Options};
use crate::bpe::merge::Merger;
use crate::bpe::vocab::{MAX_VOCAB_SIZE, Merge, Vocabulary, alphabet};
use crate::{Error, Result};

/// Tokens and merges before the first new merge, and how words become these tokens.
pub struct Start {
    /// The bytes of each token, by id; empty for an id that no token has.
    pub tokens: Vec<Vec<u8>>,
    /// The merges by rank.
    pub merges: Vec<Merge>,
    /// The ids of special and other added tokens, which merges never make.
    pub added: Vec<u32>,
    /// Gives the ids of a word, as an encoder does.
    pub merger: Merger,
}

impl Start {
    /// Check the options.
    pub fn new(options: &Options) -> Result<Self> {
        check_special_tokens(&options.special_tokens)?;
        match &options.extend {
            None => Self::fresh(options),
            Some(base) => Self::extending(base, options),
        }
    }

    fn fresh(options: &Options) -> Result<Self> {
        let specials = &options.special_tokens;
        if options.vocab_size < 256 + specials.len() || options.vocab_size > MAX_VOCAB_SIZE {
            return Err(refused(
                "vocab_size",
                options.vocab_size,
                "at least 256 bytes and the special tokens, at most 2097152",
            ));
        }
        let specials = specials.iter().map(|token| token.clone().into_bytes());
        let tokens = specials.chain(alphabet().map(|byte| vec![byte])).map(Some).collect();
        let added = (0..options.special_tokens.len() as u32).collect();
        Self::of(tokens, Vec::new(), added, false)
    }

    fn extending(base: &Base, options: &Options) -> Result<Self> {
        let is_added = |token: &String| base.added.iter().any(|(content, ..)| content == token);
        let new: Vec<_> = options.special_tokens.iter().filter(|token| !is_added(token)).collect();
        let size = base.tokens.len() + new.len();
        if options.vocab_size < size || options.vocab_size > MAX_VOCAB_SIZE {
            return Err(refused(
                "vocab_size",
                format!("{} for a vocabulary of {} ids", options.vocab_size, base.tokens.len()),
                "at least its ids and the special tokens that are added, at most 2097152",
            ));
        }
        if let Some(token) = new.iter().find(|token| base.holds(token.as_bytes())) {
            return Err(refused(
                "special_tokens",
                format!("{token:?}"),
                "tokens that are no ordinary ones of the vocabulary to extend",
            ));
        }
        let mut tokens = base.tokens.clone();
        tokens.extend(new.into_iter().map(|token| Some(token.clone().into_bytes())));
        let added = base.added.iter().map(|(_, id, _)| *id);
        let added = added.chain(base.tokens.len() as u32..size as u32).collect();
        Self::of(tokens, base.merges.clone(), added, base.ignore_merges)
    }

    fn of(
        tokens: Vec<Option<Vec<u8>>>,
        merges: Vec<Merge>,
        added: Vec<u32>,
        ignore_merges: bool,
    ) -> Result<Self> {
        let mut merger = Merger::new(Vocabulary::new(&tokens, &merges, &added)?);
        let tokens: Vec<_> = tokens.into_iter().map(Option::unwrap_or_default).collect();
        if ignore_merges {
            merger.ignore_merges(
                added.iter().filter_map(|&id| tokens.get(id as usize)).map(Vec::as_slice),
            );
        }
        Ok(Self { tokens, merges, added, merger })
    }
}

impl Base {
    fn holds(&self, token: &[u8]) -> bool {
        self.tokens.iter().flatten().any(|held| held == token)
    }
}

fn check_special_tokens(specials: &[String]) -> Result<()> {
    for (i, token) in specials.iter().enumerate() {
        if token.len() < 2 {
            return Err(refused("special_tokens", format!("{token:?}"), "two bytes or more each"));
        }
        if specials[..i].contains(token) {
            return Err(refused("special_tokens", format!("{token:?}"), "each of them once"));
        }
    }
    Ok(())
}

pub(super) fn refused(name: &'static str, value: impl ToString, allowed: &'static str) -> Error {
    Error::Parameter { name, value: value.to_string(), allowed }
}
