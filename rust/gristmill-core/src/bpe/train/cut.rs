//! Cuts texts into the words that are counted, as the encoder of the same vocabulary cuts them.

use regex::Regex;

use super::Base;
use super::counter::Counter;
use crate::Result;
use crate::bpe::pretokenize::Pattern;
use crate::bpe::segment::{matcher, with_prefix_space};

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
        let added = matcher(plain.map(|(content, ..)| content.as_str()).collect())?;
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
        let text = with_prefix_space(text, self.add_prefix_space);
        self.pattern.split(&text, |start, end| counter.add(text.as_bytes(), start, end));
    }
}
