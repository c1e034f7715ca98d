//! Builds suffix arrays and permuted LCP arrays with libsais.
//!
//! Linear time; 4 bytes per position up to 2 GiB of text (`i32`), 8 past that (`i64`), and as much
//! again for the PLCP. libsais runs on one thread here: its OpenMP mode spins on a busy machine.
//!
//! Source: Nong, Zhang and Chan, "Two Efficient Algorithms for Linear Time Suffix Array
//! Construction" (2011), in Ilya Grebnov's libsais; PLCP by Kärkkäinen, Manzini and Puglisi (2009).

use libsais::{LibsaisError, OutputElement, SuffixArrayConstruction};

use crate::{Error, Result};

/// An integer that positions of a text are stored as: `i32` or `i64`.
pub trait Position: OutputElement {
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
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let construction = SuffixArrayConstruction::for_text(text).in_owned_buffer::<P>();
    Ok(construction.single_threaded().run().map_err(refused)?.into_vec())
}

/// The suffix array of `text`, and its PLCP: at each position, the length of the prefix that its
/// suffix shares with the suffix just before it in lexicographic order.
///
/// # Errors
///
/// As [`suffix_array`].
pub fn suffix_array_and_plcp<P: Position>(text: &[u8]) -> Result<(Vec<P>, Vec<P>)> {
    check_length::<P>(text)?;
    if text.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let construction = SuffixArrayConstruction::for_text(text).in_owned_buffer::<P>();
    let sorted = construction.single_threaded().run().map_err(refused)?;
    let plcp = sorted.plcp_construction().single_threaded().run().map_err(refused)?;
    let (suffixes, lengths, _) = plcp.into_parts();
    Ok((suffixes, lengths))
}
