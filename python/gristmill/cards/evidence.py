"""Answers to the datasheet's questions that follow from what was measured.

One function a question, from the measured data to plain text and the places that give it, or to
None when this corpus does not say. The text is never markup: it may hold names that came with the
documents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gristmill.cards.bias_exhibits import groups_named
from gristmill.cards.facts import rows, share, value
from gristmill.cards.wording import bytes_, count, listed, number, percent, plural, words
from gristmill.dedup.earlier import REASON as OF_EARLIER

Measured = dict[str, Any]

RESTRICTED = ("-NC", "-ND", "GPL", "SSPL", "RSAL", "LicenseRef", "BUSL", "Proprietary")
FINANCIAL_OR_SECRET = ("card", "iban", "national_id", "secret", "url_credential", "crypto")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measured answer: what it says and the places in `measured.json` that say it."""

    text: str
    how: tuple[str, ...]


Answer = Callable[[Measured], Evidence | None]

_ANSWERS: dict[str, Answer] = {}


def measured_answer(name: str, measured: Measured) -> Evidence | None:
    """The measured answer to question ``section.key``, or None when it cannot be measured."""
    answer = _ANSWERS.get(name)
    return None if answer is None else answer(measured)


def answerable() -> frozenset[str]:
    """Names of the questions that a corpus with every stage answers."""
    return frozenset(_ANSWERS)


def _answers(name: str) -> Callable[[Answer], Answer]:
    def register(function: Answer) -> Answer:
        _ANSWERS[name] = function
        return function

    return register


def _documents(m: Measured) -> int:
    return int(value(m, "sizes", "documents", default=0))


def _names(m: Measured, what: str, column: str, most: int = 6) -> str:
    found = [row for row in rows(m, what) if row["documents"]]
    return listed([f"{row[column]} ({percent(row['share_documents'])})" for row in found], most)


@_answers("composition.instances")
def _composition_instances(m: Measured) -> Evidence:
    text = (
        "One instance is one document: a text in UTF-8 with its id, source, license, URL, date and "
        f"metadata. All are of this one type; they come from {_sources(m)}: "
        f"{_names(m, 'sources', 'source')}."
    )
    return Evidence(text, ("documents/part-*.parquet: columns, source",))


def _sources(m: Measured) -> str:
    return plural(int(value(m, "sizes", "sources", default=0)), "source")


@_answers("composition.counts")
def _composition_counts(m: Measured) -> Evidence:
    tokens = value(m, "sizes", "tokens")
    text = (
        f"{plural(_documents(m), 'document')}, {bytes_(value(m, 'sizes', 'bytes'))} of text, "
        f"{count(value(m, 'sizes', 'characters'))} characters"
    )
    text += f", {count(tokens)} tokens. " if tokens is not None else ". "
    text += "By source: " + listed(
        [f"{row['source']} {count(row['documents'])}" for row in rows(m, "sources")], 12
    )
    return Evidence(
        text + ".", ("documents/part-*.parquet: rows, text", "shards/documents.parquet")
    )


@_answers("composition.sample")
def _composition_sample(m: Measured) -> Evidence:
    read = int(value(m, "sizes", "documents_read", default=0))
    kept = _documents(m)
    text = (
        f"It is what is left of {plural(read, 'document')} that were read: {count(kept)} "
        f"({percent(share(kept, read))}) were kept. "
    )
    limits = [
        f"{source.get('name')} (at most {source['limit_bytes']})"
        for source in m["corpus"]["recipe"].get("sources", [])
        if source.get("limit_bytes")
    ]
    if limits:
        text += f"Of these sources only a part was read, in a fixed order: {listed(limits)}. "
    text += (
        "It was not drawn at random, so it represents its sources after filtering, not a language "
        "or a population."
    )
    return Evidence(text, ("ledger/part-*.parquet: fate", "run.json: recipe.sources"))


