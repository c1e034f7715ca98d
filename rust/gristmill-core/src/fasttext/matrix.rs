//! The matrices of a model: as stored, dense or product-quantised, and as they are used.

use super::dictionary::Dictionary;
use super::file::{Parsed, Reader, check_size};
use super::ngrams::Ngrams;

/// Centroids of one part of a row: a code is a byte.
const N_CENTROIDS: usize = 256;

/// A matrix in the file.
pub(super) struct Matrix<'a> {
    n_rows: usize,
    dim: usize,
    what: &'static str,
    stored: Stored<'a>,
}

enum Stored<'a> {
    Dense(&'a [u8]),
    Quantized { codes: &'a [u8], quantizer: Quantizer, norms: Option<(&'a [u8], Quantizer)> },
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

impl<'a> Matrix<'a> {
    pub fn read(
        file: &mut Reader<'a>,
        quantized: bool,
        dim: usize,
        what: &'static str,
    ) -> Parsed<Self> {
        let has_norms = quantized && file.flag(what)?;
        let (n_rows, n_columns) = (file.i64(what)?, file.i64(what)?);
        let shape = format!("{what} is {n_rows} x {n_columns} in a model of {dim} dimensions");
        let n_rows = usize::try_from(n_rows).map_err(|_| shape.clone())?;
        if usize::try_from(n_columns) != Ok(dim) {
            return Err(shape);
        }
        let stored = if quantized {
            Self::read_codes(file, n_rows, dim, has_norms, what)?
        } else {
            Stored::Dense(file.items(n_rows.saturating_mul(dim), 4, what)?)
        };
        Ok(Self { n_rows, dim, what, stored })
    }

    fn read_codes(
        file: &mut Reader<'a>,
        n_rows: usize,
        dim: usize,
        has_norms: bool,
        what: &str,
    ) -> Parsed<Stored<'a>> {
        let n_codes = file.count(what)?;
        let codes = file.take(n_codes, what)?;
        let quantizer = Quantizer::read(file, dim, what)?;
        if n_rows.checked_mul(quantizer.n_parts) != Some(n_codes) {
            return Err(format!("{what} has {n_codes} codes for {n_rows} rows"));
        }
        let norms = if has_norms {
            Some((file.take(n_rows, what)?, Quantizer::read(file, 1, what)?))
        } else {
            None
        };
        Ok(Stored::Quantized { codes, quantizer, norms })
    }

    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Write row `number` into `row`.
    fn row(&self, number: usize, row: &mut [f32]) -> Parsed<()> {
        if number >= self.n_rows {
            return Err(format!("{} has {} rows, and none {number}", self.what, self.n_rows));
        }
        match &self.stored {
            Stored::Dense(bytes) => {
                let bytes = &bytes[4 * number * self.dim..][..4 * self.dim];
                row.iter_mut().zip(floats(bytes)).for_each(|(to, from)| *to = from);
            }
            Stored::Quantized { codes, quantizer, norms } => {
                let codes = &codes[number * quantizer.n_parts..][..quantizer.n_parts];
                let norm = norms
                    .as_ref()
                    .map_or(1.0, |(codes, norms)| norms.centroids[usize::from(codes[number])]);
                quantizer.row(codes, norm, row);
            }
        }
        Ok(())
    }
}

/// Centroids of the parts of a row; the last part may be shorter.
struct Quantizer {
    n_parts: usize,
    part: usize,
    centroids: Vec<f32>,
}

impl Quantizer {
    fn read(file: &mut Reader<'_>, dim: usize, what: &str) -> Parsed<Self> {
        let (its_dim, n_parts) = (file.count(what)?, file.count(what)?);
        let (part, last) = (file.count(what)?, file.count(what)?);
        let whole = n_parts.checked_sub(1).and_then(|n| n.checked_mul(part));
        let fits = part > 0 && (1..=part).contains(&last);
        if !fits || its_dim != dim || whole.and_then(|whole| whole.checked_add(last)) != Some(dim) {
            return Err(format!(
                "{what} is quantised in {n_parts} parts of {part} and {last} of {its_dim} \
                 dimensions, in a model of {dim}"
            ));
        }
        let centroids = floats(file.items(dim, 4 * N_CENTROIDS, what)?).collect();
        Ok(Self { n_parts, part, centroids })
    }

    fn row(&self, codes: &[u8], norm: f32, row: &mut [f32]) {
        for (number, (part, code)) in row.chunks_mut(self.part).zip(codes).enumerate() {
            let start = number * N_CENTROIDS * self.part + usize::from(*code) * part.len();
            let centroid = &self.centroids[start..][..part.len()];
            part.iter_mut().zip(centroid).for_each(|(to, from)| *to = norm * from);
        }
    }
}

