//! The winnowing engine under a memory budget, on text in memory and in files.

#![allow(clippy::expect_used)]

use std::io::Write;

use gristmill_core::Error;
use gristmill_core::exact_substring::{
    Column, Corpus, Options, Range, TextFiles, exact_duplicates,
};

const LEAST: usize = 32 << 20;

/// About 40 MB of documents glued from a million different words and some long repeats.
fn documents() -> Vec<String> {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut documents: Vec<String> = Vec::new();
    for number in 0..8_000_u64 {
        let mut text = String::new();
        while text.len() < 4_500 {
            text.push_str(&format!("{:x} ", random(1_000_000)));
        }
        if number > 10 && number % 3 == 0 {
            let earlier = &documents[random(number) as usize];
            let from = random(earlier.len() as u64 / 2) as usize;
            text.insert_str(1_000, &earlier[from..from + 700]);
        }
        documents.push(text);
    }
    documents
}

fn find(corpus: &Corpus<'_>, memory: Option<usize>, threads: usize) -> Vec<Range> {
    let options = Options { memory, threads, ..Options::default() };
    exact_duplicates(corpus, &options).expect("allowed")
}

#[test]
fn a_budget_changes_nothing_but_time() {
    let documents = documents();
    let texts: Vec<&str> = documents.iter().map(String::as_str).collect();
    let corpus = Corpus::of_texts(&texts);
    let free = find(&corpus, None, 1);
    assert!(free.len() > 2_000);
    assert_eq!(find(&corpus, Some(LEAST), 1), free);
    assert_eq!(find(&corpus, Some(2 * LEAST), 2), free);

    // The same documents in a file: offsets, then text.
    let mut offsets = vec![0_i64];
    offsets.extend(texts.iter().scan(0, |end, text| {
        *end += text.len() as i64;
        Some(*end)
    }));
    let path = std::env::temp_dir().join(format!("gristmill-text-{}", std::process::id()));
    let mut file = std::fs::File::create(&path).expect("the folder can be written");
    for part in offsets.iter().map(|offset| offset.to_le_bytes()) {
        file.write_all(&part).expect("there is room");
    }
    file.write_all(texts.concat().as_bytes()).expect("there is room");
    let (n_rows, values) = (texts.len(), 8 * offsets.len());
    // As two columns of one file, the second of which does not start at offset 0.
    let half = n_rows / 2;
    let column = |offsets, n_rows| Column { path: path.clone(), values, offsets, n_rows };
    let columns = [column(0, half), column(8 * half, n_rows - half)];
    let files = TextFiles::open(&columns, 1).expect("the file is whole");
    assert_eq!(find(&Corpus::of_files(&files, 1), Some(LEAST), 1), free);
    drop(files);
    let beyond = [column(0, n_rows + texts.concat().len())];
    assert!(matches!(TextFiles::open(&beyond, 1), Err(Error::Format { .. })));
    std::fs::remove_file(&path).expect("it is there");
}

#[test]
fn too_little_memory_is_refused_by_name() {
    let text = "a".repeat(3 * LEAST);
    let corpus_texts = [text.as_str()];
    let corpus = Corpus::of_texts(&corpus_texts);
    let options = Options { memory: Some(LEAST), threads: 2, ..Options::default() };
    let refused = exact_duplicates(&corpus, &options);
    assert!(matches!(refused, Err(Error::Parameter { name: "memory", .. })));
}
