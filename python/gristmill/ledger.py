"""Verdicts become ledger rows: every stage is applied, counted and written down here.

The rows of a stage stand in the order of the documents that entered it, so the row of a document in
the next stage is found by counting the kept ones; no join, no lookup.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from gristmill.errors import IntegrityError
from gristmill.room import peak_rss_bytes
from gristmill.schema import LEDGER
from gristmill.stage import Column, Stage, Verdict

ORIGIN = ("id", "source", "license", "url", "bytes_in")
"""The columns that are known when a document is read; a stage adds the others."""

FINDINGS = pa.schema([field for field in LEDGER if field.name not in ORIGIN])
"""What one stage, or a chain of them, says of the documents that entered it."""


JOINTS = {"detail": "; ", "tags": " "}
"""What stands between the words of two stages, in the columns that keep both."""


@dataclass(slots=True)
class Tally:
    """Documents and bytes into and out of one stage, and its cost.

    `docs_kept` is derived, so ``docs_in = kept + dropped`` cannot be broken by counting twice; the
    build checks it against the rows that are really there. `others` are records of web archives that
    are no documents, by kind. `tagged` counts the documents of each tag. `noted` is what a stage has
    to say of itself besides.
    """

    name: str
    docs_in: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    peak_rss_bytes: int = 0
    noted: dict[str, Any] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    tagged: dict[str, int] = field(default_factory=dict)

    @property
    def docs_kept(self) -> int:
        """Documents that went on."""
        return self.docs_in - sum(self.dropped.values())

    def add(self, other: Tally) -> None:
        """Count what `other` counted too."""
        self.docs_in += other.docs_in
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.dropped = _sum(self.dropped, other.dropped)
        self.others = _sum(self.others, other.others)
        self.tagged = _sum(self.tagged, other.tagged)
        self.seconds += other.seconds
        self.peak_rss_bytes = max(self.peak_rss_bytes, other.peak_rss_bytes)
        self.noted |= other.noted

    def as_dict(self) -> dict[str, Any]:
        """The form of `run.json`."""
        counts = asdict(self)
        noted = counts.pop("noted")
        rare = {key: counts.pop(key) for key in ("others", "tagged")}
        return {
            **counts,
            "docs_kept": self.docs_kept,
            "dropped": dict(sorted(self.dropped.items())),
            **{key: dict(sorted(found.items())) for key, found in rare.items() if found},
            "seconds": round(self.seconds, 3),
            **noted,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Tally:
        """Read what `as_dict` wrote."""
        names = {spec.name for spec in fields(cls)}
        noted = {key: value for key, value in data.items() if key not in {*names, "docs_kept"}}
        counts = {key: value for key, value in data.items() if key in names}
        return cls(**counts, noted=noted)


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one | other}


def text_bytes(docs: pa.Table) -> pa.ChunkedArray:
    """``uint64[n]``: UTF-8 bytes of each document's text."""
    return pc.binary_length(docs["text"]).cast(pa.uint64())


def first_findings(n_docs: int, bytes_out: pa.ChunkedArray) -> pa.Table:
    """The findings of a stage that keeps everything and measures nothing."""
    columns = {field.name: pa.nulls(n_docs, field.type) for field in FINDINGS}
    columns["fate"] = pa.repeat("kept", n_docs)
    columns["bytes_out"] = bytes_out
    return pa.table(columns, schema=FINDINGS)


def apply(stage: Stage, docs: pa.Table) -> tuple[pa.Table, pa.Table, Tally]:
    """Let a stage judge `docs`.

    Returns:
        The documents that go on, the findings (one row per document of `docs`), and the count.

    Raises:
        IntegrityError: The stage did not give one verdict per document.
    """
    started = time.monotonic()
    verdict = stage.judge(docs)
    if len(verdict.reason) != len(docs):
        raise IntegrityError(
            f"stage {stage.name} gave {len(verdict.reason)} verdicts for {len(docs)} documents"
        )
    tally = Tally(stage.name, len(docs), pc.sum(text_bytes(docs)).as_py() or 0)
    if verdict.text is not None:
        position = docs.schema.get_field_index("text")
        docs = docs.set_column(position, docs.schema.field(position), verdict.text)
    stays = pc.is_null(verdict.reason)
    kept = docs.filter(stays)
    findings = _findings(stage.name, verdict, text_bytes(docs), stays)
    tally.dropped = _counts(verdict.reason.filter(pc.invert(stays)))
    if verdict.tags is not None:
        tally.tagged = _counts(pc.list_flatten(verdict.tags))
    if tally.docs_kept != len(kept):
        raise IntegrityError(f"stage {stage.name} lost count: {tally.docs_kept} != {len(kept)}")
    tally.bytes_out = pc.sum(text_bytes(kept)).as_py() or 0
    tally.seconds = time.monotonic() - started
    tally.peak_rss_bytes = peak_rss_bytes()
    return kept, findings, tally


