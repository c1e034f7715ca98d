"""Finds the items of benchmarks in texts.

Case, punctuation and white space do not matter: texts and items are compared as lower-cased words
(characters in scripts written without spaces). Two things count as a find, as the kernel defines them:

* `ngram` consecutive words of an item (13: Brown et al. 2020, arXiv:2005.14165, appendix C);
* the share `coverage` of the words of an item, or of its first part, the question, and 8 of them at
  least: half of them in runs of four or more, the others next to these or after an edit of one or two
  words. (Chowdhery et al. 2022, arXiv:2204.02311, section 8, ask for 70 % of the 8-grams; an edit every
  eight words leaves none of these.)

Runs of words that stand in many items are ignored, as frequent 13-grams are in GPT-3's list, and so are
runs of numbers. The share 0.6 is our own, between what it finds and what it flags wrongly: see
``benches/filters/decontaminate.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from gristmill import _core
from gristmill.decontaminate.items import WHERE, BenchmarkItem, read_items
from gristmill.errors import RecipeError
from gristmill.sources.base import digest
from gristmill.text import Texts, as_table, from_kernel

NGRAM = 13
COVERAGE = 0.6

FINDS = pa.schema(
    [
        pa.field("document", pa.uint32(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("coverage", pa.float32(), nullable=False),
        pa.field("longest_match", pa.uint32(), nullable=False),
        pa.field("has_ngram", pa.bool_(), nullable=False),
        pa.field("start", pa.uint64(), nullable=False),
        pa.field("end", pa.uint64(), nullable=False),
        pa.field("matched", pa.large_string(), nullable=False),
    ]
)
"""One passage that holds an item; see `contamination`."""

Against = str | Path | Sequence[str | Path]


class Benchmarks:
    """Benchmark items, ready to be looked for.

    Args:
        items: The items, as `read_items` gives them.
        ngram: So many consecutive words of an item are a find, 4 to 1,000.
        coverage: So is this share of its words, above 0, at most 1.

    Raises:
        ValueError: `ngram` or `coverage` is outside its range.
        RecipeError: No item can ever be found.
    """

    def __init__(
        self, items: Sequence[BenchmarkItem], ngram: int = NGRAM, coverage: float = COVERAGE
    ) -> None:
        self.items = items
        n_parts = [len(item.parts) for item in items]
        parts = as_table([part for item in items for part in item.parts])
        self._kernel = _core.BenchmarkItems(parts, n_parts, ngram, coverage)
        self.findable = self._kernel.findable()
        if not any(self.findable):
            raise RecipeError(
                f"{WHERE}: none of the {len(items)} items has words enough to be found, so the stage "
                f"could have no effect (a question of 8 words, or ngram = {ngram} consecutive ones); "
                "check that these are benchmark files"
            )
        self._names = pa.array([item.benchmark for item in items], pa.string())
        self._ids = pa.array([item.id for item in items], pa.string())

    @classmethod
    def read(
        cls,
        against: Against,
        ngram: int = NGRAM,
        coverage: float = COVERAGE,
        base: Path | str = ".",
    ) -> Benchmarks:
        """Read the items of files; see `read_items` for what it refuses.

        Raises:
            RecipeError: No item of one of the files can ever be found.
        """
        benchmarks = cls(read_items(against, base), ngram, coverage)
        benchmarks._refuse_without_effect()
        return benchmarks

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all items: another one means that other texts are looked for."""
        return digest(*(text for item in self.items for text in (item.id, *item.parts)))

    @cached_property
    def n_items(self) -> Counter[str]:
        """Items of each benchmark."""
        return Counter(item.benchmark for item in self.items)

    @cached_property
    def n_too_short(self) -> Counter[str]:
        """Items of each benchmark that cannot be found in any text."""
        pairs = zip(self.items, self.findable, strict=True)
        return Counter(item.benchmark for item, is_findable in pairs if not is_findable)

    def find(self, texts: Texts, threads: int = 1) -> pa.Table:
        """The passages that hold items, with the columns of `FINDS`; see `contamination`.

        Raises:
            TypeError: `texts` is not text.
            ValueError: `threads` is below 1.
        """
        table = as_table(texts)
        found = from_kernel(self._kernel.find(table, threads)).combine_chunks()
        documents, spans = found["document"].to_pylist(), (found["start"], found["end"])
        starts, ends = (column.to_pylist() for column in spans)
        column = table["text"]
        matched = [
            column[row].as_py()[start:end]
            for row, start, end in zip(documents, starts, ends, strict=True)
        ]
        columns = {
            "document": found["document"],
            "benchmark": self._names.take(found["item"].combine_chunks()),
            "item": self._ids.take(found["item"].combine_chunks()),
            "coverage": found["coverage"],
            "longest_match": found["longest"],
            "has_ngram": found["has_ngram"],
            "start": found["start"],
            "end": found["end"],
            "matched": pa.array(matched, pa.large_string()),
        }
        return pa.Table.from_arrays([columns[name] for name in FINDS.names], schema=FINDS)

    def _refuse_without_effect(self) -> None:
        for name, n_items in self.n_items.items():
            if self.n_too_short[name] == n_items:
                raise RecipeError(
                    f"{WHERE}: none of the {n_items} items of {name} has words enough to be found, so "
                    "the file could have no effect; take it out, or check that it is a benchmark"
                )


def contamination(
    texts: Texts,
    against: Against,
    ngram: int = NGRAM,
    coverage: float = COVERAGE,
    threads: int = 1,
) -> pa.Table:
    """Find the items of benchmarks in texts, verbatim or edited.

    Args:
        texts: Documents; Arrow data is borrowed, not copied. A null counts as an empty document.
        against: Paths, globs, folders or URLs of benchmark files: JSON Lines, JSON, CSV, TSV or
            Parquet, plain, gzip or zstd.
        ngram: So many consecutive words of an item are a find, 4 to 1,000.
        coverage: So is this share of the words of an item or of its first part, above 0, at most 1.
        threads: Threads to use; the result is the same for any number.

    Returns:
        One row per passage, ordered by document and item: ``document`` uint32, the index of the text;
        ``benchmark`` string, the file's name without suffixes; ``item`` string, ``file:row``;
        ``coverage`` float32, the share of the item's words, or of those of its first part, that the
        passage holds; ``longest_match`` uint32, characters of the longest string that
        passage and item have in common; ``has_ngram`` bool, whether the passage holds `ngram`
        consecutive words of the item; ``start`` and ``end`` uint64, the passage in characters of the
        text; ``matched`` large_string, the passage.

    Raises:
        RecipeError: A path matches nothing, or nothing in a file can be found.
        FormatError: A file is broken, or a row has no text.
        ValueError: A parameter is outside its range.
        TypeError: `texts` is not text.
    """
    return Benchmarks.read(against, ngram, coverage).find(texts, threads)
