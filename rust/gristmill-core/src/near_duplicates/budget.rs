//! How a bound of memory is shared between what grows with the text.

/// Bytes of memory of each part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Keys of bands that stay in memory.
    pub(super) kept: u64,
    /// Keys of the stretches that are being signed, together.
    pub(super) stretches: usize,
    /// Text from files that may be touched before it is let go of.
    pub(super) resident: Option<usize>,
    /// Sets of shingles that are made once.
    pub(super) known: usize,
}

/// Bytes that each document takes whatever the budget: where it stands, its words' hash, its cluster.
const DOCUMENT_BYTES: usize = 128;
/// Bytes of sets that are kept, when memory is no matter.
const KNOWN_BYTES: usize = 64 << 20;

impl Budget {
    pub(super) fn new(n_docs: usize, memory: Option<usize>) -> Self {
        let Some(memory) = memory else {
            let (kept, stretches) = (u64::MAX, usize::MAX);
            return Self { kept, stretches, resident: None, known: KNOWN_BYTES };
        };
        let free = memory.saturating_sub(n_docs * DOCUMENT_BYTES);
        Self {
            kept: free as u64 / 6,
            stretches: free / 16,
            resident: Some(free / 8),
            known: KNOWN_BYTES.min(free / 16),
        }
    }
}
