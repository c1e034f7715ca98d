//! Texts to token ids and back.

use std::ops::Range;

use hashbrown::HashMap;
use regex::Regex;

use super::cache::{Batch, Cache, Table};
use super::merge::Merger;
use super::parallel;
use super::pretokenize::Pattern;
use super::segment::{matcher, with_prefix_space};
use super::vocab::Vocabulary;
use crate::simd::Simd;
use crate::{Error, Result, huge};

/// Fewer bytes than in a token of nearly any text: what the ids of a batch need is reserved at once.
const BYTES_PER_TOKEN: usize = 3;

/// What becomes of a special token that is spelled out in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Specials {
    /// It is text like any other: nobody who writes a document can end it.
    Text,
    /// It becomes the special token's id.
    Encode,
    /// The text is refused.
    Refuse,
}

impl Specials {
    /// The policy of a name: `text`, `encode` or `refuse`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when there is no such policy.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "text" => Ok(Self::Text),
            "encode" => Ok(Self::Encode),
            "refuse" => Ok(Self::Refuse),
            _ => Err(Error::Parameter {
                name: "specials",
                value: format!("{name:?}"),
                allowed: "text, encode or refuse",
            }),
        }
    }
}

/// A token matched in the text before it is cut into words.
#[derive(Debug, Clone)]
pub struct AddedToken {
    /// What is matched.
    pub content: String,
    /// Its id.
    pub id: u32,
    /// Whether the policy [`Specials`] decides about it; others are always matched.
    pub special: bool,
}

/// How texts are prepared before merging, as a `tokenizer.json` declares it.
#[derive(Debug, Clone)]
pub struct Options {
    /// How texts are cut into words.
    pub pattern: Pattern,
    /// A word that is a token as a whole takes its id without merging (Llama 3).
    pub ignore_merges: bool,
    /// A space is put before a text that does not begin with one.
    pub add_prefix_space: bool,
}

/// The ids of several texts, one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The ids of all texts.
    pub ids: Vec<u32>,
    /// Text `i` has the ids from `offsets[i]` to `offsets[i + 1]`.
    pub offsets: Vec<i64>,
}

/// A vocabulary ready to encode; calls from several threads share it.
pub struct Encoder {
    merger: Merger,
    options: Options,
    added: Added,
    cache: Cache,
    simd: Simd,
}

/// What a thread writes to: the ids of its chunk, and its batch of words.
struct Work {
    encoded: Encoded,
    batch: Box<Batch>,
}

impl Default for Work {
    fn default() -> Self {
        let encoded = Encoded { ids: Vec::new(), offsets: vec![0] };
        Self { encoded, batch: Box::new(Batch::new()) }
    }
}

/// Where the words of one text are looked up, and where their ids go.
struct Words<'a> {
    table: &'a Table,
    batch: &'a mut Batch,
    ids: &'a mut Vec<u32>,
}

impl Encoder {
    /// Prepare a vocabulary for encoding.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] when the added tokens cannot be matched (an empty one, or too many).
    pub fn new(vocab: Vocabulary, options: Options, added: Vec<AddedToken>) -> Result<Self> {
        let mut merger = Merger::new(vocab);
        if options.ignore_merges {
            merger.ignore_merges(added.iter().map(|token| token.content.as_bytes()));
        }
        Ok(Self {
            merger,
            options,
            added: Added::new(added)?,
            cache: Cache::new(),
            simd: Simd::widest(),
        })
    }

