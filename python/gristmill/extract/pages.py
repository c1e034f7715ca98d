"""Pages given from Python, as text or bytes, to an Arrow array of their texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from gristmill.extract.fast import decode
from gristmill.extract.tiers import extract, need_tiers

if TYPE_CHECKING:
    import polars as pl

Pages: TypeAlias = "Sequence[str | bytes | None] | pa.Array | pa.ChunkedArray | pl.Series"
"""A list of str or bytes, Arrow text or binary data, or a polars Series of them."""


def extract_html(pages: Pages, mode: str = "auto") -> pa.Array:
    """Find the text of web pages, without what stands around it.

    Args:
        pages: HTML, decoded or as bytes; the encoding of bytes is detected from them and from what
            the page declares.
        mode: ``fast`` (resiliparse), ``precise`` (trafilatura) or ``auto``: the fast result, its
            boilerplate dropped, where that looks like a whole article, and the precise one elsewhere.

    Returns:
        ``large_string[n]``: a text per page; empty where a page has none or is beyond what the
        parsers can take, null where it is null.

    Raises:
        RecipeError: `mode` is none of the three, or ``gristmill[web]`` is not installed.
        TypeError: A page is neither text nor bytes.

    Example:
        >>> story = "<p>A sentence that is long enough to be the text of a page, and ends.</p>"
        >>> extract_html([f"<nav>Home</nav><article>{story}</article>"], mode="fast")[0].as_py()
        'A sentence that is long enough to be the text of a page, and ends.'
    """
    need_tiers(mode)
    if isinstance(pages, str | bytes):
        raise TypeError("expected many pages, got a single one; put it in a list")
    texts = [
        None if page is None else extract(_decoded(page, number), mode).text
        for number, page in enumerate(_each(pages))
    ]
    return pa.array(texts, pa.large_string())


def _each(pages: Pages) -> Iterable[Any]:
    if isinstance(pages, pa.Array | pa.ChunkedArray):
        return (page.as_py() for page in pages)
    if hasattr(pages, "__arrow_c_stream__"):
        return (page.as_py() for page in pa.chunked_array(pages))
    return pages


def _decoded(page: object, number: int) -> str:
    if isinstance(page, str):
        return page
    if isinstance(page, bytes):
        return decode(page)
    raise TypeError(f"page {number} is {type(page).__name__}; expected str or bytes")
