"""Labelled tables: CSV files of published sets are known by their columns, others are described.

Known are Davidson et al. 2017 (``class``, ``tweet``), the Wikipedia set and the identity templates of
Dixon et al. 2018 (``comment``, ``toxic``; ``template``, ``toxicity``, ``phrase``) and HateCheck
(Röttger et al. 2021: ``functionality``, ``target_ident``, ``test_case``, ``label_gold``).
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.errors import FormatError, RecipeError

Row = dict[str, str]

TRUE = frozenset({"1", "1.0", "true", "yes"})


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of a table say what.

    Attributes:
        text: Column of the text.
        label: Column of its class.
        positive: Classes, in lower case, that are positive.
        term: Column of the identity term, or None.
        test: Column of the functional test, or None.
        needed: Other columns by which the layout is known.
    """

    text: str
    label: str
    positive: frozenset[str]
    term: str | None = None
    test: str | None = None
    needed: frozenset[str] = frozenset()

    def columns(self) -> frozenset[str]:
        """The columns that a table of this layout has."""
        named = (self.text, self.label, self.term, self.test)
        return frozenset(name for name in named if name) | self.needed


LAYOUTS = (
    Layout("tweet", "class", frozenset({"0", "1"})),
    Layout("comment", "toxic", TRUE),
    Layout("phrase", "toxicity", frozenset({"toxic"}), test="template"),
    Layout(
        "test_case", "label_gold", frozenset({"hateful"}), term="target_ident", test="functionality"
    ),
)
"""The published layouts; Davidson's classes are 0 hate, 1 offensive, 2 neither."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A table, row by row: texts, whether each is positive, and its groups ('' for none)."""

    name: str
    texts: list[str]
    truth: list[bool]
    terms: list[str]
    tests: list[str]


def read_table(path: Path, layout: Layout | None = None, terms: Sequence[str] = ()) -> Labelled:
    """Read a CSV file, gzip or not.

    Args:
        path: The file.
        layout: Its layout; recognised by the columns when None.
        terms: Identity terms to look for in the texts where no column names them; for the identity
            templates those of their ``verb_adj`` rows when none is given.

    Raises:
        RecipeError: The columns are not known, or the table has no row.
        FormatError: The file is no CSV in UTF-8.
    """
    try:
        columns, rows = _read(path)
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise FormatError(f"{path} is no CSV in UTF-8: {error}") from None
    layout = _known(path, columns) if layout is None else layout
    if missing := layout.columns() - set(columns):
        raise RecipeError(
            f"{path} has no column {', '.join(sorted(missing))}; it has {', '.join(columns)}"
        )
    if not rows:
        raise RecipeError(f"{path} has no rows")
    term_of = _term_finder(layout, rows, terms)
    return Labelled(
        name=path.name,
        texts=[row[layout.text] or "" for row in rows],
        truth=[(row[layout.label] or "").strip().lower() in layout.positive for row in rows],
        terms=[term_of(row) for row in rows],
        tests=[row[layout.test] or "" if layout.test else "" for row in rows],
    )


def _read(path: Path) -> tuple[list[str], list[Row]]:
    opened: Any = gzip.open if path.suffix == ".gz" else open
    earlier = csv.field_size_limit(sys.maxsize)  # of the whole process
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True, restval="")
            return list(reader.fieldnames or ()), list(reader)
    finally:
        csv.field_size_limit(earlier)


def _known(path: Path, columns: Sequence[str]) -> Layout:
    for layout in LAYOUTS:
        if layout.columns() <= set(columns):
            return layout
    known = "; ".join(", ".join(sorted(layout.columns())) for layout in LAYOUTS)
    raise RecipeError(
        f"{path} has the columns {', '.join(columns) or '(none)'}, which are of no known set "
        f"({known}); name them: --text-column, --label-column and --positive"
    )


def _term_finder(layout: Layout, rows: list[Row], terms: Sequence[str]) -> Callable[[Row], str]:
    if layout.term:
        return lambda row: row[layout.term or ""] or ""
    if not terms and layout.test == "template":
        terms = sorted(set(_verb_terms(rows)))
    if not terms:
        return lambda row: ""
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    pattern = re.compile(
        rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE
    )

    def find(row: Row) -> str:
        found = pattern.search(row[layout.text] or "")
        return found.group().lower() if found else ""

    return find


def _verb_terms(rows: list[Row]) -> Iterator[str]:
    """What the templates' phrases of a verb and a term ("hug trans") are about."""
    for row in rows:
        _, space, term = row["phrase"].strip().partition(" ")
        if row["template"] == "verb_adj" and space:
            yield term
