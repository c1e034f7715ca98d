//! The file format: sizes are held against the file's length before anything is made of them.

use super::Model;
use super::dictionary::Dictionary;
use super::loss::Loss;
use super::matrix::{Matrix, Rows};
use super::ngrams::Ngrams;

/// What a parser gives, or what is wrong with the file.
pub(super) type Parsed<T> = Result<T, String>;

const MAGIC: i32 = 793_712_314;
const VERSIONS: [i32; 2] = [11, 12];
const SUPERVISED: i32 = 3;

/// Bytes with a place.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next `n` bytes, which hold `what`.
    pub fn take(&mut self, n: usize, what: &str) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..n).ok_or_else(|| {
            format!(
                "truncated at byte {}: {what} from byte {} on should have {n} bytes; copy or \
                 download the file again",
                self.bytes.len(),
                self.at
            )
        })?;
        self.at += n;
        Ok(taken)
    }

    /// The next `n` items of `size` bytes each.
    pub fn items(&mut self, n: usize, size: usize, what: &str) -> Parsed<&'a [u8]> {
        self.take(n.saturating_mul(size), what)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Parsed<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub fn i32(&mut self, what: &str) -> Parsed<i32> {
        self.array(what).map(i32::from_le_bytes)
    }

    pub fn i64(&mut self, what: &str) -> Parsed<i64> {
        self.array(what).map(i64::from_le_bytes)
    }

    pub fn flag(&mut self, what: &str) -> Parsed<bool> {
        match self.array::<1>(what)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(format!("{what} is {other} at byte {}, not 0 or 1", self.at - 1)),
        }
    }

    /// A count that is stored signed.
    pub fn count(&mut self, what: &str) -> Parsed<usize> {
        let count = self.i32(what)?;
        usize::try_from(count).map_err(|_| format!("{what} = {count} at byte {}", self.at - 4))
    }

    /// The bytes before the next zero byte, which is passed over.
    pub fn word(&mut self, what: &str) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let n = memchr::memchr(0, rest).unwrap_or(rest.len());
        let word = self.take(n + 1, what)?;
        Ok(&word[..n])
    }
}

/// The training arguments that a prediction depends on.
pub(super) struct Args {
    pub dim: usize,
    pub word_ngrams: i32,
    pub loss: i32,
    pub bucket: usize,
    pub minn: i32,
    pub maxn: i32,
}

impl Args {
    fn read(file: &mut Reader<'_>) -> Parsed<Self> {
        const WHAT: &str = "the training arguments";
        let magic = file.i32("the mark of a fastText model")?;
        if magic != MAGIC {
            return Err(format!(
                "not a fastText model: it begins with {magic:08x}, not {MAGIC:08x}"
            ));
        }
        let version = file.i32("the version")?;
        if !VERSIONS.contains(&version) {
            return Err(format!("version {version} of fastText's format is not known: 11 or 12"));
        }
        let dim = file.count("dim")?;
        file.take(16, WHAT)?; // ws, epoch, minCount, neg
        let (word_ngrams, loss, model) = (file.i32(WHAT)?, file.i32(WHAT)?, file.i32(WHAT)?);
        if model != SUPERVISED {
            return Err(format!(
                "an unsupervised model (kind {model}), which has no labels; train a supervised one"
            ));
        }
        let (bucket, minn, maxn) = (file.count("bucket")?, file.i32(WHAT)?, file.i32(WHAT)?);
        file.take(12, WHAT)?; // lrUpdateRate, t
        let maxn = if version == 11 { 0 } else { maxn }; // was not used before version 12
        if dim == 0 {
            return Err("dim = 0".to_owned());
        }
        Ok(Self { dim, word_ngrams, loss, bucket, minn, maxn })
    }
}

/// Bytes that one byte of a file may become; the library's default of two dimensions a code
/// becomes 8.
const MAX_EXPANSION: usize = 64;

/// Refuse to make `n` things of `size` bytes from a file that is too short to mean it.
pub(super) fn check_size(n: usize, size: usize, n_file: usize, what: &str) -> Parsed<()> {
    if n.saturating_mul(size) > n_file.saturating_mul(MAX_EXPANSION) {
        return Err(format!(
            "{what} would need {n} times {size} bytes, more than {MAX_EXPANSION} times the file's \
             {n_file}"
        ));
    }
    Ok(())
}

impl Model {
    /// Read a model from the bytes of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(super) fn parse(bytes: &[u8]) -> Parsed<Self> {
        let file = &mut Reader { bytes, at: 0 };
        let args = Args::read(file)?;
        let (dictionary, labels, pruned) = Dictionary::read(file)?;
        let ngrams = Ngrams::new(&args, dictionary.n_words(), &pruned, bytes.len())?;
        let quantized = file.flag("the flag for a quantised input matrix")?;
        let input = Matrix::read(file, quantized, args.dim, "the input matrix")?;
        if !quantized && pruned.is_some() {
            return Err("a pruned dictionary without a quantised matrix".to_owned());
        }
        let quantized = file.flag("the flag for a quantised output matrix")? && quantized;
        let output = Matrix::read(file, quantized, args.dim, "the output matrix")?;
        let counts: Vec<i64> = labels.iter().map(|(_, count)| *count).collect();
        let labels: Vec<String> = labels.into_iter().map(|(label, _)| label).collect();
        if output.n_rows() != labels.len() {
            return Err(format!("{} output rows for {} labels", output.n_rows(), labels.len()));
        }
        let loss = Loss::new(args.loss, &counts)?;
        let order = ngrams.rows(pruned.as_deref());
        let (mut rows, output) = Rows::new(&input, &output, order, bytes.len())?;
        rows.sum_subwords(&dictionary, &ngrams);
        Ok(Self { labels, dictionary, ngrams, rows, output, loss })
    }
}
