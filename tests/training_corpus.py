"""A tiny corpus directory, tokenizer and shards only, with text that a small model can learn."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa

from gristmill import schema
from gristmill.shards.write import write_shards
from gristmill.tokenizer import Tokenizer

WORDS = "the mill grinds grain into flour while water turns the old wheel by the river".split()

RECIPE: dict[str, Any] = {
    "name": "tiny",
    "seed": 7,
    "model": {"hidden_size": 32, "layers": 2, "heads": 4},
    "batch": {"rows": 8, "micro_rows": 2},
    "optimizer": {"lr": 1e-2},
    "schedule": {"steps": 6, "warmup_steps": 2},
    "validate": {"every": 3},
    "checkpoint": {"every": 2, "keep": 3},
}


def write_corpus(folder: Path, n_docs: int = 120, seq_len: int = 32, seed: int = 1) -> Path:
    """Write ``shards/`` and ``tokenizer/`` below `folder`, as a build does."""
    chooser = random.Random(seed)
    texts = [
        " ".join(chooser.choice(WORDS) for _ in range(chooser.randint(5, 60))) + "."
        for _ in range(n_docs)
    ]
    licenses = [chooser.choice(["MIT", "CC-BY-4.0"]) for _ in texts]
    table = pa.table(
        {
            "id": [f"{seed}-{number}" for number in range(n_docs)],
            "text": pa.array(texts, pa.large_string()),
            "source": ["test"] * n_docs,
            "license": licenses,
            "url": pa.nulls(n_docs, pa.string()),
            "created": pa.nulls(n_docs, pa.timestamp("us", tz="UTC")),
            "metadata": ["{}"] * n_docs,
        },
        schema=schema.DOCUMENT,
    )
    tokenizer = Tokenizer.train(texts, vocab_size=300)
    write_shards([table], tokenizer, folder / "shards", seq_len=seq_len, validation=0.1)
    tokenizer.save(folder / "tokenizer")
    return folder


def recipe(corpus: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """The recipe of the tests with some of its keys replaced."""
    return RECIPE | {"data": str(corpus), "out": str(out)} | changes
