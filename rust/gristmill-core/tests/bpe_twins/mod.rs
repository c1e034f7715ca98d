//! What tests of training and of encoding share.

use gristmill_core::bpe::pretokenize::Pattern;
use gristmill_core::bpe::train::{Options, Trained, Trainer};

pub fn options(vocab_size: usize) -> Options {
    Options {
        vocab_size,
        special_tokens: vec!["<|endoftext|>".to_owned()],
        min_frequency: 1,
        max_token_bytes: usize::MAX,
        sample_bytes: None,
        extend: None,
    }
}

pub fn trained(texts: &[&str], options: Options, threads: usize) -> Trained {
    let mut trainer = Trainer::new(Pattern::Gpt2, options).unwrap();
    trainer.add(texts, threads).unwrap();
    trainer.train().unwrap()
}

/// A word with `id` in place of each `pair`, from left to right.
pub fn replaced(word: &[u32], pair: (u32, u32), id: u32) -> Vec<u32> {
    let (mut new, mut i) = (Vec::new(), 0);
    while i < word.len() {
        let here = word.get(i..i + 2) == Some(&[pair.0, pair.1]);
        new.push(if here { id } else { word[i] });
        i += if here { 2 } else { 1 };
    }
    new
}
