"""What personal data texts hold, in counts; no value of it is kept or shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

import pyarrow as pa

from gristmill.pii.entities import STRUCTURED, checked
from gristmill.pii.find import find_pii

CONTEXT_CHARS = 40
EXAMPLES = 3
DOMAINS = 10

Finding = dict[str, Any]


class Report:
    """Counts over the documents that `add` is given, batch by batch."""

    def __init__(self, entities: Collection[str] | None = None, threads: int = 1) -> None:
        """Look for `entities`, of `ENTITIES`; for all of `STRUCTURED` when None.

        Raises:
            RecipeError: An entity does not exist.
        """
        self.entities = checked(entities or STRUCTURED, "entities")
        self.threads = threads
        self.sources: Counter[str] = Counter()
        self.found: Counter[tuple[str, str]] = Counter()
        self.documents: Counter[tuple[str, str]] = Counter()
        self.domains: Counter[str] = Counter()
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, docs: pa.Table) -> None:
        """Count a table with the columns ``text`` and ``source``."""
        sources = docs["source"].to_pylist()
        self.sources.update(sources)
        by_document: defaultdict[int, list[Finding]] = defaultdict(list)
        for row in find_pii(docs["text"], self.entities, self.threads).to_pylist():
            by_document[row["document"]].append(row)
        for document, findings in by_document.items():
            self._count(docs["text"][document].as_py(), sources[document], findings)

    def _count(self, text: str, source: str, findings: list[Finding]) -> None:
        names = [row["entity"] for row in findings]
        self.found.update((source, name) for name in names)
        self.documents.update((source, name) for name in set(names))
        for row in findings:
            if row["entity"] == "email":
                self.domains[text[row["start"] : row["end"]].rpartition("@")[2].lower()] += 1
        for name in set(names):
            if len(self.examples[name]) < EXAMPLES:
                first = next(row for row in findings if row["entity"] == name)
                self.examples[name].append(_masked(text, first, findings))

    def as_dict(self) -> dict[str, Any]:
        """The counts, as ``gristmill pii report --json`` prints them."""
        return {
            "documents": self.sources.total(),
            "entities": [row for name in self.entities if (row := self._row(name, self.sources))],
            "sources": [
                {"source": source, "documents": n, "entities": self._of_source(source)}
                for source, n in sorted(self.sources.items())
            ],
            "email_domains": [
                {"domain": domain, "found": n} for domain, n in self.domains.most_common(DOMAINS)
            ],
            "examples": {
                name: self.examples[name] for name in self.entities if self.examples[name]
            },
        }

    def _of_source(self, source: str) -> list[dict[str, Any]]:
        return [row for name in self.entities if (row := self._row(name, [source]))]

    def _row(self, entity: str, sources: Collection[str]) -> dict[str, Any]:
        """What was found of an entity in some sources; empty when nothing was."""
        found = sum(self.found[source, entity] for source in sources)
        documents = sum(self.documents[source, entity] for source in sources)
        n_docs = sum(self.sources[source] for source in sources)
        per_million = round(found / n_docs * 1e6, 1) if found else 0.0
        row = {"entity": entity, "found": found, "documents": documents}
        return {**row, "found_per_million_documents": per_million} if found else {}


def _masked(text: str, finding: Finding, findings: list[Finding]) -> str:
    """The surroundings of a finding, with it and all others there masked."""
    start, end = finding["start"] - CONTEXT_CHARS, finding["end"] + CONTEXT_CHARS
    inside = [row for row in findings if row["start"] < end and start < row["end"]]
    at = min(max(0, start), inside[0]["start"])
    shown = []
    for row in inside:
        shown += [text[at : row["start"]], f"<{row['entity'].upper()}>"]
        at = row["end"]
    return " ".join("".join([*shown, text[at : max(at, end)]]).split())
