"""Holds a corpus, or a model, against what was written down about it.

Nothing is taken on trust: files are hashed and read page by page, documents are counted again, and
the card is measured again. A problem names its file and, where there is one, its rows. Cost: every
byte is read twice; memory grows with the number of documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gristmill import schema
from gristmill.cards import earlier
from gristmill.cards.compare import brief, compare
from gristmill.cards.measure import measure, read_run
from gristmill.dedup.earlier import REASON as OF_EARLIER
from gristmill.errors import GristmillError, RecipeError
from gristmill.shards import manifest as manifests
from gristmill.shards.verify import verify_shards
from gristmill.units import digest
from gristmill.weights import check_weights

PROBLEMS_SHOWN = 20
"""Problems that one check lists before it stops looking."""

FAULTS = (
    GristmillError,
    OSError,
    pa.ArrowException,
    pl.exceptions.PolarsError,
    ValueError,
    KeyError,
    TypeError,
)
"""What a damaged file makes a check raise; the check then fails, and the others go on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written down.

    Attributes:
        check: Name of the check that found it.
        path: File it was found in, relative to the directory that is verified.
        what: What was found and what was expected.
        rows: Rows of that file, as ``12`` or ``0-4095``.
    """

    check: str
    path: str
    what: str
    rows: str | None = None

    def __str__(self) -> str:
        where = self.path if self.rows is None else f"{self.path}, rows {self.rows}"
        return f"{where}: {self.what}"


@dataclass(slots=True)
class Check:
    """One thing that was looked at, how much of it, and what was wrong."""

    name: str
    looked_at: str = ""
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: str, what: str, rows: str | None = None) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.name, path, what, rows))

    def as_dict(self) -> dict[str, Any]:
        """The form of ``gristmill verify --json``."""
        return {
            "check": self.name,
            "ok": not self.problems,
            "looked_at": self.looked_at,
            "problems": [asdict(problem) for problem in self.problems],
        }


def verify_corpus(corpus: Path | str, deep: bool = False) -> list[Problem]:
    """All problems of a corpus directory; none means that it is what it says.

    Args:
        corpus: A directory written by `build`.
        deep: Decode every token of the shards and hash every file for the card too.

    Raises:
        RecipeError: `corpus` is no corpus directory.
    """
    return [problem for check in check_corpus(corpus, deep) for problem in check.problems]


def verify_model(model: Path | str) -> list[Problem]:
    """All problems of a model directory: config, weights, tokenizer, and digests where listed."""
    return [problem for check in check_model(model) for problem in check.problems]


def check_directory(folder: Path | str, deep: bool = False) -> list[Check]:
    """Verify a corpus, a model or a folder of shards, whichever `folder` is.

    Raises:
        RecipeError: It is none of them.
    """
    folder = Path(folder)
    if (folder / manifests.NAME).is_file():
        return [_look("shards", lambda check: _packed_ids(folder, deep, check, ""))]
    if (folder / "config.json").is_file():
        return check_model(folder)
    if (folder / "model" / "config.json").is_file() and not (folder / "documents").is_dir():
        return check_model(folder / "model")
    return check_corpus(folder, deep)


def check_corpus(corpus: Path | str, deep: bool = False) -> list[Check]:
    """Verify a corpus directory and say what was looked at."""
    corpus = Path(corpus)
    run = read_run(corpus)
    view = _View(corpus, run, deep)
    checks: list[tuple[str, Callable[[_View, Check], None]]] = [
        ("files", _check_digests),
        ("conservation", _check_conservation),
        ("documents", _check_documents),
        ("ledger", _check_ledger),
        ("fates", _check_fates),
        ("tokenizer", _check_corpus_tokenizer),
        ("shards", _check_shards),
        ("card", _check_card),
    ]
    return [_look(name, partial(look, view)) for name, look in checks]


def _look(name: str, look: Callable[[Check], object]) -> Check:
    """A check, and what it stumbled over."""
    check = Check(name)
    try:
        look(check)
    except FAULTS as error:
        check.add(name, f"{type(error).__name__}: {' '.join(str(error).split())}")
    return check


@dataclass(slots=True)
class _View:
    """A corpus under verification, with the small columns that several checks need."""

    corpus: Path
    run: dict[str, Any]
    deep: bool
    documents: pl.DataFrame | None = None
    ledger: pl.DataFrame | None = None


def _check_digests(view: _View, check: Check) -> None:
    """Every file listed in ``run.json`` has its size and digest."""
    listed = view.run.get("files") or {}
    check.looked_at = f"{len(listed):,} files" if listed else "run.json lists no files"
    n_bytes = 0
    for name, entry in sorted(listed.items()):
        path = view.corpus / name
        if not path.is_file():
            check.add(name, "is listed in run.json and missing")
            continue
        found = digest(path)
        n_bytes += found.bytes
        if found.bytes != entry.get("bytes"):
            check.add(name, f"has {found.bytes} bytes, run.json says {entry.get('bytes')}")
        elif found.xxh3 != entry.get("xxh3"):
            check.add(name, f"its xxh3 is {found.xxh3}, run.json says {entry.get('xxh3')}")
    for name in _strangers(view.corpus, listed):
        check.add(name, "is not listed in run.json")
    if n_bytes:
        check.looked_at += f", {n_bytes / 1e6:,.1f} MB"


def _strangers(corpus: Path, listed: dict[str, Any]) -> Iterator[str]:
    """Files of documents and ledger that readers would take up, and that no build wrote."""
    for part in ("documents", "ledger"):
        if any(name.startswith(f"{part}/") for name in listed):
            for path in sorted((corpus / part).glob("*.parquet")):
                name = path.relative_to(corpus).as_posix()
                if name not in listed:
                    yield name


def _check_conservation(view: _View, check: Check) -> None:
    """``in = kept + dropped`` in every stage, and what one keeps is what the next one gets."""
    stages = view.run.get("stages") or []
    check.looked_at = f"{len(stages)} stages"
    if not stages:
        check.add("run.json", "lists no stages")
    left: int | None = None
    before = ""
    for stage in stages:
        name, docs_in, kept = stage["name"], stage["docs_in"], stage["docs_kept"]
        lost = sum(stage.get("dropped", {}).values())
        if docs_in != kept + lost:
            check.add(
                "run.json", f"stage {name}: {docs_in} documents in, {kept} kept + {lost} dropped"
            )
        if name == "ledger":
            if docs_in != stages[0]["docs_in"]:
                check.add("run.json", f"stage ledger: {docs_in} rows, {stages[0]['docs_in']} read")
            continue
        if left is not None and docs_in != left:
            check.add("run.json", f"stage {name}: {docs_in} documents in, but {before} kept {left}")
        left, before = kept, name


def _check_documents(view: _View, check: Check) -> None:
    """``documents/`` can be read, page by page, and has the columns of the interface."""
    tables = list(_read_parts(view.corpus, "documents", schema.DOCUMENT, ("id", "text"), check))
    view.documents = _joined(tables, ("id", "bytes"))
    check.looked_at = f"{view.documents.height:,} documents, pages and columns"
    _unique(view.documents, check, "documents")


def _check_ledger(view: _View, check: Check) -> None:
    """``ledger/`` can be read, has one row per document read, and counts what ``run.json`` says."""
    names = ("id", "fate", "stage", "reason", "duplicate_of", "bytes_out", "tags")
    tables = list(_read_parts(view.corpus, "ledger", schema.LEDGER, names, check))
    view.ledger = ledger = _joined(tables, names)
    check.looked_at = f"{ledger.height:,} rows"
    _unique(ledger, check, "ledger")
    stages = view.run.get("stages") or []
    if stages and ledger.height != stages[0]["docs_in"]:
        check.add(
            "ledger",
            f"has {ledger.height} rows, but run.json read {stages[0]['docs_in']} documents",
        )
    counted = ledger.filter(pl.col("fate") == "dropped").group_by("stage", "reason").len()
    found = {(stage, reason): n for stage, reason, n in counted.iter_rows()}
    said = {(one["name"], reason): n for one in stages for reason, n in one["dropped"].items()}
    _compare(check, found, said, "dropped by {0[0]} for {0[1]}")
    words = ledger["tags"].drop_nulls().str.split(" ").explode()
    tags = [(tag, n) for one in stages for tag, n in one.get("tagged", {}).items()]
    _compare(check, dict(words.value_counts().iter_rows()), dict(tags), "tagged {0}")
    outside = pl.col("reason").eq_missing(OF_EARLIER)
    lost = ledger.filter(~outside & ~pl.col("duplicate_of").is_in(ledger["id"].implode()))
    nowhere, unread = earlier.without_original(view.run, ledger.filter(outside))
    check.looked_at += unread
    for rows, what in ((lost, "no input"), (nowhere, "in no earlier corpus")):
        for row in rows.head(PROBLEMS_SHOWN).iter_rows(named=True):
            text = f"duplicate_of {row['duplicate_of']} is {what}"
            check.add(row["path"], text, str(row["row"]))


def _compare(check: Check, found: dict[Any, int], said: dict[Any, int], what: str) -> None:
    for key in sorted(found.keys() | said.keys(), key=str):
        if found.get(key, 0) != said.get(key, 0):
            text = f"{found.get(key, 0)} documents {what.format(key)}"
            check.add("ledger", f"{text}, run.json says {said.get(key, 0)}")


def _check_fates(view: _View, check: Check) -> None:
    """The kept rows of the ledger are the documents, with the same sizes."""
    if view.documents is None or view.ledger is None:
        check.add("documents", "not compared: documents or ledger cannot be read")
        return
    kept = view.ledger.filter(pl.col("fate") == "kept")
    check.looked_at = f"{kept.height:,} kept rows, {view.documents.height:,} documents"
    both = view.documents.join(kept, on="id", how="full", suffix="_ledger")
    extra = both.filter(pl.col("id_ledger").is_null())
    for row in extra.sort("path", "row").head(PROBLEMS_SHOWN).iter_rows(named=True):
        check.add(row["path"], f"document {row['id']} is not kept in the ledger", str(row["row"]))
    missing = both.filter(pl.col("id").is_null()).sort("path_ledger", "row_ledger")
    for row in missing.head(PROBLEMS_SHOWN).iter_rows(named=True):
        what = f"document {row['id_ledger']} is kept, but not in documents/"
        check.add(row["path_ledger"], what, str(row["row_ledger"]))
    other = both.filter(pl.col("bytes") != pl.col("bytes_out")).sort("path", "row")
    for row in other.head(PROBLEMS_SHOWN).iter_rows(named=True):
        what = f"document {row['id']} has {row['bytes']} bytes, the ledger says {row['bytes_out']}"
        check.add(row["path"], what, str(row["row"]))


def _check_corpus_tokenizer(view: _View, check: Check) -> None:
    path = view.corpus / "tokenizer" / "tokenizer.json"
    if not path.is_file():
        check.looked_at = "none"
        return
    size = _check_tokenizer(path, check, "tokenizer/tokenizer.json")
    check.looked_at = f"{size:,} tokens"
    manifest = view.corpus / "shards" / "manifest.json"
    if manifest.is_file():
        said = json.loads(manifest.read_bytes()).get("vocab_size")
        if said != size:
            check.add("shards/manifest.json", f"vocab_size = {said}, the tokenizer has {size}")


def _check_shards(view: _View, check: Check) -> None:
    """Shards against their manifest, and their documents against ``documents/``."""
    shards = view.corpus / "shards"
    if not shards.is_dir():
        check.looked_at = "none"
        return
    packed = _packed_ids(shards, view.deep, check, "shards/")
    if view.documents is not None and not packed.equals(view.documents["id"]):
        check.add(
            "shards/documents.parquet",
            f"its {packed.len()} ids are not those of documents/ in order "
            f"({view.documents.height} documents)",
            _first_unequal(packed, view.documents["id"]),
        )


def _packed_ids(shards: Path, deep: bool, check: Check, prefix: str) -> pl.Series:
    """Hold shards against their manifest; the ids of their documents."""
    for problem in verify_shards(shards, deep=deep):
        rows = None if problem.rows is None else f"{problem.rows[0]}-{problem.rows[1]}"
        check.add(f"{prefix}{problem.path}", problem.what, rows)
    packed = pl.read_parquet(shards / manifests.DOCUMENTS, columns=["id"])["id"]
    check.looked_at = f"{packed.len():,} packed documents{', every token' if deep else ''}"
    return packed


def _first_unequal(left: pl.Series, right: pl.Series) -> str:
    n = min(left.len(), right.len())
    unequal = (left.head(n) != right.head(n)).arg_true()
    return str(unequal[0] if unequal.len() else n)


def _check_card(view: _View, check: Check) -> None:
    """The card's numbers, measured again."""
    path = view.corpus / "card" / "measured.json"
    if not path.is_file():
        check.looked_at = "none"
        return
    name = "card/measured.json"
    try:
        said = json.loads(path.read_bytes())
    except ValueError as error:
        check.add(name, f"is no JSON: {error}")
        return
    found = json.loads(json.dumps(measure(view.corpus, digests=view.deep)))
    if not view.deep:
        said.pop("files", None)
    numbers, differences = compare(said, found)
    check.looked_at = f"{numbers:,} numbers"
    for where, old, new in differences[:PROBLEMS_SHOWN]:
        check.add(name, f"{where} = {brief(old)}, measured again it is {brief(new)}")


