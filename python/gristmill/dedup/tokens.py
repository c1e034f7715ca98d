"""Scans texts for repeated tokens: encodes them into a file that the kernel maps.

Ranges come back as bytes of the text: a range of tokens may begin or end inside a character, and is
shrunk to whole ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.dedup.cuts import Found, Int64s, longest_between
from gristmill.dedup.scan import Kernel
from gristmill.documents import TextFiles
from gristmill.errors import RecipeError
from gristmill.progress import progress
from gristmill.tables import ArrowFiles, arrow_writer
from gristmill.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Texts as token ids, and what repeats in them.

    Attributes:
        ids: The column ``ids``, a row per text.
        document: The row of each range's text.
        start: Its first token.
        end: The token after it.
        before: Bytes that the first tokens have of the character before the range.
        after: Bytes that the last tokens have of the character after the range.
    """

    ids: ArrowFiles
    document: Int64s
    start: Int64s
    end: Int64s
    before: Int64s
    after: Int64s


class TokenScanner:
    """Compares token ids.

    Args:
        kernel: How to look.
        tokenizer: Encodes the texts; its tokens must spell them.
    """

    last: Encoded
    """What was scanned last, and what was found in it."""

    def __init__(self, kernel: Kernel, tokenizer: Tokenizer) -> None:
        self.kernel, self._tokenizer = kernel, tokenizer
        self.dtype = pa.uint16() if tokenizer.vocab_size <= 2**16 else pa.uint32()
        self.schema = pa.schema([pa.field("ids", pa.large_list(self.dtype))])
        self.vocabulary = _vocabulary(tokenizer)
        self._n_bytes = pc.binary_length(self.vocabulary).to_numpy()

    @property
    def unit(self) -> int:
        """Bytes of a token id."""
        return int(self.dtype.bit_width) // 8

    def scan(self, texts: TextFiles) -> Found:
        """Find every range that repeats an earlier one; `last` is what was scanned."""
        ids = self._encode(texts)
        document, start, end, twin, offset = self.kernel.repeats(ids.places("ids"), self.unit)
        longest = longest_between(document, start, end, ids.lengths("ids"))
        spelled = _Spelled(self._n_bytes, document, start, end, twin, offset)
        if len(document):
            for first, batch in texts.numbered():
                spelled.read(first, batch, ids.slice(first, len(batch))["ids"])
            spelled.shift_twins()
        whole = spelled.start < spelled.end
        self.last = Encoded(
            ids=ids,
            document=document[whole],
            start=start[whole],
            end=end[whole],
            before=spelled.before[whole],
            after=spelled.after[whole],
        )
        return Found(
            document=document[whole],
            start=spelled.start[whole],
            end=spelled.end[whole],
            twin=twin[whole],
            offset=spelled.offset[whole],
            longest=longest,
        )

    def _encode(self, texts: TextFiles) -> ArrowFiles:
        path = self.kernel.room.folder / "ids.arrow"
        with (
            arrow_writer(path, self.schema) as out,
            progress("encode for exact_substrings", unit="MB") as advance,
        ):
            for first, batch in texts.numbered():
                ids = self._tokenizer.encode_batch(batch, self.kernel.threads)
                self._check_spelling(first, batch, ids)
                out.write(pa.table({"ids": ids.cast(pa.large_list(self.dtype))}))
                advance(batch.nbytes / 1e6)
        return ArrowFiles([path], self.schema)

    def _check_spelling(self, first: int, texts: pa.ChunkedArray, ids: pa.Array) -> None:
        """Refuse a tokenizer that encodes something else than the texts."""
        ends = np.concatenate([[0], np.cumsum(self._n_bytes[ids.values.to_numpy()])])
        n_bytes = np.diff(ends[ids.offsets.to_numpy()])
        differ = n_bytes != pc.binary_length(texts).to_numpy()
        if self._tokenizer.normalizes:
            normal = pc.utf8_normalize(texts, "NFC")
            differ |= pc.not_equal(normal, texts).to_numpy()
        if differ.any():
            raise RecipeError(
                f"exact_substrings: the tokens of document {first + int(differ.argmax())} (counted "
                "from 0) do not spell its text, which the tokenizer changes before it encodes; "
                "normalize the documents first (normalize: {}), take another tokenizer, or "
                "min_bytes instead of min_tokens"
            )


class _Spelled:
    """Ranges of tokens on their way to ranges of bytes, batch by batch."""

    def __init__(
        self,
        n_bytes: Int64s,
        document: Int64s,
        start: Int64s,
        end: Int64s,
        twin: Int64s,
        offset: Int64s,
    ) -> None:
        self._n_bytes, self._document, self._twin = n_bytes, document, twin
        self._by_twin = np.argsort(twin, kind="stable")
        self.start, self.end, self.offset = start.copy(), end.copy(), offset.copy()
        self.before, self.after = np.zeros_like(start), np.zeros_like(end)

    def read(self, first: int, texts: pa.ChunkedArray, ids: pa.ChunkedArray) -> None:
        """Take the texts from row `first` on, and their tokens."""
        stop = first + len(texts)
        here = slice(*np.searchsorted(self._document, [first, stop]))
        sorted_twins = self._twin[self._by_twin]
        there = self._by_twin[slice(*np.searchsorted(sorted_twins, [first, stop]))]
        tokens = ids.combine_chunks()
        bounds = tokens.offsets.to_numpy()
        ends = np.concatenate([[0], np.cumsum(self._n_bytes[tokens.values.to_numpy()])])

        def byte(row: Int64s, token: Int64s) -> Int64s:
            at: Int64s = ends[bounds[row] + token] - ends[bounds[row]]
            return at

        row = self._document[here] - first
        start, end = byte(row, self.start[here]), byte(row, self.end[here])
        self.start[here], self.end[here] = to_characters(texts.combine_chunks(), row, start, end)
        self.before[here] = self.start[here] - start
        self.after[here] = end - self.end[here]
        self.offset[there] = byte(self._twin[there] - first, self.offset[there])

    def shift_twins(self) -> None:
        """Move each twin's offset as the start of its range moved."""
        self.offset += self.before


def to_characters(
    texts: pa.Array, row: Int64s, start: Int64s, end: Int64s
) -> tuple[Int64s, Int64s]:
    """Shrink byte ranges of some texts to whole characters."""
    bounds, data = text_buffers(texts)
    first, stop, limit = bounds[row] + start, bounds[row] + end, bounds[row + 1]

    def inside(position: Int64s) -> Int64s:
        return np.asarray(data[np.minimum(position, len(data) - 1)] & 0xC0 == 0x80)

    for _ in range(3):
        first += (first < stop) & inside(first)
    for _ in range(3):
        stop -= (first < stop) & (stop < limit) & inside(stop)
    return first - bounds[row], stop - bounds[row]


def text_buffers(texts: pa.Array) -> tuple[Int64s, npt.NDArray[np.uint8]]:
    """The offsets of a large_string array, and the bytes that they count."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return bounds, np.frombuffer(data or b"", np.uint8)


def _vocabulary(tokenizer: Tokenizer) -> pa.LargeBinaryArray:
    """The bytes of each token; none for an id that no token has."""
    tokens = []
    for token_id in range(tokenizer.vocab_size):
        try:
            tokens.append(tokenizer.token_bytes(token_id))
        except KeyError:
            tokens.append(b"")
    return pa.array(tokens, pa.large_binary())
