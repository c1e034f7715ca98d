//! Bands of a MinHash signature: documents that agree on all rows of one band are candidates.
//!
//! Two documents of similarity `s` share a band with probability `1 - (1 - s^rows)^bands`.
//!
//! Source: Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.

use crate::text::mix;
use crate::{Error, Result};

/// How a signature is cut: `bands` times `rows` values; what is left over is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banding {
    bands: usize,
    rows: usize,
}

/// Multiplier of a band's key: large and odd.
const ROW: u64 = 0xD6E8_FEB8_6659_FD93;

/// Steps of the numeric integral over the similarity.
const STEPS: usize = 64;

impl Banding {
    /// The banding of at most `num_perm` values that loses least: the area of false candidates below
    /// `threshold` and of missed pairs above it, weighted 1 to 1, or 1 to 49 when candidates are
    /// verified afterwards (then a false candidate costs a comparison, a missed pair is lost).
    pub fn derive(threshold: f64, num_perm: usize, verified: bool) -> Self {
        let missed_weight = if verified { 49.0 } else { 1.0 };
        let loss = |banding: &Self| {
            let found = |similarity: f64| banding.probability(similarity);
            let missed = |similarity: f64| 1.0 - banding.probability(similarity);
            integral(found, 0.0, threshold) + missed_weight * integral(missed, threshold, 1.0)
        };
        let mut best = (f64::INFINITY, Self { bands: 1, rows: num_perm });
        for rows in 1..=num_perm {
            for bands in 1..=num_perm / rows {
                let banding = Self { bands, rows };
                let loss = loss(&banding);
                if loss < best.0 {
                    best = (loss, banding);
                }
            }
        }
        best.1
    }

    /// Cut signatures of `num_perm` values into `bands` times `rows`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when there are no bands, no rows, or more values than a signature has.
    pub fn new(bands: usize, rows: usize, num_perm: usize) -> Result<Self> {
        let used = bands.checked_mul(rows);
        if used.is_none_or(|used| used == 0 || used > num_perm) {
            return Err(Error::Parameter {
                name: "bands x rows",
                value: format!("{bands} x {rows}"),
                allowed: "at least 1 x 1, and together no more than num_perm",
            });
        }
        Ok(Self { bands, rows })
    }

    /// The number of bands.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// The number of signature values in a band.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The probability that two documents of this similarity share a band.
    pub fn probability(&self, similarity: f64) -> f64 {
        1.0 - (1.0 - similarity.powi(self.rows as i32)).powi(self.bands as i32)
    }

    /// The key of each band: equal for two documents when their rows are (to 64 bits of hash).
    pub fn keys(&self, signature: &[u32]) -> impl Iterator<Item = u64> {
        // A polynomial in the rows' values, so that their multiplications overlap.
        let append = |key: u64, &value: &u32| key.wrapping_mul(ROW).wrapping_add(u64::from(value));
        let bands = signature.chunks_exact(self.rows).take(self.bands);
        bands.map(move |rows| mix(rows.iter().fold(0, append)))
    }
}

/// The midpoint rule.
fn integral(function: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let step = (to - from) / STEPS as f64;
    (0..STEPS).map(|i| function(from + (i as f64 + 0.5) * step)).sum::<f64>() * step
}
