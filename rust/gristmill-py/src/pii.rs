//! Personal data: text in, findings or masked text out.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float32Array, LargeStringArray, StringArray, UInt32Array, UInt64Array,
};
use gristmill_core::pii::{self, Entities, Entity};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::{leave, to_py};

fn entities(names: &[String]) -> PyResult<Entities> {
    Entities::named(names.iter().map(String::as_str)).map_err(to_py)
}

/// Find personal data: one row per finding, spans in characters.
#[pyfunction]
#[pyo3(signature = (texts, entities, threads))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned strings")]
pub fn find_pii(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    entities: Vec<String>,
    threads: usize,
) -> PyResult<Batches> {
    let wanted = self::entities(&entities)?;
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let found = leave(py, || pii::find_all(&strs, wanted, threads))?;
    let rows =
        || found.iter().enumerate().flat_map(|(at, found)| found.iter().map(move |f| (at, f)));
    let document: UInt32Array = rows().map(|(at, _)| at as u32).collect();
    let start: UInt64Array = rows().map(|(_, found)| found.span.start as u64).collect();
    let end: UInt64Array = rows().map(|(_, found)| found.span.end as u64).collect();
    let entity = StringArray::from_iter_values(rows().map(|(_, found)| found.entity.name()));
    let score: Float32Array = rows().map(|(_, found)| found.score).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("document", Arc::new(document)),
        ("start", Arc::new(start)),
        ("end", Arc::new(end)),
        ("entity", Arc::new(entity)),
        ("score", Arc::new(score)),
    ];
    Batches::from_columns(columns)
}

/// Mask personal data: the texts, and one uint32 column of counts per entity.
#[pyfunction]
#[pyo3(signature = (texts, entities, threads))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned strings")]
pub fn scrub_pii(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    entities: Vec<String>,
    threads: usize,
) -> PyResult<Batches> {
    let wanted = self::entities(&entities)?;
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let scrubbed = leave(py, || pii::scrub_all(&strs, wanted, threads))?;
    let text = LargeStringArray::from_iter_values(scrubbed.iter().map(|(text, _)| text));
    let counts = Entity::ALL.iter().map(|entity| {
        let column: UInt32Array = scrubbed.iter().map(|(_, n)| n[*entity as usize]).collect();
        (entity.name(), Arc::new(column) as ArrayRef)
    });
    Batches::from_columns(std::iter::once(("text", Arc::new(text) as ArrayRef)).chain(counts))
}
