"""A small corpus directory made from the schemas alone, for the tests of card, verify and why.

It follows the interface (section 3) without running a build: documents with a known fate, a
tokenizer, packed shards and a `run.json` whose counts hold.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gristmill import schema
from gristmill.files import write_json
from gristmill.shards.write import write_shards
from gristmill.tables import write_parquet
from gristmill.tokenizer import Tokenizer
from gristmill.units import digest

STAGES = [
    "read",
    "licenses",
    "normalize",
    "language",
    "quality",
    "exact_documents",
    "near_duplicates",
    "exact_substrings",
    "pii",
]
WORDS = [
    "the",
    "mill",
    "turns",
    "grain",
    "into",
    "flour",
    "and",
    "water",
    "drives",
    "its",
    "wheel",
    "through",
    "every",
    "season",
    "of",
    "the",
    "year",
    "when",
    "farmers",
    "bring",
    "wheat",
    "rye",
    "oats",
    "or",
    "barley",
    "from",
    "fields",
    "that",
    "lie",
    "along",
    "the",
    "river",
]
SOURCES = (
    ("handbook", "CC-BY-4.0"),
    ("packages", "MIT"),
    ("packages", "Apache-2.0"),
    ("web", "NOASSERTION"),
)
SEQ_LEN = 64


@dataclass
class Doc:
    """One input document and what becomes of it."""

    id: str
    text: str
    source: str = "handbook"
    license: str = "MIT"
    url: str | None = None
    created: datetime | None = None
    metadata: str = "{}"
    stage: str | None = None
    reason: str | None = None
    detail: str | None = None
    duplicate_of: str | None = None
    bytes_in: int = 0
    language: str | None = "en"
    pii_count: int | None = 0
    signals: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bytes_in = self.bytes_in or len(self.text.encode())


def make_docs(n_docs: int = 40, seed: int = 7) -> list[Doc]:
    """`n_docs` documents, about a third of them dropped at different stages."""
    rng = random.Random(seed)
    docs: list[Doc] = []
    for at in range(n_docs):
        source, spdx = rng.choice(SOURCES)
        text = " ".join(rng.choices(WORDS, k=int(rng.lognormvariate(4, 1)) + 3))
        doc = Doc(
            id=f"{rng.getrandbits(128):032x}",
            text=text,
            source=source,
            license=spdx,
            url=f"https://{source}.example.org/{at}" if at % 5 else None,
            created=datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(2000)),
            language=rng.choice(["en"] * 9 + ["de"]),
            signals={"gopher_word_count": float(len(text.split())), "words_per_line": 4.5},
        )
        _decide(doc, docs, rng)
        docs.append(doc)
    return docs


def _decide(doc: Doc, earlier: list[Doc], rng: random.Random) -> None:
    kept = [other for other in earlier if other.stage is None]
    dice = rng.random()
    if dice < 0.1:
        doc.stage, doc.reason, doc.detail = "quality", "gopher_word_count", "9 < 50"
    elif dice < 0.18 and kept:
        doc.stage, doc.reason = "exact_documents", "exact_duplicate"
        doc.duplicate_of = rng.choice(kept).id
    elif dice < 0.28 and kept:
        doc.stage, doc.reason, doc.detail = (
            "near_duplicates",
            "near_duplicate",
            "jaccard 0.91 >= 0.8",
        )
        doc.duplicate_of = rng.choice(kept).id
    elif doc.language == "de":
        doc.stage, doc.reason, doc.detail = "language", "language", "de 0.98"
    elif dice > 0.9:
        doc.pii_count, doc.detail = 3, "email 2, ip 1"
    elif dice > 0.8:
        doc.bytes_in += 120
        doc.detail = "cut 120 bytes in 1 range; longest from offset 7 of " + (
            earlier[0].id if earlier else ""
        )


def write_corpus(out: Path, docs: Sequence[Doc], **options: Any) -> Path:
    """Write `docs` as a corpus directory; ``packed=False`` leaves out tokenizer and shards."""
    kept = [doc for doc in docs if doc.stage is None]
    _write_documents(out / "documents" / "part-00000.parquet", kept)
    _write_ledger(out / "ledger" / "part-00000.parquet", docs)
    if options.get("packed", bool(kept)):
        tokenizer = Tokenizer.train([doc.text for doc in kept], vocab_size=300, threads=1)
        tokenizer.save(out / "tokenizer")
        _write_shards(out, tokenizer)
    write_json(out / "run.json", {**_run(docs, options), "files": list_files(out)})
    return out


def list_files(out: Path) -> dict[str, dict[str, Any]]:
    """Size and digest of every file of a corpus directory, as `run.json` lists them."""
    return {
        path.relative_to(out).as_posix(): asdict(digest(path))
        for folder in ("documents", "ledger", "tokenizer", "shards")
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }


def _write_documents(path: Path, docs: Sequence[Doc]) -> None:
    names = schema.DOCUMENT.names
    columns = {name: [getattr(doc, name) for doc in docs] for name in names}
    write_parquet(path, [pa.table(columns, schema.DOCUMENT)], schema.DOCUMENT)


def _write_ledger(path: Path, docs: Sequence[Doc]) -> None:
    rows = [_ledger_row(doc) for doc in docs]
    extra = sorted({name for doc in docs for name in doc.signals} - set(schema.LEDGER.names))
    wide = schema.LEDGER
    for name in extra:
        wide = wide.append(pa.field(name, pa.float64()))
    write_parquet(path, [pa.Table.from_pylist(rows, wide)], wide)


def _ledger_row(doc: Doc) -> dict[str, Any]:
    kept = doc.stage is None
    return {
        "id": doc.id,
        "source": doc.source,
        "license": doc.license,
        "url": doc.url,
        "fate": "kept" if kept else "dropped",
        "stage": doc.stage,
        "reason": doc.reason,
        "detail": doc.detail,
        "duplicate_of": doc.duplicate_of,
        "bytes_in": doc.bytes_in,
        "bytes_out": len(doc.text.encode()) if kept else 0,
        "language": doc.language,
        "language_score": 0.98 if doc.language else None,
        "pii_count": doc.pii_count if kept else None,
        **doc.signals,
    }


def _write_shards(out: Path, tokenizer: Tokenizer) -> None:
    documents = pq.read_table(out / "documents" / "part-00000.parquet")
    write_shards([documents], tokenizer, out / "shards", seq_len=SEQ_LEN, validation=0.1, threads=1)


def _run(docs: Sequence[Doc], options: dict[str, Any]) -> dict[str, Any]:
    left, n_bytes = len(docs), sum(doc.bytes_in for doc in docs)
    stages = []
    for name in STAGES:
        gone = [doc for doc in docs if doc.stage == name]
        stages.append(
            {
                "name": name,
                "docs_in": left,
                "docs_kept": left - len(gone),
                "bytes_in": n_bytes,
                "bytes_out": n_bytes - sum(doc.bytes_in for doc in gone),
                "dropped": dict(Counter(str(doc.reason) for doc in gone)),
                "seconds": 0.5,
                "peak_rss_bytes": 100_000_000,
            }
        )
        left, n_bytes = stages[-1]["docs_kept"], stages[-1]["bytes_out"]
    recipe = {
        "name": options.get("name", "millpond"),
        "out": "out/millpond",
        "sources": options.get("sources", [{"name": "handbook", "path": "data/*.jsonl"}]),
        "normalize": {},
        "language": {"keep": ["en"], "min_score": 0.5},
        "quality": {"rules": ["gopher"]},
        "dedup": {"documents": {}, "near": {"threshold": 0.8}, "substrings": {"min_bytes": 100}},
        "pii": {"mask": ["email", "ip"]},
        "pack": {"seq_len": SEQ_LEN, "validation": 0.1},
    }
    return {
        "name": recipe["name"],
        "fingerprint": "0123456789abcdef",
        "recipe": recipe,
        "versions": {"gristmill": "0.1.0", "python": "3.11"},
        "stages": stages,
    }


def edit_json(path: Path, **changes: Any) -> None:
    """Replace top-level keys of a JSON file."""
    write_json(path, {**json.loads(path.read_bytes()), **changes})
