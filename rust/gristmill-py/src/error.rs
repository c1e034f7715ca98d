//! Core errors become Python exceptions here, and nowhere else; so does leaving the interpreter.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

pyo3::import_exception!(gristmill.errors, CoreError);

/// The Python exception for a core error: `ValueError` for a parameter, `OSError` for the system's
/// refusal (with its errno, so that a full disk is recognised), `CoreError` otherwise.
pub fn to_py(error: gristmill_core::Error) -> PyErr {
    match &error {
        gristmill_core::Error::Parameter { .. } | gristmill_core::Error::Memory { .. } => {
            PyValueError::new_err(error.to_string())
        }
        gristmill_core::Error::Io { path, source } => {
            PyOSError::new_err((source.raw_os_error(), source.to_string(), path.clone()))
        }
        _ => CoreError::new_err(error.to_string()),
    }
}

/// Run a kernel outside the interpreter and convert its error: the one door out of the GIL.
pub fn leave<T: Send>(
    py: Python<'_>,
    kernel: impl FnOnce() -> gristmill_core::Result<T> + Send,
) -> PyResult<T> {
    py.detach(kernel).map_err(to_py)
}