@_answers("composition.content")
def _composition_content(m: Measured) -> Evidence:
    length = m["lengths"]["characters"]["quantiles"]
    text = (
        "The text itself and six columns about it: id, source, license, url, created, metadata (a "
        f"JSON object). Half of the documents have at most {count(length['p50'])} characters, 90 % "
        f"between {count(length['p5'])} and {count(length['p95'])}; the longest has "
        f"{count(length['max'])}."
    )
    return Evidence(text, ("documents/part-*.parquet: columns, characters of text",))


@_answers("composition.labels")
def _composition_labels(_: Measured) -> Evidence:
    text = (
        "No column is a label. The ledger says of each input document which language was "
        "identified and which values the quality rules measured; in training, the target is the "
        "next token."
    )
    return Evidence(text, ("documents/part-*.parquet: columns", "ledger/part-*.parquet: columns"))


@_answers("composition.missing")
def _composition_missing(m: Measured) -> Evidence:
    kept = _documents(m)
    lacking = [
        f"{row['column']} for {count(row['documents'])} ({percent(share(row['documents'], kept))})"
        for row in rows(m, "missing")
        if row["documents"]
    ]
    text = f"Not known: {listed(lacking)}." if lacking else "Nothing: every column is filled."
    return Evidence(text, (m["missing"]["how"],))


@_answers("composition.relations")
def _composition_relations(m: Measured) -> Evidence:
    linked = [row for row in rows(m, "duplicates") if row["originals"]]
    elsewhere = in_earlier_corpora(m)
    text = (
        "Each document names its source and, where known, its URL. "
        + (
            "The ledger links every dropped copy to the document that stands for it: "
            + listed([f"{count(row['documents'])} {words(row['kind'])}" for row in linked])
            + (
                f"; for {count(elsewhere)} of them it is in an earlier corpus. "
                if elsewhere
                else ". "
            )
            if linked
            else ""
        )
        + "No other relation is made explicit."
    )
    return Evidence(text, ("ledger/part-*.parquet: duplicate_of",))


def in_earlier_corpora(m: Measured) -> int:
    """Documents that were dropped for one that is in an earlier corpus."""
    return sum(row["documents"] for row in rows(m, "drops") if row["reason"] == OF_EARLIER)


@_answers("composition.splits")
def _composition_splits(m: Measured) -> Evidence | None:
    found = rows(m, "splits")
    if not found:
        return None
    total = sum(row["tokens"] for row in found)
    text = listed(
        [
            f"{row['split']}: {plural(row['documents'], 'document')}, {count(row['tokens'])} "
            f"tokens ({percent(share(row['tokens'], total))})"
            for row in found
        ]
    )
    return Evidence(
        f"{text}. A hash of the document's id decides, so a document never lies in both, and a "
        "rebuilt corpus keeps the split.",
        (m["splits"]["how"],),
    )


@_answers("composition.errors")
def _composition_errors(m: Measured) -> Evidence:
    left = int(value(m, "repeats_left", default=0))
    cut = m["cuts"]
    text = (
        f"Redundancy: {plural(left, 'kept document')} repeat the whole text of another one. "
        f"{_duplicates_removed(m)}"
    )
    if cut["repeated_bytes_cut"]:
        text += (
            f"{bytes_(cut['repeated_bytes_cut'])} of repeated passages were cut from "
            f"{plural(cut['documents_with_repeats_cut'], 'document')}. "
        )
    bad = [row for row in rows(m, "drops") if row["stage"] == "read"]
    if bad:
        text += f"{count(sum(row['documents'] for row in bad))} unreadable records were left out. "
    text += "Near-duplicates below the threshold and errors of the authors remain."
    how = (m["repeats_left"]["how"], m["duplicates"]["how"], m["cuts"]["how"])
    return Evidence(text, how)


