//! The model against a slow twin that follows fastText's definition word by word.

use gristmill_core::language::{DIM, MAX_SCORE, Model, identify};
use proptest::prelude::*;

const N_ROWS: usize = 1 << 16;
const LONGEST: usize = 4;

fn row(number: usize) -> [i8; DIM] {
    std::array::from_fn(|k| ((number * 31 + k * 17) % 255) as i8)
}

fn weights(label: usize) -> [f32; DIM] {
    std::array::from_fn(|k| ((label * 7 + k * 3) % 11) as f32 / 100.0 - 0.05)
}

fn file() -> Vec<u8> {
    let mut bytes = b"GMLANG01".to_vec();
    bytes.extend([LONGEST as u8, 3]);
    for (label, code) in ["aa", "bb", "cc"].iter().enumerate() {
        bytes.extend([1, code.len() as u8]);
        bytes.extend(code.as_bytes());
        bytes.extend(weights(label).iter().flat_map(|weight| weight.to_le_bytes()));
    }
    bytes.extend((0..N_ROWS).flat_map(row).map(|value| value as u8));
    bytes
}

fn hash(n_gram: &str) -> usize {
    let fold = |hash: u32, byte: u8| (hash ^ i32::from(byte as i8) as u32).wrapping_mul(16_777_619);
    n_gram.bytes().fold(2_166_136_261, fold) as usize % N_ROWS
}

/// Probabilities of the three labels for words of Latin letters.
fn slowly(words: &[String]) -> [f64; 3] {
    let (mut mean, mut n_grams) = ([0.0; DIM], 0.0);
    for word in words {
        let chars: Vec<char> = format!("<{word}>").chars().collect();
        for start in 0..chars.len() {
            for n in 1..=LONGEST.min(chars.len() - start) {
                let n_gram: String = chars[start..start + n].iter().collect();
                if n_gram == "<" || n_gram == ">" {
                    continue;
                }
                n_grams += 1.0;
                for (sum, value) in mean.iter_mut().zip(row(hash(&n_gram))) {
                    *sum += f64::from(value);
                }
            }
        }
    }
    let logit = |label| -> f64 {
        weights(label).iter().zip(mean).map(|(&w, sum)| f64::from(w) * sum / n_grams).sum()
    };
    let odds = [0, 1, 2].map(|label| logit(label).exp());
    odds.map(|one| one / odds.iter().sum::<f64>())
}

proptest! {
    #[test]
    fn a_text_scores_as_its_slow_twin(words in prop::collection::vec("[a-zé-öăđőșạ]{1,12}", 3..20)) {
        prop_assume!(words.concat().len() >= 12 && words.join(" ").len() <= 256);
        let model = Model::read(&file()).unwrap();
        let text = words.join(" ");
        let found = identify(&model, &[&text], &[], 1).unwrap()[0];
        let expected = slowly(&words);
        let best = (0..3).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
        let chosen = ["aa", "bb", "cc"].iter().position(|&code| Some(code) == found.language).unwrap();
        prop_assert!((expected[chosen] - expected[best]).abs() < 1e-4);
        let score = expected[chosen].min(f64::from(MAX_SCORE));
        prop_assert!((f64::from(found.score) - score).abs() < 1e-4);
    }

    #[test]
    fn any_text_is_judged_the_same_by_any_number_of_threads(texts in prop::collection::vec(".{0,3000}", 1..4)) {
        let model = Model::read(&file()).unwrap();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assert_eq!(identify(&model, &texts, &[], 1).unwrap(), identify(&model, &texts, &[], 3).unwrap());
    }

    #[test]
    fn a_damaged_file_is_refused_or_read(at in 0_usize..250, byte: u8) {
        let mut bytes = file();
        bytes[at] = byte;
        if let Ok(model) = Model::read(&bytes) {
            identify(&model, &["plain words to be judged"], &[], 1).unwrap();
        }
    }
}
