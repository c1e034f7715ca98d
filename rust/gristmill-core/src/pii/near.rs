//! Looking around a proposed place, never further than a fixed number of bytes.

/// How many bytes before a place are searched for words that tell what it is.
const BEFORE: usize = 32;

/// Whether one of `words` (lower case) stands before `at`, any case, not inside a longer word.
pub(super) fn word_before(text: &str, at: usize, words: &[&str]) -> bool {
    holds_word(&text.as_bytes()[at.saturating_sub(BEFORE)..at], words)
}

/// Whether one of `words` (lower case) stands within `reach` bytes behind `at`.
pub(super) fn word_after(text: &str, at: usize, reach: usize, words: &[&str]) -> bool {
    holds_word(&text.as_bytes()[at..(at + reach).min(text.len())], words)
}

fn holds_word(window: &[u8], words: &[&str]) -> bool {
    let mut buffer = [0; BEFORE];
    let lower = &mut buffer[..window.len().min(BEFORE)];
    lower.copy_from_slice(&window[..lower.len()]);
    lower.make_ascii_lowercase();
    words.iter().any(|word| {
        memchr::memmem::find_iter(lower, word).any(|at| {
            let letter = |at: usize| lower.get(at).is_some_and(u8::is_ascii_alphabetic);
            let end = at + word.len();
            let plural = lower.get(end) == Some(&b's') && !letter(end + 1);
            (at == 0 || !letter(at - 1)) && (!letter(end) || plural)
        })
    })
}

/// The byte `n` places before `at`, or 0.
pub(super) fn before(text: &str, at: usize, n: usize) -> u8 {
    at.checked_sub(n).map_or(0, |at| byte(text, at))
}

/// The byte at `at`, or 0 behind the end.
pub(super) fn byte(text: &str, at: usize) -> u8 {
    text.as_bytes().get(at).copied().unwrap_or(0)
}

/// Whether a number cannot begin at `at`, because it would go on a word or another number.
pub(super) fn goes_on_before(text: &str, at: usize) -> bool {
    let last = before(text, at, 1);
    is_word(last) || (matches!(last, b'.' | b'-' | b',') && is_word(before(text, at, 2)))
}

/// Whether a number that ends at `at` goes on as a word or another number.
pub(super) fn goes_on_after(text: &str, at: usize) -> bool {
    let next = byte(text, at);
    is_word(next) || (matches!(next, b'.' | b'-' | b',') && byte(text, at + 1).is_ascii_digit())
}

/// Whether `byte` is an ASCII letter, digit or underscore.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
