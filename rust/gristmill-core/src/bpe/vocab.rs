//! Tokens and merges of a byte-level vocabulary, checked once and then looked up fast.

use crate::{Error, Result};

/// Ids above this are refused: a table of that many tokens is a damaged file, not a vocabulary.
const MAX_VOCAB_SIZE: usize = 1 << 24;

/// No such id or rank.
pub(super) const NONE: u32 = u32::MAX;

/// A merge: the left and right token, and the token they become. Its place in the list is its rank.
pub type Merge = (u32, u32, u32);

/// The byte-level alphabet in the order in which GPT-2 and `tokenizers` number it: the bytes that
/// print as themselves, then the others.
pub fn alphabet() -> impl Iterator<Item = u8> {
    let prints = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others = move |byte: &u8| !prints(byte);
    (0..=u8::MAX).filter(prints).chain((0..=u8::MAX).filter(others))
}

/// The tokens and merges of one tokenizer.
#[derive(Debug)]
pub struct Vocabulary {
    bytes: Vec<u8>,
    starts: Vec<usize>,
    byte_ids: [u32; 256],
    merges: MergeTable,
}

impl Vocabulary {
    /// Check and index a vocabulary.
    ///
    /// `tokens[id]` are a token's bytes, `None` where no token has the id. `added` are the ids of
    /// special and other added tokens: merges never make them.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] when a byte has no token, or a merge names an unknown token, joins an empty
    /// one, or its result is not its two parts (which also rules out cycles).
    pub fn new(tokens: &[Option<Vec<u8>>], merges: &[Merge], added: &[u32]) -> Result<Self> {
        Self::with_ties(tokens, merges, added, false)
    }

    /// As [`Vocabulary::new`]; when `tied`, neighbouring merges to one token have one rank, as in
    /// tiktoken, which ranks the result and not the pair.
    ///
    /// # Errors
    ///
    /// As [`Vocabulary::new`].
    pub fn with_ties(
        tokens: &[Option<Vec<u8>>],
        merges: &[Merge],
        added: &[u32],
        tied: bool,
    ) -> Result<Self> {
        if tokens.len() > MAX_VOCAB_SIZE {
            return Err(refused(format!(
                "the largest token id is {}; at most {} is allowed",
                tokens.len() - 1,
                MAX_VOCAB_SIZE - 1
            )));
        }
        let byte_ids = byte_ids(tokens, added)?;
        check_merges(tokens, merges)?;
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        for token in tokens {
            bytes.extend_from_slice(token.as_deref().unwrap_or_default());
            starts.push(bytes.len());
        }
        Ok(Self { bytes, starts, byte_ids, merges: MergeTable::new(merges, tied) })
    }

    /// The number of ids, gaps included.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no token at all; never true for a checked vocabulary.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a token; empty for an id that no token has.
    pub fn token(&self, id: u32) -> Option<&[u8]> {
        let id = id as usize;
        Some(&self.bytes[*self.starts.get(id)?..*self.starts.get(id + 1)?])
    }

    #[inline]
    pub(super) fn byte_id(&self, byte: u8) -> u32 {
        self.byte_ids[byte as usize]
    }

    /// Rank and result of merging two tokens; the rank is [`NONE`] when they do not merge.
    #[inline]
    pub(super) fn merge(&self, left: u32, right: u32) -> (u32, u32) {
        self.merges.get(left, right)
    }
}

fn byte_ids(tokens: &[Option<Vec<u8>>], added: &[u32]) -> Result<[u32; 256]> {
    let mut ids = [NONE; 256];
    for (id, token) in (0_u32..).zip(tokens) {
        if let Some([byte]) = token.as_deref()
            && !added.contains(&id)
        {
            ids[*byte as usize] = id;
        }
    }
    match ids.iter().position(|&id| id == NONE) {
        Some(byte) => Err(refused(format!(
            "byte 0x{byte:02x} has no token; a byte-level vocabulary holds all 256 bytes"
        ))),
        None => Ok(ids),
    }
}

fn check_merges(tokens: &[Option<Vec<u8>>], merges: &[Merge]) -> Result<()> {
    let token = |id: u32| tokens.get(id as usize).and_then(Option::as_deref).unwrap_or_default();
    for (rank, &(left, right, result)) in merges.iter().enumerate() {
        let (left, right, result) = (token(left), token(right), token(result));
        let parts = result.split_at_checked(left.len());
        if left.is_empty() || right.is_empty() || parts != Some((left, right)) {
            return Err(refused(format!(
                "merge {rank} joins {:?} and {:?} to {:?}; a merge joins two tokens of the \
                 vocabulary to the token of their bytes",
                left.escape_ascii().to_string(),
                right.escape_ascii().to_string(),
                result.escape_ascii().to_string(),
            )));
        }
    }
    Ok(())
}

fn refused(problem: String) -> Error {
    Error::Format { what: "vocabulary".to_owned(), problem }
}

/// Pair of tokens -> (rank, result): open addressing, at most half full.
#[derive(Debug)]
struct MergeTable {
    slots: Vec<[u32; 4]>,
    shift: u32,
}

const FREE: [u32; 4] = [NONE; 4];

impl MergeTable {
    fn new(merges: &[Merge], tied: bool) -> Self {
        let size = (merges.len() * 2).next_power_of_two().max(2);
        let mut table = Self { slots: vec![FREE; size], shift: 64 - size.trailing_zeros() };
        let (mut rank, mut last) = (0, NONE);
        for (i, &(left, right, result)) in (0..).zip(merges) {
            if !tied || result != last {
                (rank, last) = (i, result);
            }
            let slot = table.slot(left, right);
            table.slots[slot] = [left, right, rank, result]; // the last of equal merges counts
        }
        table
    }

    #[inline]
    fn slot(&self, left: u32, right: u32) -> usize {
        let pair = u64::from(left) << 32 | u64::from(right);
        let mut slot = (pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize;
        loop {
            let held = self.slots[slot];
            if (held[0] == left && held[1] == right) || held[0] == NONE {
                return slot;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn get(&self, left: u32, right: u32) -> (u32, u32) {
        let held = self.slots[self.slot(left, right)];
        (held[2], held[3])
    }
}
