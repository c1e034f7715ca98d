//! Packing: documents in, rows of exactly `seq_len` tokens out, every token kept and placed; and
//! back: packed rows into the arrays a model reads.
//!
//! Every document is closed by the end token. Every stretch of one document in one row is a *piece*,
//! which knows its document and where in it it starts; the pieces of a document stand in the order
//! of the document. Only [`Packer::end`] pads, the last row of a split, and its padding is a piece of
//! the document [`PADDING`]. The blocks depend on the sequence of documents alone, never on how they
//! were grouped into calls.

mod best_fit;
mod expand;
mod packer;
mod rows;
mod shuffle;

pub use expand::{ModelRow, StoredRow, expand};
pub use packer::{Fit, Options, Order, Packer};
pub use rows::Block;

/// The `piece_document` of padding.
pub const PADDING: u32 = u32::MAX;

/// The label that a loss leaves out.
pub const IGNORED: i64 = -100;

/// A token id as a row stores it.
pub trait TokenId: Copy + Send + 'static {
    /// How many ids there are.
    const IDS: u64;

    /// Store an id below [`Self::IDS`].
    fn store(id: u32) -> Self;

    /// Append ids as little-endian bytes.
    fn write(ids: &[Self], bytes: &mut Vec<u8>);

    /// Append the ids that [`Self::write`] gave.
    fn read(bytes: &[u8], ids: &mut Vec<Self>);
}

macro_rules! token_id {
    ($id:ty) => {
        impl TokenId for $id {
            const IDS: u64 = 1 << <$id>::BITS;

            #[inline]
            fn store(id: u32) -> Self {
                id as Self
            }

            fn write(ids: &[Self], bytes: &mut Vec<u8>) {
                let start = bytes.len();
                bytes.resize(start + size_of_val(ids), 0);
                let slots = bytes[start..].as_chunks_mut::<{ size_of::<$id>() }>().0;
                slots.iter_mut().zip(ids).for_each(|(slot, id)| *slot = id.to_le_bytes());
            }

            fn read(bytes: &[u8], ids: &mut Vec<Self>) {
                let stored = bytes.as_chunks::<{ size_of::<$id>() }>().0;
                ids.extend(stored.iter().map(|id| Self::from_le_bytes(*id)));
            }
        }
    };
}

token_id!(u16);
token_id!(u32);
