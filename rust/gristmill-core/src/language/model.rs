//! The model: a row of small integers per hashed n-gram, summed, and a linear layer over the sum.
//!
//! It is fastText's supervised model (Joulin et al., 2016, arXiv:1607.01759) without words: the
//! n-grams are those of `<word>` in characters, hashed as fastText does (FNV-1a over signed bytes).

use super::script::{SINGLE, Script, Words, rarer};
use crate::{Error, Result};

/// Numbers in a row.
pub const DIM: usize = 16;

/// What is added to the logit of a language that is hinted at: it counts as e^2 times likelier.
const HINT: f32 = 2.0;

/// Rows of the table; an n-gram's is the low 16 bits of its hash.
const N_ROWS: usize = 1 << 16;

type Rows = [[i8; DIM]; N_ROWS];

/// How far below the likeliest a logit lies whose probability is taken to be zero: e^-12.
const NEGLIGIBLE: f32 = -12.0;

const MAGIC: &[u8; 8] = b"GMLANG01";

/// A model read from bytes.
#[derive(Debug, Clone)]
pub struct Model {
    codes: Vec<String>,
    labels: Vec<Label>,
    longest: usize,
    rows: Box<Rows>,
    ja_zh: (usize, usize),
    single: Vec<(usize, Option<usize>)>,
}

#[derive(Debug, Clone)]
struct Label {
    code: usize,
    script: u8,
    weights: [f32; DIM],
}

/// Reads a file from its front.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, n: usize) -> Result<&'b [u8]> {
        let (front, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| refused(format!("it ends {} bytes early", n - self.0.len())))?;
        self.0 = rest;
        Ok(front)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn f32(&mut self) -> Result<f32> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        let value = f32::from_le_bytes(bytes);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(refused(format!("it has the weight {value}")))
        }
    }
}

fn refused(problem: String) -> Error {
    Error::Format { what: "language model".to_owned(), problem }
}

impl Model {
    /// Read a model that `models/language/train.py` wrote.
    ///
    /// Layout, little-endian: magic, longest n-gram (u8), labels (u8); per label script (u8), length of its code (u8), the code, `DIM` weights (f32); then the rows (i8).
    ///
    /// # Errors
    ///
    /// [`Error::Format`] when the bytes are not such a model, or too few or too many.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(refused("it does not begin with GMLANG01".to_owned()));
        }
        let (longest, n_labels) = (reader.byte()?, reader.byte()?);
        if !(1..=8).contains(&longest) {
            return Err(refused(format!("its n-grams have {longest} characters, not 1 to 8")));
        }
        let mut model = Self {
            codes: Vec::new(),
            labels: Vec::new(),
            longest: usize::from(longest),
            rows: zeroed(),
            ja_zh: (0, 0),
            single: Vec::new(),
        };
        for _ in 0..n_labels {
            model.read_label(&mut reader)?;
        }
        let rows = reader.take(DIM * N_ROWS)?;
        for (value, &byte) in model.rows.as_flattened_mut().iter_mut().zip(rows) {
            *value = byte as i8;
        }
        if !reader.0.is_empty() {
            return Err(refused(format!("it has {} bytes too many", reader.0.len())));
        }
        model.add_scripts();
        Ok(model)
    }

    fn read_label(&mut self, reader: &mut Reader) -> Result<()> {
        let script = reader.byte()?;
        let n_bytes = usize::from(reader.byte()?);
        let code = String::from_utf8_lossy(reader.take(n_bytes)?).into_owned();
        let mut weights = [0.0; DIM];
        for weight in &mut weights {
            *weight = reader.f32()?;
        }
        let code = self.place(&code);
        self.labels.push(Label { code, script, weights });
        Ok(())
    }

    fn add_scripts(&mut self) {
        self.ja_zh = (self.place("ja"), self.place("zh"));
        self.single = SINGLE
            .iter()
            .map(|&(_, _, code)| (self.place(code), rarer(code).map(|other| self.place(other))))
            .collect();
    }

    fn place(&mut self, code: &str) -> usize {
        self.codes.iter().position(|known| known == code).unwrap_or_else(|| {
            self.codes.push(code.to_owned());
            self.codes.len() - 1
        })
    }

    /// How many codes it can give.
    pub fn n_codes(&self) -> usize {
        self.codes.len()
    }

    /// Its codes.
    pub fn codes(&self) -> &[String] {
        &self.codes
    }

    pub(super) fn code(&self, at: usize) -> &str {
        &self.codes[at]
    }

    /// What hints at `codes` add to the logit of each label.
    pub(super) fn bonus(&self, codes: &[String]) -> Vec<f32> {
        let hinted = |label: &Label| codes.contains(&self.codes[label.code]);
        self.labels.iter().map(|label| if hinted(label) { HINT } else { 0.0 }).collect()
    }

    /// Codes and their probabilities, summing to one, for the words of a piece.
    pub(super) fn judge(&self, read: &Words, bonus: &[f32]) -> Vec<(usize, f32)> {
        match read.script {
            Script::None => Vec::new(),
            Script::HanKana => {
                vec![(if is_japanese(read) { self.ja_zh.0 } else { self.ja_zh.1 }, 1.0)]
            }
            Script::Single(at) => match self.single[usize::from(at)] {
                (_, Some(second)) if read.telling > 0 => vec![(second, 1.0)],
                (first, _) => vec![(first, 1.0)],
            },
            Script::Latin => self.probabilities(1, &read.marked, bonus),
            Script::Cyrillic => self.probabilities(2, &read.marked, bonus),
            Script::Arabic => self.probabilities(3, &read.marked, bonus),
            Script::Devanagari => self.probabilities(4, &read.marked, bonus),
        }
    }

    fn probabilities(&self, script: u8, marked: &[u8], bonus: &[f32]) -> Vec<(usize, f32)> {
        let mean = self.mean_row(marked);
        let mut found: Vec<(usize, f32)> = self
            .labels
            .iter()
            .zip(bonus)
            .filter(|(label, _)| label.script == script)
            .map(|(label, bonus)| (label.code, dot(&label.weights, &mean) + bonus))
            .collect();
        let most = found.iter().map(|&(_, logit)| logit).fold(f32::MIN, f32::max);
        let mut sum = 0.0;
        for (_, value) in &mut found {
            let below = *value - most;
            *value = if below < NEGLIGIBLE { 0.0 } else { below.exp() };
            sum += *value;
        }
        found.iter_mut().for_each(|(_, value)| *value /= sum);
        found
    }

    /// The mean of the rows of all n-grams of `marked`.
    fn mean_row(&self, marked: &[u8]) -> [f32; DIM] {
        let (sums, n_grams) = sums(&self.rows, marked, self.longest);
        let scale = 1.0 / n_grams.max(1) as f32;
        sums.map(|sum| sum as f32 * scale)
    }
}

