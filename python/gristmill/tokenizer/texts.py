"""Texts on their way into a tokenizer: what is not Unicode is named, or replaced when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import pyarrow as pa

from gristmill.text import Texts, as_table

Errors: TypeAlias = Literal["strict", "replace"]
"""What becomes of bytes that are not UTF-8 and of lone surrogates: an error, or U+FFFD."""

_BINARY = (pa.binary(), pa.large_binary(), pa.binary_view())
_TEXT = (pa.string(), pa.large_string(), pa.string_view())


def text_table(texts: Texts | Sequence[bytes], errors: Errors = "strict") -> pa.Table:
    """As `gristmill.text.as_table`, for bytes too.

    Raises:
        TypeError: `texts` is a single string or holds something that is neither text nor bytes.
        ValueError: A text is not UTF-8 or holds a lone surrogate; the message says which and where.
    """
    if errors not in ("strict", "replace"):
        raise ValueError(f"errors = {errors!r} is not allowed: strict or replace")
    try:
        return as_table(_decoded(texts))
    except (TypeError, ValueError):
        values = _values(texts)
        if values is None:
            raise
        checked = [_unicode(value, f"text {i}: ", errors) for i, value in enumerate(values)]
    return as_table(pa.array(checked, pa.large_string()))


def one_text(text: str | bytes, errors: Errors = "strict") -> str:
    """As `text_table`, for a single text."""
    if not isinstance(text, str | bytes):
        raise TypeError(f"expected a text, got {type(text).__name__}")
    return _unicode(text, "", errors) or ""


def _decoded(texts: Texts | Sequence[bytes]) -> Texts:
    """Bytes as Arrow text, not copied where they are Arrow data; anything else as it is."""
    if hasattr(texts, "__arrow_c_stream__") and not isinstance(texts, pa.ChunkedArray):
        texts = pa.chunked_array(texts)
    elif isinstance(texts, list | tuple) and isinstance(next(iter(texts), None), bytes):
        texts = pa.array(texts, pa.large_binary())
    if isinstance(texts, pa.Array | pa.ChunkedArray) and texts.type in _BINARY:
        return texts.cast(pa.large_binary()).cast(pa.large_string())
    return texts


def _values(texts: Texts | Sequence[bytes]) -> list[str | bytes | None] | None:
    """The texts one by one; None when there is something else among them."""
    if isinstance(texts, str | bytes):
        return None
    if hasattr(texts, "__arrow_c_stream__"):
        texts = pa.chunked_array(texts)
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        if texts.type in _TEXT:  # as bytes, for they may be no text
            texts = texts.cast(pa.large_binary())
        texts = texts.to_pylist()
    values = list(texts)
    return values if all(isinstance(value, str | bytes | None) for value in values) else None


def _unicode(value: str | bytes | None, where: str, errors: Errors) -> str | None:
    if value is None:
        return None
    try:
        if isinstance(value, bytes):
            return value.decode()
        value.encode()
    except UnicodeError as error:
        if errors == "replace":
            return _replaced(value)
        raise ValueError(f"{where}{_fault(value, error)}") from None
    return value


def _replaced(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _fault(value: str | bytes, error: UnicodeError) -> str:
    remedy = "decode the text from what it is encoded in, or pass errors='replace' for U+FFFD"
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{value[error.start]:02x} at byte {error.start} is not UTF-8; {remedy}"
    assert isinstance(value, str)
    assert isinstance(error, UnicodeEncodeError)
    at = len(value[: error.start].encode())
    return f"lone surrogate U+{ord(value[error.start]):04X} at byte {at} is not Unicode; {remedy}"
