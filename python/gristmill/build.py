"""A recipe becomes a corpus directory: `build` reads like the sentence that describes it.

Every step is a unit of work under a key (`units`), so the same command goes on where a killed one
stopped, and the bytes do not depend on workers, threads or interruptions.
"""

from __future__ import annotations

import fcntl
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import __version__, ledger, stages, steps
from gristmill.cards import write_card
from gristmill.config import fingerprint
from gristmill.corpus import Corpus
from gristmill.engines import check_engine, run_all
from gristmill.errors import DataRefusedError, GristmillError, RecipeError
from gristmill.files import write_json
from gristmill.ledger import Tally
from gristmill.progress import progress, say
from gristmill.recipe import Recipe, TokenizerOptions, load_recipe
from gristmill.room import peak_rss_bytes
from gristmill.schema import LEDGER
from gristmill.shards.write import write_shards
from gristmill.sources import GIVEN, PAGE_FORMATS, Source, Split, later_repeats
from gristmill.steps import FilterJob, WriteJob, key_of
from gristmill.tables import read_parts, row_groups, write_parquet
from gristmill.tokenizer import Tokenizer
from gristmill.trace import build_index
from gristmill.unique_ids import DUPLICATE_ID, UniqueIds, own_ids
from gristmill.units import Record, Units, sweep

PART_BYTES = 32 * 2**20
"""Text bytes of one file of `documents/`, about."""

LEDGER_ROWS = 500_000
"""Rows of one file of `ledger/`, about."""


@dataclass
class Run:
    """One build under way: what it was asked for, and what it counted so far."""

    recipe: Recipe
    out: Path
    workers: int = 1
    engine: str = "local"
    limit: int | None = None
    given: dict[str, Source] = field(default_factory=dict)
    inputs: str = ""
    tallies: dict[str, Tally] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    @property
    def fingerprint(self) -> str:
        """Hash of the recipe and of what it reads: equal for runs that must give equal bytes."""
        return fingerprint([self.recipe.canonical(), self.inputs, self.limit])

    def take(self, record: Record) -> Record:
        """Count a finished unit, and list its files that belong to the corpus."""
        self.used.add(record.key)
        for entry in record.stats.get("stages", []):
            self.tallies.setdefault(entry["name"], Tally(entry["name"])).add(Tally.from_dict(entry))
        for name, entry in record.files.items():
            if not name.startswith(".work/"):
                self.files[name] = {"bytes": entry.bytes, "xxh3": entry.xxh3}
        return record

    def product(
        self, step: str, depends_on: Any, work: Callable[[], tuple[list[Path], dict[str, Any]]]
    ) -> Record:
        """Make part of the corpus unless it is there: one unit, timed."""

        def timed() -> tuple[list[Path], dict[str, Any]]:
            started = time.monotonic()
            paths, stats = work()
            tally = Tally(step, **stats, seconds=time.monotonic() - started)
            tally.peak_rss_bytes = peak_rss_bytes()
            return paths, {"stages": [tally.as_dict()]}

        return self.take(Units(self.out).do(key_of(step, depends_on), timed))


def build(
    recipe: str | Path | dict[str, Any],
    out: str | Path | None = None,
    *,
    workers: int = 1,
    engine: str = "local",
    settings: list[str] | None = None,
    limit: int | None = None,
    sources: Sequence[Source] = (),
) -> Corpus:
    """Make the corpus that a recipe describes, or go on with one that was interrupted.

    Args:
        recipe: Path of a recipe, or its mapping.
        out: The corpus directory; the recipe's `out` when omitted.
        workers: Processes and threads to use; they change no byte of the result.
        engine: ``local``.
        settings: ``a.b=value`` changes to the recipe.
        limit: Read at most so many documents of each source.
        sources: Sources made in Python, besides those of the recipe, which may list them by name
            as ``format: given`` to say more of them.

    Raises:
        RecipeError: The recipe, an input path or an option cannot be used; nothing was written.
        DataRefusedError: More records were bad than `limits.max_bad_fraction` allows.
        GristmillError: No document is left; the ledger says why.
    """
    run = prepare(
        recipe,
        out,
        workers=workers,
        engine=engine,
        settings=settings,
        limit=limit,
        sources=sources,
    )
    jobs = plan(run)
    with _alone(run):
        filtered = read_and_filter(run, jobs)
        unique = deduplicate(run, filtered)
        documents = scrub_and_write(run, unique[-1] if unique else filtered)
        write_ledger(run, filtered, unique, documents)
        tokenizer = train_tokenizer(run, documents)
        pack(run, documents, tokenizer)
        index(run, documents)
        finish(run)
        describe(run)
    return Corpus.open(run.out)


