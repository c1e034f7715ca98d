//! Personal data: text in, findings or scrubbed text out.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float32Array, LargeStringArray, StringArray, UInt32Array, UInt64Array,
};
use gristmill_core::pii::{self, Actions, Entities, Entity, Found};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::{leave, to_py};

/// What a model found: index of the text, first and last but one character, entity.
type Named = Vec<(usize, usize, usize, String)>;

fn entities(names: &[String]) -> PyResult<Entities> {
    Entities::named(names.iter().map(String::as_str)).map_err(to_py)
}

/// The findings of a model by text, for `n_texts` texts; none at all when it found none.
fn by_text(named: Named, n_texts: usize) -> PyResult<Vec<Vec<Found>>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let mut by_text = vec![Vec::new(); n_texts];
    for (text, start, end, name) in named {
        let entity = Entity::named(&name).map_err(to_py)?;
        if let Some(found) = by_text.get_mut(text) {
            found.push(Found { span: start..end, entity, score: NAMED_SCORE });
        }
    }
    Ok(by_text)
}

/// The score Presidio gives what spaCy finds.
const NAMED_SCORE: f32 = 0.85;

/// Find personal data: one row per finding, spans in characters.
#[pyfunction]
#[pyo3(signature = (texts, entities, named, threads))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned strings")]
pub fn find_pii(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    entities: Vec<String>,
    named: Named,
    threads: usize,
) -> PyResult<Batches> {
    let wanted = self::entities(&entities)?;
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let named = by_text(named, strs.len())?;
    let found = leave(py, || pii::find_all(&strs, wanted, &named, threads))?;
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

/// Mask or pseudonymise personal data: the texts, and one uint32 column of counts per entity.
#[pyfunction]
#[pyo3(signature = (texts, mask, pseudonymise, count, key, named, threads))]
#[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned strings")]
#[expect(clippy::too_many_arguments, reason = "the arguments of the Python function")]
pub fn scrub_pii(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    mask: Vec<String>,
    pseudonymise: Vec<String>,
    count: Vec<String>,
    key: Vec<u8>,
    named: Named,
    threads: usize,
) -> PyResult<Batches> {
    let actions = Actions {
        mask: entities(&mask)?,
        pseudonymise: entities(&pseudonymise)?,
        count: entities(&count)?,
        key,
    };
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let named = by_text(named, strs.len())?;
    let scrubbed = leave(py, || pii::scrub_all(&strs, &actions, &named, threads))?;
    let text = LargeStringArray::from_iter_values(scrubbed.iter().map(|(text, _)| text));
    let counts = Entity::ALL.iter().map(|entity| {
        let column: UInt32Array = scrubbed.iter().map(|(_, n)| n[*entity as usize]).collect();
        (entity.name(), Arc::new(column) as ArrayRef)
    });
    Batches::from_columns(std::iter::once(("text", Arc::new(text) as ArrayRef)).chain(counts))
}
