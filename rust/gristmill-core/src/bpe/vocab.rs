//! Tokens and merges of a byte-level vocabulary, checked once and then looked up fast.

use crate::{Error, Result};

/// Ids from here on are refused: a table of that many tokens is a damaged file, not a vocabulary.
pub(super) const MAX_VOCAB_SIZE: usize = 1 << ID_BITS;
const ID_BITS: u32 = 21;
const RANK_BITS: u32 = 64 - 2 * ID_BITS;

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
        let merges = MergeTable::new(&byte_ids, merges, tied);
        Ok(Self { bytes, starts, byte_ids, merges })
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

    /// The rank of the merge of two bytes, [`NONE`] when they do not merge.
    #[inline]
    pub(super) fn rank_of_bytes(&self, left: u8, right: u8) -> u32 {
        self.merges.of_bytes[usize::from(left) << 8 | usize::from(right)]
    }

    /// The rank of the merge of two tokens, [`NONE`] when they do not merge.
    #[inline]
    pub(super) fn rank(&self, left: u32, right: u32) -> u32 {
        self.merges.rank(left, right)
    }

    /// What the merge of a rank makes.
    #[inline]
    pub(super) fn result(&self, rank: u32) -> u32 {
        match self.merges.first_result {
            Some(first) => first + rank,
            None => self.merges.results[rank as usize],
        }
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
    if merges.len() >= 1 << RANK_BITS {
        return Err(refused(format!(
            "there are {} merges; fewer than {} are allowed",
            merges.len(),
            1 << RANK_BITS
        )));
    }
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

/// Pair of tokens -> rank: open addressing, at most half full, 8 bytes a slot. Pairs of bytes, the
/// first to be asked for in each word, have a table of their own.
#[derive(Debug)]
struct MergeTable {
    slots: Vec<u64>,
    shift: u32,
    results: Vec<u32>,
    /// The result of the first merge, where those of the others follow it one by one.
    first_result: Option<u32>,
    of_bytes: Vec<u32>,
}

const FREE: u64 = u64::MAX;

impl MergeTable {
    fn new(byte_ids: &[u32; 256], merges: &[Merge], tied: bool) -> Self {
        let size = (merges.len() * 2).next_power_of_two().max(2);
        let mut table = Self {
            slots: vec![FREE; size],
            shift: 64 - size.trailing_zeros(),
            results: merges.iter().map(|merge| merge.2).collect(),
            first_result: merges
                .first()
                .map(|merge| merge.2)
                .filter(|&first| (first..).zip(merges).all(|(id, merge)| id == merge.2)),
            of_bytes: Vec::new(),
        };
        let (mut rank, mut last) = (0, NONE);
        for (i, &(left, right, result)) in (0..).zip(merges) {
            if !tied || result != last {
                (rank, last) = (i, result);
            }
            let slot = table.slot(pair(left, right));
            table.slots[slot] = pair(left, right) << RANK_BITS | rank; // the last of equals counts
        }
        let pairs = byte_ids.iter().flat_map(|&left| byte_ids.map(|right| (left, right)));
        table.of_bytes = pairs.map(|(left, right)| table.rank(left, right)).collect();
        table
    }

    /// Where a pair stands, or where it would.
    #[inline]
    fn slot(&self, pair: u64) -> usize {
        let mut slot = (pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize;
        while self.slots[slot] >> RANK_BITS != pair && self.slots[slot] != FREE {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    #[inline]
    fn rank(&self, left: u32, right: u32) -> u32 {
        let held = self.slots[self.slot(pair(left, right))];
        if held == FREE { NONE } else { (held & ((1 << RANK_BITS) - 1)) as u32 }
    }
}

#[inline]
fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << ID_BITS | u64::from(right)
}
