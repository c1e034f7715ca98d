"""Finds and masks structured personal data: what has a form, a checksum or a numbering plan.

One linear scan in the core proposes places and validators decide: top-level domains that exist,
Luhn and issuer ranges, IBAN country lengths and MOD 97-10, public address ranges, numbering plans,
base-58 and bech32 checksums, the words nearby. Private, loopback and documentation addresses are
nobody's and stay; so do versions and sections that look like addresses, decorators, ``git@host:``
and what is no e-mail address for want of a top-level domain. Names and places are not sought.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import RecipeError
from gristmill.stage import Verdict, keep_all
from gristmill.text import Texts, as_table, from_kernel

ENTITIES = (
    "email",
    "phone",
    "card",
    "iban",
    "ip",
    "national_id",
    "url_credential",
    "secret",
    "crypto",
    "geo",
    "private_ip",
    "url",
)
"""What can be found. ``national_id`` is a US SSN or ITIN or a UK National Insurance number;
``url_credential`` the ``user:password`` of a URL; ``secret`` an API key, token, private-key block
or random value given to a password; ``crypto`` a Bitcoin or Ethereum address; ``geo`` a pair of
coordinates."""


def find_pii(texts: Texts, entities: Sequence[str] | None = None, threads: int = 1) -> pa.Table:
    """Find the structured personal data of each text.

    Args:
        texts: Texts; a null counts as empty.
        entities: What to find, of `ENTITIES`; everything when None. What is found of one entity
            does not depend on which others are asked for.
        threads: Threads to use; the result is the same for any number.

    Returns:
        Table with a row per finding, in order and without overlaps: ``document`` uint32, the index
        of the text; ``start`` and ``end`` uint64, in characters; ``entity`` string; ``score``
        float32, 0 to 1, higher with a checksum or a word nearby that says what it is.

    Raises:
        RecipeError: An entity does not exist.

    >>> find_pii(["write to ada@example.com"]).select(["start", "end", "entity"]).to_pylist()
    [{'start': 9, 'end': 24, 'entity': 'email'}]
    """
    return from_kernel(_core.find_pii(as_table(texts), _chosen(entities, "entities"), [], threads))


def scrub_pii(texts: Texts, entities: Sequence[str] | None = None, threads: int = 1) -> pa.Array:
    """Mask the structured personal data of each text.

    Equal values of a text get equal masks, ``<EMAIL_1>``, ``<EMAIL_2>``; letter case and the
    grouping of digits make no difference.

    Args:
        texts: Texts, length *n*; a null becomes an empty text.
        entities: What to mask, of `ENTITIES`; everything when None.
        threads: Threads to use; the result is the same for any number.

    Returns:
        ``large_string[n]``: the texts, each finding replaced by its mask, all else untouched.

    Raises:
        RecipeError: An entity does not exist.

    >>> scrub_pii(["ada@example.com, Ada@Example.com"]).to_pylist()
    ['<EMAIL_1>, <EMAIL_1>']
    """
    return _scrubbed(texts, _chosen(entities, "entities"), threads).column("text").combine_chunks()


def _scrubbed(texts: Texts, entities: list[str], threads: int) -> pa.Table:
    return from_kernel(_core.scrub_pii(as_table(texts), entities, [], [], b"", [], threads))


def _chosen(entities: Sequence[str] | None, where: str) -> list[str]:
    if entities is None:
        return list(ENTITIES)
    chosen = [entities] if isinstance(entities, str) else list(entities)
    for name in chosen:
        if name not in ENTITIES:
            near = get_close_matches(name, ENTITIES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(ENTITIES)}"
            raise RecipeError(f"{where} has no entity {name!r}{hint}")
    return chosen


class Scrub:
    """Masks personal data in every document and drops none; `pii_count` says how much it found."""

    name = "pii"

    def __init__(
        self,
        mask: Sequence[str] = ENTITIES,
        threads: int = 1,
    ) -> None:
        """Mask `mask`.

        Args:
            mask: Entities, of `ENTITIES`.
            threads: Threads to use.

        Raises:
            RecipeError: `mask` is empty or names an entity that does not exist.
        """
        if not mask:
            raise RecipeError(
                "pii.mask is empty, so the stage could have no effect; name an entity "
                f"({', '.join(ENTITIES)}) or leave the stage out"
            )
        self.mask = _chosen(mask, "pii.mask")
        self.threads = threads

    def judge(self, docs: pa.Table) -> Verdict:
        """Mask the texts; the detail tells what, e.g. ``email 3, ip 1``."""
        scrubbed = _scrubbed(docs.column("text"), self.mask, self.threads)
        counts = pa.array([0] * docs.num_rows, pa.uint32())
        for name in self.mask:
            counts = pc.add(counts, scrubbed.column(name))
        return Verdict(
            reason=keep_all(docs.num_rows),
            detail=pa.array(self._details(scrubbed, counts), pa.string()),
            text=scrubbed.column("text"),
            columns={"pii_count": counts},
        )

    def _details(self, scrubbed: pa.Table, counts: pa.Array) -> list[str | None]:
        details: list[str | None] = [None] * scrubbed.num_rows
        found = pc.indices_nonzero(counts)
        rows = scrubbed.select(self.mask).take(found).to_pylist()
        for position, row in zip(found.to_pylist(), rows, strict=True):
            details[position] = ", ".join(f"{name} {n}" for name, n in row.items() if n)
        return details
