"""What a corpus is known not to be: limits that follow from its counts, not from opinion."""

from __future__ import annotations

from typing import Any

from gristmill.cards.evidence import Evidence, in_earlier_corpora
from gristmill.cards.facts import rows, share, value
from gristmill.cards.groups import NOT_JUDGED
from gristmill.cards.wording import count, percent, plural

DOMINANT = 0.5
"""A source, language or host with more than this share of the corpus is named."""


def known_limits(m: dict[str, Any]) -> list[Evidence]:
    """The limits that the measured data shows, each with the place that shows it."""
    found = [*_licenses(m), *_dominance(m), *_stages(m), *_earlier(m)]
    found += [*_personal_data(m), *_dates(m), *_bias(m)]
    return [Evidence(text, (how,)) for text, how in found]


def _licenses(m: dict[str, Any]) -> list[tuple[str, str]]:
    unstated = next((r for r in rows(m, "licenses") if r["license"] == "NOASSERTION"), None)
    if not unstated or not unstated["documents"]:
        return []
    text = (
        f"{count(unstated['documents'])} documents ({percent(unstated['share_documents'])}) state "
        "no license (NOASSERTION); whether they may be used is not known."
    )
    return [(text, "documents/part-*.parquet: license")]


def _dominance(m: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for what, column, of in (("sources", "source", "the text"), ("languages", "language", "it")):
        kept = [row for row in rows(m, what) if row["documents"]]
        if len(kept) == 1 and kept[0][column] != NOT_JUDGED:
            found.append((f"All documents have one {column}: {kept[0][column]}.", m[what]["how"]))
            continue
        largest = max(kept, key=lambda row: row["share_bytes"], default=None)
        if largest and largest["share_bytes"] > DOMINANT and largest[column] != NOT_JUDGED:
            part = percent(largest["share_bytes"])
            found.append((f"One {column}, {largest[column]}, is {part} of {of}.", m[what]["how"]))
    return found


def _stages(m: dict[str, Any]) -> list[tuple[str, str]]:
    ran = {row["stage"] for row in rows(m, "flow")}
    absent = {
        "language": "The language of the documents was not identified.",
        "quality": "No quality rules were applied.",
        "toxicity": "Toxicity was not measured; offensive content may be there.",
        "near_duplicates": "Near-duplicates were not looked for.",
        "decontaminate": "Benchmark items were not looked for; evaluation may be contaminated.",
        "pii": "Personal data was not looked for.",
    }
    found = [(text, "run.json: stages") for stage, text in absent.items() if stage not in ran]
    if "quality" in ran:
        text = (
            "The quality rules were published for English web text; on other text they drop good "
            "documents too."
        )
        found.append((text, "run.json: stages"))
    return found


def _earlier(m: dict[str, Any]) -> list[tuple[str, str]]:
    if not (n_docs := in_earlier_corpora(m)):
        return []
    text = (
        f"{plural(n_docs, 'document')} that an earlier corpus holds were left out: this one adds to "
        "it, and is not whole by itself."
    )
    return [(text, m["drops"]["how"])]


def _personal_data(m: dict[str, Any]) -> list[tuple[str, str]]:
    if not m.get("personal_data"):
        return []
    text = "Personal data was searched by fixed forms (addresses, numbers, keys); names stay."
    return [(text, m["personal_data"]["how"])]


def _dates(m: dict[str, Any]) -> list[tuple[str, str]]:
    undated = m["created"]["undated"]
    part = share(undated, value(m, "sizes", "documents", default=0))
    if part <= DOMINANT:
        return []
    return [(f"{percent(part)} of documents carry no date.", "documents/part-*.parquet: created")]


def _bias(m: dict[str, Any]) -> list[tuple[str, str]]:
    bias = m.get("bias")
    if not bias:
        return []
    how = f"documents/part-*.parquet: text; lists: {bias['lists']['file']}"
    part = percent(value(bias, "share_documents"))
    text = (
        f"Bias was looked for by counting words of lists in the language {bias['language']}, in "
        f"{part} of the documents; other languages, names of persons, images and every dialect but "
        "spelling were not looked at. What is frequent here is not therefore harmful, and what is "
        "rare not harmless."
    )
    return [(text, how)]
