"""Whom a corpus names, and near which words: counts, and shares with what they may be by chance.

Words near a term are those at most `window` words away in the same document. Only documents in the
lists' language are judged. A share or ratio is left out when fewer than `LEAST` counts in
`LEAST_DOCUMENTS` documents speak for it; its interval counts what one document repeats as one voice
(`intervals`). Cost: one more pass over the texts, at memory speed; memory does not grow with them.

Sources: what is found against what the margins of a table lead to expect is pointwise mutual
information (Church and Hanks 1990); the intervals are those of `intervals`; the rest is our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import log
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from gristmill import _core
from gristmill.cards.bias_terms import Group, Term, Terms
from gristmill.cards.facts import Row, fact, rounded, share, table
from gristmill.cards.frames import Frames, part_files
from gristmill.cards.intervals import bounds, design_effect, log_odds, wilson
from gristmill.engines.local import cores
from gristmill.text import from_kernel

LEAST = 20
"""Counts that a share or ratio needs."""

LEAST_DOCUMENTS = 10
"""Documents that they must come from."""

LEAST_EXPECTED = 5.0
"""Pairs that must be expected before what was found is compared with it."""

_BATCH = 4096
"""Documents at a time; of 1,024 at a time, reading takes 2.5 times as long."""

_TEXTS = "documents/part-*.parquet: words of text"
_HAVE_NEAR = ("identity", "occupation")


@dataclass(frozen=True, slots=True)
class Near:
    """How often something stood near: pairs, documents, sum of the squares of a document's pairs."""

    pairs: int
    documents: int
    squares: float

    @property
    def effect(self) -> float:
        """The design effect of counting pairs of the same documents."""
        return design_effect(self.pairs, self.squares)


