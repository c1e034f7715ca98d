"""A global stage on a few texts: written to disk, surveyed, and judged batch by batch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from gristmill.dedup import MinHash, find_clusters
from gristmill.documents import Documents
from gristmill.ledger import apply
from gristmill.room import Room
from gristmill.schema import DOCUMENT
from gristmill.stage import GlobalStage
from gristmill.tables import arrow_writer
from gristmill.text import Texts


def memberships(texts: Texts, threads: int = 1, **minhash: Any) -> pa.Table:
    """The clusters of near-duplicates under these parameters of `MinHash`."""
    return find_clusters(texts, MinHash(**minhash), threads)


@dataclass
class Outcome:
    """What a stage said of each document; `texts` are those of all documents, `kept` of those left."""

    reason: list[str | None]
    detail: list[str | None]
    duplicate_of: list[str | None]
    kept: dict[str, str]
    noted: dict[str, Any]


def documents(
    texts: Sequence[str],
    ids: Sequence[str] | None = None,
    metadata: Sequence[str] | None = None,
) -> pa.Table:
    """Documents d0, d1, ... with these texts."""
    n_docs = len(texts)
    columns = {
        "id": list(ids or [f"d{number}" for number in range(n_docs)]),
        "text": list(texts),
        "source": ["s"] * n_docs,
        "license": ["MIT"] * n_docs,
        "url": [None] * n_docs,
        "created": [None] * n_docs,
        "metadata": list(metadata or ["{}"] * n_docs),
    }
    return pa.table(columns, schema=DOCUMENT)


def on_disk(
    folder: Path,
    texts: Sequence[str],
    per_file: int = 7,
    per_batch: int = 3,
    metadata: Sequence[str] | None = None,
) -> Documents:
    """Write documents to Arrow files of `per_file` rows, in batches of `per_batch`."""
    docs, paths = documents(texts, metadata=metadata), []
    for start in range(0, max(len(docs), 1), per_file):
        paths.append(folder / f"{start:06}.arrow")
        file = docs.slice(start, per_file)
        with arrow_writer(paths[-1], DOCUMENT) as out:
            for first in range(0, len(file), per_batch):
                out.write(file.slice(first, per_batch))
    return Documents(paths)


def outcome(
    stage: GlobalStage,
    *texts: str,
    judged_at_once: int = 3,
    metadata: Sequence[str] | None = None,
) -> Outcome:
    """Survey and judge `texts`, `judged_at_once` documents at a time."""
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        root = Path(folder)
        (root / "spill").mkdir()
        docs = on_disk(root, texts, metadata=metadata)
        judge = stage.survey(docs, Room(root / "spill"))
        findings, left = [], []
        for start in range(0, len(docs), judged_at_once):
            kept, found, _ = apply(judge, docs.slice(start, judged_at_once))
            findings.append(found)
            left.append(kept)
        with arrow_writer(root / "left.arrow", DOCUMENT) as out:
            for table in left:
                out.write(table)
        noted = judge.finish(Documents([root / "left.arrow"]))
    rows = [row for table in findings for row in table.to_pylist()]
    said = {name: [row[name] for row in rows] for name in ("reason", "detail", "duplicate_of")}
    kept = {row["id"]: row["text"] for table in left for row in table.to_pylist()}
    return Outcome(**said, kept=kept, noted=noted)