/// The rows that texts select, as wide as the sums that are made of them.
#[derive(Debug)]
pub(super) struct Rows {
    pub width: usize,
    values: Vec<f32>,
    /// How many rows of the model each word's row is the sum of.
    counts: Vec<u32>,
}

/// What becomes of the mean of a text's rows.
#[derive(Debug)]
pub(super) struct Output {
    /// One row a dimension, so that all outputs are summed side by side in the library's order;
    /// none when the rows are outputs already.
    weights: Option<Vec<f32>>,
    pub n_outputs: usize,
}

impl Rows {
    /// Take over the rows `order` of `input`, multiplied by `output` where that makes them shorter.
    pub fn new(
        input: &Matrix<'_>,
        output: &Matrix<'_>,
        order: impl ExactSizeIterator<Item = usize>,
        n_file: usize,
    ) -> Parsed<(Self, Output)> {
        let dim = input.dim;
        let weights = output.values(n_file)?;
        let n_outputs = output.n_rows;
        let width = dim.min(n_outputs);
        if order.len() > input.n_rows {
            return Err(format!("{} has {} rows of {}", input.what, input.n_rows, order.len()));
        }
        check_size(order.len(), 4 * width, n_file, input.what)?;
        let (mut values, mut row) = (Vec::with_capacity(order.len() * width), vec![0.0; dim]);
        for number in order {
            input.row(number, &mut row)?;
            let start = values.len();
            if n_outputs <= dim {
                values.extend(weights.chunks_exact(dim).map(|weights| dot(weights, &row)));
            } else {
                values.extend_from_slice(&row);
            }
            check(&values[start..], number, input.what)?;
        }
        let transposed = || (0..dim).flat_map(|column| weights[column..].iter().step_by(dim));
        let weights = (n_outputs > dim).then(|| transposed().copied().collect());
        Ok((Self { width, values, counts: Vec::new() }, Output { weights, n_outputs }))
    }

    /// Replace the row of each word by the sum of its own and those of its subwords.
    pub fn sum_subwords(&mut self, dictionary: &Dictionary, ngrams: &Ngrams) {
        let mut bounded = Vec::new();
        for number in 0..dictionary.n_words() {
            let mut sum: Vec<f64> = self.row(number).iter().map(|one| f64::from(*one)).collect();
            let mut count = 1;
            ngrams.subwords(dictionary.word(number), &mut bounded, |row| {
                add(&mut sum, self.row(row));
                count += 1;
            });
            let row = &mut self.values[number * self.width..][..self.width];
            row.iter_mut().zip(sum).for_each(|(to, from)| *to = from as f32);
            self.counts.push(count);
        }
    }

    #[inline]
    pub fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.width..][..self.width]
    }

    /// How many rows of the model a word's row stands for.
    #[inline]
    pub fn count(&self, word: usize) -> u32 {
        self.counts[word]
    }
}

impl Matrix<'_> {
    fn values(&self, n_file: usize) -> Parsed<Vec<f32>> {
        check_size(self.n_rows, 4 * self.dim, n_file, self.what)?;
        let mut values = vec![0.0; self.n_rows * self.dim];
        for (number, row) in values.chunks_exact_mut(self.dim).enumerate() {
            self.row(number, row)?;
            check(row, number, self.what)?;
        }
        Ok(values)
    }
}

/// Add a row to a sum; two outputs, the common case, without a loop.
#[inline]
pub(super) fn add(sum: &mut [f64], row: &[f32]) {
    if let ([sum_a, sum_b], [a, b]) = (&mut *sum, row) {
        *sum_a += f64::from(*a);
        *sum_b += f64::from(*b);
        return;
    }
    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
}

fn check(row: &[f32], number: usize, what: &str) -> Parsed<()> {
    if row.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(format!("row {number} of {what} holds NaN or an infinite number; train the model again"))
}

/// A product in eight sums, which the compiler keeps in one register.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (lefts, rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest = lefts.remainder().iter().zip(rights.remainder());
    let rest: f32 = rest.map(|(left, right)| left * right).sum();
    for (left, right) in lefts.zip(rights) {
        for (sum, (left, right)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += left * right;
        }
    }
    sums.iter().sum::<f32>() + rest
}

impl Output {
    /// Write the outputs for the mean of rows into `outputs`.
    pub fn of(&self, mean: &[f32], outputs: &mut [f32]) {
        let Some(weights) = &self.weights else { return outputs.copy_from_slice(mean) };
        outputs.fill(0.0);
        for (weights, value) in weights.chunks_exact(outputs.len()).zip(mean) {
            outputs.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight * value);
        }
    }
}