NOTHING = Near(0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of term lists in some texts."""

    terms: Terms
    documents: int
    words: int
    occurrences: dict[Term, tuple[int, int]]
    near: dict[tuple[Term, Group], Near]
    whole: dict[Group, Near]

    def of(self, kind: str) -> list[Term]:
        """The terms of one kind, in the order of the lists."""
        return [term for term in self.terms.terms if term.kind == kind]

    def around(self, term: Term, kind: str, name: str | None = None) -> Near:
        """What stood near a term."""
        return self.near.get((term, (kind, name)), NOTHING)

    def everywhere(self, kind: str, name: str | None = None) -> Near:
        """What stood anywhere."""
        return self.whole.get((kind, name), NOTHING)


def measure_bias(corpus: Path, frames: Frames, terms: Terms) -> dict[str, Any]:
    """Everything about people, places and spellings that the card of a corpus says.

    Args:
        corpus: A corpus directory.
        frames: Its documents and ledger.
        terms: The lists to count.
    """
    language = frames.documents["language"]
    told = language.null_count() < language.len()
    judged = language.eq_missing(terms.lists.language) if told else language.is_null()
    counted = count_terms(_judged_texts(corpus, judged), terms)
    domains = frames.documents["domain"].drop_nulls()
    how = f"{_TEXTS}{f' where language = {terms.lists.language}' if told else ''}"
    return {
        "how": "documents/part-*.parquet: text",
        "language": terms.lists.language,
        "language_known": told,
        "window": terms.lists.window,
        "lists": {"file": terms.file, "sha256": terms.sha256},
        "documents": fact(counted.documents, f"{how}: rows"),
        "share_documents": fact(share(counted.documents, language.len()), f"{how}: rows"),
        "words": fact(counted.words, how),
        **figures_of(counted, how),
        "domains": _domains(domains, terms),
    }


def figures_of(counted: Counted, how: str) -> dict[str, Any]:
    """The tables of the card, each None when the lists have nothing for it."""
    near = f"{how} at most {counted.terms.lists.window} words away"
    kinds = {term.kind for term in counted.terms.terms}
    people = "identity" in kinds
    return {
        "identity": _identity(counted, how) if people else None,
        "identity_terms": _identity_terms(counted, how) if people else None,
        "sentiment": _sentiment(counted, near) if {"identity", "sentiment"} <= kinds else None,
        "pronouns": _pronouns(counted, near) if {"occupation", "pronoun"} <= kinds else None,
        "occupations": _pairs(counted, near) if {"identity", "occupation"} <= kinds else None,
        "spelling": _spelling(counted, how) if "spelling" in kinds else None,
        "regions": _regions(counted, how) if "region" in kinds else None,
    }


def _judged_texts(corpus: Path, judged: pl.Series) -> Iterator[pa.Table]:
    """The texts of the judged documents, a batch at a time."""
    first, mask = 0, judged.to_numpy()
    for path in part_files(corpus, "documents"):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, columns=["text"]):
                wanted = mask[first : first + batch.num_rows]
                first += batch.num_rows
                yield pa.Table.from_batches([batch]).filter(pa.array(wanted, pa.bool_()))


def count_terms(tables: Iterable[pa.Table], terms: Terms) -> Counted:
    """Count term lists in texts; the result depends neither on their order nor on the machine.

    Args:
        tables: Texts in the first column of each.
        terms: The lists.
    """
    listed = terms.terms
    groups = list(dict.fromkeys(group for term in listed for group in term.groups))
    number = {group: at for at, group in enumerate(groups)}
    centers = [at for at, term in enumerate(listed) if term.kind in _HAVE_NEAR]
    counter = _core.TermCounter(
        [(form, at) for at, term in enumerate(listed) for form in term.forms],
        [[number[group] for group in term.groups] for term in listed],
        centers,
        terms.lists.window,
    )
    n_documents = 0
    for texts in tables:
        counter.add(texts, cores())
        n_documents += texts.num_rows
    each = from_kernel(counter.terms())
    cells = from_kernel(counter.cells())
    found = [Near(*row) for row in zip(*(column.to_pylist() for column in cells), strict=True)]
    rows = [found[at : at + len(groups)] for at in range(0, len(found), max(len(groups), 1))]
    return Counted(
        terms,
        n_documents,
        counter.words(),
        dict(zip(listed, zip(*(column.to_pylist() for column in each), strict=True), strict=True)),
        {
            (listed[center], group): cell
            for center, row in zip(centers, rows, strict=False)
            for group, cell in zip(groups, row, strict=True)
        },
        dict(zip(groups, rows[-1], strict=True)) if groups else {},
    )


def _identity(counted: Counted, how: str) -> dict[str, Any]:
    found = []
    for name in dict.fromkeys(term.group for term in counted.of("identity")):
        whole = counted.everywhere("identity", name)
        row = {"category": name, "occurrences": whole.pairs, "documents": whole.documents}
        found.append({**row, "share_documents": share(whole.documents, counted.documents)})
    return table(found, f"{how} that are identity terms, by category")


def _identity_terms(counted: Counted, how: str) -> dict[str, Any]:
    found = []
    for term in counted.of("identity"):
        occurrences, documents = counted.occurrences[term]
        row = {"category": term.group, "term": term.name}
        found.append({**row, "occurrences": occurrences, "documents": documents})
    return table(found, f"{how} that are identity terms")


def _enough(near: Near) -> bool:
    return near.pairs >= LEAST and near.documents >= LEAST_DOCUMENTS


def _tested(terms: list[Term], near: list[Near]) -> tuple[list[tuple[Term, Near]], int]:
    """The terms that enough stands near, and how many others something does."""
    enough = [(term, one) for term, one in zip(terms, near, strict=True) if _enough(one)]
    return enough, sum(one.pairs > 0 for one in near) - len(enough)


def _sentiment(counted: Counted, how: str) -> dict[str, Any]:
    """Positive against negative words near each identity term, held against the whole corpus."""
    everywhere = counted.everywhere("sentiment")
    positive, negative = (counted.everywhere("sentiment", n).pairs for n in _JUDGMENTS)
    usual, usual_variance = log_odds(positive, negative, everywhere.effect)
    terms = counted.of("identity")
    enough, left_out = _tested(terms, [counted.around(term, "sentiment") for term in terms])
    found = []
    for term, near in enough:
        good, bad = (counted.around(term, "sentiment", name).pairs for name in _JUDGMENTS)
        odds, variance = log_odds(good, bad, near.effect)
        low, high = bounds(odds - usual, variance + usual_variance)
        found.append(
            {
                "category": term.group,
                "term": term.name,
                "positive": good,
                "negative": bad,
                "documents": near.documents,
                "log_ratio": rounded(odds - usual),
                "low": rounded(low),
                "high": rounded(high),
            }
        )
    return {
        **table(found, f"{how} from an identity term; of the whole text for comparison"),
        "positive": positive,
        "negative": negative,
        "left_out": left_out,
    }


_JUDGMENTS = ("positive", "negative")
PRONOUNS = ("he", "she", "they")


def _pronouns(counted: Counted, how: str) -> dict[str, Any]:
    """Which pronouns stand near each occupation."""
    terms = counted.of("occupation")
    enough, left_out = _tested(terms, [counted.around(term, "pronoun") for term in terms])
    found = []
    for term, near in enough:
        row: Row = {"occupation": term.name, "documents": near.documents}
        row["independent"] = rounded(near.pairs / near.effect)
        for name in PRONOUNS:
            n = counted.around(term, "pronoun", name).pairs
            low, high = wilson(n, near.pairs, near.effect)
            row[name] = {
                "pairs": n,
                "share": share(n, near.pairs),
                "low": rounded(low),
                "high": rounded(high),
            }
        found.append(row)
    whole = {name: counted.everywhere("pronoun", name).pairs for name in PRONOUNS}
    return {
        **table(found, f"{how} from an occupation"),
        "whole": {"how": how.split(" at most")[0], **whole},
        "left_out": left_out,
    }


def _pairs(counted: Counted, how: str) -> dict[str, Any]:
    """Occupations near identity terms, against what the margins of that table lead to expect."""
    people, work = counted.of("identity"), counted.of("occupation")
    of_person = {one: counted.around(one, "occupation") for one in people}
    of_work = {job: counted.around(job, "identity") for job in work}
    total = sum(near.pairs for near in of_work.values())
    found, left_out = [], 0
    for person, job in product(people, work):
        near = counted.around(person, "occupation", job.name)
        expected = of_person[person].pairs * of_work[job].pairs / (total or 1)
        if expected < LEAST_EXPECTED:
            left_out += near.pairs > 0
            continue
        # What clumps elsewhere makes the expectation of this pair unsure too.
        variance = max(near.effect, of_work[job].effect) / (near.pairs + 0.5)
        ratio = log((near.pairs + 0.5) / (expected + 0.5))
        low, high = bounds(ratio, variance)
        found.append(
            {
                "term": person.name,
                "occupation": job.name,
                "pairs": near.pairs,
                "documents": near.documents,
                "expected": rounded(expected),
                "log_ratio": rounded(ratio),
                "low": rounded(low),
                "high": rounded(high),
            }
        )
    return {
        **table(found, f"{how} from each other: identity terms and occupations"),
        "pairs": total,
        "left_out": left_out,
    }


def _spelling(counted: Counted, how: str) -> dict[str, Any]:
    lists = counted.terms.lists.spelling
    dialects = lists.dialects if lists else ()
    terms = counted.of("spelling")
    found = []
    for one, other in zip(terms[::2], terms[1::2], strict=True):
        n = [counted.occurrences[term][0] for term in (one, other)]
        found.append({"words": [one.name, other.name], "occurrences": n})
    whole = {name: counted.everywhere("spelling", name) for name in dialects}
    total = sum(near.pairs for near in whole.values())
    return {
        **table(found, f"{how} that are spelled differently"),
        "dialects": [
            {
                "dialect": name,
                "occurrences": near.pairs,
                "documents": near.documents,
                "share": share(near.pairs, total),
            }
            for name, near in whole.items()
        ],
        "occurrences": total,
    }


def _regions(counted: Counted, how: str) -> dict[str, Any]:
    terms = counted.of("region")
    names = dict.fromkeys(term.group for term in terms)
    whole = {name: counted.everywhere("region", name) for name in names}
    total = sum(near.pairs for near in whole.values())
    countries = [
        {
            "region": term.group,
            "country": term.name,
            "occurrences": n,
            "documents": documents,
        }
        for term in terms
        for n, documents in [counted.occurrences[term]]
        if n
    ]
    return {
        **table(
            (
                {
                    "region": name,
                    "occurrences": near.pairs,
                    "documents": near.documents,
                    "share": share(near.pairs, total),
                }
                for name, near in whole.items()
            ),
            f"{how} that name a country or its people, by region",
        ),
        "countries": sorted(countries, key=lambda row: (-row["occurrences"], row["country"])),
        "occurrences": total,
    }


def _domains(hosts: pl.Series, terms: Terms) -> dict[str, Any] | None:
    """Documents by the region of the top-level domain of their URL."""
    region = {domain: term.group for term in terms.terms for domain in term.domains}
    if not region:
        return None
    ends = hosts.str.extract(r"(\.[^.]+)\.?$", 1).drop_nulls()
    counts = dict.fromkeys(region.values(), 0)
    for end, n in ends.value_counts().iter_rows():
        if end in region:
            counts[region[end]] += n
    return {
        **table(
            ({"region": name, "documents": n} for name, n in counts.items()),
            "documents/part-*.parquet: last label of the host of url",
        ),
        "with_url": hosts.len(),
        "of_a_country": sum(counts.values()),
    }
