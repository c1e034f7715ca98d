"""Measures a corpus: every number of its card, each with the file and column it came from.

The same corpus gives the same bytes of ``measured.json``: no times, no machine, rows in a fixed
order. Cost: one pass over the texts and one SHA-256 of the files; memory grows with the number of
documents, not with their text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import polars as pl
import pyarrow as pa

from gristmill.cards import groups, losses
from gristmill.cards.bias import measure_bias
from gristmill.cards.bias_terms import terms_of
from gristmill.cards.facts import Row, fact, table
from gristmill.cards.frames import Frames, read_frames
from gristmill.cards.tokens import Tokens, measure_tokenizer, read_tokens, split_table
from gristmill.errors import FormatError, RecipeError

FORMAT = "gristmill.measured/1"
AFTER_DOCUMENTS = {"write", "ledger", "tokenizer", "pack", "index", "card"}
"""Stages that no document leaves: what they made is measured where it lies."""

PUBLISHED = ("documents", "ledger", "tokenizer", "shards")
"""Folders whose files the card lists with their SHA-256."""


def measure(corpus: Path | str, *, digests: bool = True) -> dict[str, Any]:
    """Count everything that can be counted in a corpus directory.

    Args:
        corpus: A directory written by `build`; shards, tokenizer and signals may be absent.
        digests: Hash the files too (SHA-256); without, the table of files is left out.

    Returns:
        Plain JSON data: facts ``{"value", "how"}`` and tables ``{"how", "rows"}``.

    Raises:
        RecipeError: `corpus` is no corpus directory.
        FormatError: A file of it cannot be read as what it should be.
    """
    corpus = Path(corpus)
    run = read_run(corpus)
    try:
        measured = _measure(corpus, run)
    except (pl.exceptions.PolarsError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{corpus}: {type(error).__name__} {error}; `gristmill verify {corpus}` says which file"
        ) from error
    return measured | ({"files": _files(corpus)} if digests else {})


def _measure(corpus: Path, run: dict[str, Any]) -> dict[str, Any]:
    tokens = read_tokens(corpus)
    frames = read_frames(corpus, tokens)
    return {
        "format": FORMAT,
        "corpus": _corpus(run),
        "sizes": _sizes(frames, tokens),
        "splits": split_table(tokens),
        "packing": _packing(tokens),
        "flow": _flow(run),
        "sources": groups.by_source(frames),
        "licenses": groups.by_license(frames),
        "languages": groups.by_language(frames),
        "domains": groups.by_domain(frames),
        "created": groups.created(frames),
        "lengths": groups.lengths(frames),
        "drops": losses.drops(frames),
        "duplicates": losses.duplicates(frames, run.get("recipe") or {}),
        "repeats_left": losses.repeats_left(frames),
        "cuts": losses.cuts(frames),
        "personal_data": losses.personal_data(frames),
        "signals": losses.signals(frames),
        "bias": measure_bias(corpus, frames, terms_of(corpus)),
        "tokenizer": measure_tokenizer(corpus, frames.documents),
        "missing": _missing(frames),
        "index": fact((corpus / "index").is_dir(), "index/: present"),
    }


def read_run(corpus: Path) -> dict[str, Any]:
    """``run.json`` of a corpus directory.

    Raises:
        RecipeError: There is no such directory, or no ``run.json`` in it.
        FormatError: ``run.json`` is not a JSON object.
    """
    path = corpus / "run.json"
    if not path.is_file():
        what = "has no run.json" if corpus.is_dir() else "does not exist"
        raise RecipeError(
            f"{corpus} {what}; give a corpus directory: `gristmill build RECIPE --out {corpus}`"
        )
    try:
        run = json.loads(path.read_bytes())
    except ValueError as error:
        raise FormatError(f"{path}: {error}") from None
    if not isinstance(run, dict):
        raise FormatError(f"{path}: expected a JSON object, got {type(run).__name__}")
    return run


def _corpus(run: Mapping[str, Any]) -> dict[str, Any]:
    recipe = dict(run.get("recipe") or {})
    for here in ("out", "limits"):
        recipe.pop(here, None)
    recipe["sources"] = [_portable(source) for source in recipe.get("sources") or []]
    if "dedup" in recipe:
        recipe["dedup"] = _portable_dedup(recipe["dedup"])
    return {
        "how": "run.json: name, fingerprint, versions, recipe (without paths of the machine)",
        "name": run.get("name") or recipe.get("name") or "corpus",
        "fingerprint": run.get("fingerprint"),
        "versions": dict(sorted((run.get("versions") or {}).items())),
        "recipe": recipe,
    }


def _portable(source: Mapping[str, Any]) -> Row:
    """A recipe's source without the folders of the machine it was built on."""
    path = source.get("path")
    if isinstance(path, str) and "://" not in path and PurePath(path).is_absolute():
        return {**source, "path": PurePath(path).name}
    return dict(source)


