"""Reads the items of benchmark files: JSON Lines, JSON, CSV, TSV and Parquet, plain, gzip or zstd.

A file that breaks off, or a row without text, is refused: an item that is not read would be an item
that is never found.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.decontaminate.formats import Row, parts_of
from gristmill.errors import FormatError, RecipeError
from gristmill.sources.base import Item as File
from gristmill.sources.paths import find, open_bytes, suffix

WHERE = "decontaminate.against"


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """One item.

    Attributes:
        benchmark: The name of its file, without suffixes.
        id: ``file:row``; rows count from 1, in JSON Lines they are lines.
        parts: Its texts: the question, then the answers.
    """

    benchmark: str
    id: str
    parts: tuple[str, ...]


def read_items(
    against: str | Path | Sequence[str | Path], base: Path | str = "."
) -> list[BenchmarkItem]:
    """Read the items of all files that paths, globs and URLs name, in the order of the files' names.

    Args:
        against: Paths, globs, folders or fsspec URLs.
        base: What relative paths are relative to.

    Raises:
        RecipeError: A path matches nothing, or a file's format is not known.
        FormatError: A file is broken or holds no item, or a row has no text.
    """
    patterns = [against] if isinstance(against, str | Path) else list(against)
    if not patterns:
        raise RecipeError(
            f"{WHERE} is empty, so the stage could have no effect; name benchmark files"
        )
    files = [file for file, _ in find(WHERE, [str(one) for one in patterns], Path(base).absolute())]
    names = [_stem(file.locator.rpartition("/")[2]) for file in files]
    if len(set(names)) < len(names):
        names = [_stem(file.locator) for file in files]
    return [item for file, name in zip(files, names, strict=True) for item in _items(file, name)]


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.split('.')[0]}".removeprefix("/") if folder else name.split(".")[0]


def _items(file: File, name: str) -> list[BenchmarkItem]:
    kind = suffix(file.path)
    if kind not in READERS:
        raise RecipeError(
            f"{WHERE}: {file.locator} is no benchmark file; allowed: {' '.join(READERS)}, and these "
            "with .gz or .zst"
        )
    items = []
    for number, row in READERS[kind](file.locator, _unpacked(file)):
        where = f"{file.locator}:{number}"
        if not isinstance(row, dict):
            raise FormatError(f"{where}: is no object with columns, but {type(row).__name__}")
        parts = parts_of(row)
        if not parts:
            raise FormatError(
                f"{where}: has no text (columns: {', '.join(map(str, row)) or 'none'}); take the row "
                "out, or check that this is a benchmark file"
            )
        items.append(BenchmarkItem(name, where, tuple(parts)))
    if not items:
        raise FormatError(f"{file.locator}: holds no item; take it out of {WHERE}")
    return items


def _unpacked(file: File) -> bytes:
    chunks = []
    try:
        with open_bytes(file) as stream:
            while chunk := stream.read(1 << 20):
                chunks.append(chunk)
    except OSError as error:
        raise FormatError(
            f"{file.locator}: cannot be unpacked ({error}); get the file again"
        ) from None
    return b"".join(chunks)


Numbered = Iterator[tuple[int, Any]]


def _json_lines(locator: str, data: bytes) -> Numbered:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, _parsed(f"{locator}:{number}", line)


def _json(locator: str, data: bytes) -> Numbered:
    """A list of rows, or an object with one; one object a line is read as such."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        yield from _json_lines(locator, data)
        return
    if isinstance(value, dict):
        lists = [one for one in value.values() if isinstance(one, list)]
        value = lists[0] if len(lists) == 1 else [value]
    yield from enumerate(value if isinstance(value, list) else [value], 1)


def _parsed(where: str, line: bytes) -> Any:
    try:
        return json.loads(line)
    except RecursionError:
        raise FormatError(f"{where}: is nested too deeply") from None
    except ValueError as error:  # JSON's and Unicode's errors both are
        raise FormatError(f"{where}: is no JSON ({error})") from None


def _separated(separator: str) -> Callable[[str, bytes], Numbered]:
    def read(locator: str, data: bytes) -> Numbered:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(f"{locator}: is not UTF-8 ({error})") from None
        rows, number = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator), 0
        try:
            for number, row in enumerate(rows, 1):
                yield number, {name: value for name, value in row.items() if name is not None}
        except csv.Error as error:
            raise FormatError(f"{locator}:{number + 1}: is no row ({error})") from None

    return read


def _parquet(locator: str, data: bytes) -> Numbered:
    try:
        rows: list[Row] = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise FormatError(f"{locator}: is no Parquet file ({error})") from None
    yield from enumerate(rows, 1)


READERS: dict[str, Callable[[str, bytes], Numbered]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
}
"""How a file is read, by its suffix: rows with their numbers."""
