"""What the card shows: each measured part as a sentence, a figure and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gristmill.cards import bias_exhibits, figures
from gristmill.cards.exhibit import TABLE_ROWS, Exhibit, Table, table_of
from gristmill.cards.facts import Row, rows, value
from gristmill.cards.figures import Bar, Step
from gristmill.cards.groups import NOT_JUDGED
from gristmill.cards.options import main_option
from gristmill.cards.wording import (
    bytes_,
    count,
    listed,
    number,
    percent,
    plural,
    words,
)

Measured = dict[str, Any]

BARS = 12
"""Bars of a chart; the rest is summed up in its last one."""
KEPT_AND_READ = "Filled: documents kept. Pale: documents read."


def exhibits(m: Measured) -> list[Exhibit]:
    """Everything this corpus has numbers for, in reading order."""
    builders: tuple[Callable[[Measured], Exhibit | None], ...] = (
        _flow,
        _sources,
        _licenses,
        _languages,
        _lengths,
        _created,
        _drops,
        _duplicates,
        _personal_data,
        _signals,
        _splits,
        _tokenizer,
        _domains,
    )
    found = (build(m) for build in builders)
    return [exhibit for exhibit in found if exhibit is not None] + bias_exhibits.exhibits(m)


def _flow(m: Measured) -> Exhibit | None:
    found = rows(m, "flow")
    if not found:
        return None
    read, kept = value(m, "sizes", "documents_read"), value(m, "sizes", "documents")
    steps = [
        Step(
            words(row["stage"]),
            main_option(m, row["stage"]),
            row["docs_in"],
            row["docs_kept"],
            sorted(
                ((words(reason), n) for reason, n in row["dropped"].items()),
                key=lambda item: (-item[1], item[0]),
            ),
        )
        for row in found
    ]
    end = [f"{count(kept)} documents · {bytes_(value(m, 'sizes', 'bytes'))} of text"]
    if (tokens := value(m, "sizes", "tokens")) is not None:
        end.append(f"{count(tokens)} tokens, packed for training")
    lead = (
        f"Of {plural(read, 'document')} read, {count(kept)} were kept "
        f"({percent(kept / read if read else 0)}). Each one that was not has a row in the ledger."
    )
    data = [
        [
            words(row["stage"]),
            count(row["docs_in"]),
            count(row["docs_in"] - row["docs_kept"]),
            count(row["docs_kept"]),
            bytes_(row["bytes_in"]),
            bytes_(row["bytes_out"]),
        ]
        for row in found
    ]
    return Exhibit(
        key="flow",
        title="From what was read to what was kept",
        lead=lead,
        how=m["flow"]["how"],
        figure=figures.flow("Documents through the pipeline", lead, steps, end),
        caption="The stream is as wide as the documents left are many; side arms were dropped.",
        table=table_of("Stage | In | Dropped | Kept | Bytes in | Bytes out", data),
    )


def _top(data: Sequence[Row], label: str, most: int = BARS) -> tuple[list[Row], list[Row]]:
    """The first rows, and those that a last bar sums up."""
    kept = [row for row in data if row["documents"] or label == "source"]
    return (kept, []) if len(kept) <= most else (kept[: most - 1], kept[most - 1 :])


def _sources(m: Measured) -> Exhibit | None:
    found = rows(m, "sources")
    if not found:
        return None
    first, rest = _top(found, "source")
    data = [
        Bar(
            row["source"],
            row["documents"],
            f"{count(row['documents'])} of {count(row['documents_read'])} · "
            f"{percent(row['share_bytes'])} of text",
            row["documents_read"],
        )
        for row in first
    ]
    if rest:
        kept, read = (sum(row[name] for row in rest) for name in ("documents", "documents_read"))
        data.append(
            Bar(f"{len(rest)} other sources", kept, f"{count(kept)} of {count(read)}", read)
        )
    largest = max(found, key=lambda row: row["documents"])
    lead = (
        f"{plural(len(found), 'source')}; the largest, {largest['source']}, gives "
        f"{percent(largest['share_documents'])} of the documents and "
        f"{percent(largest['share_bytes'])} of the text."
    )
    columns = "Source | Read | Kept | Bytes | Documents | Text | Tokens trained on | Licenses"
    return Exhibit(
        key="sources",
        title="Sources",
        lead=lead,
        how=m["sources"]["how"],
        figure=figures.bars("sources", "Documents by source", lead, data),
        caption=KEPT_AND_READ,
        table=table_of(columns, [_group_cells(row, "source", row["n_licenses"]) for row in found]),
    )


def _group_cells(row: Row, label: str, *more: int) -> list[str]:
    return [
        row[label],
        count(row["documents_read"]),
        count(row["documents"]),
        bytes_(row["bytes"]),
        percent(row["share_documents"]),
        percent(row["share_bytes"]),
        percent(row["share_train_tokens"]) if row["train_tokens"] else "—",
        *(count(n) for n in more),
    ]


def _licenses(m: Measured) -> Exhibit | None:
    found = [row for row in rows(m, "licenses") if row["documents"]]
    if not found:
        return None
    trained = any(row["train_tokens"] for row in found)
    share, of = ("share_train_tokens", "tokens trained on") if trained else ("share_bytes", "text")
    ranked = sorted(found, key=lambda row: (-row[share], row["license"]))
    first, rest = (ranked, []) if len(ranked) <= 7 else (ranked[:6], ranked[6:])
    parts = [(row["license"], row[share]) for row in first]
    if rest:
        parts.append((f"{len(rest)} others", sum(row[share] for row in rest)))
    names = [f"{figures.clip(row['license'])} {percent(row[share])}" for row in ranked]
    lead = (
        f"Every document keeps its own license. {plural(len(found), 'license')}; by share of "
        f"{of}: {listed(names, 4)}."
    )
    columns = "License | Read | Kept | Bytes | Documents | Text | Tokens trained on"
    return Exhibit(
        key="licenses",
        title="Licenses",
        lead=lead,
        how=m["licenses"]["how"],
        figure=figures.stacked("licenses", f"Share of {of} by license", lead, parts),
        table=table_of(columns, [_group_cells(row, "license") for row in found]),
    )


def _languages(m: Measured) -> Exhibit | None:
    found = rows(m, "languages")
    if not found:
        return None
    first = sorted(found, key=lambda row: (-row["documents_read"], row["language"]))[:BARS]
    data = [
        Bar(
            row["language"],
            row["documents"],
            f"{count(row['documents'])} of {count(row['documents_read'])} kept",
            row["documents_read"],
        )
        for row in first
    ]
    kept = [row for row in found if row["documents"]]
    names = [f"{row['language']} {percent(row['share_documents'])}" for row in kept]
    n_identified = sum(row["language"] != NOT_JUDGED for row in found)
    lead = f"{plural(n_identified, 'language')} identified; of the kept documents: {listed(names)}."
    columns = "Language | Read | Kept | Bytes | Documents | Text | Tokens trained on"
    table = [_group_cells(row, "language") for row in found]
    return Exhibit(
        key="languages",
        title="Languages",
        lead=lead,
        how=m["languages"]["how"],
        figure=figures.bars("languages", "Documents by language", lead, data),
        caption=KEPT_AND_READ,
        table=table_of(columns, table),
    )


def _lengths(m: Measured) -> Exhibit | None:
    found = m["lengths"]["characters"]
    bins = found["histogram"]
    if not bins:
        return None
    at = found["quantiles"]
    lead = (
        f"Half of the documents have at most {count(at['p50'])} characters; the middle half lies "
        f"between {count(at['p25'])} and {count(at['p75'])}, the longest has {count(at['max'])}."
    )
    data = [(_power(row["from"]), row["documents"]) for row in bins]
    names = ("min", "p5", "p25", "p50", "p75", "p95", "max")
    table = [
        [unit, *(count(part["quantiles"][name]) for name in names), number(part["mean"])]
        for unit, part in m["lengths"].items()
    ]
    return Exhibit(
        key="lengths",
        title="Length of documents",
        lead=lead,
        how=found["how"],
        figure=figures.histogram(
            "lengths",
            "Documents by length",
            lead,
            data,
            "characters",
        ),
        caption="Each column spans a doubling; its lower bound is named.",
        table=table_of("Unit | Min | 5 % | 25 % | Median | 75 % | 95 % | Max | Mean", table),
    )


def _power(number: int) -> str:
    """A power of two in binary thousands: 2048 is ``2k``."""
    for size, unit in ((2**30, "G"), (2**20, "M"), (2**10, "k")):
        if number >= size:
            return f"{number // size}{unit}"
    return str(number)


def _created(m: Measured) -> Exhibit | None:
    found = m["created"]
    years = found["rows"]
    if not years:
        return None
    lead = (
        f"{plural(found['dated'], 'document')} carry a date, from {found['earliest'][:10]} to "
        f"{found['latest'][:10]}; {count(found['undated'])} carry none."
    )
    counts = {row["year"]: row["documents"] for row in years}
    span = range(max(min(counts), max(counts) - 59), max(counts) + 1)
    data = [(str(year), counts.get(year, 0)) for year in span]
    return Exhibit(
        key="created",
        title="Dates",
        lead=lead,
        how=found["how"],
        figure=figures.histogram("created", "Documents by year", lead, data, "year of the content"),
        table=table_of("Year | Documents", [[str(y), count(n)] for y, n in counts.items()]),
    )


def _drops(m: Measured) -> Exhibit | None:
    found = rows(m, "drops")
    if not found:
        return None
    data = [
        Bar(
            words(row["reason"] or "no reason"),
            row["documents"],
            f"{count(row['documents'])} · {percent(row['share_read'])} of read · "
            f"{words(row['stage'] or '')}",
        )
        for row in found[:BARS]
    ]
    total = sum(row["documents"] for row in found)
    top = [f"{words(r['reason'] or 'no reason')} {count(r['documents'])}" for r in found[:3]]
    lead = f"{plural(total, 'document')} left out, most often for: {listed(top)}."
    table = []
    for row in found:
        example = row["examples"][0] if row["examples"] else {}
        table.append(
            [
                words(row["stage"] or "unknown"),
                words(row["reason"] or "none"),
                count(row["documents"]),
                bytes_(row["bytes"]),
                percent(row["share_read"]),
                figures.clip(example.get("id", ""), 36),
                figures.clip(example.get("detail") or "—", 70),
            ]
        )
    columns = "Stage | Reason | Documents | Bytes | Of read | An example | Its detail"
    shown = table_of(columns, table)
    return Exhibit(
        key="removed",
        title="What was left out, and why",
        lead=lead,
        how=m["drops"]["how"],
        figure=figures.bars("removed", "Documents left out, by reason", lead, data, "lost"),
        table=Table(shown.columns, shown.rows, frozenset({2, 3, 4}), shown.left_out),
    )


def _duplicates(m: Measured) -> Exhibit | None:
    found = rows(m, "duplicates")
    if not found:
        return None
    cut = m["cuts"]
    left = value(m, "repeats_left", default=0)
    total = sum(row["documents"] for row in found)
    lead = f"{count(total)} copies were left out"
    if cut["repeated_bytes_cut"]:
        lead += (
            f", and {bytes_(cut['repeated_bytes_cut'])} of repeated passages were cut from "
            f"{plural(cut['documents_with_repeats_cut'], 'document')}"
        )
    again = "No two kept documents have" if not left else f"{count(left)} kept documents share"
    lead += f". {again} the same text."
    table = [
        [
            words(row["kind"]),
            count(row["documents"]),
            bytes_(row["bytes"]),
            percent(row["share_read"]),
            count(row["originals"]),
        ]
        for row in found
    ]
    return Exhibit(
        key="duplicates",
        title="Duplicates",
        lead=lead,
        how=m["duplicates"]["how"],
        table=table_of("Kind | Left out | Bytes | Of read | Originals that stay", table),
        open=True,
    )


def _personal_data(m: Measured) -> Exhibit | None:
    found = m.get("personal_data")
    if not found:
        return None
    lead = (
        f"{plural(found['found'], 'place')} in {plural(found['documents'], 'document')} of "
        f"{count(found['documents_searched'])} that were searched. Names were not searched for."
    )
    data = [Bar(words(r["entity"]), r["found"], count(r["found"])) for r in found["rows"]]
    return Exhibit(
        key="personal-data",
        title="Personal data",
        lead=lead,
        how=found["how"],
        figure=figures.bars("personal-data", "Personal data by kind", lead, data, "lost")
        if data
        else None,
        table=table_of(
            "Kind | Found", [[words(r["entity"]), count(r["found"])] for r in found["rows"]]
        ),
    )


def _signals(m: Measured) -> Exhibit | None:
    found = rows(m, "signals")
    if not found:
        return None
    at = ("p5", "p25", "p50", "p75", "p95")
    table, strips = [], []
    for row in found:
        if "share_true" in row:
            kept = f"true for {percent(row['share_true_kept'])} of kept"
            table.append([row["signal"], "", kept, "", f"{percent(row['share_true'])} of all"])
            strips.append("")
            continue
        cells = (number(row[name]) for name in ("p5", "p50", "p95", "p50_dropped"))
        table.append([row["signal"], *cells])
        strips.append(figures.strip([row[name] for name in at], row["p50_dropped"]))
    lead = (
        f"{plural(len(found), 'number')} measured per document; quantiles over the kept ones, and "
        "the median of those dropped."
    )
    columns = "Signal | 5 % | Median | 95 % | Median of dropped"
    return Exhibit(
        key="signals",
        title="Quality signals",
        lead=lead,
        how=m["signals"]["how"],
        table=table_of(columns, table),
        strips=strips[:TABLE_ROWS],
        caption="A strip runs from the 5 % to the 95 % quantile, with the middle half and the "
        "median; the thin second mark is the median of dropped documents.",
        open=True,
    )


def _splits(m: Measured) -> Exhibit | None:
    found = rows(m, "splits")
    if not found:
        return None
    table = [
        [
            row["split"],
            count(row["documents"]),
            count(row["tokens"]),
            count(row["rows"]),
            count(row["padding"]),
        ]
        for row in found
    ]
    total = sum(row["tokens"] for row in found)
    packing = m["packing"]
    lead = (
        f"{count(total)} tokens, with an end token after each document, in rows of "
        f"{count(packing['seq_len'])}; only the last row of a split is padded."
    )
    return Exhibit(
        key="splits",
        title="Splits",
        lead=lead,
        how=m["splits"]["how"],
        table=table_of("Split | Documents | Tokens | Rows | Padding", table),
        open=True,
    )


def _tokenizer(m: Measured) -> Exhibit | None:
    found = m.get("tokenizer")
    if not found:
        return None
    per_token = value(m, "tokenizer", "bytes_per_token")
    lead = f"{count(value(m, 'tokenizer', 'vocab_size'))} tokens ({value(m, 'tokenizer', 'kind')})"
    lead += f"; {number(per_token)} bytes of text per token." if per_token else "."
    table = [
        [
            row["language"],
            count(row["tokens"]),
            number(row["bytes_per_token"]),
            number(row["characters_per_token"]),
        ]
        for row in rows(found, "by_language")
    ]
    return Exhibit(
        key="tokenizer",
        title="Tokenizer",
        lead=lead,
        how=f"{found['vocab_size']['how']}; {found['by_language']['how']}",
        table=table_of("Language | Tokens | Bytes per token | Characters per token", table),
        open=True,
    )


def _domains(m: Measured) -> Exhibit | None:
    found = rows(m, "domains")
    if not found:
        return None
    data = [
        Bar(row["domain"], row["documents"], f"{count(row['documents'])} documents")
        for row in found[:BARS]
    ]
    lead = (
        f"{plural(m['domains']['distinct'], 'host')}; the largest is {found[0]['domain']} with "
        f"{percent(found[0]['share_documents'])} of the documents. "
        f"{plural(m['domains']['without_url'], 'document')} name no URL."
    )
    table = [
        [r["domain"], count(r["documents"]), bytes_(r["bytes"]), percent(r["share_documents"])]
        for r in found
    ]
    return Exhibit(
        key="domains",
        title="Where the documents' URLs point",
        lead=lead,
        how=m["domains"]["how"],
        figure=figures.bars("domains", "Documents by host", lead, data),
        table=table_of("Host | Documents | Bytes | Share of documents", table),
    )
