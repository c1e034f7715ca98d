//! `gristmill._core`: one file per group of kernels, `arrow` the only door for data, `error` the only
//! door for failures.

use pyo3::prelude::*;

mod arrow;
mod error;
mod bpe;
mod dedup;
mod digest;
mod pack;
mod permute;
mod pii;
mod signals;
mod suffix_index;

/// The compiled kernels of Gristmill.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::arrow::Batches;

    // ---- bpe.rs ----

    // ---- dedup.rs ----
    #[pymodule_export]
    use crate::dedup::{document_hashes, exact_duplicates, near_duplicates};

    // ---- digest.rs ----
    #[pymodule_export]
    use crate::digest::{
        Xxh3, xxh3_64_each, xxh3_64_hex, xxh3_128_hex, xxh3_128_hex_each,
    };

    // ---- pack.rs ----

    // ---- permute.rs ----
    #[pymodule_export]
    use crate::permute::permute;

    // ---- pii.rs ----

    // ---- signals.rs ----

    // ---- suffix_index.rs ----
    #[pymodule_export]
    use crate::suffix_index::{SuffixIndex, index_arrays};
}
