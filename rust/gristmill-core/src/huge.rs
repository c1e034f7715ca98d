//! Buffers on huge pages, where the system gives them.
//!
//! Algorithms that jump about in gigabytes miss the translation cache at every jump, and the kernel
//! clears such a buffer 4 KiB at a time. Linux gives pages of 2 MiB to those who ask
//! (`transparent_hugepage = madvise`, what most distributions set); elsewhere nothing happens.
//! Measured on 327 MB of English text: libsais takes 20.7 s instead of 25.3 s.

/// A huge page, and about what a buffer must have for the question to be worth a system call.
const HUGE_BYTES: usize = 2 << 20;

/// `length` zeros, to be read and written at random.
pub fn zeroed<T: Copy + Default>(length: usize) -> Vec<T> {
    let buffer = vec![T::default(); length]; // no page is touched yet when the default is zero bits
    advise(&buffer);
    buffer
}

/// Ask for huge pages under a buffer; for pages that were not touched yet they come at once.
pub fn advise<T>(buffer: &[T]) {
    ask(Wish::Huge, buffer.as_ptr(), buffer.len());
}

/// As [`advise`], for all that a vector may grow to without moving.
pub fn advise_capacity<T>(buffer: &Vec<T>) {
    ask(Wish::Huge, buffer.as_ptr(), buffer.capacity());
}

/// Have the system clear the pages under the next `n` items of a growing buffer, all at once: a trap
/// for each of them costs more than the clearing.
///
/// Encoding 327 MB of text spends 0.10 to 0.16 s in the system instead of 0.17 to 0.26.
pub fn populate<T>(buffer: &mut Vec<T>, n: usize) {
    let spare = buffer.spare_capacity_mut();
    ask(Wish::Populated, spare.as_ptr(), n.min(spare.len()));
}

/// What pages may be asked to be.
#[derive(Clone, Copy)]
enum Wish {
    Huge,
    Populated,
}

/// Ask for the whole pages that `n` items at `items` have to themselves; a refusal costs time only.
#[cfg(target_os = "linux")]
fn ask<T>(wish: Wish, items: *const T, n: usize) {
    let (page_bytes, advice) = match wish {
        Wish::Huge => (HUGE_BYTES, libc::MADV_HUGEPAGE),
        Wish::Populated => (4 << 10, libc::MADV_POPULATE_WRITE), // refused before Linux 5.14
    };
    let address = items as usize;
    let start = address.next_multiple_of(page_bytes);
    let end = (address + n * size_of::<T>()) / page_bytes * page_bytes;
    if start < end {
        // SAFETY: the range lies within one living allocation. The one advice changes which pages
        // back it, the other touches them; what they hold stays. Twin: asking for nothing, which
        // costs what the figures above say.
        unsafe {
            libc::madvise(start as *mut libc::c_void, end - start, advice);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn ask<T>(_: Wish, _: *const T, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_any_length_are_zero_and_keep_what_is_written() {
        for length in [0, 1, HUGE_BYTES - 1, HUGE_BYTES / 4, 3 * HUGE_BYTES + 5] {
            let mut buffer = zeroed::<u32>(length);
            assert!(buffer.iter().all(|&word| word == 0) && buffer.len() == length);
            for (at, word) in buffer.iter_mut().enumerate() {
                *word = at as u32;
            }
            advise(&buffer);
            advise_capacity(&buffer);
            assert!(buffer.iter().enumerate().all(|(at, &word)| word == at as u32));
        }
    }
}
