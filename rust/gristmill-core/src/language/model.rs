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

/// The number of one more row, of zeros: of what is no n-gram.
const NONE: u32 = N_ROWS as u32;

type Rows = [[i8; DIM]; N_ROWS + 1];

/// FNV-1a, 32 bits.
const BASIS: u32 = 2_166_136_261;
const PRIME: u32 = 16_777_619;

/// How far below the likeliest a logit lies whose probability is taken to be zero: e^-12.
const NEGLIGIBLE: f32 = -12.0;

const MAGIC: &[u8; 8] = b"GMLANG01";

/// Scripts that several languages are written in, in the order of a file's numbers, from 1.
const SHARED: [Script; 4] = [Script::Latin, Script::Cyrillic, Script::Arabic, Script::Devanagari];

/// A model read from bytes.
#[derive(Debug, Clone)]
pub struct Model {
    codes: Vec<String>,
    labels: [Labels; SHARED.len()],
    longest: usize,
    rows: Box<Rows>,
    ja_zh: (usize, usize),
    single: Vec<(usize, Option<usize>)>,
}

/// The labels of a script: the places of their codes, and `DIM` weights each.
#[derive(Debug, Clone, Default)]
struct Labels {
    codes: Vec<usize>,
    weights: Vec<[f32; DIM]>,
    /// The same by number and label, as they are multiplied.
    by_number: Vec<f32>,
}

/// What hints add to the logits of each script's labels.
pub(super) type Bonus = [Vec<f32>; SHARED.len()];

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
            labels: Default::default(),
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
        for labels in &mut model.labels {
            labels.by_number =
                (0..DIM).flat_map(|k| labels.weights.iter().map(move |row| row[k])).collect();
        }
        model.add_scripts();
        Ok(model)
    }

    fn read_label(&mut self, reader: &mut Reader) -> Result<()> {
        let script = usize::from(reader.byte()?);
        let n_bytes = usize::from(reader.byte()?);
        let code = String::from_utf8_lossy(reader.take(n_bytes)?).into_owned();
        let mut weights = [0.0; DIM];
        for weight in &mut weights {
            *weight = reader.f32()?;
        }
        let code = self.place(&code);
        let labels =
            script.checked_sub(1).and_then(|at| self.labels.get_mut(at)).ok_or_else(|| {
                refused(format!("it has a label in script {script}, not 1 to {}", SHARED.len()))
            })?;
        labels.codes.push(code);
        labels.weights.push(weights);
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

    /// What hints at `codes` add to the logits.
    pub(super) fn bonus(&self, codes: &[String]) -> Bonus {
        let of = |&code: &usize| if codes.contains(&self.codes[code]) { HINT } else { 0.0 };
        std::array::from_fn(|script| self.labels[script].codes.iter().map(of).collect())
    }

    /// Add the letters of a piece to the `shares` of the codes, each by its probability.
    pub(super) fn share_out(&self, read: &Words, bonus: &Bonus, shares: &mut [f32]) {
        let weight = read.bytes as f32;
        match read.script {
            Script::None => {}
            Script::HanKana if is_japanese(read) => shares[self.ja_zh.0] += weight,
            Script::HanKana => shares[self.ja_zh.1] += weight,
            Script::Single(at) => match self.single[usize::from(at)] {
                (_, Some(second)) if read.telling > 0 => shares[second] += weight,
                (first, _) => shares[first] += weight,
            },
            shared => {
                let script = SHARED.iter().position(|&one| one == shared).unwrap_or(0);
                let labels = &self.labels[script];
                let odds = labels.odds(&self.mean_row(&read.marked), &bonus[script]);
                let each = weight / odds.iter().sum::<f32>();
                for (&code, odds) in labels.codes.iter().zip(odds) {
                    shares[code] += each * odds;
                }
            }
        }
    }

    /// The mean of the rows of all n-grams of `marked`.
    fn mean_row(&self, marked: &[u8]) -> [f32; DIM] {
        let (sums, n_grams) = sums(&self.rows, marked, self.longest);
        let scale = 1.0 / n_grams.max(1) as f32;
        sums.map(|sum| sum as f32 * scale)
    }
}

