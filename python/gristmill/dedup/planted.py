"""Near-copies made on purpose: words of a document replaced at a known rate.

A replaced word spoils the `ngram` shingles around it. When each word is replaced with probability
*p*, a part ``q = (1 - p)^ngram`` of the shingles survives in both, and the similarity is about
``q / (2 - q)``; solved for *p*, that gives copies of any similarity wanted. Our own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

N_CHARACTERS = (400, 50_000)
"""Characters of a document that is copied: with fewer, no copy is close; with more, it takes long."""

_UNSPACED = (
    "\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
"""A word as the kernel has it; a character in scripts written without spaces."""

_POOL = 2_000
"""Documents whose words replace others."""


def plant(
    texts: pa.ChunkedArray, n_copies: int, lowest: float, ngram: int, seed: int
) -> tuple[pa.Array, list[str]]:
    """Make edited copies of random documents, of similarities spread from `lowest` to 1.

    Returns:
        ``int64[n]``, the documents, and a copy of each; none when no document is of a fit length.
    """
    rng = random.Random(seed)
    length = pc.utf8_length(texts)
    fit = pc.and_(pc.greater_equal(length, N_CHARACTERS[0]), pc.less(length, N_CHARACTERS[1]))
    chosen = pc.indices_nonzero(fit).to_pylist()
    if not (chosen and n_copies):
        return pa.array([], pa.int64()), []
    rng.shuffle(chosen)
    chosen = [chosen[at % len(chosen)] for at in range(n_copies)]
    pool = _WORD.findall(" ".join(texts.take(pa.array(chosen[:_POOL:20])).to_pylist())) or ["edit"]
    copies = []
    for at, number in enumerate(chosen):
        wanted = lowest + (1 - lowest) * (at + 0.5) / n_copies
        copies.append(edit(texts[number].as_py(), rate_for(wanted, ngram), pool, rng))
    return pa.array(chosen, pa.int64()), copies


def rate_for(similarity: float, ngram: int) -> float:
    """The rate of replaced words that leaves about this similarity.

    >>> rate_for(1.0, 5), round(rate_for(1 / 3, 1), 3)
    (0.0, 0.5)
    """
    surviving: float = (2 * similarity / (1 + similarity)) ** (1 / ngram)
    return 1 - surviving


def edit(text: str, rate: float, pool: Sequence[str], rng: random.Random) -> str:
    """Replace each word with probability `rate` by a word of the pool."""

    def replaced(word: re.Match[str]) -> str:
        return f" {rng.choice(pool)} " if rng.random() < rate else word[0]

    return _WORD.sub(replaced, text)
