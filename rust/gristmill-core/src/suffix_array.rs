//! Builds suffix arrays with libsais.
//!
//! Linear time; 4 bytes per position up to 2 GiB of text (`i32`), 8 past that (`i64`). libsais runs on
//! one thread here: its OpenMP mode spins on a busy machine.
//!
//! Source: Nong, Zhang and Chan, "Two Efficient Algorithms for Linear Time Suffix Array
//! Construction" (2011), in Ilya Grebnov's libsais.

use libsais::{LibsaisError, OutputElement, SuffixArrayConstruction};

use crate::{Error, Result, huge};

/// An integer that positions of a text are stored as: `i32` or `i64`.
pub trait Position: OutputElement + Default {
    /// The longest text whose positions fit.
    const MAX_TEXT_BYTES: usize;

    /// Store a position.
    fn store(position: usize) -> Self;

    /// Read a position back.
    fn load(self) -> usize;
}

macro_rules! position {
    ($integer:ty) => {
        impl Position for $integer {
            const MAX_TEXT_BYTES: usize = <$integer>::MAX as usize;

            #[inline]
            fn store(position: usize) -> Self {
                position as Self
            }

            #[inline]
            fn load(self) -> usize {
                self as usize
            }
        }
    };
}

position!(i32);
position!(i64);

fn refused(error: LibsaisError) -> Error {
    Error::Format { what: "suffix array".into(), problem: format!("libsais failed: {error}") }
}

fn check_length<P: Position>(text: &[u8]) -> Result<()> {
    if text.len() <= P::MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(Error::Parameter {
        name: "text",
        value: format!("{} bytes", text.len()),
        allowed: "at most 2,147,483,647 bytes in one suffix array of 32-bit positions",
    })
}

/// The starts of the suffixes of `text`, in lexicographic order.
///
/// # Errors
///
/// [`Error::Parameter`] when the text is longer than `P` can count, [`Error::Format`] when libsais
/// finds no memory.
pub fn suffix_array<P: Position>(text: &[u8]) -> Result<Vec<P>> {
    check_length::<P>(text)?;
    let mut suffixes = huge::zeroed(text.len());
    if !text.is_empty() {
        let construction = SuffixArrayConstruction::for_text(text);
        let construction = construction.in_borrowed_buffer::<P>(&mut suffixes);
        construction.single_threaded().run().map_err(refused)?;
    }
    Ok(suffixes)
}
