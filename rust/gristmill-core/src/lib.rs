//! The algorithms of Gristmill, one module each: bytes, strings and ids in, results out.
//!
//! No Python, no Arrow and no policy about files. Threads come from the caller; every result is the
//! same for any number of them.

mod error;

pub use error::{Error, Result};

pub mod bpe;
pub mod cooccurrence;
pub mod decontaminate;
pub mod digest;
pub mod exact_substring;
pub mod fasttext;
pub mod huge;
pub mod language;
pub mod lsh;
pub mod minhash;
pub mod near_duplicates;
mod overlap;
pub mod pack;
pub mod page;
pub mod permute;
pub mod pii;
pub mod records;
mod runs;
pub mod signals;
pub mod simd;
pub mod similarity;
pub mod suffix_array;
pub mod suffix_index;
pub mod suffix_windows;
pub mod text;
pub mod threads;
pub mod toxicity;
pub mod union_find;
pub mod warc;
pub mod winnowing;
