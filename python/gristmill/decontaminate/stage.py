"""Stage ``decontaminate``: benchmark items in documents are reported, cut out, or end the document.

The default is to drop the document. What surrounds an item is often its answer, its explanation or the
next item of the same benchmark, which a cut would leave in the corpus.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa

from gristmill.decontaminate.report import CONTAMINATION, counted, report_rows
from gristmill.decontaminate.search import COVERAGE, NGRAM, Benchmarks
from gristmill.documents import Documents
from gristmill.progress import say
from gristmill.room import Room
from gristmill.stage import Judge, Verdict

Action = Literal["drop", "cut", "report"]

CONTAMINATED = "contaminated"
TOO_SHORT = "too_short_after_cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decontaminate:
    """Looks for the items of benchmarks in every document.

    `detail` names the item of which most was found, the share of its words, and the longest string
    that both have in common.

    Attributes:
        against: Paths, globs, folders or URLs of benchmark files.
        ngram: So many consecutive words of an item are a find; see `search.contamination`.
        coverage: So is this share of its words.
        action: ``drop`` the document, ``cut`` the passages that hold items, or ``report`` them: then
            the document goes on as it is, with the tag ``contaminated``.
        min_remaining: Characters, spaces not counted, that must be left of a document that was cut.
        tag: Reasons that are tagged in the place of dropping the document.
        base: The folder that relative paths start from.
        threads: Threads to use.
    """

    against: Sequence[str | Path]
    ngram: int = NGRAM
    coverage: float = COVERAGE
    action: Action = "drop"
    min_remaining: int = 50
    tag: Collection[str] = ()
    base: Path | str = "."
    threads: int = 1
    name: str = field(default="decontaminate", init=False)
    benchmarks: Benchmarks = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ValueError(f"action = {self.action!r} is not allowed: drop, cut or report")
        for name, value, least in (
            ("min_remaining", self.min_remaining, 0),
            ("threads", self.threads, 1),
        ):
            if value < least:
                raise ValueError(f"{name} = {value} is not allowed: at least {least}")
        for reason in self.tag:
            if reason not in (CONTAMINATED, TOO_SHORT):
                raise ValueError(
                    f"tag = {reason!r} is no reason of this stage: {CONTAMINATED} or {TOO_SHORT}"
                )
        benchmarks = Benchmarks.read(self.against, self.ngram, self.coverage, self.base)
        object.__setattr__(self, "benchmarks", benchmarks)

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Nothing of a document depends on the others, so there is nothing to look at."""
        del docs, room
        counts = self.benchmarks.n_items
        say(f"{self.name}: {counts.total():,} items of {len(counts)} benchmarks are looked for")
        return Finder(self)


class Finder:
    """Judges documents by the items found in them.

    Args:
        stage: Its options.
    """

    report_name = "contamination.parquet"

    def __init__(self, stage: Decontaminate) -> None:
        self.name = stage.name
        self._stage = stage
        self._rows = [CONTAMINATION.empty_table()]

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the next documents."""
        finds = self._stage.benchmarks.find(docs["text"], self._stage.threads)
        if len(finds):
            self._rows.append(report_rows(finds, docs))
        said = _Said(docs)
        for row, passages in groupby(finds.to_pylist(), key=itemgetter("document")):
            self._say(said, row, list(passages))
        return said.verdict()

    def _say(self, said: _Said, row: int, passages: list[dict[str, Any]]) -> None:
        detail, reason = _describe(passages), CONTAMINATED
        if self._stage.action == "cut":
            left = cut(said.texts[row].as_py(), [(one["start"], one["end"]) for one in passages])
            n_chars, least = sum(map(len, left.split())), self._stage.min_remaining
            said.left[row], detail = left, f"cut {detail}"
            if n_chars >= least:
                said.details[row] = detail
                return
            reason, detail = (
                TOO_SHORT,
                f"{detail}; {n_chars} characters left, at least {least} needed",
            )
        said.details[row] = detail
        if self._stage.action == "report" or reason in self._stage.tag:
            said.tags[row] = [reason]
        else:
            said.reasons[row] = reason

    def report(self) -> pa.Table:
        """What was found: rows of `report.CONTAMINATION`."""
        return pa.concat_tables(self._rows)

    def finish(self, left: Documents) -> dict[str, Any]:
        """Count what was found of each benchmark."""
        del left
        return {
            "action": self._stage.action,
            "benchmarks": counted(self.report(), self._stage.benchmarks),
        }


class _Said:
    """What is said of each document of a table."""

    def __init__(self, docs: pa.Table) -> None:
        self.texts = docs["text"]
        self.reasons: list[str | None] = [None] * len(docs)
        self.details: list[str | None] = [None] * len(docs)
        self.tags: list[list[str] | None] = [None] * len(docs)
        self.left: dict[int, str] = {}

    def verdict(self) -> Verdict:
        return Verdict(
            reason=pa.array(self.reasons, pa.string()),
            detail=pa.array(self.details, pa.string()),
            tags=pa.array(self.tags, pa.list_(pa.string())),
            text=self._changed() if self.left else None,
        )

    def _changed(self) -> pa.Array:
        texts = self.texts.to_pylist()
        for row, text in self.left.items():
            texts[row] = text
        return pa.array(texts, pa.large_string())


def _describe(passages: list[dict[str, Any]]) -> str:
    best = max(passages, key=lambda one: (one["coverage"], one["longest_match"]))
    n_others = len({one["item"] for one in passages}) - 1
    others = f", and {n_others} more items" if n_others else ""
    return (
        f"{best['item']}: {best['coverage']:.2f} of its words, "
        f"{best['longest_match']} characters in a row{others}"
    )


def cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Take spans of characters out of a text, with the white space after them.

    What stood on lines of its own leaves no empty line; what stood between words leaves one space.
    """
    pieces, at = [], 0
    for start, end in _merged(spans):
        pieces.append(text[at:start])
        at = end
        begins_line = start == 0 or text[start - 1] == "\n"
        while at < len(text) and text[at].isspace() and (begins_line or text[at] != "\n"):
            at += 1
    return "".join([*pieces, text[at:]])


def _merged(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans in order, overlapping and touching ones as one."""
    last: tuple[int, int] | None = None
    for start, end in sorted(spans):
        if last is not None and start <= last[1]:
            last = last[0], max(end, last[1])
            continue
        if last is not None:
            yield last
        last = start, end
    if last is not None:
        yield last