def prepare(
    recipe: str | Path | dict[str, Any],
    out: str | Path | None = None,
    *,
    workers: int = 1,
    engine: str = "local",
    settings: list[str] | None = None,
    limit: int | None = None,
    sources: Sequence[Source] = (),
) -> Run:
    """Check everything that can be checked without reading a document."""
    given = {source.name: source for source in sources}
    loaded = load_recipe(recipe, settings, given)
    check_engine(engine)
    for name, number in (("workers", workers), ("limit", limit)):
        if number is not None and number < 1:
            raise RecipeError(f"{name} = {number} is not allowed: at least 1")
    folder = Path(out) if out is not None else loaded.folder / (loaded.out or f"out/{loaded.name}")
    for what in _needed_files(loaded):
        if not what.is_file():
            raise RecipeError(f"{what}: no such file, which the recipe names")
    _refuse_itself(loaded, folder)
    stages.check_stages(loaded)
    if loaded.tokenizer is not None and loaded.tokenizer.load is None:
        _train(loaded, [], threads=1)  # refuses what cannot be trained, before any work
    for source in loaded.sources:
        if source.format == GIVEN and source.name not in given:
            raise RecipeError(
                f"source {source.name!r} is to be given in Python, build(..., sources=[...]), and "
                "is not"
            )
    return Run(loaded, folder.absolute(), workers, engine, limit, given)


def _needed_files(recipe: Recipe) -> Iterator[Path]:
    if recipe.card is not None and recipe.card.answers is not None:
        yield recipe.folder / recipe.card.answers
    for path in _paths(recipe.tokenizer) if recipe.tokenizer else ():
        if path is not None:
            yield recipe.folder / path
    yield from stages.filter_files(recipe)
    substrings = recipe.dedup and recipe.dedup.substrings
    if substrings and substrings.tokenizer is not None:
        yield recipe.folder / substrings.tokenizer


def _paths(options: TokenizerOptions) -> tuple[str | None, str | None]:
    """The tokenizers that the one of a recipe is made from."""
    return options.load, options.extend


def _refuse_itself(recipe: Recipe, out: Path) -> None:
    """A corpus that holds what this very build made would take all of it away."""
    near = recipe.dedup and recipe.dedup.near
    for path in (near and near.against) or []:
        if (recipe.folder / path).resolve() == out.resolve():
            raise RecipeError(
                f"dedup.near.against: {path} is the directory that this build writes; "
                "write to another one"
            )


def plan(run: Run) -> list[FilterJob]:
    """Find what there is to read, sources in the order of their names."""
    jobs: list[FilterJob] = []
    files = tuple(stages.file_digest(path) for path in stages.filter_files(run.recipe))
    with progress("look at the input", unit="sources") as advance:
        for options in sorted(run.recipe.sources, key=lambda source: source.name):
            source = run.given.get(options.name) or steps.open_from(options, run.recipe.folder)
            splits, reader = source.splits(), source.for_reading()
            groups: list[list[Split]] = [splits] if run.limit else [[split] for split in splits]
            jobs += [
                FilterJob(run.out, run.recipe, reader, tuple(one), run.limit, files)
                for one in groups
            ]
            advance(1)
    has_pages = any(job.reader.format in PAGE_FORMATS for job in jobs)
    if run.recipe.extract is not None and not has_pages:
        raise RecipeError(
            "extract: no source has pages (format html or warc), so it would have no effect; remove "
            "it, or say the format of the source"
        )
    run.inputs = fingerprint([*(job.key for job in jobs), *stages.read_besides(run.recipe)])
    return jobs


def read_and_filter(run: Run, jobs: list[FilterJob]) -> list[Record]:
    """Read every split and let the streaming stages judge it, in parallel."""
    records = []
    with progress("read and filter", unit="MB") as advance:
        for record in run_all(steps.filter_unit, jobs, engine=run.engine, workers=run.workers):
            records.append(run.take(record))
            advance(record.stats["stages"][0]["bytes_in"] / 1e6)
    _refuse_bad(run, run.tallies["read"].dropped)
    return records


def _refuse_bad(run: Run, bad: dict[str, int]) -> None:
    n_read, n_bad, allowed = (
        run.tallies["read"].docs_in, sum(bad.values()), run.recipe.limits.max_bad_fraction
    )  # fmt: skip
    if n_bad > allowed * n_read:
        kinds = ", ".join(f"{reason} {n_docs}" for reason, n_docs in sorted(bad.items()))
        raise DataRefusedError(
            f"{n_bad} of {n_read} records are bad ({kinds}), more than "
            f"limits.max_bad_fraction = {allowed:g} allows; mend them or allow more. "
            f"What was read is kept in {run.out}, and the same command goes on"
        )


