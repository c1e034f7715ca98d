//! The smallest value of each of many hash functions over a set.
//!
//! Function `i` maps the upper half `h` of a shingle's hash to `a_i * h + b_i` modulo 2^32, with `a_i`
//! odd: a permutation of 32-bit words. Its parameters and the minima so far stay in registers while
//! the shingles pass by.

use super::{PORTION, mix_each};
use crate::simd::Simd;
use crate::text::mix;

/// Permutations that one pass over the shingles serves at most: 8 registers of 512 bits.
const BLOCK: usize = 128;

/// Hash functions.
#[derive(Debug, Clone)]
pub(super) struct Permutations {
    simd: Simd,
    seed: u64,
    /// `a_i` and `b_i`, up to a multiple of [`BLOCK`].
    factors: Vec<[u32; BLOCK]>,
    terms: Vec<[u32; BLOCK]>,
}

impl Permutations {
    pub(super) fn new(num_perm: usize, seed: u64, simd: Simd) -> Self {
        let parameter =
            |block: usize, i: usize| mix(seed.wrapping_add((block * BLOCK + i + 1) as u64));
        let blocks = || 0..num_perm.div_ceil(BLOCK);
        let factor = |block| std::array::from_fn(|i| parameter(block, i) as u32 | 1);
        let term = |block| std::array::from_fn(|i| (parameter(block, i) >> 32) as u32);
        Self {
            simd,
            seed,
            factors: blocks().map(factor).collect(),
            terms: blocks().map(term).collect(),
        }
    }

    /// Lower the minima where a shingle has a smaller value.
    pub(super) fn add(&self, shingles: &[u64], minima: &mut [u32]) {
        // In portions, so that the hashes stay in the cache for all blocks.
        let mut mixed = [0; PORTION];
        let mut hashes = [0; PORTION];
        for shingles in shingles.chunks(PORTION) {
            mix_each(self.simd, shingles, self.seed, &mut mixed);
            for (hash, mixed) in hashes.iter_mut().zip(&mixed) {
                *hash = (mixed >> 32) as u32;
            }
            let hashes = &hashes[..shingles.len()];
            for (i, minima) in minima.chunks_mut(BLOCK).enumerate() {
                let mut block = [u32::MAX; BLOCK];
                block[..minima.len()].copy_from_slice(minima);
                lower(self.simd, hashes, &self.factors[i], &self.terms[i], &mut block);
                minima.copy_from_slice(&block[..minima.len()]);
            }
        }
    }
}

type Block = [u32; BLOCK];

fn lower(simd: Simd, hashes: &[u32], factors: &Block, terms: &Block, minima: &mut Block) {
    match simd {
        // SAFETY: a `Simd` that is not available is never chosen: see `Simd::is_available`. Twin:
        // `scalar`. English text to verified clusters, MB per CPU second: 460 with AVX-512,
        // 425 with AVX2, 150 without.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512(hashes, factors, terms, minima) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2(hashes, factors, terms, minima) },
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => neon(hashes, factors, terms, minima),
        _ => scalar(hashes, factors, terms, minima),
    }
}

fn scalar(hashes: &[u32], factors: &Block, terms: &Block, minima: &mut Block) {
    for &hash in hashes {
        for ((minimum, factor), term) in minima.iter_mut().zip(factors).zip(terms) {
            *minimum = (*minimum).min(hash.wrapping_mul(*factor).wrapping_add(*term));
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(hashes: &[u32], factors: &Block, terms: &Block, minima: &mut Block) {
    use std::arch::x86_64::*;
    // SAFETY: a chunk has 16 words, 64 bytes; loads and stores may be unaligned.
    let load = |words: &[u32; 16]| unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    let each = |block: &Block| -> [__m512i; 8] {
        let (chunks, _) = block.as_chunks::<16>();
        std::array::from_fn(|i| load(&chunks[i]))
    };
    let (factors, terms, mut lowest) = (each(factors), each(terms), each(minima));
    for &hash in hashes {
        let hash = _mm512_set1_epi32(hash as i32);
        for i in 0..8 {
            let value = _mm512_add_epi32(_mm512_mullo_epi32(hash, factors[i]), terms[i]);
            lowest[i] = _mm512_min_epu32(lowest[i], value);
        }
    }
    for (words, lowest) in minima.as_chunks_mut::<16>().0.iter_mut().zip(lowest) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), lowest) };
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(hashes: &[u32], factors: &Block, terms: &Block, minima: &mut Block) {
    use std::arch::x86_64::*;
    // SAFETY: a chunk has 8 words, 32 bytes; loads and stores may be unaligned.
    let load = |words: &[u32; 8]| unsafe { _mm256_loadu_si256(words.as_ptr().cast()) };
    let (factors, _) = factors.as_chunks::<8>();
    let (terms, _) = terms.as_chunks::<8>();
    let (minima, _) = minima.as_chunks_mut::<8>();
    // Five registers each of factors, terms and minima would be too many; four leave room.
    for first in (0..minima.len()).step_by(4) {
        let factors: [__m256i; 4] = std::array::from_fn(|i| load(&factors[first + i]));
        let terms: [__m256i; 4] = std::array::from_fn(|i| load(&terms[first + i]));
        let mut lowest: [__m256i; 4] = std::array::from_fn(|i| load(&minima[first + i]));
        for &hash in hashes {
            let hash = _mm256_set1_epi32(hash as i32);
            for i in 0..4 {
                let value = _mm256_add_epi32(_mm256_mullo_epi32(hash, factors[i]), terms[i]);
                lowest[i] = _mm256_min_epu32(lowest[i], value);
            }
        }
        for (words, lowest) in minima[first..].iter_mut().zip(lowest) {
            // SAFETY: as above.
            unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), lowest) };
        }
    }
}

#[cfg(target_arch = "aarch64")]
fn neon(hashes: &[u32], factors: &Block, terms: &Block, minima: &mut Block) {
    use std::arch::aarch64::*;
    let (factors, _) = factors.as_chunks::<4>();
    let (terms, _) = terms.as_chunks::<4>();
    let (minima, _) = minima.as_chunks_mut::<4>();
    for first in (0..minima.len()).step_by(8) {
        // SAFETY: NEON is part of every 64-bit ARM; a chunk has 4 words, 16 bytes.
        unsafe {
            let load = |words: &[u32; 4]| vld1q_u32(words.as_ptr());
            let factors: [uint32x4_t; 8] = std::array::from_fn(|i| load(&factors[first + i]));
            let terms: [uint32x4_t; 8] = std::array::from_fn(|i| load(&terms[first + i]));
            let mut lowest: [uint32x4_t; 8] = std::array::from_fn(|i| load(&minima[first + i]));
            for &hash in hashes {
                let hash = vdupq_n_u32(hash);
                for i in 0..8 {
                    lowest[i] = vminq_u32(lowest[i], vmlaq_u32(terms[i], hash, factors[i]));
                }
            }
            for (words, lowest) in minima[first..].iter_mut().zip(lowest) {
                vst1q_u32(words.as_mut_ptr(), lowest);
            }
        }
    }
}
