"""Says which benchmark items stand in which documents: rows for a file, and counts per benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gristmill.decontaminate.search import FINDS, Benchmarks
from gristmill.schema import DOCUMENT

MAX_MATCHED_CHARS = 2_000
"""Characters of a passage that a row of the report shows."""

CONTAMINATION = pa.schema(
    [
        FINDS.field("benchmark"),
        FINDS.field("item"),
        DOCUMENT.field("id"),
        DOCUMENT.field("source"),
        DOCUMENT.field("license"),
        DOCUMENT.field("url"),
        *(FINDS.field(name) for name in FINDS.names[3:]),
    ]
)
"""``contamination.parquet``: one row per passage that holds an item.

`id`, `source`, `license` and `url` are the document's; `start` and `end` are characters of its text as
the stage got it.
"""


def report_rows(finds: pa.Table, docs: pa.Table) -> pa.Table:
    """Put beside each find where its document comes from: rows of `CONTAMINATION`.

    Args:
        finds: With the columns of `search.FINDS`; `document` is a row of `docs`.
        docs: With the columns of `schema.DOCUMENT`.
    """
    columns = {
        name: docs[name].take(finds["document"]) for name in ("id", "source", "license", "url")
    }
    columns |= {name: finds[name] for name in FINDS.names[1:]}
    columns["matched"] = pc.utf8_slice_codeunits(finds["matched"], 0, MAX_MATCHED_CHARS)
    return pa.Table.from_arrays(
        [columns[name] for name in CONTAMINATION.names], schema=CONTAMINATION
    )


@dataclass(slots=True)
class Counts:
    """What was found of one benchmark."""

    items: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    largest_coverage: float = 0.0
    longest_match: int = 0


def counted(rows: pa.Table, benchmarks: Benchmarks) -> list[dict[str, Any]]:
    """Count the rows of a report, benchmark by benchmark, those without a find included.

    Returns:
        For each benchmark its ``items``, how many are ``too_short`` to be found, how many were
        ``found`` and their ``share`` with the ends of its 95 % Wilson interval, ``documents`` that
        hold some, ``largest_coverage`` and ``longest_match`` in characters.
    """
    counts = {name: Counts() for name in benchmarks.n_items}
    chosen = rows.select(["benchmark", "item", "id", "coverage", "longest_match"])
    for name, item, document, coverage, longest in _tuples(chosen):
        one = counts[name]
        one.items.add(item)
        one.documents.add(document)
        one.largest_coverage = max(one.largest_coverage, coverage)
        one.longest_match = max(one.longest_match, longest)
    return [
        {
            "benchmark": name,
            "items": (n_items := benchmarks.n_items[name]),
            "too_short": benchmarks.n_too_short[name],
            "found": len(one.items),
            "share": round(len(one.items) / n_items, 6),
            "share_interval": [round(end, 6) for end in wilson(len(one.items), n_items)],
            "documents": len(one.documents),
            "largest_coverage": round(one.largest_coverage, 4),
            "longest_match": one.longest_match,
        }
        for name, one in counts.items()
    ]


def _tuples(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def wilson(n_found: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval that holds the true share with 95 % confidence (Wilson 1927).

    >>> [round(end, 4) for end in wilson(5, 10)]
    [0.2366, 0.7634]
    """
    share, spread = n_found / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / n + spread / n / 4) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)
