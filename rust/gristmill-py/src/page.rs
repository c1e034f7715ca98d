//! A page's bytes in, its text and its declarations out.

use gristmill_core::page::{self, Declared, Page};
use pyo3::prelude::*;

use crate::error::leave;

/// Title, canonical address, date, licenses, license links and JSON-LD.
pub type DeclaredFields =
    (Option<String>, Option<String>, Option<String>, Vec<String>, Vec<String>, Vec<String>);
/// Text, charset, what was replaced, and the declarations.
pub type PageFields = (String, &'static str, Option<String>, DeclaredFields);

/// Decode an HTML page and find its declarations.
#[pyfunction]
#[pyo3(signature = (raw, content_type=None))]
pub fn read_page(py: Python<'_>, raw: &[u8], content_type: Option<&str>) -> PyResult<PageFields> {
    leave(py, || Ok(page::read_page(raw, content_type, false))).map(page_fields)
}

/// A page as Python gets it.
pub fn page_fields(page: Page) -> PageFields {
    let Declared { title, canonical, published, licenses, license_links, json_ld } = page.declared;
    let declared = (title, canonical, published, licenses, license_links, json_ld);
    (page.text, page.charset, page.fault, declared)
}
