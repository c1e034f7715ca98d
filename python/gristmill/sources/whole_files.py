"""Files that are one document each: plain text, Markdown and source trees."""

from __future__ import annotations

import io
import tokenize

import pyarrow as pa

from gristmill.sources.base import LONGEST_RECORD, BadRecord, Item, OnBad, Record
from gristmill.sources.paths import open_bytes, suffix

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

_PYTHON = frozenset({".py", ".pyi"})
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def text_record(item: Item, on_bad: OnBad) -> Record | BadRecord:
    """Read one text or Markdown file."""
    return file_record(item, on_bad, LONGEST_RECORD, {"path": item.locator})


def code_record(item: Item, on_bad: OnBad) -> Record | BadRecord:
    """Read one source file; Python's in the encoding that it declares."""
    language = LANGUAGES.get(suffix(item.path))
    metadata = {"path": item.locator} | ({"programming_language": language} if language else {})
    return file_record(item, on_bad, LARGEST_CODE_FILE, metadata)


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


def file_record(
    item: Item, on_bad: OnBad, largest: int, metadata: dict[str, str]
) -> Record | BadRecord:
    """Read a file of up to `largest` bytes as one document with `metadata`."""
    try:
        with open_bytes(item) as stream:
            # A read takes the memory that it may need; only a compressed file is of unknown size.
            packed = isinstance(stream, pa.CompressedInputStream)
            raw = stream.read(largest + 1 if packed else min(largest, item.n_bytes) + 1)
    except OSError as error:
        return BadRecord(locator=item.locator, reason="bad_file", detail=str(error), raw=b"")
    if len(raw) > largest:
        return too_large(item, largest, raw[:largest])
    text, fault = decode(raw, item.path, on_bad)
    if text is None:
        return BadRecord(locator=item.locator, reason="bad_utf8", detail=fault, raw=raw)
    if fault:
        metadata["repaired"] = fault
    return Record(locator=item.locator, text=text, metadata=dict(metadata))


def too_large(item: Item, largest: int, raw: bytes = b"") -> BadRecord:
    """The bad record of a file beyond the limit."""
    return BadRecord(
        locator=item.locator,
        reason="too_large",
        detail=f"more than {largest} bytes in one file",
        raw=raw,
        n_bytes=item.n_bytes,
    )
