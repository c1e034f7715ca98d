"""Files that are one document each: plain text, Markdown and source trees.

Their license is what their head says (``SPDX-License-Identifier``), else the source's.
"""

from __future__ import annotations

import io
import re
import tokenize
from typing import Any

import pyarrow as pa

from gristmill.schema import NO_ASSERTION
from gristmill.sources.base import LONGEST_RECORD, BadRecord, Item, OnBad, Record
from gristmill.sources.paths import open_bytes, suffix
from gristmill.spdx import expression

LARGEST_CODE_FILE = 1 << 20
"""Bytes; a larger source file is data or generated (The Stack v2 draws the line here too)."""

LANGUAGES = {
    ".c": "C", ".h": "C", ".cc": "C++", ".cpp": "C++", ".cxx": "C++", ".hpp": "C++", ".hh": "C++",
    ".cs": "C#", ".css": "CSS", ".cu": "CUDA", ".cuh": "CUDA", ".dart": "Dart", ".ex": "Elixir",
    ".exs": "Elixir", ".erl": "Erlang", ".f90": "Fortran", ".go": "Go", ".hs": "Haskell",
    ".java": "Java", ".jl": "Julia", ".js": "JavaScript", ".jsx": "JavaScript",
    ".mjs": "JavaScript", ".kt": "Kotlin", ".lua": "Lua", ".m": "MATLAB", ".ml": "OCaml",
    ".php": "PHP", ".pl": "Perl", ".proto": "Protocol Buffers", ".py": "Python", ".pyi": "Python",
    ".pyx": "Cython", ".pxd": "Cython", ".r": "R", ".rb": "Ruby", ".rs": "Rust", ".scala": "Scala",
    ".sh": "Shell", ".sql": "SQL", ".swift": "Swift", ".ts": "TypeScript", ".tsx": "TypeScript",
    ".zig": "Zig",
}  # fmt: skip
"""What a source tree is searched for."""

HEADER_BYTES = 8_192
"""Where in a file its license may stand; further down it is text about licenses."""

_SPDX_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n]*)")
_END_OF_COMMENT = re.compile(r"(\*/|-->|\*\)|#}|\]\]|\"|').*$")

_PYTHON = frozenset({".py", ".pyi"})
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def text_record(item: Item, on_bad: OnBad) -> Record | BadRecord:
    """Read one text or Markdown file."""
    return _with_license(file_record(item, on_bad, LONGEST_RECORD, {"path": item.locator}))


def code_record(item: Item, on_bad: OnBad) -> Record | BadRecord:
    """Read one source file; Python's in the encoding that it declares."""
    language = LANGUAGES.get(suffix(item.path))
    metadata = {"path": item.locator} | ({"programming_language": language} if language else {})
    return _with_license(file_record(item, on_bad, LARGEST_CODE_FILE, metadata))


def decode(raw: bytes, path: str, on_bad: OnBad) -> tuple[str | None, str]:
    """The text of a file without a byte order mark, or None; and what was wrong with it.

    Python files are decoded as PEP 263 says; repaired ones have U+FFFD for what is not UTF-8.
    """
    try:
        if suffix(path) in _PYTHON:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
            return _utf8(raw.decode(encoding)), ""
        return raw.decode("utf-8-sig"), ""
    except (UnicodeError, LookupError, SyntaxError, ValueError) as error:
        if on_bad != "repair":
            return None, str(error)
    encoding = "utf-16" if raw.startswith(_UTF_16) else "utf-8-sig"
    return raw.decode(encoding, "replace"), "bad_utf8"


def _utf8(text: str) -> str:
    text.encode()  # a declared encoding may give lone surrogates
    return text


def read_whole(item: Item, largest: int) -> bytes | BadRecord:
    """The unpacked content of a file of up to `largest` bytes."""
    try:
        with open_bytes(item) as stream:
            # A read takes the memory that it may need; only a compressed file is of unknown size.
            packed = isinstance(stream, pa.CompressedInputStream)
            raw: bytes = stream.read(largest + 1 if packed else min(largest, item.n_bytes) + 1)
    except OSError as error:
        return BadRecord(locator=item.locator, reason="bad_file", detail=str(error), raw=b"")
    return raw if len(raw) <= largest else too_large(item, largest, raw[:largest])


def file_record(
    item: Item, on_bad: OnBad, largest: int, metadata: dict[str, str]
) -> Record | BadRecord:
    """Read a file of up to `largest` bytes as one document with `metadata`."""
    raw = read_whole(item, largest)
    if isinstance(raw, BadRecord):
        return raw
    text, fault = decode(raw, item.path, on_bad)
    if text is None:
        return BadRecord(locator=item.locator, reason="bad_utf8", detail=fault, raw=raw)
    if fault:
        metadata["repaired"] = fault
    return Record(locator=item.locator, text=text, metadata=dict(metadata))


def _with_license(record: Record | BadRecord) -> Record | BadRecord:
    if isinstance(record, Record):
        record.license = declared_license(record.text, record.metadata)
    return record


def declared_license(text: str, metadata: dict[str, Any]) -> str | None:
    """The license that the head of a file declares by ``SPDX-License-Identifier``, if any.

    One that is no SPDX expression, or several that differ, make ``NOASSERTION``; what was declared is
    then put into `metadata`.

    >>> declared_license("/* SPDX-License-Identifier: mit OR Apache-2.0 */", {})
    'MIT OR Apache-2.0'
    """
    tags = (match[1] for match in _SPDX_TAG.finditer(text[:HEADER_BYTES]))
    declared = list(dict.fromkeys(_END_OF_COMMENT.sub("", tag).strip() for tag in tags))
    if not declared:
        return None
    found = {expression(one) or NO_ASSERTION for one in declared}
    if len(found) == 1 and NO_ASSERTION not in found:
        return found.pop()
    metadata["declared_license"] = "; ".join(declared)
    return NO_ASSERTION


def too_large(item: Item, largest: int, raw: bytes = b"") -> BadRecord:
    """The bad record of a file beyond the limit."""
    return BadRecord(
        locator=item.locator,
        reason="too_large",
        detail=f"more than {largest} bytes in one file",
        raw=raw,
        n_bytes=item.n_bytes,
    )
