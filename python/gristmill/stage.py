"""What a stage is: documents in, one verdict per document out.

A stage never removes a row itself. It says of every document whether it goes on, and with which
text; `build` applies the verdict and writes the ledger row, so nothing can disappear uncounted.
*Streaming* stages judge any batch alone. *Global* ones need the whole set in order ("first" means
first in that order): they survey it on disk, then judge it batch by batch as the others do, so that
none has to hold it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa

from gristmill.documents import Documents
from gristmill.room import Room

Column: TypeAlias = "pa.Array | pa.ChunkedArray"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one stage says of *n* documents; entry *i* of each column speaks of document *i*.

    Attributes:
        reason: ``string[n]``, the snake_case reason a document is dropped for, null when it goes on.
        detail: ``string[n]`` or None: value and threshold, or what was cut.
        duplicate_of: ``string[n]`` or None: id of the twin that stays.
        text: ``large_string[n]`` or None when the stage changes no text.
        tags: ``list<string>[n]`` or None: what was found of a document and is no reason to drop it.
        columns: Ledger columns measured by this stage, by name, each of length *n*.
    """

    reason: Column
    detail: Column | None = None
    duplicate_of: Column | None = None
    text: Column | None = None
    tags: Column | None = None
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


class Judge(Stage, Protocol):
    """Judges the documents that were surveyed: the same ones in the same order, in any batches."""

    def finish(self, left: Documents) -> dict[str, Any]:
        """Look at what is left when all are judged.

        Returns:
            What `run.json` is to say of the stage besides its counts.

        Raises:
            IntegrityError: What is left is not what the stage promises.
        """
        ...


@runtime_checkable
class Reporter(Protocol):
    """A judge that leaves a table of what it found in the corpus directory.

    Attributes:
        report_name: The name of the Parquet file there.
    """

    report_name: str

    def report(self) -> pa.Table:
        """The rows, when all documents are judged."""
        ...


class GlobalStage(Protocol):
    """A step of the build that needs all documents before it can judge one."""

    @property
    def name(self) -> str:
        """The stage's name in the ledger, `run.json` and the recipe."""
        ...

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Look at all documents within the memory and disk that `room` grants."""
        ...


def keep_all(n_docs: int) -> pa.Array:
    """The `reason` column of a stage that drops nothing."""
    return pa.nulls(n_docs, pa.string())