/// The sum of the rows of all n-grams of `marked`, and how many those are.
fn sums(rows: &Rows, marked: &[u8], longest: usize) -> ([i32; DIM], u32) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2(rows: &Rows, marked: &[u8], longest: usize) -> ([i32; DIM], u32) {
            sums_of(rows, marked, longest)
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { avx2(rows, marked, longest) };
        }
    }
    sums_of(rows, marked, longest)
}

/// Starts between which 16 bits hold the sums: 8 n-grams of at most 127 each.
const STARTS: usize = 32;

#[inline(always)]
fn sums_of(rows: &Rows, marked: &[u8], longest: usize) -> ([i32; DIM], u32) {
    let (mut sums, mut small, mut n_grams) = ([0_i32; DIM], [0_i16; DIM], 0);
    let starts = (0..marked.len()).filter(|&at| !is_continuation(marked[at]) && marked[at] != b'>');
    for (number, start) in starts.enumerate() {
        n_grams += add_n_grams(rows, &marked[start..], longest, &mut small);
        if number % STARTS == STARTS - 1 {
            flush(&mut sums, &mut small);
        }
    }
    flush(&mut sums, &mut small);
    (sums, n_grams)
}

/// Add the rows of the n-grams at the front of `rest`, which is inside a word; a lone `<` is none.
#[inline(always)]
fn add_n_grams(rows: &Rows, rest: &[u8], longest: usize, sums: &mut [i16; DIM]) -> u32 {
    let (mut hash, mut n_chars, mut n_grams) = (2_166_136_261_u32, 0, 0);
    for (at, &byte) in rest.iter().enumerate() {
        hash = (hash ^ byte as i8 as u32).wrapping_mul(16_777_619);
        if rest.get(at + 1).is_some_and(|&next| is_continuation(next)) {
            continue;
        }
        n_chars += 1;
        if byte != b'<' {
            add(sums, &rows[usize::from(hash as u16)]);
            n_grams += 1;
        }
        if n_chars == longest || byte == b'>' {
            break;
        }
    }
    n_grams
}

#[inline(always)]
fn add(sums: &mut [i16; DIM], row: &[i8; DIM]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum = sum.wrapping_add(i16::from(value));
    }
}

fn flush(sums: &mut [i32; DIM], small: &mut [i16; DIM]) {
    for (sum, value) in sums.iter_mut().zip(small) {
        *sum += i32::from(std::mem::take(value));
    }
}

/// A table on the heap that never was on the stack.
fn zeroed() -> Box<Rows> {
    let rows = vec![[0_i8; DIM]; N_ROWS].into_boxed_slice();
    rows.try_into().unwrap_or_else(|_| Box::new([[0; DIM]; N_ROWS]))
}

fn is_japanese(read: &Words) -> bool {
    // Chinese text quotes a Kana now and then; Japanese has a third of its letters or more in it.
    read.telling * 3 * 20 >= read.bytes
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

fn dot(weights: &[f32; DIM], mean: &[f32; DIM]) -> f32 {
    weights.iter().zip(mean).map(|(weight, value)| weight * value).sum()
}
