//! Packing against a slow, obvious twin, and rows against the documents they came from.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use gristmill_core::pack::{
    Block, Fit, IGNORED, ModelRow, Options, Order, PADDING, Packer, StoredRow, expand,
};
use proptest::prelude::*;

const VOCAB: u32 = 50;
const END: u32 = 49;

/// One token at a time: `(id, document, offset)`, padded to whole rows.
fn naive(documents: &[Vec<u32>], seq_len: usize) -> Vec<Vec<(u32, u32, u32)>> {
    let mut tokens = Vec::new();
    for (document, ids) in documents.iter().enumerate() {
        for (offset, id) in ids.iter().chain([&END]).enumerate() {
            tokens.push((*id, document as u32, offset as u32));
        }
    }
    let mut padding = 0;
    while !tokens.len().is_multiple_of(seq_len) {
        tokens.push((END, PADDING, padding));
        padding += 1;
    }
    tokens.chunks(seq_len).map(<[_]>::to_vec).collect()
}

fn options(seq_len: usize, block_rows: usize) -> Options {
    let (order, fit) = (Order::Corpus, Fit::Concatenate);
    Options { seq_len, block_rows, vocab_size: VOCAB, end_token: END, order, fit }
}

/// The blocks of train and those of validation.
fn split(documents: &[Vec<u32>], options: Options, held_out: &[bool]) -> [Vec<Block<u16>>; 2] {
    let mut packer = Packer::new(options).unwrap();
    for (ids, held_out) in documents.iter().zip(held_out) {
        packer.push(ids, *held_out).unwrap();
    }
    packer.end().unwrap();
    let mut blocks = [Vec::new(), Vec::new()];
    while let Some((split, block)) = packer.next_block().unwrap() {
        blocks[split].push(block);
    }
    blocks
}

fn pack(documents: &[Vec<u32>], seq_len: usize, block_rows: usize) -> Vec<Block<u16>> {
    let [train, _] = split(documents, options(seq_len, block_rows), &vec![false; documents.len()]);
    train
}

/// The rows of the blocks, token by token, as the twin has them.
fn unpack(blocks: &[Block<u16>], seq_len: usize) -> Vec<Vec<(u32, u32, u32)>> {
    let mut rows = Vec::new();
    for block in blocks {
        for (row, ids) in block.ids.chunks(seq_len).enumerate() {
            let pieces = block.row_starts[row] as usize..block.row_starts[row + 1] as usize;
            let places = pieces.flat_map(|piece| {
                let (document, offset) = (block.piece_document[piece], block.piece_offset[piece]);
                (0..block.piece_lengths[piece]).map(move |k| (document, offset + k))
            });
            rows.push(ids.iter().zip(places).map(|(id, (d, o))| (u32::from(*id), d, o)).collect());
        }
    }
    rows
}

fn documents() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0..VOCAB, 0..40), 0..20)
}

