"""Names the language of each text: the shipped model first, CLD2 where that is not sure.

The script comes first: where one language alone is written in it, that is the answer. The model
judges at most 1 KiB of a text, in pieces spread over all of it (`rust/gristmill-core/src/language`). What CLD2 adds are languages that
the model was not trained on, and second opinions. A text with too few letters is ``und``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.filters.fasttext import PREFIX, FastText
from gristmill.filters.language import cld2
from gristmill.text import Texts, as_table, from_kernel

UNDETERMINED = "und"
"""The ISO 639 code of a text whose language cannot be told."""

MODEL = Path(__file__).parents[2] / "models" / "language.bin"
"""The shipped model; ``models/language/README.md`` in the source tree is its card."""

LEAST = 0.5
"""Score that an answer of CLD2's needs to be taken."""

MAX_BYTES = 1024
"""Bytes of a text that a model of the user's judges."""


def identify_language(
    texts: Texts, hints: Sequence[str] = (), model: Path | None = None
) -> pa.Table:
    """Name the language of each text.

    Args:
        texts: Texts, length *n*; a null counts as empty.
        hints: ISO 639-1 codes of the languages that are likely; they decide short and mixed texts.
        model: A fastText model whose labels are codes, e.g. ``__label__en`` (lid.176 is one), to be
            asked instead; it knows no hints.

    Returns:
        Table of *n* rows. ``language`` string: ISO 639-1 code (639-3 where there is none;
        Norwegian is ``nb`` or ``nn``), or ``und`` when the text has fewer than 12 bytes of letters
        or is in no language that is known. ``score`` float32, 0 to 0.99: the share of the letters
        that is in that language, each part of the text weighted by how probable that is; 0 for
        ``und``.

    Raises:
        OSError: `model` cannot be read.
        FormatError: `model` is no supervised fastText model.

    >>> identify_language(["The cat sat on the mat.", "?"]).column("language").to_pylist()
    ['en', 'und']
    """
    table = as_table(texts)
    if model is not None:
        return _by_users_model(table, model)
    found = from_kernel(_shipped().identify(table, list(hints), 1))
    return _with_second_opinions(table, found, hints)


def known_languages() -> frozenset[str]:
    """Every code that `identify_language` gives without a model of the user's."""
    return cld2.codes() | {UNDETERMINED, *_shipped().codes()}


@cache
def _shipped() -> _core.LanguageModel:
    return _core.LanguageModel(MODEL.read_bytes())


def _with_second_opinions(table: pa.Table, found: pa.Table, hints: Sequence[str]) -> pa.Table:
    """`found` with CLD2's answer in the rows where the model is not sure and CLD2 is."""
    languages = pc.fill_null(found.column("language"), UNDETERMINED).to_pylist()
    scores = found.column("score").to_numpy().copy()
    rows = np.flatnonzero(~found.column("sure").to_numpy())
    # CLD2 calls noise and lists of names English; the model does not.
    others = cld2.codes() - {"en"}
    for row in rows.tolist():
        answer = cld2.ask(_sample(table.column(0)[row].as_py()), hints)
        if answer is None or answer[1] < LEAST:
            continue
        if answer[0] == languages[row] or answer[0] in others:
            languages[row], scores[row] = answer
    return _table(pa.array(languages, pa.string()), pa.array(scores, pa.float32()))


def _sample(text: str) -> str:
    """All of a text of 1,000 characters, else five parts of 200 spread evenly over it."""
    if len(text) <= 1000:
        return text
    step = len(text) // 5
    middles = range(step // 2, 5 * step, step)
    return " ".join(text[middle - 100 : middle + 100] for middle in middles)


@lru_cache(maxsize=1)
def _users(model: Path) -> FastText:
    """The model of a build is asked batch by batch; reading a large one takes longer than that."""
    return FastText.load(model)


def _by_users_model(table: pa.Table, model: Path) -> pa.Table:
    answers = _users(model).predict(table.column(0), max_bytes=MAX_BYTES)
    languages = pc.utf8_replace_slice(answers.column("label"), 0, len(PREFIX), "")
    scores = pc.min_element_wise(pc.fill_null(answers.column("score"), 0.0), 1.0)
    return _table(pc.fill_null(languages, UNDETERMINED), scores)


def _table(languages: pa.ChunkedArray | pa.Array, scores: pa.ChunkedArray | pa.Array) -> pa.Table:
    schema = pa.schema([("language", pa.string()), ("score", pa.float32())])
    return pa.Table.from_arrays(
        [languages.cast(pa.string()), scores.cast(pa.float32())], schema=schema
    )