def deduplicate(run: Run, inputs: list[Record]) -> list[list[Record]]:
    """Let each global stage judge what the one before it left; one list of records a stage."""
    done: list[list[Record]] = []
    judges = stages.global_stages(run.recipe, threads=run.workers)
    if n_repeats := later_repeats(steps.documents_of(run.out, inputs).ids()).true_count:
        bad = run.tallies["read"].dropped
        total = bad.get(DUPLICATE_ID, 0) + n_repeats
        _refuse_bad(run, {**bad, DUPLICATE_ID: total})
        judges = [(UniqueIds(), {}), *judges]
    for stage, options in judges:
        memory = run.recipe.limits.memory
        inputs = [run.take(steps.global_unit(run.out, stage, options, inputs, memory))]
        done.append(inputs)
    return done


def scrub_and_write(run: Run, inputs: list[Record]) -> list[Record]:
    """Scrub personal data and write `documents/`, one part a unit."""
    n_bytes = steps.documents_of(run.out, inputs).text_bytes()
    cuts = [0, *_cuts(n_bytes), len(n_bytes)] if len(n_bytes) else [0, 0]
    jobs = [
        WriteJob(run.out, run.recipe, tuple(inputs), part, start, stop)
        for part, (start, stop) in enumerate(pairwise(cuts))
    ]
    records = []
    with progress("write documents", total=len(n_bytes), unit="docs") as advance:
        for record in run_all(steps.write_unit, jobs, engine=run.engine, workers=run.workers):
            records.append(run.take(record))
            advance(record.stats["documents"])
    return records


def _cuts(n_bytes: npt.NDArray[np.int64]) -> list[int]:
    """Rows at which a new part begins: where the running size enters another `PART_BYTES`."""
    part = (np.cumsum(n_bytes) - n_bytes) // PART_BYTES
    cuts: list[int] = (np.flatnonzero(np.diff(part)) + 1).tolist()
    return cuts


def write_ledger(
    run: Run, filtered: list[Record], unique: list[list[Record]], documents: list[Record]
) -> None:
    """Write one row per document read, with what every stage said of it."""

    def work() -> tuple[list[Path], dict[str, Any]]:
        later = [steps.findings_of(run.out, records) for records in (*unique, documents)]
        renamed = own_ids(*steps.ids_and_fates_of(run.out, filtered))
        rows = ledger.compose(steps.ledgers_of(run.out, filtered), later, renamed)
        paths, n_rows = [], 0
        for part, tables in groupby(_numbered(rows), key=itemgetter(0)):
            paths.append(run.out / f"ledger/part-{part:05}.parquet")
            n_rows += write_parquet(paths[-1], row_groups(table for _, table in tables), LEDGER)
        return paths, {"docs_in": n_rows}

    inputs = [record.key for records in (filtered, *unique, documents) for record in records]
    record = run.product("ledger", inputs, work)
    if record.stats["stages"][0]["docs_in"] != run.tallies["read"].docs_in:
        raise GristmillError("the ledger does not hold one row per document read")
    if not any(one.stats["documents"] for one in documents):
        _refuse_nothing_left(run)


