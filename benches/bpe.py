"""Byte-level BPE beside `tokenizers` and tiktoken: training 8k, and the first pass of encoding.

    python benches/bpe.py [TEXT.jsonl]

One thread on each side. Ids are checked equal before anything is timed.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import tempfile

import pyarrow as pa
from paired import main_of, measure, texts

import gristmill as gm

N_BYTES = 30_000_000
VOCAB = 8192


def trained(sample: list[str]) -> gm.Tokenizer:
    return gm.Tokenizer.train(sample, VOCAB)


def figures(sample: list[str], work) -> dict[str, float]:
    return {"mb": sum(len(text.encode()) for text in sample) / 1e6, **measure(work)}


def train_ours(path: str | None) -> dict[str, float]:
    sample = texts(N_BYTES, path)
    column = pa.array(sample, pa.large_string())
    return figures(sample, lambda: gm.Tokenizer.train(column, VOCAB))


def train_tokenizers(path: str | None) -> dict[str, float]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    sample = texts(N_BYTES, path)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return figures(sample, lambda: tokenizer.train_from_iterator(sample, trainer))


def encode_ours(path: str | None) -> dict[str, float]:
    sample = texts(N_BYTES, path)
    tokenizer = trained(sample[::10])
    column = pa.array(sample, pa.large_string())
    return figures(sample, lambda: tokenizer.encode_batch(column))


def encode_tokenizers(path: str | None) -> dict[str, float]:
    from tokenizers import Tokenizer

    sample = texts(N_BYTES, path)
    ours = trained(sample[::10])
    with tempfile.TemporaryDirectory() as folder:
        ours.save(Path(folder))
        theirs = Tokenizer.from_file(f"{folder}/tokenizer.json")
    theirs.encode_special_tokens = True
    for text in sample[::200]:
        assert theirs.encode(text).ids == ours.encode(text)
    return figures(sample, lambda: theirs.encode_batch_fast(sample))


def encode_tiktoken(path: str | None) -> dict[str, float]:
    import tiktoken

    sample = texts(N_BYTES, path)
    ours = trained(sample[::10])
    ranks = {ours.token_bytes(i): i - 1 for i in range(1, ours.vocab_size)}
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    theirs = tiktoken.Encoding("bench", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    for text in sample[::200]:
        assert [one + 1 for one in theirs.encode_ordinary(text)] == ours.encode(text)
    return figures(sample, lambda: theirs.encode_ordinary_batch(sample, num_threads=1))


if __name__ == "__main__":
    main_of(
        Path(__file__),
        {
            "gristmill-train": train_ours,
            "tokenizers-train": train_tokenizers,
            "gristmill": encode_ours,
            "tokenizers": encode_tokenizers,
            "tiktoken": encode_tiktoken,
        },
        [
            ("train 8k", "gristmill-train", "tokenizers-train"),
            ("encode, first pass", "gristmill", "tokenizers"),
            ("encode, first pass", "gristmill", "tiktoken"),
        ],
    )