proptest! {
    #[test]
    fn rows_are_what_one_token_at_a_time_gives(
        documents in documents(), seq_len in 1_usize..20, block_rows in 1_usize..5
    ) {
        let blocks = pack(&documents, seq_len, block_rows);
        prop_assert_eq!(unpack(&blocks, seq_len), naive(&documents, seq_len));
        let (last, full) = blocks.split_last().map_or((None, &[][..]), |(l, f)| (Some(l), f));
        prop_assert!(full.iter().all(|block| block.rows() == block_rows));
        prop_assert!(last.is_none_or(|block| (1..=block_rows).contains(&block.rows())));
    }

    #[test]
    fn a_model_reads_positions_segments_and_labels_of_the_pieces(
        documents in documents(), seq_len in 1_usize..20
    ) {
        for (row, twin) in naive(&documents, seq_len).iter().enumerate() {
            let block = &pack(&documents, seq_len, 1)[row];
            let ids: Vec<u8> = block.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            let lengths: Vec<u8> =
                block.piece_lengths.iter().flat_map(|length| length.to_le_bytes()).collect();
            let padding = twin.iter().filter(|(_, document, _)| *document == PADDING).count();
            let mut out = vec![vec![7_i64; seq_len]; 4];
            let [input_ids, labels, position_ids, segment_ids] = &mut out[..] else { panic!() };
            let stored = StoredRow { ids: &ids, piece_lengths: &lengths, padding };
            let mut model = ModelRow { input_ids, labels, position_ids, segment_ids };
            expand(stored, 2, &mut model).unwrap();

            let (mut position, mut segment) = (-1, -1);
            for (at, &(id, document, _)) in twin.iter().enumerate() {
                let first = at == 0 || twin[at - 1].1 != document;
                position = if first { 0 } else { position + 1 };
                segment += i64::from(first);
                let pads = document == PADDING;
                prop_assert_eq!(out[0][at], i64::from(id));
                prop_assert_eq!(out[1][at], if first || pads { IGNORED } else { id.into() });
                prop_assert_eq!(out[2][at], position);
                prop_assert_eq!(out[3][at], if pads { -1 } else { segment });
            }
        }
    }
}

proptest! {
    #[test]
    fn every_token_of_every_document_is_in_the_rows_of_its_split(
        documents in documents(), seq_len in 1_usize..20, mask in prop::collection::vec(any::<bool>(), 20)
    ) {
        let spill = std::env::temp_dir();
        for order in [Order::Corpus, Order::Shuffled { key: 3, spill }] {
            for fit in [Fit::Concatenate, Fit::Best] {
                let options = Options { order: order.clone(), fit, ..options(seq_len, 2) };
                let blocks = split(&documents, options, &mask);
                let mut found = vec![Vec::new(); documents.len()];
                for (held_out, blocks) in [false, true].into_iter().zip(blocks) {
                    let rows = unpack(&blocks, seq_len);
                    for (row, tokens) in rows.iter().enumerate() {
                        for &(id, document, offset) in tokens {
                            if document == PADDING {
                                prop_assert_eq!(row, rows.len() - 1);
                                continue;
                            }
                            prop_assert_eq!(mask[document as usize], held_out);
                            prop_assert_eq!(found[document as usize].len(), offset as usize);
                            found[document as usize].push(id);
                        }
                    }
                }
                let closed = documents.iter().map(|ids| [ids, &[END][..]].concat());
                prop_assert_eq!(found, closed.collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    assert!(Packer::<u16>::new(options(0, 1)).is_err());
    assert!(Packer::<u16>::new(options(8, 0)).is_err());
    assert!(Packer::<u16>::new(options(usize::MAX, 2)).is_err());
    assert!(Packer::<u16>::new(Options { end_token: VOCAB, ..options(8, 1) }).is_err());
    assert!(Packer::<u16>::new(Options { vocab_size: 65_537, ..options(8, 1) }).is_err());
    assert!(Fit::from_name("worst").is_err());
    let mut packer = Packer::<u16>::new(options(4, 1)).unwrap();
    assert!(packer.push(&[1, VOCAB], false).is_err());
    packer.end().unwrap();
    assert!(packer.next_block().unwrap().is_none());
}

#[test]
fn pieces_that_do_not_fill_the_row_are_refused() {
    for lengths in [&[3_u32][..], &[5], &[2, 0, 2], &[u32::MAX, 5]] {
        let lengths: Vec<u8> = lengths.iter().flat_map(|length| length.to_le_bytes()).collect();
        let stored = StoredRow { ids: &[0; 8], piece_lengths: &lengths, padding: 0 };
        let mut out = [[0_i64; 4]; 4];
        let [input_ids, labels, position_ids, segment_ids] = &mut out;
        let mut model = ModelRow { input_ids, labels, position_ids, segment_ids };
        assert!(expand(stored, 2, &mut model).is_err(), "{lengths:?}");
    }
}
