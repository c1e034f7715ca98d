//! The one error type of the core.

/// What the core refuses, with the value that it refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is outside what an algorithm accepts.
    #[error("{name} = {value} is not allowed: {allowed}")]
    Parameter {
        /// The parameter's name, as the public interface spells it.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// The caller allows less memory than an algorithm can work in.
    #[error("memory = {memory} bytes is not allowed: at least {least} bytes for this input")]
    Memory {
        /// What was allowed.
        memory: usize,
        /// The least that is possible.
        least: usize,
    },
    /// Data that should follow a format does not.
    #[error("{what}: {problem}")]
    Format {
        /// The file or structure.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system refused a read or a write.
    #[error("{path}: {source}")]
    Io {
        /// The path that was being read or written.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The core's result.
pub type Result<T> = std::result::Result<T, Error>;
