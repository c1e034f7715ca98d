//! Words as keys of tables: one of up to 15 bytes is its own key, so comparing two integers says
//! whether it is the same.

/// Longest word that is its own key.
pub const SHORT: usize = 15;
/// In the tail of a long word's key, above its length.
const LONG_TAIL: u64 = 0x80 << 56;

/// A short word with its length in the last byte, or the hash and the length of a long one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Key {
    pub head: u64,
    pub tail: u64,
}

impl Key {
    /// The key of the word `text[start..end]`, which is not empty.
    #[inline(always)]
    pub fn of(text: &[u8], start: usize, end: usize) -> Self {
        if end - start > SHORT {
            return Self::long(&text[start..end]);
        }
        Self::short(text, start, end)
    }

    /// As [`Key::of`], for a word of at most [`SHORT`] bytes.
    #[inline(always)]
    pub fn short(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        let bytes = match text[start..].first_chunk() {
            Some(block) => u128::from_le_bytes(*block),
            None => {
                let mut bytes = [0; 16];
                bytes[..len].copy_from_slice(&text[start..end]);
                u128::from_le_bytes(bytes)
            }
        };
        let key = bytes & KEPT[len & 15] | (len as u128) << 120;
        Self { head: key as u64, tail: (key >> 64) as u64 }
    }

    fn long(word: &[u8]) -> Self {
        let (pairs, rest) = word.as_chunks::<16>();
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let head = pairs.iter().chain([&last]).fold(0, |hash, pair| {
            let pair = u128::from_le_bytes(*pair);
            fold(hash ^ pair as u64, (pair >> 64) as u64) ^ hash.rotate_left(17)
        });
        Self { head, tail: LONG_TAIL | word.len() as u64 }
    }

    /// The bytes of a short word, padded with zeros, and its length behind them.
    pub fn bytes(self) -> [u8; 16] {
        (u128::from(self.tail) << 64 | u128::from(self.head)).to_le_bytes()
    }

    #[inline(always)]
    pub fn hash(self) -> u64 {
        fold(self.head, self.tail)
    }
}

/// The bytes that belong to a word of each length.
const KEPT: [u128; 16] = {
    let mut kept = [0; 16];
    let mut len = 1;
    while len < 16 {
        kept[len] = u128::MAX >> (128 - 8 * len);
        len += 1;
    }
    kept
};

/// Both halves of a product of 128 bits, in one.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    product as u64 ^ (product >> 64) as u64
}

/// The bytes of a word, eight at a time.
pub fn words_of(word: &[u8]) -> impl Iterator<Item = u64> {
    word.chunks(8).map(|chunk| {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(bytes)
    })
}
