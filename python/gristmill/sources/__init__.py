"""Where documents come from: files somebody names, or what is installed on this machine.

`open_source` takes a recipe's keys and refuses, before any work, what cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args

from gristmill.errors import RecipeError
from gristmill.schema import NO_ASSERTION
from gristmill.sources.base import (
    BAD,
    Batch,
    Item,
    OnBad,
    Origin,
    Source,
    Split,
    document_id,
    later_repeats,
)
from gristmill.sources.files import DOCUMENT_FORMATS, RECORD_FORMATS, Files
from gristmill.sources.installed import KINDS, open_installed
from gristmill.sources.paths import find, suffix
from gristmill.sources.whole_files import LANGUAGES
from gristmill.spdx import expression, suggestion

__all__ = [
    "BAD",
    "FORMATS",
    "GIVEN",
    "KINDS",
    "PAGE_FORMATS",
    "Batch",
    "Source",
    "Split",
    "checked_origin",
    "document_id",
    "later_repeats",
    "open_source",
]

FORMATS = (*RECORD_FORMATS, *DOCUMENT_FORMATS, "installed")
"""The formats of a source, as the recipe names them."""

PAGE_FORMATS = ("html", "warc")
"""The formats whose documents are pages, from which text is to be extracted."""

GIVEN = "given"
"""The format of a source that is made in Python, not by a recipe."""

T = TypeVar("T", bound=str)

_SUFFIXES = (
    dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl")
    | dict.fromkeys((".parquet", ".pq"), "parquet")
    | dict.fromkeys((".arrow", ".ipc", ".feather"), "arrow")
    | dict.fromkeys((".txt", ".text", ".rst"), "text")
    | dict.fromkeys((".md", ".markdown"), "markdown")
    | dict.fromkeys((".html", ".htm", ".xhtml"), "html")
    | {".warc": "warc", ".arc": "warc", ".wet": "wet"}
    | dict.fromkeys(LANGUAGES, "code")
)


def open_source(
    *,
    name: str,
    path: str | Sequence[str] | None = None,
    format: str | None = None,
    license: str | None = None,
    limit_bytes: int | None = None,
    on_bad: OnBad = "skip",
    kinds: Sequence[str] | None = None,
    base: Path | str = ".",
) -> Source:
    """Open one source of a recipe.

    Args:
        name: What the recipe calls it; documents that do not say otherwise carry it as `source`.
        path: Paths, globs, folders or fsspec URLs, relative to `base`. For ``installed``, folders
            of installed packages instead of those of the running interpreter.
        format: One of `FORMATS`; guessed from the files' names when None.
        license: SPDX expression of documents that declare none; ``NOASSERTION`` when None. Not
            for ``installed``, where each package declares its own.
        limit_bytes: Take documents in order until their text would exceed this many bytes.
            ``installed`` takes them spread over the packages instead.
        on_bad: What to do with a record that is no document: ``skip`` it, with a row that says
            why; ``repair`` what is not UTF-8, and skip what cannot be repaired; ``refuse`` it.
        kinds: For ``installed``: which of `KINDS` to take; all when None.
        base: The recipe's folder.

    Raises:
        RecipeError: Something of this cannot be used.
    """
    origin = checked_origin(name, license, on_bad)
    if limit_bytes is not None and limit_bytes <= 0:
        raise RecipeError(f"source {name!r}: limit_bytes is {limit_bytes}; it must be positive")
    if format is not None:
        _one_of(name, "format", format, FORMATS)
    if format == "installed":
        if license is not None:
            raise RecipeError(
                f"source {name!r}: license cannot be given for installed packages, which declare "
                "their own; take the key out"
            )
        return open_installed(origin, path, kinds, limit_bytes, Path(base))
    if kinds is not None:
        raise RecipeError(f"source {name!r}: kinds is a key of format 'installed' only")
    return _open_files(origin, path, format, limit_bytes, Path(base))


def _open_files(
    origin: Origin,
    path: str | Sequence[str] | None,
    format: str | None,
    limit_bytes: int | None,
    base: Path,
) -> Files:
    if path is None:
        raise RecipeError(
            f"source {origin.name!r}: path is missing; give a path, glob or URL, or format: "
            "installed"
        )
    found = find(origin.name, path, Path(os.path.abspath(base)))
    format = format or _guess(origin.name, [item for item, _ in found])
    items = tuple(
        item
        for item, in_folder in found
        if not in_folder or _SUFFIXES.get(suffix(item.path)) == format
    )
    if not items:
        wanted = " ".join(one for one, its in _SUFFIXES.items() if its == format)
        raise RecipeError(f"source {origin.name!r}: no file with {wanted} in {path!r}")
    return Files(origin=origin, format=format, items=items, limit_bytes=limit_bytes)


def _guess(name: str, items: list[Item]) -> str:
    formats = sorted({_SUFFIXES[suffix(item.path)] for item in items
                      if suffix(item.path) in _SUFFIXES})  # fmt: skip
    if len(formats) == 1:
        return formats[0]
    found = f"files of several formats ({', '.join(formats)})" if formats else items[0].locator
    raise RecipeError(
        f"source {name!r}: cannot tell the format of {found}; add format: one of "
        f"{', '.join(FORMATS)}"
    )


def checked_origin(name: str, license: str | None, on_bad: OnBad) -> Origin:
    """The keys that every kind of source has, checked as `open_source` does."""
    return Origin(name=_checked_name(name), license=_checked_license(name, license),
                  on_bad=_one_of(name, "on_bad", on_bad, get_args(OnBad)))  # fmt: skip


def _checked_name(name: str) -> str:
    if not name or not name.isprintable():
        raise RecipeError(f"sources: name {name!r} is no printable text; name the source")
    return name


def _checked_license(name: str, license: str | None) -> str:
    if license is None:
        return NO_ASSERTION
    spdx = expression(license)
    if spdx is None:
        raise RecipeError(
            f"source {name!r}: license {license!r} is no SPDX expression; {suggestion(license)}"
        )
    return spdx


def _one_of(name: str, key: str, value: T, known: Sequence[str]) -> T:
    if value not in known:
        near = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise RecipeError(f"source {name!r}: {key} {value!r} is unknown; {hint}")
    return value
