"""The units of a build: each takes files, lets stages judge the documents in them, leaves files.

What a unit's key depends on is decided here, which stages there are in `stages`. `build` puts the
units in order.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import __version__
from gristmill.config import fingerprint
from gristmill.documents import Documents
from gristmill.ledger import FINDINGS, Tally, apply, first_findings, overlay, text_bytes
from gristmill.progress import progress
from gristmill.recipe import Recipe, SourceOptions
from gristmill.room import Room, peak_rss_bytes
from gristmill.schema import DOCUMENT, LEDGER
from gristmill.sources import Batch, Source, Split, open_source
from gristmill.stage import GlobalStage, Reporter, Stage
from gristmill.stages import STREAMING, scrub, streaming_stages
from gristmill.tables import ArrowFiles, arrow_writer, write_arrow, write_parquet
from gristmill.units import Record, Units, spill_folder

UNIT_FORMAT = 4
"""Raised when a unit's files change their meaning, so that older ones are not taken up."""


def open_from(options: SourceOptions, folder: Path) -> Source:
    """Open a source of a recipe whose paths start in `folder`."""
    what_for = {"weight", "languages", "skip"}
    return open_source(base=folder, **options.model_dump(exclude_none=True, exclude=what_for))


def key_of(step: str, *parts: Any) -> str:
    """The key of a unit: hash of the step and of everything that determines its result."""
    return fingerprint([UNIT_FORMAT, __version__, step, *parts])


@dataclass(frozen=True, slots=True)
class FilterJob:
    """Read some splits of one source and let the streaming stages judge them."""

    root: Path
    recipe: Recipe
    reader: Source
    splits: tuple[Split, ...]
    limit: int | None
    filter_files: tuple[str, ...] = ()
    """Digests of the files that its filters read."""

    @property
    def key(self) -> str:
        """The unit's key."""
        recipe = self.recipe.canonical()
        options = next(one for one in recipe["sources"] if one["name"] == self.reader.name)
        weights = any(one["weight"] < 1 for one in recipe["sources"])
        stages = [recipe.get(name) for name in STREAMING]
        return key_of(
            "filter",
            options,
            weights and recipe["seed"],
            [split.key for split in self.splits],
            self.limit,
            stages,
            self.filter_files,
        )


def filter_unit(job: FilterJob) -> Record:
    """Do a `FilterJob`; leaves the kept documents and one ledger row per document read."""
    return Units(job.root).do(job.key, lambda: _filter(job))


def _filter(job: FilterJob) -> tuple[list[Path], dict[str, Any]]:
    stages = streaming_stages(job.recipe, job.reader.name, job.reader.format)
    tallies = {name: Tally(name) for name in ("read", *(stage.name for stage in stages))}
    paths = [job.root / f".work/filter/{job.key}.{kind}.arrow" for kind in ("docs", "ledger")]
    with arrow_writer(paths[0], DOCUMENT) as docs_out, arrow_writer(paths[1], LEDGER) as ledger_out:
        started = time.monotonic()
        for batch in _batches(job):
            tallies["read"].seconds += time.monotonic() - started
            docs = _count_read(batch, tallies["read"])
            kept, findings = _judge_all(stages, docs, tallies)
            docs_out.write(kept)
            ledger_out.write(_ledger_rows(docs, findings))
            ledger_out.write(_bad_rows(batch.bad))
            started = time.monotonic()
    return paths, {"source": job.reader.name, "stages": [one.as_dict() for one in tallies.values()]}


def _batches(job: FilterJob) -> Iterator[Batch]:
    left = job.limit
    for split in job.splits:
        for batch in job.reader.read(split):
            if left is None:
                yield batch
                continue
            batch = batch.head_docs(left)
            yield batch
            left -= len(batch.docs)
            if left == 0:
                return


def _count_read(batch: Batch, tally: Tally) -> pa.Table:
    docs = batch.docs
    n_bytes = pc.sum(text_bytes(docs)).as_py() or 0
    bad_bytes = pc.sum(batch.bad["bytes_in"]).as_py() or 0
    dropped: dict[str, int] = {}
    for reason in batch.bad["reason"].to_pylist():
        dropped[reason] = dropped.get(reason, 0) + 1
    n_records, bytes_in = len(docs) + len(batch.bad), n_bytes + bad_bytes
    tally.add(Tally("read", n_records, bytes_in, n_bytes, dropped, others=batch.others))
    return docs


def _judge_all(
    stages: Sequence[Stage], docs: pa.Table, tallies: dict[str, Tally]
) -> tuple[pa.Table, pa.Table]:
    findings = first_findings(len(docs), text_bytes(docs))
    for stage in stages:
        docs, found, tally = apply(stage, docs)
        tallies[stage.name].add(tally)
        findings = overlay(findings, found)
    return docs, findings


def _ledger_rows(docs: pa.Table, findings: pa.Table) -> pa.Table:
    origin = {name: docs[name] for name in ("id", "source", "license", "url")}
    columns = {**origin, "bytes_in": text_bytes(docs)}
    columns |= {name: findings[name] for name in FINDINGS.names}
    return pa.table([columns[name] for name in LEDGER.names], schema=LEDGER)


