"""The stage that masks, pseudonymises, tags or drops."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from gristmill.errors import RecipeError
from gristmill.pii.entities import ENTITIES, NAMES, PERSONAL, checked
from gristmill.pii.find import check_actions, scrubbed
from gristmill.pii.key import key_fingerprint
from gristmill.pii.names import Named, find_names, load_engine
from gristmill.stage import Verdict, keep_all
from gristmill.text import as_table


class Scrub:
    """Hides, tags or drops personal data; `pii_count` says how much of it a document had."""

    name = "pii"

    def __init__(
        self,
        mask: Collection[str] | None = None,
        *,
        tag: Collection[str] = (),
        pseudonymise: Collection[str] = (),
        drop: Collection[str] = (),
        key: bytes | None = None,
        no_names_in: Collection[str] = (),
        threads: int = 1,
    ) -> None:
        """Do one thing with each entity.

        Args:
            mask: Entities, of `ENTITIES`, replaced by ``<EMAIL_1>``, numbered within the document;
                when None, all of `PERSONAL` that nothing else is done with.
            tag: Entities whose documents get the tag ``pii:email`` and go on as they are.
            pseudonymise: Entities replaced by ``<EMAIL_`` and a keyed hash, equal in all documents.
            drop: Entities whose documents are dropped, with the reason ``pii``.
            key: The key of the pseudonyms, 16 bytes or more.
            no_names_in: Sources in whose documents persons, locations and organizations are not
                sought, although an action asks for them.
            threads: Threads to use for the structured entities.

        Raises:
            RecipeError: An entity does not exist or has two actions, there is no entity at all,
                pseudonyms have no key, or names cannot be found.
        """
        others = {"tag": tag, "pseudonymise": pseudonymise, "drop": drop}
        actions = {name: checked(given, f"pii.{name}") for name, given in others.items()}
        if mask is None:
            taken = {name for given in actions.values() for name in given}
            mask = [name for name in PERSONAL if name not in taken]
        actions["mask"] = checked(mask, "pii.mask")
        check_actions(actions, key)
        self.mask, self.tag = actions["mask"], actions["tag"]
        self.pseudonymise, self.drop = actions["pseudonymise"], actions["drop"]
        self.entities = [name for name in ENTITIES if any(name in one for one in actions.values())]
        self.key, self.no_names_in, self.threads = key, list(no_names_in), threads
        if not self.entities:
            raise RecipeError(
                "pii.mask is empty and nothing is tagged, pseudonymised or dropped, so the stage could "
                f"have no effect; name an entity ({', '.join(ENTITIES)}) or leave the stage out"
            )
        if set(NAMES).intersection(self.entities):
            load_engine()

    @property
    def key_fingerprint(self) -> str | None:
        """What tells this key from another one, if there is one."""
        return key_fingerprint(self.key) if self.key else None

    def judge(self, docs: pa.Table) -> Verdict:
        """Scrub the texts; the detail tells what was hidden or dropped for, e.g. ``email 3, ip 1``."""
        texts = as_table(docs.column("text"))
        counts = scrubbed(
            texts,
            self.mask,
            self.pseudonymise,
            [*self.tag, *self.drop],
            self.key,
            self._named(docs, texts),
            self.threads,
        )
        dropped = pc.greater(_sum(counts, self.drop), 0)
        return Verdict(
            reason=pc.if_else(dropped, "pii", keep_all(docs.num_rows)),
            detail=pa.array(self._details(counts, dropped), pa.string()),
            text=counts.column("text"),
            columns={"pii_count": _sum(counts, self.entities)},
            tags=self._tags(counts) if self.tag else None,
        )

    def _named(self, docs: pa.Table, texts: pa.Table) -> list[Named]:
        if not set(NAMES).intersection(self.entities):
            return []
        skipped = pc.is_in(docs.column("source"), pa.array(self.no_names_in, pa.string()))
        rows = pc.indices_nonzero(pc.invert(skipped)).to_pylist()
        found_names = find_names([texts["text"][row].as_py() or "" for row in rows])
        return [(rows[at], start, end, entity) for at, start, end, entity in found_names]

    def _details(self, counts: pa.Table, dropped: pa.ChunkedArray) -> list[str | None]:
        details: list[str | None] = [None] * counts.num_rows
        found = pc.indices_nonzero(_sum(counts, self.entities))
        rows = counts.select(self.entities).take(found).to_pylist()
        drops = dropped.take(found).to_pylist()
        for position, row, drop in zip(found.to_pylist(), rows, drops, strict=True):
            told = self.drop if drop else [*self.mask, *self.pseudonymise]
            details[position] = (
                ", ".join(f"{name} {row[name]}" for name in told if row[name]) or None
            )
        return details

    def _tags(self, counts: pa.Table) -> pa.Array:
        tags: list[list[str]] = [[] for _ in range(counts.num_rows)]
        for name in self.tag:
            for position in pc.indices_nonzero(counts.column(name)).to_pylist():
                tags[position].append(f"pii:{name}")
        return pa.array(tags, pa.list_(pa.string()))


def _sum(counts: pa.Table, entities: Collection[str]) -> pa.ChunkedArray | pa.Array:
    total = pa.array([0] * counts.num_rows, pa.uint32())
    for name in entities:
        total = pc.add(total, counts.column(name))
    return total
