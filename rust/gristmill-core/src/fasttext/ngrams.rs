//! Which rows the n-grams of letters and of words select.

use super::dictionary::{END, HASH_OF_NOTHING, Pruned, step};
use super::file::{Args, Parsed, check_size};

/// More letters or words than any model in use has: bounds the work for one word.
const MAX_NGRAM: i32 = 64;

/// Bytes of a word, brackets included, whose n-grams are hashed side by side.
const SIDE_BY_SIDE: usize = 64;

/// N-grams and the buckets that they fall into.
#[derive(Debug)]
pub(super) struct Ngrams {
    minn: usize,
    maxn: usize,
    /// Words in the longest n-gram of words, at least 1.
    pub words: usize,
    bucket: u32,
    /// 2^64 / bucket, rounded up: remainders by multiplication (Lemire, Kaser and Kurz 2019,
    /// arXiv:1902.01961, figure 1), exact for 32 bits.
    inverse: u64,
    n_words: usize,
    /// The buckets that a pruned model kept.
    kept: Option<Kept>,
}

/// A bit for each bucket, and apart from them, because most questions end there, how many buckets
/// were kept before each 64.
#[derive(Debug)]
struct Kept {
    bits: Vec<u64>,
    before: Vec<u32>,
}

impl Ngrams {
    pub fn new(args: &Args, n_words: usize, pruned: &Pruned, n_file: usize) -> Parsed<Self> {
        for (name, value) in [("wordNgrams", args.word_ngrams), ("maxn", args.maxn)] {
            if value > MAX_NGRAM {
                return Err(format!("{name} = {value} is not allowed: at most {MAX_NGRAM}"));
            }
        }
        if args.bucket == 0 && (args.maxn > 0 || args.word_ngrams > 1) {
            return Err("bucket = 0 in a model with n-grams".to_owned());
        }
        Ok(Self {
            minn: args.minn.max(0) as usize,
            maxn: args.maxn.max(0) as usize,
            words: args.word_ngrams.max(1) as usize,
            bucket: args.bucket as u32,
            inverse: (u64::MAX / args.bucket.max(1) as u64).wrapping_add(1),
            n_words,
            kept: pruned.as_ref().map(|pairs| Kept::new(pairs, args.bucket, n_file)).transpose()?,
        })
    }

    pub fn has_subwords(&self) -> bool {
        self.maxn > 0
    }

    /// The numbers in the file of the rows that can be selected, in the order of this type's rows.
    pub fn rows(&self, pruned: Option<&[(u32, u32)]>) -> impl ExactSizeIterator<Item = usize> {
        let n_buckets = match pruned {
            Some(pairs) => pairs.len(),
            None if self.maxn > 0 || self.words > 1 => self.bucket as usize,
            None => 0,
        };
        let n_words = self.n_words;
        (0..n_words + n_buckets).map(move |row| match pruned {
            Some(pairs) if row >= n_words => n_words + pairs[row - n_words].1 as usize,
            _ => row,
        })
    }

    /// The row of an n-gram of words, unless it was pruned.
    #[inline]
    pub fn row_of_words(&self, hash: u64) -> Option<usize> {
        let bucket = (hash % u64::from(self.bucket)) as u32;
        self.is_kept(bucket).then(|| self.row(bucket))
    }

    #[inline]
    fn is_kept(&self, bucket: u32) -> bool {
        let Some(kept) = &self.kept else { return true };
        kept.bits[bucket as usize / 64] >> (bucket % 64) & 1 == 1
    }

    /// The row of a bucket that was kept.
    #[inline]
    fn row(&self, bucket: u32) -> usize {
        let Some(kept) = &self.kept else { return self.n_words + bucket as usize };
        let below = kept.bits[bucket as usize / 64] & ((1 << (bucket % 64)) - 1);
        self.n_words + (kept.before[bucket as usize / 64] + below.count_ones()) as usize
    }

    #[inline]
    fn bucket_of(&self, hash: u32) -> u32 {
        let fraction = self.inverse.wrapping_mul(u64::from(hash));
        ((u128::from(fraction) * u128::from(self.bucket)) >> 64) as u32
    }

    /// Call `each` with the row of every n-gram of letters of `word`.
    pub fn subwords(&self, word: &[u8], bounded: &mut Vec<u8>, each: impl FnMut(usize)) {
        if self.maxn == 0 || word == END {
            return;
        }
        bounded.clear();
        bounded.push(b'<');
        bounded.extend_from_slice(word);
        bounded.push(b'>');
        if bounded.len() <= SIDE_BY_SIDE && bounded.is_ascii() {
            self.subwords_of_ascii(bounded, each);
        } else {
            self.subwords_of_any(bounded, each);
        }
    }

    /// All n-grams of one length at a time: their hashes do not wait for each other.
    #[inline]
    fn subwords_of_ascii(&self, word: &[u8], mut each: impl FnMut(usize)) {
        let (mut hashes, mut kept) = ([HASH_OF_NOTHING; SIDE_BY_SIDE], [0; SIDE_BY_SIDE]);
        for n in 1..=self.maxn.min(word.len()) {
            let last = &word[n - 1..];
            for (hash, byte) in hashes.iter_mut().zip(last) {
                *hash = step(*hash, *byte);
            }
            let inner = if n == 1 { 1..last.len() - 1 } else { 0..last.len() };
            let mut n_kept = 0;
            for hash in hashes[inner].iter().filter(|_| n >= self.minn) {
                let bucket = self.bucket_of(*hash);
                kept[n_kept] = bucket;
                n_kept += usize::from(self.is_kept(bucket)); // no branch: none could be foreseen
            }
            kept[..n_kept].iter().for_each(|bucket| each(self.row(*bucket)));
        }
    }

    fn subwords_of_any(&self, word: &[u8], mut each: impl FnMut(usize)) {
        for start in (0..word.len()).filter(|at| !continues(word[*at])) {
            let (mut hash, mut end) = (HASH_OF_NOTHING, start);
            for n in 1..=self.maxn {
                if end == word.len() {
                    break;
                }
                loop {
                    hash = step(hash, word[end]);
                    end += 1;
                    if end == word.len() || !continues(word[end]) {
                        break;
                    }
                }
                let is_border = n == 1 && (start == 0 || end == word.len());
                if n >= self.minn && !is_border {
                    let bucket = self.bucket_of(hash);
                    if self.is_kept(bucket) {
                        each(self.row(bucket));
                    }
                }
            }
        }
    }
}

/// Whether a byte goes on with a character of UTF-8.
fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

impl Kept {
    fn new(pairs: &[(u32, u32)], n_buckets: usize, n_file: usize) -> Parsed<Self> {
        if let Some((bucket, _)) = pairs.last().filter(|last| last.0 as usize >= n_buckets) {
            return Err(format!("bucket {bucket} was kept of {n_buckets}"));
        }
        check_size(n_buckets / 64, 12, n_file, "the buckets")?;
        let mut bits = vec![0; n_buckets / 64 + 1];
        for (bucket, _) in pairs {
            bits[*bucket as usize / 64] |= 1_u64 << (bucket % 64);
        }
        let mut n_before = 0;
        let before = bits.iter().map(|word| {
            n_before += word.count_ones();
            n_before - word.count_ones()
        });
        Ok(Self { before: before.collect(), bits })
    }
}