def _duplicates_removed(m: Measured) -> str:
    found = [row for row in rows(m, "duplicates") if row["documents"]]
    if not found:
        return ""
    parts = [f"{count(row['documents'])} {words(row['kind'])}" for row in found]
    return f"Removed as copies: {listed(parts)}. "


@_answers("composition.self_contained")
def _composition_self_contained(m: Measured) -> Evidence:
    kept, without = _documents(m), int(m["domains"]["without_url"])
    text = (
        "Self-contained: the full texts are part of it. "
        f"{plural(kept - without, 'document')} name the URL they came from, on "
        f"{plural(m['domains']['distinct'], 'host')}; using the corpus does not fetch them, and "
        "nobody promises that they stay. Each document's license is a column."
    )
    return Evidence(text, ("documents/part-*.parquet: text, url, license",))


@_answers("composition.offensive")
def _composition_offensive(m: Measured) -> Evidence | None:
    row = next((row for row in rows(m, "signals") if row["signal"] == "toxicity_score"), None)
    if row is None:
        return None
    text = (
        f"A toxicity classifier read {plural(row['measured'], 'document')}. Among the kept ones "
        f"the median score is {number(row['p50'])}, 95 % are below {number(row['p95'])}, and the "
        f"highest is {number(row['max'])}. A score is no judgment of a passage: offensive content "
        "may remain."
    )
    return Evidence(text, ("ledger/part-*.parquet: toxicity_score",))


@_answers("composition.people")
@_answers("collection.about_people")
def _composition_people(m: Measured) -> Evidence | None:
    found = m.get("personal_data")
    if not found:
        return None
    text = (
        f"{plural(found['documents_searched'], 'document')} were searched for personal data of "
        f"fixed form; {count(found['documents'])} "
        f"({percent(share(found['documents'], found['documents_searched']))}) held some. Authors "
        "and other people named in running text were not searched for."
    )
    return Evidence(text, ("ledger/part-*.parquet: pii_count",))


@_answers("composition.subpopulations")
def _composition_subpopulations(m: Measured) -> Evidence | None:
    text, how = "No column identifies a group of people.", ["documents/part-*.parquet: columns"]
    if named := groups_named(rows(m, "bias", "identity")):
        text += f" Among the documents judged, by words for such groups: {named}."
        how.append(m["bias"]["identity"]["how"])
    if languages := _names(m, "languages", "language"):
        text += f" By language of the text: {languages}."
        how.append(m["languages"]["how"])
    return Evidence(text, tuple(how)) if len(how) > 1 else None


@_answers("composition.identifiable")
def _composition_identifiable(m: Measured) -> Evidence | None:
    found = m.get("personal_data")
    if not found:
        return None
    masked = m["corpus"]["recipe"].get("pii") or {}
    mask = masked.get("mask") if isinstance(masked, dict) else None
    text = f"{plural(found['found'], 'place')} of personal data were found"
    text += f" ({_entities(m)})" if rows(m, "personal_data") else ""
    text += f" and masked ({listed([str(entity) for entity in mask], 12)})." if mask else "."
    text += (
        " Names, places and employers in running text are not masked, so people can still be "
        "identified."
    )
    return Evidence(text, (found["how"], "run.json: recipe.pii"))


def _entities(m: Measured) -> str:
    found = rows(m, "personal_data")
    return listed([f"{words(row['entity'])} {count(row['found'])}" for row in found], 12)


@_answers("composition.sensitive")
def _composition_sensitive(m: Measured) -> Evidence | None:
    found = m.get("personal_data")
    if not found:
        return None
    counts = {row["entity"]: row["found"] for row in rows(m, "personal_data")}
    hits = [
        f"{words(name)} {count(counts[name])}" for name in FINANCIAL_OR_SECRET if name in counts
    ]
    text = (
        f"Financial or secret data of fixed form was found and masked: {listed(hits, 12)}."
        if hits
        else "No financial or secret data of fixed form was found (cards, bank accounts, national "
        "ids, keys)."
    )
    text += " Health, beliefs or origin of persons in running text were not searched for."
    return Evidence(text, (found["how"],))