def _read_parts(
    corpus: Path, part: str, expected: pa.Schema, names: Iterable[str], check: Check
) -> Iterator[pl.DataFrame]:
    """Read each row group with its page checksums; a bad one is a problem with its rows."""
    paths = sorted((corpus / part).glob("part-*.parquet"))
    if not paths:
        check.add(part, "has no part-*.parquet")
    for path in paths:
        name = path.relative_to(corpus).as_posix()
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            check.add(name, f"cannot be opened: {_first_line(error)}")
            continue
        with file:
            if wrong := _wrong_columns(file.schema_arrow, expected):
                check.add(name, wrong)
                continue
            yield from _row_groups(file, name, tuple(names), check)


def _wrong_columns(found: pa.Schema, expected: pa.Schema) -> str | None:
    for field_ in expected:
        at = found.get_field_index(field_.name)
        if at < 0:
            return f"has no column {field_.name!r}"
        if found.field(at).type != field_.type:
            return f"column {field_.name!r} is {found.field(at).type}, not {field_.type}"
    return None


def _row_groups(
    file: pq.ParquetFile, name: str, names: tuple[str, ...], check: Check
) -> Iterator[pl.DataFrame]:
    start = 0
    for group in range(file.num_row_groups):
        n_rows = file.metadata.row_group(group).num_rows
        try:
            table = file.read_row_group(group)
        except (OSError, pa.ArrowException) as error:
            check.add(
                name, f"cannot be read: {_first_line(error)}", f"{start}-{start + n_rows - 1}"
            )
        else:
            yield _small_columns(table, names).with_columns(
                pl.lit(name).alias("path"),
                pl.int_range(start, start + n_rows, dtype=pl.Int64).alias("row"),
            )
        start += n_rows


