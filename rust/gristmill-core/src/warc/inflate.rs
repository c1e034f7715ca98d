//! Gzip members: whole ones by libdeflate, which is fast, and any of them piece by piece.

use std::ptr::NonNull;

use flate2::{Decompress, FlushDecompress, Status};
use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_decompressor, libdeflate_free_decompressor,
    libdeflate_gzip_decompress_ex, libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE,
    libdeflate_result_LIBDEFLATE_SUCCESS,
};

/// What every gzip member begins with: the magic and the only method there is.
pub(super) const MAGIC: &[u8] = &[0x1f, 0x8b, 8];

const WINDOW_BITS: u8 = 15;

/// How an attempt to inflate a whole member ended.
pub(super) enum Whole {
    /// Bytes read and written.
    Done(usize, usize),
    /// The output is too small.
    NoSpace,
    /// The member is damaged, or goes on after the input.
    Failed,
}

/// Inflates whole members.
pub(super) struct WholeMembers(Option<NonNull<libdeflate_decompressor>>);

// SAFETY: a decompressor is memory of its own that only `&mut self` touches.
unsafe impl Send for WholeMembers {}
// SAFETY: `&self` gives no access to the decompressor.
unsafe impl Sync for WholeMembers {}

impl WholeMembers {
    pub(super) fn new() -> Self {
        // SAFETY: takes nothing; null, when there is no memory, becomes None.
        Self(NonNull::new(unsafe { libdeflate_alloc_decompressor() }))
    }

    /// Inflate the member that `input` begins with, its checksum included.
    pub(super) fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Whole {
        let Some(decompressor) = self.0 else { return Whole::Failed };
        let (mut read, mut written) = (0, 0);
        // SAFETY: the decompressor lives as long as self; both slices are given with their lengths,
        // and the counts point to locals. `Member` below is the safe twin.
        let result = unsafe {
            libdeflate_gzip_decompress_ex(
                decompressor.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                output.as_mut_ptr().cast(),
                output.len(),
                &raw mut read,
                &raw mut written,
            )
        };
        #[expect(non_upper_case_globals, reason = "the names of the C library")]
        match result {
            libdeflate_result_LIBDEFLATE_SUCCESS => Whole::Done(read, written),
            libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE => Whole::NoSpace,
            _ => Whole::Failed,
        }
    }
}

impl Drop for WholeMembers {
    fn drop(&mut self) {
        if let Some(decompressor) = self.0 {
            // SAFETY: it came from libdeflate_alloc_decompressor and is freed once.
            unsafe { libdeflate_free_decompressor(decompressor.as_ptr()) }
        }
    }
}

/// How a step through a member ended.
pub(super) enum Step {
    /// Bytes read and written; whether the member ended.
    Went(usize, usize, bool),
    /// The data is damaged; says how.
    Damaged(String),
}

/// A member that is inflated piece by piece.
pub(super) struct Member {
    state: Decompress,
    /// Where in the file it began.
    pub(super) offset: u64,
}

impl Member {
    pub(super) fn new(offset: u64) -> Self {
        Self { state: Decompress::new_gzip(WINDOW_BITS), offset }
    }

    /// Inflate what fits.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (read, written) = (self.state.total_in(), self.state.total_out());
        match self.state.decompress(input, output, FlushDecompress::None) {
            Ok(status) => Step::Went(
                (self.state.total_in() - read) as usize,
                (self.state.total_out() - written) as usize,
                status == Status::StreamEnd,
            ),
            Err(error) => Step::Damaged(error.to_string()),
        }
    }

    /// Bytes read and written so far.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.state.total_in(), self.state.total_out())
    }
}

/// Whether a member that inflates to something that begins with `wanted` begins here.
pub(super) fn begins_with(input: &[u8], wanted: &[u8]) -> bool {
    // byte 3 are the flags; the upper three are reserved
    if !input.starts_with(MAGIC) || input.get(3).is_none_or(|flags| flags & 0xe0 != 0) {
        return false;
    }
    let mut output = vec![0; wanted.len()];
    let mut member = Member::new(0);
    matches!(member.step(input, &mut output), Step::Went(_, n, _) if output[..n] == *wanted)
}
