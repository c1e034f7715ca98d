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

    // ---- digest.rs ----

    // ---- pack.rs ----

    // ---- permute.rs ----

    // ---- pii.rs ----
    #[pymodule_export]
    use crate::pii::{find_pii, scrub_pii};

    // ---- signals.rs ----
    #[pymodule_export]
    use crate::signals::quality_signals;

    // ---- suffix_index.rs ----
}