@_answers("collection.acquisition")
def _collection_acquisition(m: Measured) -> Evidence:
    made = [
        f"{source.get('name')} ({source.get('format') or source.get('path') or 'as named'})"
        for source in m["corpus"]["recipe"].get("sources", [])
    ]
    hosts = [row["domain"] for row in rows(m, "domains")]
    text = f"Read as existing files, not asked of or inferred from people: {listed(made)}."
    text += f" Most URLs are on {listed(hosts, 5)}." if hosts else ""
    return Evidence(text, ("run.json: recipe.sources", m["domains"]["how"]))


@_answers("collection.mechanisms")
def _collection_mechanisms(m: Measured) -> Evidence:
    versions = m["corpus"]["versions"]
    made_with = listed([f"{name} {version}" for name, version in versions.items()], 8)
    text = (
        f"Software: {made_with or 'Gristmill'}. It is validated by counting: at each stage the "
        "documents that go in are those kept plus those dropped, every input document has one row "
        "in the ledger, and `gristmill verify` recounts all of it."
    )
    return Evidence(text, ("run.json: versions, stages",))


@_answers("collection.sampling")
def _collection_sampling(m: Measured) -> Evidence:
    lost = listed(
        [
            f"{words(row['reason'] or row['stage'])} ({count(row['documents'])})"
            for row in rows(m, "drops")
        ],
        8,
    )
    text = "Deterministic: every document of a source in a fixed order, up to the recipe's limits"
    text += f", then without those dropped for {lost}." if lost else "; none was dropped."
    return Evidence(text, ("run.json: recipe", m["drops"]["how"]))


@_answers("collection.timeframe")
def _collection_timeframe(m: Measured) -> Evidence | None:
    dates = m["created"]
    if not dates["dated"]:
        return None
    text = (
        f"{plural(dates['dated'], 'document')} carry a date, from {dates['earliest'][:10]} to "
        f"{dates['latest'][:10]}; {count(dates['undated'])} do not. The date is the content's, not "
        "that of the collection."
    )
    return Evidence(text, ("documents/part-*.parquet: created",))


@_answers("preprocessing.steps")
def _preprocessing_steps(m: Measured) -> Evidence:
    steps = []
    for row in rows(m, "flow"):
        gone = row["docs_in"] - row["docs_kept"]
        steps.append(f"{words(row['stage'])} ({'-' + count(gone) if gone else 'all kept'})")
    text = f"In this order, with documents removed: {listed(steps, 20)}."
    return Evidence(text, (m["flow"]["how"],))


@_answers("preprocessing.raw_data")
def _preprocessing_raw_data(m: Measured) -> Evidence:
    text = (
        "The raw files are not part of the corpus. The ledger keeps id, source, license, URL, size "
        f"and fate of all {plural(value(m, 'sizes', 'documents_read'), 'input document')}, also of "
        "those dropped, so each can be found again at its source."
    )
    return Evidence(text, ("ledger/part-*.parquet: rows",))


@_answers("preprocessing.software")
def _preprocessing_software(m: Measured) -> Evidence:
    version = m["corpus"]["versions"].get("gristmill")
    text = (
        f"Yes: Gristmill{f' {version}' if version else ''}, open source under Apache-2.0. The "
        "recipe is in run.json"
    )
    fingerprint = m["corpus"]["fingerprint"]
    text += f" (fingerprint {fingerprint})" if fingerprint else ""
    return Evidence(
        text + "; the same recipe on the same input gives the same bytes.", ("run.json",)
    )


