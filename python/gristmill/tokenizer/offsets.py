"""Which characters of its text each token covers.

The tokens of a byte-level vocabulary, put one after the other, are the text; so their lengths say
all. A token that ends inside a character covers the whole of it, as `tokenizers` has it.

Arrays change hands as buffers: `to_numpy` and `pyarrow.array` would first import pandas.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def character_offsets(
    ids: pa.Array, texts: pa.ChunkedArray, token_bytes: npt.NDArray[np.int64]
) -> tuple[pa.UInt32Array, pa.UInt32Array]:
    """Find the first character of each token, and the one after its last.

    Args:
        ids: ``list<uint32>[n]``, the tokens of each text.
        texts: The *n* texts; a null counts as an empty one.
        token_bytes: The length of each token, by id.

    Returns:
        Twice ``uint32``, one entry for each id of all texts, counted from the beginning of the
        id's text. Memory: about 16 bytes for each byte of text and each id.
    """
    flat = np.frombuffer("".join(text or "" for text in texts.to_pylist()).encode(), np.uint8)
    number = np.cumsum((flat & 0xC0) != 0x80) - 1  # of the character that each byte belongs to
    ends = np.cumsum(token_bytes[np.from_dlpack(ids.values)])
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    borders = np.from_dlpack(ids.offsets)
    counts = np.diff(borders)
    firsts = np.repeat(starts[np.minimum(borders[:-1], len(starts) - 1)], counts)
    first = number[firsts] if len(number) else firsts
    begin, end = (number[starts], number[ends - 1] + 1) if len(ends) else (starts[:0], ends)
    return _arrow(begin - first), _arrow(end - first)


def _arrow(places: npt.NDArray[np.int64]) -> pa.UInt32Array:
    values = pa.py_buffer(places.astype(np.uint32))
    return pa.Array.from_buffers(pa.uint32(), len(places), [None, values])