    /// The tokens behind the ids.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.merger.vocab
    }

    /// The words that `text` is cut into before merging.
    pub fn words<'t>(&self, text: &'t str) -> Vec<&'t str> {
        self.options.pattern.words(text)
    }

    /// The ids of one text.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] for a text of 4 GiB or more, or one that `specials` refuses.
    pub fn encode(&self, text: &str, specials: Specials) -> Result<Vec<u32>> {
        Ok(self.encode_batch(&[text], specials, 1)?.ids)
    }

    /// The ids of many texts; the same for any number of `threads`.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`], naming the text; [`Error::Parameter`] for zero threads.
    pub fn encode_batch(
        &self,
        texts: &[&str],
        specials: Specials,
        threads: usize,
    ) -> Result<Encoded> {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let mut whole = Work::default();
        whole.encoded.ids.reserve(bytes / BYTES_PER_TOKEN);
        whole.encoded.offsets.reserve(texts.len());
        if threads == 1 {
            for chunk in parallel::chunks(texts) {
                huge::populate(&mut whole.encoded.ids, parallel::CHUNK_BYTES / BYTES_PER_TOKEN);
                self.encode_chunk(texts, chunk, specials, &mut whole)?;
            }
            return Ok(whole.encoded);
        }
        let Encoded { ids, offsets } = &mut whole.encoded;
        self.encode_each(texts, specials, threads, |_, part| {
            let base = ids.len() as i64;
            huge::populate(ids, part.ids.len());
            ids.extend_from_slice(&part.ids);
            offsets.extend(part.offsets.iter().skip(1).map(|offset| base + offset));
            Ok(())
        })?;
        Ok(whole.encoded)
    }

    /// The number of ids of each text.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_batch`].
    pub fn count_batch(
        &self,
        texts: &[&str],
        specials: Specials,
        threads: usize,
    ) -> Result<Vec<u64>> {
        let mut counts = Vec::with_capacity(texts.len());
        self.encode_each(texts, specials, threads, |_, part| {
            counts.extend(part.offsets.windows(2).map(|ends| (ends[1] - ends[0]) as u64));
            Ok(())
        })?;
        Ok(counts)
    }

    /// Encode texts a stretch at a time: `take` gets the numbers of the texts and their ids, in the
    /// order of the texts, so that few ids are in memory.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_batch`], and what `take` returns.
    pub fn encode_each(
        &self,
        texts: &[&str],
        specials: Specials,
        threads: usize,
        mut take: impl FnMut(Range<usize>, &Encoded) -> Result<()> + Send,
    ) -> Result<()> {
        let chunks = parallel::chunks(texts);
        parallel::in_order(
            chunks.len(),
            threads,
            |i, out: &mut Work| {
                out.encoded.ids.clear();
                out.encoded.offsets.truncate(1);
                self.encode_chunk(texts, chunks[i].clone(), specials, out)
            },
            |i, out| take(chunks[i].clone(), &out.encoded),
        )
    }

    /// The bytes of a sequence of ids; without special tokens when `skip_special_tokens`.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] for an id that no token has.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<Vec<u8>> {
        let vocab = self.vocabulary();
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for (i, &id) in ids.iter().enumerate() {
            let token = vocab.token(id).filter(|token| !token.is_empty());
            let token = token.ok_or_else(|| Error::Format {
                what: format!("token {i}"),
                problem: format!("no token has id {id}; there are {} ids", vocab.len()),
            })?;
            if !(skip_special_tokens && self.added.special_ids.contains(&id)) {
                bytes.extend_from_slice(token);
            }
        }
        Ok(bytes)
    }

    /// Append the ids of some of the texts.
    fn encode_chunk(
        &self,
        texts: &[&str],
        chunk: Range<usize>,
        specials: Specials,
        out: &mut Work,
    ) -> Result<()> {
        let table = self.cache.table();
        let Work { encoded: Encoded { ids, offsets }, batch } = out;
        for i in chunk {
            let refuse = |problem| Error::Format { what: format!("text {i}"), problem };
            self.encode_into(texts[i], specials, &mut Words { table: &table, batch, ids })
                .map_err(refuse)?;
            offsets.push(ids.len() as i64);
        }
        Ok(())
    }

    fn encode_into(
        &self,
        text: &str,
        specials: Specials,
        words: &mut Words<'_>,
    ) -> std::result::Result<(), String> {
        if text.len() >= u32::MAX as usize {
            return Err(format!("it has {} bytes; less than 4 GiB is allowed", text.len()));
        }
        let matcher = match specials {
            Specials::Text => &self.added.plain,
            Specials::Encode | Specials::Refuse => &self.added.all,
        };
        let mut start = 0;
        if let Some(matcher) = matcher {
            for found in matcher.find_iter(text) {
                let (id, special) = self.added.by_content[found.as_str()];
                if special && specials == Specials::Refuse {
                    return Err(format!(
                        "it spells out the special token {:?} at byte {}",
                        found.as_str(),
                        found.start()
                    ));
                }
                self.encode_segment(&text[start..found.start()], words);
                words.ids.push(id);
                start = found.end();
            }
        }
        self.encode_segment(&text[start..], words);
        Ok(())
    }

    fn encode_segment(&self, text: &str, words: &mut Words<'_>) {
        let text = with_prefix_space(text, self.options.add_prefix_space);
        let text = text.as_bytes();
        let Words { table, batch, ids } = words;
        let mut at = 0;
        while at < text.len() {
            let (n, next) = self.options.pattern.ends(self.simd, text, at, &mut batch.ends);
            table.encode(text, at, n, batch, ids, |word, ids| self.merger.encode(word, ids));
            at = next;
        }
    }
}

/// The added tokens and how they are found: the leftmost, and the longest of those.
struct Added {
    plain: Option<Regex>,
    all: Option<Regex>,
    by_content: HashMap<String, (u32, bool)>,
    special_ids: Vec<u32>,
}

impl Added {
    fn new(tokens: Vec<AddedToken>) -> Result<Self> {
        let matcher = |with_special: bool| {
            let wanted = tokens.iter().filter(|token| with_special || !token.special);
            matcher(wanted.map(|token| token.content.as_str()).collect())
        };
        Ok(Self {
            plain: matcher(false)?,
            all: matcher(true)?,
            special_ids: tokens
                .iter()
                .filter(|token| token.special)
                .map(|token| token.id)
                .collect(),
            by_content: tokens
                .into_iter()
                .map(|token| (token.content, (token.id, token.special)))
                .collect(),
        })
    }
}
