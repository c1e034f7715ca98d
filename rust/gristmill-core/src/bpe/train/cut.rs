//! Cuts texts into the words that are counted, as the encoder of the same vocabulary cuts them.

use regex::Regex;

use super::counter::Counter;
use super::{Base, start::refused};
use crate::Result;
use crate::bpe::pretokenize::Pattern;

/// How texts become words.
pub struct Cutter {
    pattern: Pattern,
    /// The tokens that are matched before a text is cut into words.
    added: Option<Regex>,
    add_prefix_space: bool,
}

impl Cutter {
    /// Cut by `pattern`, and as a vocabulary to extend does.
    pub fn new(pattern: Pattern, base: Option<&Base>) -> Result<Self> {
        let Some(base) = base else {
            return Ok(Self { pattern, added: None, add_prefix_space: false });
        };
        let plain = base.added.iter().filter(|(.., special)| !special);
        let mut contents: Vec<&str> = plain.map(|(content, ..)| content.as_str()).collect();
        contents.sort_unstable_by_key(|content| std::cmp::Reverse(content.len()));
        let any_of = contents.iter().map(|content| regex::escape(content)).collect::<Vec<_>>();
        let added = (!any_of.is_empty()).then(|| Regex::new(&any_of.join("|"))).transpose();
        let added = added.map_err(|error| refused("added tokens", error, "fewer of them"))?;
        Ok(Self { pattern, added, add_prefix_space: base.add_prefix_space })
    }

    /// Count the words of a text.
    pub fn count(&self, text: &str, counter: &mut Counter) {
        let mut start = 0;
        for found in self.added.iter().flat_map(|added| added.find_iter(text)) {
            self.count_segment(&text[start..found.start()], counter);
            start = found.end();
        }
        self.count_segment(&text[start..], counter);
    }

    fn count_segment(&self, text: &str, counter: &mut Counter) {
        if self.add_prefix_space && !text.is_empty() && !text.starts_with(' ') {
            self.count_words(&format!(" {text}"), counter);
        } else {
            self.count_words(text, counter);
        }
    }

    fn count_words(&self, text: &str, counter: &mut Counter) {
        let bytes = text.as_bytes();
        self.pattern.split(text, |start, end| counter.add(bytes, start, end));
    }
}
