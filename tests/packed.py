"""Small shards for tests: a tokenizer of bytes, documents of awkward lengths, the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import schema
from gristmill.shards.read import Shards
from gristmill.shards.write import write_shards

LICENSES = ["MIT", "Apache-2.0", "CC-BY-4.0"]


class ByteTokenizer:
    """A token is a UTF-8 byte; 256 ends a document. `vocab_size` above 65,536 makes wide ids."""

    end_token_id = 256

    def __init__(self, vocab_size: int = 257) -> None:
        self.vocab_size = vocab_size

    def encode_batch(self, texts):
        ids = [list(text.encode()) for text in texts.to_pylist()]
        return pa.array(ids, pa.list_(pa.uint32()))

    def encode_into(self, packer, texts, held_out, threads):
        tokens = self.encode_batch(texts)
        packer.push(pa.table({"tokens": tokens, "held_out": held_out}))
        return pc.list_value_length(tokens).cast(pa.uint32())

    def save(self, path):
        Path(path).write_text(f'{{"vocab_size": {self.vocab_size}}}')


def documents(n: int, seed: int = 0, longest: int = 300) -> pa.Table:
    """`n` documents in the columns of `schema.DOCUMENT`; some are empty, some longer than a row."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, longest, n) * rng.integers(0, 2, n)
    texts = ["".join(chr(97 + letter) for letter in rng.integers(0, 26, size)) for size in sizes]
    columns = {
        "id": [f"doc-{seed}-{number}" for number in range(n)],
        "text": texts,
        "source": [f"source-{number % 3}" for number in range(n)],
        "license": [LICENSES[number // 40 % 3] for number in range(n)],
        "url": [None if number % 2 else f"https://example.org/{number}" for number in range(n)],
        "created": [None] * n,
        "metadata": ["{}"] * n,
    }
    return pa.table(columns, schema=schema.DOCUMENT)


def write(out: Path, docs: pa.Table, *, seq_len: int = 64, vocab_size: int = 257, **options):
    """Write shards of `docs` in small files and blocks; a tenth is validation."""
    options = {"validation": 0.1, "shard_bytes": 10_000, "block_bytes": 2_000, **options}
    return write_shards([docs], ByteTokenizer(vocab_size), out, seq_len=seq_len, **options)


def rebuild(folder: Path) -> dict[int, list[int]]:
    """Each document's tokens with its end token, put together from the pieces of both splits."""
    found: dict[int, list[int]] = {}
    for split in ("train", "validation"):
        shards = Shards(folder / split)
        for row in range(len(shards)):
            ids, start = shards.row(row).tolist(), 0
            for length, document, offset in zip(*map(list, shards.pieces(row)), strict=True):
                if document != schema.PADDING:
                    tokens = found.setdefault(int(document), [])
                    assert offset == len(tokens)
                    tokens += ids[start : start + length]
                start += length
    return found