@_answers("uses.used_for")
def _uses_used_for(m: Measured) -> Evidence | None:
    done = []
    if m.get("tokenizer"):
        size = count(value(m, "tokenizer", "vocab_size"))
        done.append(f"a tokenizer of {size} tokens lies beside it")
    if rows(m, "splits"):
        done.append(f"it is packed for training in rows of {count(m['packing']['seq_len'])} tokens")
    if value(m, "index"):
        done.append("it is indexed, so that a model's output can be traced to its documents")
    if not done:
        return None
    text = f"In this build: {listed(done)}. Uses outside of it are not recorded here."
    return Evidence(text, ("tokenizer/", "shards/manifest.json", "index/"))


@_answers("uses.future_effects")
def _uses_future_effects(m: Measured) -> Evidence:
    effects = []
    if duplicates := [row for row in rows(m, "duplicates") if row["documents"]]:
        total = sum(row["documents"] for row in duplicates)
        effects.append(
            f"how often a text occurs says nothing any more ({count(total)} copies gone)"
        )
    if masked := m.get("personal_data"):
        effects.append(f"{count(masked['found'])} addresses and numbers are placeholders")
    if languages := [row for row in rows(m, "languages") if not row["documents"]]:
        effects.append(f"{plural(len(languages), 'identified language')} were left out entirely")
    unstated = [row for row in rows(m, "licenses") if row["license"] == "NOASSERTION"]
    if unstated and unstated[0]["documents"]:
        effects.append(f"{percent(unstated[0]['share_documents'])} of documents state no license")
    text = (
        f"Yes: {listed(effects)}." if effects else "Nothing beyond the choice of the sources shows."
    )
    how = (
        m["duplicates"]["how"],
        "ledger/part-*.parquet: pii_count, language",
        "documents: license",
    )
    return Evidence(text, how)


@_answers("distribution.means")
def _distribution_means(m: Measured) -> Evidence | None:
    files = rows(m, "files")
    if not files:
        return None
    size = bytes_(sum(row["bytes"] for row in files))
    text = (
        f"As {plural(len(files), 'file')} ({size}): Parquet for documents and ledger"
        f"{', Arrow for packed tokens' if rows(m, 'splits') else ''}. Each file's SHA-256 is in "
        "croissant.json."
    )
    if m["corpus"]["fingerprint"]:
        text += f" The build is identified by its fingerprint {m['corpus']['fingerprint']}."
    return Evidence(text, (m["files"]["how"], "run.json: fingerprint"))


@_answers("distribution.license")
def _distribution_license(m: Measured) -> Evidence:
    text = (
        f"Each document keeps its own license; there are {count(value(m, 'sizes', 'licenses'))}: "
        f"{_names(m, 'licenses', 'license', 8)}. The share is of documents."
    )
    return Evidence(text, ("documents/part-*.parquet: license",))


@_answers("distribution.restrictions")
def _distribution_restrictions(m: Measured) -> Evidence:
    kept = [row for row in rows(m, "licenses") if row["documents"]]
    strict = [row for row in kept if any(mark in row["license"] for mark in RESTRICTED)]
    unstated = [row for row in kept if row["license"] == "NOASSERTION"]
    parts = []
    if strict:
        parts.append(
            f"{plural(sum(row['documents'] for row in strict), 'document')} are under licenses "
            "with share-alike, source, use or custom conditions "
            f"({listed([row['license'] for row in strict])})"
        )
    if unstated:
        parts.append(f"{plural(unstated[0]['documents'], 'document')} state no license at all")
    text = f"{'; '.join(parts)}." if parts else "No license among them restricts use beyond notice."
    return Evidence(text + " Read from license names only.", ("documents/part-*.parquet: license",))


@_answers("maintenance.versions")
def _maintenance_versions(m: Measured) -> Evidence | None:
    if not m["corpus"]["fingerprint"]:
        return None
    text = (
        f"This version is {m['corpus']['fingerprint']}: any change of recipe, input or software "
        "changes it, and the same three build the same bytes again."
    )
    return Evidence(text, ("run.json: fingerprint",))