def _numbered(tables: Iterator[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Say of each table in which part of the ledger it stands."""
    first = 0
    for table in tables:
        yield first // LEDGER_ROWS, table
        first += len(table)


def _refuse_nothing_left(run: Run) -> None:
    reasons = [
        (n_docs, f"{tally.name}: {reason} {n_docs}")
        for tally in run.tallies.values()
        for reason, n_docs in tally.dropped.items()
    ]
    most = ", ".join(text for _, text in sorted(reasons, reverse=True)[:3])
    raise GristmillError(
        f"no document is left of {run.tallies['read'].docs_in} ({most}); "
        f"loosen that stage. Each document's fate is in {run.out / 'ledger'}"
    )


def train_tokenizer(run: Run, documents: list[Record]) -> Tokenizer | None:
    """Train the tokenizer on the kept documents, or load the one the recipe names."""
    options = run.recipe.tokenizer
    if options is None:
        return None
    folder = run.out / "tokenizer"

    def work() -> tuple[list[Path], dict[str, Any]]:
        if options.load is not None:
            Tokenizer.load(run.recipe.folder / options.load).save(folder)
            return _files_in(folder), {}
        counted = {"docs_in": 0, "bytes_in": 0, "bytes_out": 0}

        def texts() -> Iterator[pa.ChunkedArray]:
            with progress("train tokenizer", unit="MB") as advance:
                for table in read_parts(run.out / "documents", ["text"]):
                    yield table["text"]
                    n_bytes = pc.sum(pc.binary_length(table["text"])).as_py()
                    counted["docs_in"] += len(table)
                    counted["bytes_in"] += n_bytes
                    counted["bytes_out"] += n_bytes
                    advance(n_bytes / 1e6)

        _train(run.recipe, texts(), run.workers).save(folder)
        return _files_in(folder), counted

    read = [path and stages.file_digest(run.recipe.folder / path) for path in _paths(options)]
    keys = [record.key for record in documents]
    run.product("tokenizer", [options.model_dump(exclude={"load", "extend"}), read, keys], work)
    return Tokenizer.load(folder)


def _train(recipe: Recipe, texts: Iterable[pa.ChunkedArray], threads: int) -> Tokenizer:
    """Train the tokenizer of a recipe.

    Raises:
        RecipeError: Its options do not fit together, or not the tokenizer to extend.
    """
    options = recipe.tokenizer or TokenizerOptions()
    extend = options.extend and recipe.folder / options.extend
    chosen = options.model_dump(exclude={"load", "extend"})
    try:
        return Tokenizer.train_batches(texts, **chosen, threads=threads, extend=extend)
    except ValueError as error:
        raise RecipeError(f"tokenizer: {error}") from None


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def pack(run: Run, documents: list[Record], tokenizer: Tokenizer | None) -> None:
    """Encode the documents and pack them into the rows of the training shards."""
    options = run.recipe.pack
    if options is None or tokenizer is None:
        return
    folder = run.out / "shards"

    def work() -> tuple[list[Path], dict[str, Any]]:
        n_docs = n_bytes = 0

        def tables() -> Iterator[pa.Table]:
            nonlocal n_docs, n_bytes
            for table in read_parts(run.out / "documents"):
                yield table
                n_docs += len(table)
                n_bytes += pc.sum(ledger.text_bytes(table)).as_py()

        manifest = write_shards(
            tables(),
            tokenizer,
            folder,
            seq_len=options.seq_len,
            validation=options.validation,
            order=options.order,
            fit=options.fit,
            seed=run.recipe.seed,
            threads=run.workers,
            recipe_fingerprint=run.recipe.fingerprint(),
        )
        names = ["manifest.json", manifest["documents"]["path"]]
        names += [file["path"] for file in manifest["files"]]
        counts = {"docs_in": n_docs, "bytes_in": n_bytes, "bytes_out": n_bytes}
        return [folder / name for name in names], counts

    tokens = stages.file_digest(run.out / "tokenizer" / "tokenizer.json")
    keys = [record.key for record in documents]
    run.product("pack", [run.recipe.fingerprint(), options.model_dump(), tokens, keys], work)


def index(run: Run, documents: list[Record]) -> None:
    """Build the exact-match index behind `trace`."""
    if run.recipe.index is None:
        return
    folder = run.out / "index"

    def work() -> tuple[list[Path], dict[str, Any]]:
        n_docs = sum(record.stats["documents"] for record in documents)
        with progress("index", total=n_docs) as advance:
            build_index(read_parts(run.out / "documents"), folder)
            advance(n_docs)
        return _files_in(folder), {"docs_in": n_docs}

    run.product("index", [record.key for record in documents], work)


def finish(run: Run) -> None:
    """Write `run.json`, and remove what no longer belongs to this corpus."""
    order = [name for name in stages.STAGE_ORDER if name in run.tallies]
    write_json(
        run.out / "run.json",
        {
            "name": run.recipe.name,
            "fingerprint": run.fingerprint,
            "recipe_fingerprint": run.recipe.fingerprint(),
            "recipe": run.recipe.canonical(),
            "limit": run.limit,
            "versions": _versions(),
            "stages": [run.tallies[name].as_dict() for name in order],
            "files": dict(sorted(run.files.items())),
        },
    )
    folders = ("documents", "ledger", "tokenizer", "shards", "index")
    there = (path for folder in folders for path in (run.out / folder).rglob("*"))
    for path in chain(there, run.out.glob("*.parquet")):
        if path.is_file() and str(path.relative_to(run.out)) not in run.files:
            path.unlink()
    Units(run.out).forget_all_but(run.used)


def _versions() -> dict[str, str]:
    names = ("ftfy", "numpy", "polars", "pyarrow", "pycld2")
    found = {"gristmill": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in names}


def describe(run: Run) -> None:
    """Measure the corpus and render its datasheet."""
    if run.recipe.card is None:
        return
    answers = run.recipe.card.answers
    with progress("datasheet", unit="pages") as advance:
        write_card(run.out, answers=run.recipe.folder / answers if answers else None)
        advance(1)


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Be the only build in this folder, and start from what earlier ones finished."""
    work = run.out / ".work"
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError(f"{run.out}: another build is running there; wait for it") from None
        sweep(run.out)
        if (earlier := Corpus.fingerprint_of(run.out)) not in (None, run.fingerprint):
            say(f"{run.out} holds another build ({earlier}); what still fits is used again")
            (run.out / "run.json").unlink()
        yield
