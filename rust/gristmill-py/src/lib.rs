//! `gristmill._core`: one file per group of kernels, `arrow` the only door for data, `error` the only
//! door for failures.

use pyo3::prelude::*;

mod arrow;
mod bpe;
mod cooccurrence;
mod decontaminate;
mod dedup;
mod digest;
mod error;
mod fasttext;
mod language;
mod pack;
mod page;
mod permute;
mod pii;
mod records;
mod signals;
mod similarity;
mod suffix_index;
mod toxicity;
mod warc;

/// The compiled kernels of Gristmill.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::arrow::Batches;

    // ---- bpe.rs ----
    #[pymodule_export]
    use crate::bpe::{PyBpeEncoder, PyBpeTrainer, merges_of_ranks};

    // ---- cooccurrence.rs ----
    #[pymodule_export]
    use crate::cooccurrence::TermCounter;

    // ---- decontaminate.rs ----
    #[pymodule_export]
    use crate::decontaminate::BenchmarkItems;

    // ---- dedup.rs ----
    #[pymodule_export]
    use crate::dedup::{
        document_hashes, exact_duplicates, exact_duplicates_in_files, near_duplicates,
        near_duplicates_in_files,
    };

    // ---- digest.rs ----
    #[pymodule_export]
    use crate::digest::{Xxh3, xxh3_64_each, xxh3_64_hex, xxh3_128_hex, xxh3_128_hex_each};

    // ---- fasttext.rs ----
    #[pymodule_export]
    use crate::fasttext::PyFastText;

    // ---- language.rs ----
    #[pymodule_export]
    use crate::language::{LanguageModel, language_words};

    // ---- pack.rs ----
    #[pymodule_export]
    use crate::pack::{Packer, RowReader, held_out};

    // ---- page.rs ----
    #[pymodule_export]
    use crate::page::read_page;

    // ---- permute.rs ----
    #[pymodule_export]
    use crate::permute::permute;

    // ---- pii.rs ----
    #[pymodule_export]
    use crate::pii::{find_pii, scrub_pii};

    // ---- records.rs ----
    #[pymodule_export]
    use crate::records::{RecordRows, RecordTable, count_lines};

    // ---- signals.rs ----
    #[pymodule_export]
    use crate::signals::{count_words, quality_signals};

    // ---- similarity.rs ----
    #[pymodule_export]
    use crate::similarity::{
        minhash_signatures, similar_pairs, similarities, similarities_in_files,
    };

    // ---- suffix_index.rs ----
    #[pymodule_export]
    use crate::suffix_index::{IndexText, SuffixIndex};

    // ---- toxicity.rs ----
    #[pymodule_export]
    use crate::toxicity::toxicity_windows;

    // ---- warc.rs ----
    #[pymodule_export]
    use crate::warc::{WarcDocuments, WarcRecords};
}