def _portable_dedup(dedup: Any) -> Any:
    """The same for the earlier corpora that documents were compared with."""
    near = dedup.get("near") if isinstance(dedup, Mapping) else None
    if not isinstance(near, Mapping) or not near.get("against"):
        return dedup
    paths = [PurePath(path) for path in near["against"]]
    names = [path.name if path.is_absolute() else str(path) for path in paths]
    return {**dedup, "near": {**near, "against": names}}


def _sizes(frames: Frames, tokens: Tokens | None) -> dict[str, Any]:
    documents, ledger = frames.documents, frames.ledger
    kept = "documents/part-*.parquet"
    read = "ledger/part-*.parquet"
    sizes = {
        "documents": fact(documents.height, f"{kept}: rows"),
        "bytes": fact(int(documents["bytes"].sum()), f"{kept}: sum of the UTF-8 bytes of text"),
        "characters": fact(
            int(documents["characters"].sum()), f"{kept}: sum of characters of text"
        ),
        "documents_read": fact(ledger.height, f"{read}: rows"),
        "bytes_read": fact(int(ledger["bytes_in"].sum()), f"{read}: sum of bytes_in"),
        "documents_dropped": fact(
            ledger.filter(pl.col("fate") == "dropped").height, f"{read}: rows where fate = dropped"
        ),
        "sources": fact(documents["source"].n_unique(), f"{kept}: distinct source"),
        "licenses": fact(documents["license"].n_unique(), f"{kept}: distinct license"),
    }
    if tokens is not None:
        total = int(tokens.per_document["n_tokens"].sum())
        sizes["tokens"] = fact(total, "shards/documents.parquet: sum of n_tokens")
    return sizes


def _packing(tokens: Tokens | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    names = ("fingerprint", "seq_len", "vocab_size", "dtype", "end_token_id", "merkle_root")
    return {"how": "shards/manifest.json", **{name: tokens.manifest.get(name) for name in names}}


def _flow(run: Mapping[str, Any]) -> dict[str, Any]:
    found = [
        {
            "stage": stage["name"],
            "docs_in": stage.get("docs_in", 0),
            "docs_kept": stage.get("docs_kept", 0),
            "bytes_in": stage.get("bytes_in", 0),
            "bytes_out": stage.get("bytes_out", 0),
            "dropped": dict(sorted((stage.get("dropped") or {}).items())),
        }
        for stage in run.get("stages") or []
        if stage.get("name") not in AFTER_DOCUMENTS
    ]
    return table(found, "run.json: stages")


def _missing(frames: Frames) -> dict[str, Any]:
    documents = frames.documents
    found = [
        ("url", int(documents["no_url"].sum())),
        ("created", documents["created"].null_count()),
        ("license", int((documents["license"] == "NOASSERTION").sum())),
        ("language", documents["language"].null_count()),
        ("metadata", int(documents["no_metadata"].sum())),
    ]
    return table(
        ({"column": name, "documents": count} for name, count in found),
        "documents/part-*.parquet: nulls of url and created, license = NOASSERTION, metadata = {}; "
        "ledger/part-*.parquet: nulls of language",
    )


def _files(corpus: Path) -> dict[str, Any]:
    paths = sorted(
        path
        for folder in PUBLISHED
        for path in (corpus / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )
    found = [
        {
            "path": path.relative_to(corpus).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
        }
        for path in paths
    ]
    return table(found, "SHA-256 of each file")


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
