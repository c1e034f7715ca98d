"""The documents of an earlier build, for a stage that compares new ones with them.

What a build says of itself in ``run.json`` is what a unit's key takes (the digests of its
documents), and it is held to that when the documents are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.documents import NAMED
from gristmill.errors import IntegrityError, RecipeError
from gristmill.tables import arrow_writer, read_parts
from gristmill.units import digest

REASON = "near_duplicate_of_earlier"
"""Why a new document goes that nearly repeats one of an earlier corpus, which `duplicate_of` names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCorpus:
    """A finished corpus directory whose documents are taken as known.

    Attributes:
        name: What the ledger calls it.
        path: The directory.
        fingerprint: The one of its build.
        digests: The xxh3 of each file of its documents, by the name within the directory.
        n_docs: How many documents it has.
    """

    name: str
    path: Path
    fingerprint: str
    digests: Mapping[str, str] = field(repr=False)
    n_docs: int

    @classmethod
    def of(cls, path: Path, run: Mapping[str, Any], name: str | None = None) -> EarlierCorpus:
        """Look at a finished corpus without reading a document.

        Args:
            path: The directory.
            run: The content of its ``run.json``.
            name: What to call it; the directory's own name when omitted.

        Raises:
            RecipeError: It has no document.
            IntegrityError: Its documents are not the files that `run` lists.
        """
        digests = _digests(path, run)
        parts = sorted((path / "documents").glob("part-*.parquet"))
        if list(digests) != [part.relative_to(path).as_posix() for part in parts]:
            raise IntegrityError(_changed(path, "documents/ holds other files than run.json lists"))
        try:
            n_docs = sum(pq.read_metadata(part).num_rows for part in parts)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(_changed(path, str(error).splitlines()[0])) from None
        if not n_docs:
            raise RecipeError(f"{path} holds no documents, so nothing is removed; leave it out")
        said = str(run.get("fingerprint"))
        own = name or path.resolve().name or "corpus"
        return cls(name=own, path=path, fingerprint=said, digests=digests, n_docs=n_docs)

    @property
    def key(self) -> list[Any]:
        """What a result depends on that was made with it."""
        return [self.name, list(self.digests.items())]

    def write(self, path: Path) -> None:
        """Write ids and texts as an Arrow file that a kernel can map, a row group at a time.

        Raises:
            IntegrityError: A file is not the one that ``run.json`` lists.
        """
        for name, listed in self.digests.items():
            if (found := digest(self.path / name).xxh3) != listed:
                what = f"the xxh3 of {name} is {found}, its run.json says {listed}"
                raise IntegrityError(_changed(self.path, what))
        with arrow_writer(path, NAMED) as out:
            for table in read_parts(self.path / "documents", NAMED.names):
                out.write(table)


def _digests(path: Path, run: Any) -> dict[str, str]:
    try:
        files = run.get("files") or {}
        return {at: files[at]["xxh3"] for at in sorted(files) if at.startswith("documents/")}
    except (AttributeError, KeyError, TypeError):
        raise IntegrityError(_changed(path, "run.json lists no digests")) from None


def _changed(path: Path, what: str) -> str:
    return f"{path}: {what}; see `gristmill verify {path}`, or build it again"
