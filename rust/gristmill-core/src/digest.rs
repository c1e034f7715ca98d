//! Digests by xxh3: against decay and mix-ups of files, not against an adversary.
//!
//! Source: xxHash 0.8, `XXH3_64bits` and `XXH3_128bits` without seed or secret; the canonical form
//! is the big-endian hexadecimal number, as `xxhsum -H2` prints it.

use xxhash_rust::xxh3;

/// Ends one field of a row in [`row_128`]; no UTF-8 text holds this byte.
const FIELD_END: u8 = 0xFF;

/// The 64-bit digest of `bytes`.
#[must_use]
pub fn xxh3_64(bytes: &[u8]) -> u64 {
    xxh3::xxh3_64(bytes)
}

/// The 128-bit digest of `bytes`.
#[must_use]
pub fn xxh3_128(bytes: &[u8]) -> u128 {
    xxh3::xxh3_128(bytes)
}

/// The 128-bit digest of several texts taken together.
///
/// Each field is followed by a byte that no UTF-8 text holds, so moving the border between two
/// fields changes the digest.
#[must_use]
pub fn row_128<'a>(fields: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut hasher = Hasher::new();
    for field in fields {
        hasher.update(field.as_bytes());
        hasher.update(&[FIELD_END]);
    }
    hasher.digest()
}

/// A 128-bit digest of bytes that arrive in parts.
#[derive(Clone, Default)]
pub struct Hasher(xxh3::Xxh3);

impl Hasher {
    /// Start with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(xxh3::Xxh3::new())
    }

    /// Add the next part.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added so far.
    #[must_use]
    pub fn digest(&self) -> u128 {
        self.0.digest128()
    }
}