impl Labels {
    /// The odds of the labels, the likeliest one's being 1.
    fn odds(&self, mean: &[f32; DIM], bonus: &[f32]) -> Vec<f32> {
        let mut odds = bonus.to_vec();
        for (weights, value) in self.by_number.chunks_exact(odds.len().max(1)).zip(mean) {
            for (logit, weight) in odds.iter_mut().zip(weights) {
                *logit += weight * value;
            }
        }
        let most = odds.iter().copied().fold(f32::MIN, f32::max);
        for value in &mut odds {
            let below = *value - most;
            *value = if below < NEGLIGIBLE { 0.0 } else { below.exp() };
        }
        odds
    }
}

/// The sum of the rows of all n-grams of `marked`, and how many those are.
fn sums(rows: &Rows, marked: &[u8], longest: usize) -> ([i32; DIM], usize) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2(rows: &Rows, marked: &[u8], longest: usize) -> ([i32; DIM], usize) {
            sums_of(rows, marked, longest)
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { avx2(rows, marked, longest) };
        }
    }
    sums_of(rows, marked, longest)
}

#[inline(always)]
fn sums_of(rows: &Rows, marked: &[u8], longest: usize) -> ([i32; DIM], usize) {
    let numbers =
        if marked.is_ascii() { ascii_rows(marked, longest) } else { n_gram_rows(marked, longest) };
    let n_grams = numbers.iter().filter(|&&number| number != NONE).count();
    (sum_rows(rows, &numbers), n_grams)
}

/// The rows of all n-grams of `marked`: words in `<` and `>`, which alone are none.
#[inline(always)]
fn n_gram_rows(marked: &[u8], longest: usize) -> Vec<u32> {
    let mut numbers = Vec::with_capacity(marked.len() * longest);
    for (start, &first) in marked.iter().enumerate() {
        if first == b'>' || is_continuation(first) {
            continue;
        }
        let (mut hash, mut n_chars) = (BASIS, 0);
        let rest = &marked[start..];
        for (at, &byte) in rest.iter().enumerate() {
            hash = (hash ^ byte as i8 as u32).wrapping_mul(PRIME);
            if rest.get(at + 1).is_some_and(|&next| is_continuation(next)) {
                continue;
            }
            n_chars += 1;
            if byte != b'<' {
                numbers.push(hash & (NONE - 1));
            }
            if n_chars == longest || byte == b'>' {
                break;
            }
        }
    }
    numbers
}

/// As `n_gram_rows` where each byte is a character: all starts side by side, so in vectors.
#[inline(always)]
fn ascii_rows(marked: &[u8], longest: usize) -> Vec<u32> {
    let mut numbers = vec![NONE; marked.len() * longest];
    // A hash, and whether its n-gram still lies in one word: all bits or none.
    let mut hashes = vec![BASIS; marked.len()];
    let mut inside: Vec<u32> = marked.iter().map(|&byte| mask(byte != b'>')).collect();
    for (step, numbers) in numbers.chunks_exact_mut(marked.len().max(1)).enumerate() {
        let ends = &marked[step.min(marked.len())..];
        let each = numbers.iter_mut().zip(&mut hashes).zip(&mut inside).zip(ends);
        for (((number, hash), inside), &byte) in each {
            *hash = (*hash ^ u32::from(byte)).wrapping_mul(PRIME);
            let here = *inside & mask(byte != b'<');
            *number = (*hash & (NONE - 1) & here) | (NONE & !here);
            *inside &= mask(byte != b'>');
        }
    }
    numbers
}

#[inline(always)]
fn mask(is: bool) -> u32 {
    u32::from(is).wrapping_neg()
}

/// Rows whose sum 16 bits hold: each of their numbers is 128 at most.
const CHUNK: usize = 255;

#[inline(always)]
fn sum_rows(rows: &Rows, numbers: &[u32]) -> [i32; DIM] {
    let mut sums = [0_i32; DIM];
    for chunk in numbers.chunks(CHUNK) {
        let mut small = [0_i16; DIM];
        for &number in chunk {
            let row = &rows[number as usize];
            for k in 0..DIM {
                small[k] += i16::from(row[k]);
            }
        }
        for k in 0..DIM {
            sums[k] += i32::from(small[k]);
        }
    }
    sums
}

/// A table on the heap that never was on the stack.
fn zeroed() -> Box<Rows> {
    let rows = vec![[0_i8; DIM]; N_ROWS + 1].into_boxed_slice();
    rows.try_into().unwrap_or_else(|_| Box::new([[0; DIM]; N_ROWS + 1]))
}

fn is_japanese(read: &Words) -> bool {
    // Chinese text quotes a Kana now and then; Japanese has a third of its letters or more in it.
    read.telling * 3 * 20 >= read.bytes
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}
