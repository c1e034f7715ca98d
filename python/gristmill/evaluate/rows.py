"""Text as rows of token ids and labels: the shards' own rows, or files packed the same way.

A row is what the trainer sees: documents one after another, each closed by the end token, cut at the
row's length; the first token of a document (or of a document's part in a row) is not predicted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gristmill.errors import FormatError, RecipeError
from gristmill.shards.read import Shards
from gristmill.tokenizer import Tokenizer

Array: TypeAlias = np.ndarray[Any, Any]
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to measure: ``int64[n, T]`` ids and labels, `where` they come from."""

    tokens: Array
    labels: Array
    where: str

    def batches(self, rows: int) -> Iterator[tuple[Array, Array]]:
        """Slices of `rows` rows, in order."""
        for start in range(0, len(self.tokens), rows):
            yield self.tokens[start : start + rows], self.labels[start : start + rows]


def read(data: Path, tokenizer: Tokenizer, seq_len: int) -> Rows:
    """The rows of `data`: a corpus or shards directory, one of its splits, JSONL, or a text file.

    Args:
        data: Where to read.
        tokenizer: The model's; shards must have been made with it.
        seq_len: Length of the rows that files are packed into.

    Raises:
        RecipeError: `data` is nothing that can be read, or holds no text.
        FormatError: A line of a JSONL file has no text.
    """
    if data.is_dir():
        rows = _of_shards(data, tokenizer)
    elif data.is_file():
        rows = pack(_texts(data), tokenizer, seq_len, str(data))
    else:
        raise RecipeError(f"{data}: no such file or directory to measure on")
    if not (rows.labels[:, 1:] != IGNORED).any():
        raise RecipeError(f"{rows.where} holds no token to predict; give more text")
    return rows


def _of_shards(folder: Path, tokenizer: Tokenizer) -> Rows:
    for split in (folder / "shards" / "validation", folder / "validation", folder):
        if (split.parent / "manifest.json").is_file():
            break
    else:
        raise RecipeError(f"{folder}: no shards here; give a corpus directory or shards/validation")
    shards = Shards(split)
    if shards.manifest["vocab_size"] != tokenizer.vocab_size:
        raise RecipeError(
            f"{split} was encoded with {shards.manifest['vocab_size']} tokens, the model has "
            f"{tokenizer.vocab_size}; give text instead, or the corpus of this model"
        )
    tokens, labels, _, _ = shards.expand(range(len(shards)))
    return Rows(tokens, labels, str(split))


def _texts(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix not in (".jsonl", ".ndjson"):
        return [text]
    texts = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            texts.append(_text_of(line, f"{file}:{number}"))
    return texts


def _text_of(line: str, where: str) -> str:
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError):
        raise FormatError(f"{where}: expected a JSON object with a `text`") from None
    if not isinstance(text, str):
        raise FormatError(f"{where}: `text` is {type(text).__name__}, not a string")
    return text


def pack(texts: list[str], tokenizer: Tokenizer, seq_len: int, where: str) -> Rows:
    """Documents as rows of `seq_len`, the last one padded with tokens that are not predicted."""
    end = tokenizer.end_token_id
    documents = [[*ids, end] for ids in tokenizer.encode_batch(texts).to_pylist() if ids]
    stream = np.array([token for ids in documents for token in ids], np.int64)
    lengths = np.array([len(ids) for ids in documents], np.int64)
    labels = stream.copy()
    labels[lengths.cumsum() - lengths] = IGNORED
    n_rows = -(-len(stream) // seq_len)
    padding = (0, n_rows * seq_len - len(stream))
    return Rows(
        np.pad(stream, padding, constant_values=end).reshape(n_rows, seq_len),
        np.pad(labels, padding, constant_values=IGNORED).reshape(n_rows, seq_len),
        where,
    )
