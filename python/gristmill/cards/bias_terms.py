"""The words that the card counts of people, places and spellings: a YAML file, ours or a user's.

A form is one or more words; ``nurse(s)`` stands for two forms. The lists that come with Gristmill
are ``terms/en.yaml``; a file that `keep_terms` puts beside a card takes their place there.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BeforeValidator, Field

from gristmill.config import Options, check
from gristmill.errors import RecipeError
from gristmill.files import atomic_write

KEPT = "terms.yaml"
"""Name of a user's file in the folder of the card."""

_OPTIONAL_END = re.compile(r"(.*)\((\w+)\)")


def _words(forms: object) -> object:
    return forms.split() if isinstance(forms, str) else forms


Forms = Annotated[list[str], BeforeValidator(_words)]
"""Forms in a list, or single words in one text."""

Named = dict[str, Forms]


class GroupedTerms(Options):
    """Terms by group and name."""

    source: str
    groups: dict[str, Named]


class PlainTerms(Options):
    """Terms by name."""

    source: str
    terms: Named


class Pronouns(Options):
    """The pronouns of the third person."""

    he: Forms
    she: Forms
    they: Forms


class PronounGroups(Options):
    """Pronouns, and where the list comes from."""

    source: str
    groups: Pronouns


class Judgments(Options):
    """Words that judge."""

    positive: Forms
    negative: Forms


class SentimentGroups(Options):
    """Words that judge, and where the list comes from."""

    source: str
    groups: Judgments


class Spellings(Options):
    """Words that two dialects spell differently."""

    source: str
    dialects: tuple[str, str]
    pairs: list[tuple[str, str]] = Field(min_length=1)


class TermLists(Options):
    """The file's content; a part that is left out is not measured."""

    language: str = Field(min_length=2)
    """ISO 639-1 code of the documents that are judged."""
    window: int = Field(default=10, ge=1, le=1000)
    """Words to each side that are near."""
    identity: GroupedTerms | None = None
    occupations: PlainTerms | None = None
    pronouns: PronounGroups | None = None
    sentiment: SentimentGroups | None = None
    spelling: Spellings | None = None
    regions: GroupedTerms | None = None


Group = tuple[str, str | None]
"""A kind of terms and the name of a group among them; None stands for all of the kind."""


@dataclass(frozen=True)
class Term:
    """Forms that count as one: `kind` is the part of the file, `groups` what they count for too."""

    kind: str
    name: str
    forms: tuple[str, ...]
    groups: tuple[Group, ...]
    domains: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The group that the file lists it under."""
        return self.groups[0][1] or self.kind


@dataclass(frozen=True)
class Terms:
    """Term lists ready to be counted.

    Attributes:
        lists: The file's content.
        file: Its name, as the card says it.
        sha256: Of the file, in hex.
    """

    lists: TermLists
    file: str
    sha256: str

    @cached_property
    def terms(self) -> list[Term]:
        """Every term, part by part in the order of the file."""
        lists, found = self.lists, []
        for kind, grouped in (("identity", lists.identity), ("region", lists.regions)):
            for group, named in (grouped.groups if grouped else {}).items():
                found += [_term(kind, name, forms, (group, None)) for name, forms in named.items()]
        if lists.occupations:
            for name, forms in lists.occupations.terms.items():
                found.append(_term("occupation", name, forms, (name, None)))
        for kind, words in (("pronoun", lists.pronouns), ("sentiment", lists.sentiment)):
            for name, forms in words.groups if words else ():
                found.append(_term(kind, name, forms, (name, None)))
        if lists.spelling:
            for pair in lists.spelling.pairs:
                for dialect, form in zip(lists.spelling.dialects, pair, strict=True):
                    found.append(_term("spelling", form, [form], (dialect,)))
        return found


def _term(kind: str, name: str, forms: list[str], groups: tuple[str | None, ...]) -> Term:
    every = [one for form in forms for one in expanded(form)]
    words = tuple(form for form in every if not form.startswith("."))
    domains = tuple(form.lower() for form in every if form.startswith("."))
    return Term(kind, name, words, tuple((kind, group) for group in groups), domains)


def expanded(form: str) -> list[str]:
    """The forms that one with an optional end stands for.

    >>> expanded("nurse(s)"), expanded("men")
    (['nurse', 'nurses'], ['men'])
    """
    match = _OPTIONAL_END.fullmatch(form)
    return [match[1], match[1] + match[2]] if match else [form]


def packaged_terms() -> Terms:
    """The English lists that come with Gristmill."""
    data = resources.files("gristmill.cards").joinpath("terms/en.yaml").read_bytes()
    return _parse(data, "terms/en.yaml of gristmill.cards", "terms/en.yaml")


def load_terms(path: Path | str) -> Terms:
    """Read a file of term lists.

    Raises:
        RecipeError: It is missing, no YAML, or has a key or value that cannot be used.
    """
    path = Path(path)
    try:
        return _parse(path.read_bytes(), f"card/{KEPT}", str(path))
    except FileNotFoundError:
        raise RecipeError(f"{path} does not exist; give a file of term lists") from None


def _parse(data: bytes, name: str, where: str) -> Terms:
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{where} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise RecipeError(f"{where}: expected a mapping, got {type(content).__name__}")
    terms = Terms(check(TermLists, content, where), name, hashlib.sha256(data).hexdigest())
    seen = set()
    for term in terms.terms:
        if (term.kind, term.groups, term.name) in seen:
            raise RecipeError(f"{where}: {term.kind} {term.name!r} is there twice; leave one out")
        seen.add((term.kind, term.groups, term.name))
        if not (term.forms or term.domains) or not all(map(_has_a_word, term.forms)):
            raise RecipeError(f"{where}: {term.kind} {term.name!r} has a form without a word")
    return terms


def _has_a_word(form: str) -> bool:
    return re.search(r"\w", form) is not None


def terms_of(corpus: Path) -> Terms:
    """The lists that a corpus's card counts: its own where it has some, else those packaged."""
    kept = corpus / "card" / KEPT
    return load_terms(kept) if kept.is_file() else packaged_terms()


def keep_terms(corpus: Path, path: Path | str) -> None:
    """Let the corpus's card count the lists of `path`, now and when it is verified.

    Raises:
        RecipeError: The file cannot be used.
    """
    load_terms(path)
    data = Path(path).read_bytes()
    with atomic_write(corpus / "card" / KEPT) as file:
        file.write(data)