def _small_columns(table: pa.Table, names: tuple[str, ...]) -> pl.DataFrame:
    """The columns to compare; the text only as its size in bytes."""
    columns = {name: table[name] for name in names if name != "text"}
    if "text" in names:
        columns["bytes"] = pc.binary_length(table["text"]).cast(pa.uint64())
    frame = pl.from_arrow(pa.table(columns))
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _joined(tables: list[pl.DataFrame], names: tuple[str, ...]) -> pl.DataFrame:
    if tables:
        return pl.concat(tables)
    sizes = {"bytes", "bytes_out"}
    columns = {name: pl.UInt64 if name in sizes else pl.String for name in names}
    return pl.DataFrame(schema={**columns, "path": pl.String, "row": pl.Int64})


def _unique(rows: pl.DataFrame, check: Check, what: str) -> None:
    for row in rows.filter(pl.col("id").is_duplicated()).head(PROBLEMS_SHOWN).iter_rows(named=True):
        check.add(row["path"], f"id {row['id']} occurs more than once in {what}/", str(row["row"]))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def check_model(model: Path | str) -> list[Check]:
    """Verify a Hugging Face model directory.

    Raises:
        RecipeError: It has no ``config.json``.
    """
    model = Path(model)
    if not (model / "config.json").is_file():
        raise RecipeError(f"{model} has no config.json; give a model or a corpus directory")
    config = Check("config")
    try:
        described = json.loads((model / "config.json").read_bytes())
        config.looked_at = str(described.get("model_type", "unknown type"))
    except (ValueError, AttributeError) as error:
        described = {}
        config.add("config.json", f"is no JSON object: {error}")
    weights = Check("weights")
    weights.looked_at = check_weights(model, weights.add)
    tokenizer = Check("tokenizer")
    if (model / "tokenizer.json").is_file():
        size = _check_tokenizer(model / "tokenizer.json", tokenizer, "tokenizer.json")
        tokenizer.looked_at = f"{size:,} tokens"
        room = described.get("vocab_size")
        if isinstance(room, int) and size > room:
            tokenizer.add("tokenizer.json", f"has {size} tokens, the model has room for {room}")
    else:
        tokenizer.add("tokenizer.json", "is missing")
    return [config, weights, tokenizer, *_model_digests(model)]


