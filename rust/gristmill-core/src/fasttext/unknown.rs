//! Words that the vocabulary lacks: the rows of their n-grams are summed once while they stay here.
//!
//! Texts repeat them (names, numbers, words of another language), and a word has as many n-grams as
//! 60. Without this table a model of subwords reads 24 MB/s of English text, with it 32 to 46.

/// Slots; with two outputs the table has 360 kB and fits beside the model in a core's cache.
const N_SLOTS: usize = 8192;

/// Longer words are summed each time.
const KEY_BYTES: usize = 32;

/// The sum of a word's rows and their number, by word. One table a thread.
pub(super) struct Unknown {
    width: usize,
    /// Words filled up with zero bytes, which no word has.
    keys: Vec<[u8; KEY_BYTES]>,
    counts: Vec<u32>,
    sums: Vec<f32>,
}

impl Unknown {
    pub fn new(width: usize) -> Self {
        let (keys, counts) = (vec![[0; KEY_BYTES]; N_SLOTS], vec![0; N_SLOTS]);
        Self { width, keys, counts, sums: vec![0.0; N_SLOTS * width] }
    }

    /// The sum for a word, made by `make` when it is not here, and the number of rows in it.
    #[inline]
    pub fn sum(
        &mut self,
        word: &[u8],
        hash: u32,
        make: impl FnOnce(&mut [f32]) -> u32,
    ) -> (&[f32], u32) {
        let at = hash as usize % N_SLOTS;
        let sum = &mut self.sums[at * self.width..][..self.width];
        let mut key = [0; KEY_BYTES];
        let fits = word.len() <= KEY_BYTES;
        if fits {
            key[..word.len()].copy_from_slice(word);
        }
        if !fits || self.keys[at] != key {
            self.counts[at] = make(sum);
            self.keys[at] = key; // zeros, of no word, for one that is too long
        }
        (sum, self.counts[at])
    }
}
