//! Byte-level byte-pair encoding: cut into words, train a vocabulary, encode and decode.
//!
//! The pieces, in the order text meets them: [`pretokenize`] cuts a text into words by one of the
//! published patterns or ([`custom`]) the user's, [`train`] counts words and finds merges, [`vocab`] holds tokens and merges
//! ([`ranks`] finds those behind a tiktoken file),
//! [`encode`] turns texts into ids. Ids equal those of `tokenizers` and tiktoken for the same
//! vocabulary and pattern.

mod cache;
pub mod custom;
pub mod encode;
mod key;
mod merge;
mod parallel;
pub mod pretokenize;
pub mod ranks;
mod segment;
pub mod train;
pub mod unicode;
pub mod vocab;
