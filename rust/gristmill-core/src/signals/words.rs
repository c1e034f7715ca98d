//! Numbers the words of a text, and walks over them line by line.
//!
//! What a part between white space is cut into (see `tokenizer.rs`) depends on nothing else, so
//! each distinct part is cut once.

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use hashbrown::HashMap;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use xxhash_rust::xxh3::xxh3_64;

use super::classes;
use super::lines::Walked;
use super::tokenizer::RULES;

/// Words that a text needs two of to be English prose (Gopher, A1.1).
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// Parts longer than this are cut each time: few are met twice.
const LONGEST_KEPT_PART: usize = 64;

/// Parts and words that are remembered before the memory is emptied (between two texts).
const MOST_KEPT: usize = 1 << 18;

/// Whether `c` is in one of the sorted, inclusive ranges.
pub(super) fn in_ranges(ranges: &[(u32, u32)], c: char) -> bool {
    let c = u32::from(c);
    let at = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(at).is_some_and(|&(first, _)| first <= c)
}

/// Python's `str.isspace`: Unicode white space and the four separators before the space.
pub(super) fn is_space(c: char) -> bool {
    c == ' '
        || ('\t'..='\r').contains(&c)
        || ('\x1c'..='\x1f').contains(&c)
        || (!c.is_ascii() && c.is_whitespace())
}

/// Passes a key that is a hash already.
#[derive(Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;

/// What the signals ask of a word.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub chars: u32,
    /// Some character is a letter.
    pub alphabetic: bool,
    /// Some character is not punctuation.
    pub not_symbol: bool,
    /// Every character is Unicode punctuation.
    punctuation: bool,
    /// A sentence may end with it.
    ends_sentence: bool,
    /// One bit per stop word.
    pub stop_word: u8,
}

impl Word {
    fn new(word: &str) -> Self {
        let stop_word = STOP_WORDS.iter().position(|stop| *stop == word).map_or(0, |at| 1 << at);
        let mut chars = word.chars();
        Self {
            chars: word.chars().count() as u32,
            alphabetic: word.chars().any(is_letter),
            not_symbol: word.chars().any(|c| !in_ranges(classes::PUNCTUATION, c)),
            punctuation: word
                .chars()
                .all(|c| c.general_category_group() == GeneralCategoryGroup::Punctuation),
            ends_sentence: chars.next().is_some_and(|c| in_ranges(classes::SENTENCE_END, c))
                && chars.next().is_none(),
            stop_word,
        }
    }
}

/// Python's `str.isalpha` of one character.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || (!c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Letter)
}

/// Every part between white space met so far, the words it is cut into, and what is known of them.
///
/// Parts and words are known by a 64-bit hash of their bytes.
#[derive(Default)]
pub(super) struct Lexicon {
    /// Where a part's word ids lie in `pieces`.
    parts: ByHash<Range<u32>>,
    pieces: Vec<u32>,
    ids: ByHash<u32>,
    words: Vec<Word>,
    cuts: Vec<Range<usize>>,
}

impl Lexicon {
    /// Forget everything when too much is remembered; ids change, so only between texts.
    pub(super) fn make_room(&mut self) {
        if self.pieces.len().max(self.words.len()) > MOST_KEPT {
            *self = Self::default();
        }
    }

    pub(super) fn word(&self, id: u32) -> &Word {
        &self.words[id as usize]
    }

    pub(super) fn chars(&self, id: u32) -> u32 {
        self.words[id as usize].chars
    }

    /// Append the ids of the words of a line without white space around it, and count its sentences.
    ///
    /// A sentence begins with the first token, and with each that follows a token ending a sentence
    /// and is not punctuation (spaCy's sentencizer); white space that is not one blank is a token.
    pub(super) fn walk(&mut self, line: &str, words: &mut Vec<u32>) -> Walked {
        let mut walked = Walked { spans: 0, sentences: usize::from(!line.is_empty()) };
        let mut ended = false;
        let mut rest = line;
        loop {
            let (space, part, after) = next_part(rest);
            if ended && !space.is_empty() && space != " " {
                walked.sentences += 1;
                ended = false;
            }
            if part.is_empty() {
                return walked;
            }
            rest = after;
            walked.spans += 1;
            let from = words.len();
            self.cut(part, words);
            for &id in &words[from..] {
                let word = &self.words[id as usize];
                if word.ends_sentence {
                    ended = true;
                } else if ended && !word.punctuation {
                    walked.sentences += 1;
                    ended = false;
                }
            }
        }
    }

    /// Append the ids of the words of one part between white space.
    fn cut(&mut self, part: &str, words: &mut Vec<u32>) {
        let key = xxh3_64(part.as_bytes());
        if part.len() <= LONGEST_KEPT_PART
            && let Some(pieces) = self.parts.get(&key)
        {
            words.extend_from_slice(&self.pieces[pieces.start as usize..pieces.end as usize]);
            return;
        }
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.clear();
        RULES.cut(part, &mut cuts);
        let from = words.len();
        for cut in &cuts {
            let id = self.id(&part[cut.clone()]);
            words.push(id);
        }
        self.cuts = cuts;
        if part.len() <= LONGEST_KEPT_PART {
            let start = self.pieces.len() as u32;
            self.pieces.extend_from_slice(&words[from..]);
            self.parts.insert(key, start..self.pieces.len() as u32);
        }
    }

    fn id(&mut self, word: &str) -> u32 {
        let words = &mut self.words;
        *self.ids.entry(xxh3_64(word.as_bytes())).or_insert_with(|| {
            words.push(Word::new(word));
            words.len() as u32 - 1
        })
    }
}

/// The white space at the start, the part behind it, and what follows.
fn next_part(text: &str) -> (&str, &str, &str) {
    let (space, text) = text.split_at(run_len(text, true));
    let (part, rest) = text.split_at(run_len(text, false));
    (space, part, rest)
}

/// Bytes at the start of `text` that all are white space, or that all are not.
fn run_len(text: &str, space: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii() {
            if is_space(char::from(byte)) != space {
                return at;
            }
            at += 1;
        } else {
            match text[at..].chars().next() {
                Some(c) if is_space(c) == space => at += c.len_utf8(),
                _ => return at,
            }
        }
    }
    at
}