def _counts(words: Column) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(words).to_pylist()}


def _findings(
    stage: str, verdict: Verdict, n_bytes: pa.ChunkedArray, stays: pa.ChunkedArray
) -> pa.Table:
    nothing = pa.scalar(None, pa.string())
    given: dict[str, Any] = {
        "fate": pc.if_else(stays, "kept", "dropped"),
        "stage": pc.if_else(stays, nothing, stage),
        "reason": verdict.reason,
        "detail": verdict.detail,
        "duplicate_of": verdict.duplicate_of,
        "bytes_out": pc.if_else(stays, n_bytes, pa.scalar(0, pa.uint64())),
        "tags": None if verdict.tags is None else _joined(verdict.tags),
        **verdict.columns,
    }
    columns = [
        given[field.name].cast(field.type)
        if given.get(field.name) is not None
        else pa.nulls(len(stays), field.type)
        for field in FINDINGS
    ]
    return pa.table(columns, schema=FINDINGS)


def _joined(tags: Column) -> Column:
    words = pc.binary_join(tags, " ")
    return pc.if_else(pc.equal(words, ""), pa.scalar(None, pa.string()), words)


def overlay(before: pa.Table, after: pa.Table) -> pa.Table:
    """Write the findings `after` (rows of the kept documents of `before`) over those `before`.

    A null says nothing and leaves the earlier value; details and tags of both are joined.
    """
    kept = pc.equal(before["fate"], "kept")
    if (pc.sum(kept).as_py() or 0) != len(after):
        raise IntegrityError(f"{len(after)} findings for {pc.sum(kept).as_py()} kept documents")
    columns = []
    for spec in FINDINGS:
        old = before[spec.name].combine_chunks()
        new = after[spec.name].combine_chunks()
        if new.null_count < len(new):
            standing = old.filter(kept)
            if spec.name in JOINTS:
                joined = pc.binary_join_element_wise(standing, new, JOINTS[spec.name])
                new = pc.coalesce(joined, new, standing)
            else:
                new = pc.coalesce(new, standing)
            old = pc.replace_with_mask(old, kept.combine_chunks(), _whole(new))
        columns.append(old)
    return pa.table(columns, schema=FINDINGS)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


class Rows(Protocol):
    """A table, or something on disk that gives parts of one."""

    def __len__(self) -> int: ...

    def slice(self, start: int, length: int, /) -> pa.Table:
        """The rows from `start` on, at most `length`."""
        ...


def compose(
    ledgers: Iterator[pa.Table], later: Sequence[Rows], renamed: Mapping[int, str]
) -> Iterator[pa.Table]:
    """Yield the final ledger, part by part.

    Args:
        ledgers: Rows of all documents read, in order, with the findings of the streaming stages.
        later: Findings of the later stages, in the order they ran.
        renamed: Ids of documents that may not have theirs here, by row; see `unique_ids.own_ids`.
    """
    cursors, first, affected = [0] * len(later), 0, sorted(renamed)
    for ledger in ledgers:
        findings = ledger.select(FINDINGS.names)
        for number, table in enumerate(later):
            n_kept = pc.sum(pc.equal(findings["fate"], "kept")).as_py() or 0
            rows = table.slice(cursors[number], n_kept)
            cursors[number] += n_kept
            findings = overlay(findings, rows)
        columns = {name: ledger[name] for name in ORIGIN}
        columns |= {name: findings[name] for name in FINDINGS.names}
        here = affected[bisect_left(affected, first) : bisect_left(affected, first + len(ledger))]
        if here:
            ids = ledger["id"].to_pylist()
            for row in here:
                ids[row - first] = renamed[row]
            columns["id"] = pa.array(ids, pa.string())
        first += len(ledger)
        yield pa.table([columns[name] for name in LEDGER.names], schema=LEDGER)
    if any(cursor != len(table) for cursor, table in zip(cursors, later, strict=True)):
        raise IntegrityError("the ledger does not cover every document that a stage judged")
