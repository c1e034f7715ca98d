"""The units of a build: each takes files, lets stages judge the documents in them, leaves files.

Which stages a recipe asks for is decided here, and what a unit's key depends on. `build` puts the
units in order.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import __version__
from gristmill.config import fingerprint
from gristmill.corpus import Corpus
from gristmill.dedup import EarlierCorpus, ExactDocuments, ExactSubstrings, NearDuplicates
from gristmill.documents import Documents
from gristmill.errors import FormatError, IntegrityError, RecipeError
from gristmill.extract import Extract
from gristmill.filters.language import LanguageFilter
from gristmill.filters.quality import QualityFilter
from gristmill.ledger import FINDINGS, Tally, apply, first_findings, overlay, text_bytes
from gristmill.licenses import LicenseGate
from gristmill.normalize import Normalize
from gristmill.pii import Scrub
from gristmill.progress import progress
from gristmill.recipe import NearOptions, Recipe, SourceOptions
from gristmill.room import Room, peak_rss_bytes
from gristmill.sampling import Sample
from gristmill.schema import DOCUMENT, LEDGER
from gristmill.sources import PAGE_FORMATS, Batch, Source, Split, open_source
from gristmill.stage import GlobalStage, Stage, Verdict, keep_all
from gristmill.tables import ArrowFiles, arrow_writer, write_arrow, write_parquet
from gristmill.units import Record, Units, digest, spill_folder

UNIT_FORMAT = 3
"""Raised when a unit's files change their meaning, so that older ones are not taken up."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Stands for a stage that does not concern a source; counts its documents and keeps them."""

    name: str

    def judge(self, docs: pa.Table) -> Verdict:
        """Keep every document."""
        return Verdict(reason=keep_all(len(docs)))


STAGE_ORDER = (
    "read",
    "sample",
    "licenses",
    "extract",
    "normalize",
    "language",
    "quality",
    "toxicity",
    "unique_ids",
    "exact_documents",
    "near_duplicates",
    "exact_substrings",
    "decontaminate",
    "pii",
    "ledger",
    "tokenizer",
    "pack",
    "index",
)
"""The order of all stages and products, whichever of them a recipe has."""

STREAMING = ("licenses", "extract", "normalize", "language", "quality")
"""The keys of a recipe that say how documents are judged as they are read."""


def check_stages(recipe: Recipe) -> None:
    """Construct every stage once, so that options a stage refuses stop the build before work."""
    for source in recipe.sources:
        streaming_stages(recipe, source.name, source.format or "")
    global_stages(recipe, threads=1)
    if recipe.pii is not None:
        Scrub(mask=tuple(recipe.pii.mask))


def file_digest(path: Path) -> str:
    """Hash of a file that a unit depends on."""
    return digest(path).xxh3


def open_from(options: SourceOptions, folder: Path) -> Source:
    """Open a source of a recipe whose paths start in `folder`."""
    what_for = {"weight", "languages"}
    return open_source(base=folder, **options.model_dump(exclude_none=True, exclude=what_for))


def streaming_stages(recipe: Recipe, source: str, format: str) -> list[Stage]:
    """The stages that judge a batch alone, for the documents of one source, in order.

    A stage that does not concern this source, but another one, is there too and keeps everything.
    """
    options, stages = recipe.source(source), list[Stage]()
    if any(one.weight < 1 for one in recipe.sources):
        stages.append(Sample(options.weight, recipe.seed))
    if recipe.licenses is not None:
        stages.append(LicenseGate(**recipe.licenses.model_dump()))
    if recipe.extract is not None:
        extract = Extract(**recipe.extract.model_dump())
        stages.append(extract if format in PAGE_FORMATS else Pass(extract.name))
    if recipe.normalize is not None:
        stages.append(Normalize(**recipe.normalize.model_dump()))
    if (language := recipe.language) is not None:
        judge = LanguageFilter(language.keep, language.min_score, hints=options.languages or ())
        stages.append(judge if recipe.judges("language", source) else Pass(judge.name))
    if (quality := recipe.quality) is not None:
        rules = QualityFilter(rules=tuple(quality.rules))
        stages.append(rules if recipe.judges("quality", source) else Pass(rules.name))
    return stages


def global_stages(recipe: Recipe, threads: int) -> list[tuple[GlobalStage, dict[str, Any]]]:
    """The stages that need the whole set, in order, each with the options its key depends on."""
    if recipe.dedup is None:
        return []
    stages: list[tuple[GlobalStage, dict[str, Any]]] = []
    if recipe.dedup.documents is not None:
        stages.append((ExactDocuments(), {}))
    if (near := recipe.dedup.near) is not None:
        stages.append(_near_duplicates(recipe, near, threads))
    if (substrings := recipe.dedup.substrings) is not None:
        options = substrings.model_dump(exclude_none=True)
        result = {key: value for key, value in options.items() if key != "engine"}
        if substrings.tokenizer is not None:
            options["tokenizer"] = recipe.folder / substrings.tokenizer
            result["tokenizer"] = file_digest(options["tokenizer"])
        stages.append((ExactSubstrings(**options, threads=threads), result))
    return stages


def _near_duplicates(
    recipe: Recipe, near: NearOptions, threads: int
) -> tuple[GlobalStage, dict[str, Any]]:
    against = earlier_corpora(recipe)
    choice = near.model_dump(include={"keep", "quality_key"}, exclude_none=True)
    minhash = near.minhash(recipe.seed)
    stage = NearDuplicates(minhash=minhash, against=against, threads=threads, **choice)
    return stage, {**asdict(minhash), **choice, "against": [corpus.key for corpus in against]}


def earlier_corpora(recipe: Recipe) -> tuple[EarlierCorpus, ...]:
    """The corpora that `dedup.near.against` names; where two have one name, the second is ``-2``.

    Raises:
        RecipeError: One is no finished corpus, has no documents, or is there twice.
        IntegrityError: One is damaged.
    """
    near = recipe.dedup and recipe.dedup.near
    found: dict[str, EarlierCorpus] = {}
    for given in (near and near.against) or []:
        path = (recipe.folder / given).resolve()
        if path in [corpus.path for corpus in found.values()]:
            raise RecipeError(f"dedup.near.against: {given} is there twice; remove one")
        name, number = path.name or "corpus", 1
        while name in found:
            number += 1
            name = f"{path.name}-{number}"
        try:
            found[name] = EarlierCorpus.of(path, Corpus.open(path).run, name)
        except (RecipeError, FormatError, IntegrityError) as error:
            raise type(error)(f"dedup.near.against takes finished corpora: {error}") from None
    return tuple(found.values())


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
        tally.seconds = time.monotonic() - started
        tally.peak_rss_bytes = peak_rss_bytes()
        return [docs_path, findings_path], {"stages": [tally.as_dict()]}

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
        pii = self.recipe.canonical().get("pii")
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
    if job.recipe.pii is not None:
        docs, findings, tally = apply(Scrub(mask=tuple(job.recipe.pii.mask)), docs)
        tallies.append(tally.as_dict())
    part = job.root / f"documents/part-{job.part:05}.parquet"
    write_parquet(part, [docs], DOCUMENT)
    path = job.root / f".work/write/{job.key}.findings.arrow"
    write_arrow(path, [findings], FINDINGS)
    return [part, path], {"stages": tallies, "documents": len(docs)}