def _model_digests(model: Path) -> Iterator[Check]:
    """Digests that a record beside the model lists, if one does."""
    for record in ("checkpoint.json", "run.json", "manifest.json"):
        path = model / record
        if not path.is_file():
            continue
        listed = json.loads(path.read_bytes()).get("files")
        if not isinstance(listed, dict):
            continue
        check = Check("files", f"{len(listed):,} files of {record}")
        for name, entry in sorted(listed.items()):
            if not (model / name).is_file():
                check.add(name, f"is listed in {record} and missing")
            elif (found := digest(model / name)).xxh3 != entry.get("xxh3"):
                check.add(name, f"its xxh3 is {found.xxh3}, {record} says {entry.get('xxh3')}")
        yield check


def _check_tokenizer(path: Path, check: Check, name: str) -> int:
    """A BPE ``tokenizer.json`` is whole: ids dense and unique, merges made of known tokens."""
    try:
        described = json.loads(path.read_bytes())
        model = described["model"]
        vocab: dict[str, int] = dict(model["vocab"])
        added = [(token["content"], token["id"]) for token in described.get("added_tokens", [])]
    except (ValueError, KeyError, TypeError) as error:
        check.add(name, f"is no tokenizer: {type(error).__name__} {error}")
        return 0
    every = {**vocab, **dict(added)}
    ids = sorted(every.values())
    if ids != list(range(len(ids))):
        gap = next((at for at, id_ in enumerate(ids) if at != id_), len(ids))
        check.add(name, f"its ids are not 0 to {len(ids) - 1}, each once; {gap} is not there once")
    for merge in model.get("merges") or []:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        if not {left, right, left + right} <= vocab.keys():
            check.add(name, f"merge {merge!r} makes or needs a token that is not in the vocabulary")
            break
    return len(ids)
