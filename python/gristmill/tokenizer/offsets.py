"""Which characters of its text each token covers.

The tokens of a byte-level vocabulary, put one after the other, are the text; so their lengths say
all. A token that ends inside a character covers the whole of it, as `tokenizers` has it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def character_offsets(
    ids: pa.Array, texts: pa.ChunkedArray, token_bytes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Find the first character of each token, and the one after its last.

    Args:
        ids: ``list<uint32>[n]``, the tokens of each text.
        texts: The *n* texts; a null counts as an empty one.
        token_bytes: The length of each token, by id.

    Returns:
        Two ``uint32`` arrays, one entry for each id of all texts, counted from the beginning of the
        id's text. Memory: about 16 bytes for each byte of text and each id.
    """
    flat = np.frombuffer("".join(text or "" for text in texts.to_pylist()).encode(), np.uint8)
    number = np.cumsum((flat & 0xC0) != 0x80) - 1  # of the character that each byte belongs to
    ends = np.cumsum(token_bytes[ids.values.to_numpy()])
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    borders = ids.offsets.to_numpy()
    counts = np.diff(borders)
    firsts = np.repeat(starts[np.minimum(borders[:-1], len(starts) - 1)], counts)
    first = number[firsts] if len(number) else firsts
    begin, end = (number[starts], number[ends - 1] + 1) if len(ends) else (starts[:0], ends)
    return (begin - first).astype(np.uint32), (end - first).astype(np.uint32)