def _bad_rows(bad: pa.Table) -> pa.Table:
    n_bad = len(bad)
    given = {
        **{name: bad[name] for name in bad.column_names},
        "fate": pa.repeat("dropped", n_bad),
        "stage": pa.repeat("read", n_bad),
        "bytes_out": pa.repeat(pa.scalar(0, pa.uint64()), n_bad),
    }
    columns = [
        given[spec.name].cast(spec.type) if spec.name in given else pa.nulls(n_bad, spec.type)
        for spec in LEDGER
    ]
    return pa.table(columns, schema=LEDGER)


def documents_of(root: Path, records: Iterable[Record]) -> Documents:
    """The documents that some units left."""
    return Documents(_files(root, records, ".docs.arrow"))


def findings_of(root: Path, records: Iterable[Record]) -> ArrowFiles:
    """The findings that some units left."""
    return ArrowFiles(_files(root, records, ".findings.arrow"), FINDINGS)


def ledgers_of(root: Path, records: Iterable[Record]) -> Iterator[pa.Table]:
    """The ledger rows that filter units left, batch by batch."""
    yield from ArrowFiles(_files(root, records, ".ledger.arrow"), LEDGER).batches()


def ids_and_fates_of(
    root: Path, records: Iterable[Record]
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The ids of all documents read, and which of them the filter units left: ``bool[n]``."""
    ids, left = [], []
    for rows in ArrowFiles(_files(root, records, ".ledger.arrow"), LEDGER).batches(["id", "fate"]):
        ids += rows["id"].chunks
        left += pc.equal(rows["fate"], "kept").chunks
    return pa.chunked_array(ids, pa.string()), pa.chunked_array(left, pa.bool_())


def _files(root: Path, records: Iterable[Record], suffix: str) -> list[Path]:
    return [root / name for record in records for name in record.files if name.endswith(suffix)]


def global_unit(
    root: Path,
    stage: GlobalStage,
    options: dict[str, Any],
    inputs: Sequence[Record],
    memory: int | None = None,
) -> Record:
    """Let a global stage survey and judge all documents that `inputs` left."""
    key = key_of(stage.name, options, [record.key for record in inputs])
    docs_path, findings_path = (
        root / f".work/{stage.name}/{key}.{kind}.arrow" for kind in ("docs", "findings")
    )

    def work() -> tuple[list[Path], dict[str, Any]]:
        started = time.monotonic()
        docs = documents_of(root, inputs)
        with spill_folder(root) as folder:
            judge = stage.survey(docs, Room(folder, memory))
            tally = _judge_batches(judge, docs, docs_path, findings_path)
            tally.noted = judge.finish(Documents([docs_path]))
        paths = [docs_path, findings_path]
        if isinstance(judge, Reporter):
            paths.append(root / judge.report_name)
            table = judge.report()
            write_parquet(paths[-1], [table], table.schema)
        tally.seconds = time.monotonic() - started
        tally.peak_rss_bytes = peak_rss_bytes()
        return paths, {"stages": [tally.as_dict()]}

    return Units(root).do(key, work)


def _judge_batches(judge: Stage, docs: Documents, docs_path: Path, findings_path: Path) -> Tally:
    total = Tally(judge.name)
    with (
        arrow_writer(docs_path, DOCUMENT) as docs_out,
        arrow_writer(findings_path, FINDINGS) as findings_out,
        progress(judge.name, total=len(docs), unit="docs") as advance,
    ):
        for batch in docs.batches():
            kept, findings, tally = apply(judge, batch)
            docs_out.write(kept)
            findings_out.write(findings)
            total.add(tally)
            advance(len(batch))
    return total


@dataclass(frozen=True, slots=True)
class WriteJob:
    """Scrub a range of the documents and write it as one file of `documents/`."""

    root: Path
    recipe: Recipe
    inputs: tuple[Record, ...]
    part: int
    start: int
    stop: int

    @property
    def key(self) -> str:
        """The unit's key."""
        stage = scrub(self.recipe)
        pii = stage and [self.recipe.canonical()["pii"], stage.no_names_in, stage.key_fingerprint]
        return key_of(
            "write", pii, [one.key for one in self.inputs], self.part, self.start, self.stop
        )


def write_unit(job: WriteJob) -> Record:
    """Do a `WriteJob`; leaves a Parquet file and its findings."""
    return Units(job.root).do(job.key, lambda: _write(job))


def _write(job: WriteJob) -> tuple[list[Path], dict[str, Any]]:
    docs = documents_of(job.root, job.inputs).slice(job.start, job.stop - job.start)
    findings = first_findings(len(docs), text_bytes(docs))
    tallies = []
    if (stage := scrub(job.recipe)) is not None:
        docs, findings, tally = apply(stage, docs)
        tally.noted = {"key": stage.key_fingerprint} if stage.pseudonymise else {}
        tallies.append(tally.as_dict())
    part = job.root / f"documents/part-{job.part:05}.parquet"
    write_parquet(part, [docs], DOCUMENT)
    path = job.root / f".work/write/{job.key}.findings.arrow"
    write_arrow(path, [findings], FINDINGS)
    return [part, path], {"stages": tallies, "documents": len(docs)}
