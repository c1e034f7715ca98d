//! The merges behind a tiktoken rank file, which holds only tokens by rank.
//!
//! tiktoken joins the two neighbours whose joined bytes have the lowest rank, whatever the two are.
//! Where all tokens of lower rank bring a token's bytes to two parts, only these two can ever meet
//! in a text: every other way would have needed a later merge before. Such a token has one merge,
//! and all tokens of a trained vocabulary are such. Any other gets a merge for each of its splits
//! into two tokens, all of the same rank (see [`super::vocab::Vocabulary::with_ties`]).

use hashbrown::HashMap;

use super::vocab::Merge;
use crate::{Error, Result};

/// Merging by search is quadratic in this, and no published token is longer than 128 bytes.
const MAX_TOKEN_BYTES: usize = 1024;

/// The merges of the tokens `tokens[rank]`, by rank, and whether each token is made by one of its
/// own; where not, the merges are tied and a word that is a token as a whole takes its id.
///
/// # Errors
///
/// [`Error::Format`] for a token that is empty, too long or there twice, and when a byte has none.
pub fn merges(tokens: &[Option<Vec<u8>>]) -> Result<(Vec<Merge>, bool)> {
    let mut by_bytes = HashMap::with_capacity(tokens.len());
    for (rank, token) in ranked(tokens) {
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(refused(
                rank,
                format!("has {} bytes", token.len()),
                "1 to 1024 are allowed",
            ));
        }
        if let Some(first) = by_bytes.insert(token, rank) {
            let shown = token.escape_ascii().to_string();
            return Err(refused(rank, format!("is {shown:?}"), &format!("so is that of {first}")));
        }
    }
    let byte_ids: Vec<u32> =
        (0..=u8::MAX).map_while(|byte| by_bytes.get([byte].as_slice()).copied()).collect();
    if byte_ids.len() < 256 {
        let problem = format!("byte 0x{:02x} has no token; all 256 bytes need one", byte_ids.len());
        return Err(Error::Format { what: "ranks".to_owned(), problem });
    }
    let mut found = Merges { by_bytes, by_pair: HashMap::new(), byte_ids, parts: Vec::new() };
    let (mut merges, mut single) = (Vec::new(), true);
    for (rank, token) in ranked(tokens).filter(|(_, token)| token.len() > 1) {
        let known = merges.len();
        single &= found.of_token(rank, token, &mut merges);
        found.by_pair.extend(merges[known..].iter().map(|&(left, right, _)| ((left, right), rank)));
    }
    Ok((merges, single))
}

fn ranked(tokens: &[Option<Vec<u8>>]) -> impl Iterator<Item = (u32, &[u8])> {
    (0..).zip(tokens).filter_map(|(rank, token)| Some((rank, token.as_deref()?)))
}

fn refused(rank: u32, problem: String, allowed: &str) -> Error {
    Error::Format {
        what: format!("the token of rank {rank}"),
        problem: format!("{problem}; {allowed}"),
    }
}

struct Merges<'t> {
    by_bytes: HashMap<&'t [u8], u32>,
    /// The merges of all lower ranks.
    by_pair: HashMap<(u32, u32), u32>,
    byte_ids: Vec<u32>,
    parts: Vec<u32>,
}

impl Merges<'_> {
    /// Append the merges of a token; false when it cannot be made from its bytes alone.
    fn of_token(&mut self, rank: u32, token: &[u8], merges: &mut Vec<Merge>) -> bool {
        self.encode(token);
        if let [left, right] = self.parts[..] {
            merges.push((left, right, rank));
            return true;
        }
        for (left, right) in (1..token.len()).map(|middle| token.split_at(middle)) {
            if let (Some(&left), Some(&right)) = (self.by_bytes.get(left), self.by_bytes.get(right))
            {
                merges.push((left, right, rank));
            }
        }
        false
    }

    /// Fill `parts` by the merges of lower ranks.
    fn encode(&mut self, token: &[u8]) {
        let Self { by_pair, byte_ids, parts, .. } = self;
        parts.clear();
        parts.extend(token.iter().map(|&byte| byte_ids[byte as usize]));
        let rank_of = |pair: &[u32]| by_pair.get(&(pair[0], pair[1])).copied();
        while let Some((result, at)) =
            parts.windows(2).map(rank_of).zip(0..).filter_map(|(rank, at)| Some((rank?, at))).min()
        {
            parts[at] = result;
            parts.remove(at + 1);
        }
    }
}
