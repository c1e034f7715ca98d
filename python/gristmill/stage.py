"""What a stage is: documents in, one verdict per document out.

A stage never removes a row itself. It says of every document whether it goes on, and with which
text; `build` applies the verdict and writes the ledger row, so nothing can disappear uncounted.
*Streaming* stages judge any batch alone; *global* ones need the whole set in order ("first" means
first in that order).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import pyarrow as pa

Column: TypeAlias = "pa.Array | pa.ChunkedArray"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one stage says of *n* documents; entry *i* of each column speaks of document *i*.

    Attributes:
        reason: ``string[n]``, the snake_case reason a document is dropped for, null when it goes on.
        detail: ``string[n]`` or None: value and threshold, or what was cut.
        duplicate_of: ``string[n]`` or None: id of the twin that stays.
        text: ``large_string[n]`` or None when the stage changes no text.
        columns: Ledger columns measured by this stage, by name, each of length *n*.
    """

    reason: Column
    detail: Column | None = None
    duplicate_of: Column | None = None
    text: Column | None = None
    columns: dict[str, Column] = field(default_factory=dict)


class Stage(Protocol):
    """A step of the build."""

    @property
    def name(self) -> str:
        """The stage's name in the ledger, `run.json` and the recipe."""
        ...

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge every document of a table with the columns of `schema.DOCUMENT`."""
        ...


def keep_all(n_docs: int) -> pa.Array:
    """The `reason` column of a stage that drops nothing."""
    return pa.nulls(n_docs, pa.string())
