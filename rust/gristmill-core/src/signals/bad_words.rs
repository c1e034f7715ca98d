//! Counts the words of a list, as C4's bad-words rule finds them (datatrove 0.10's
//! `C4BadWordsFilter`): in lower case, between characters that belong to no word or the text's ends.

use rayon::prelude::*;
use regex::Regex;

use crate::threads::with_threads;
use crate::{Error, Result};

/// A list of words and phrases to look for.
#[derive(Debug)]
pub struct BadWords(Regex);

impl BadWords {
    /// Look for `words`, which are taken literally.
    ///
    /// With `apart`, a word counts only between characters that are no letter, digit, mark or
    /// underscore; languages written without spaces (Japanese, Thai, Chinese) need it off.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when there is none, or they are too many to compile.
    pub fn new(words: &[&str], apart: bool) -> Result<Self> {
        let refused = |allowed| Error::Parameter {
            name: "words",
            value: format!("{} words", words.len()),
            allowed,
        };
        if words.is_empty() {
            return Err(refused("at least one"));
        }
        let any: Vec<String> =
            words.iter().map(|word| regex::escape(&word.to_lowercase())).collect();
        let any = any.join("|");
        let pattern = if apart { format!(r"(?:\W|^)(?:{any})(?:\W|$)") } else { any };
        Regex::new(&pattern).map(Self).map_err(|_| refused("fewer: the list takes over 10 MB"))
    }

    /// How often each text has one of the words; matches share no character, nor what is around them.
    ///
    /// Linear in the size of the texts.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when `threads` is zero, [`Error::Io`] when the system refuses a thread.
    pub fn count(&self, texts: &[&str], threads: usize) -> Result<Vec<u32>> {
        let count = |text: &&str| self.0.find_iter(&text.to_lowercase()).count() as u32;
        if threads == 1 {
            return Ok(texts.iter().map(count).collect());
        }
        with_threads(threads, || Ok(texts.par_iter().map(count).collect()))
    }
}
