"""What the card shows of people, pronouns, spellings and regions, with what it cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, log
from typing import Any

from gristmill.cards import figures
from gristmill.cards.bias import LEAST, LEAST_DOCUMENTS, LEAST_EXPECTED, PRONOUNS
from gristmill.cards.exhibit import Exhibit, table_of
from gristmill.cards.facts import Row, rows, value
from gristmill.cards.figures import Bar, Dots, Figure
from gristmill.cards.wording import count, listed, number, percent, plural

Measured = dict[str, Any]

DOTS = 20
"""Rows of a dot plot; the table has all."""

OF_INTERVALS = (
    "Bars are 95 % intervals in which all that one document says counts as one voice; about one in "
    "twenty misses by chance."
)

OF_PEOPLE = (
    "Counts are not harm, and words are not people: a term may be quoted, reclaimed, an insult, or "
    "mean something else (a child process, a male connector). The lists are short and in one "
    "language; names of persons are not analyzed."
)
OF_JUDGMENTS = (
    "Near is a number of words, not syntax: negation and irony are not seen, and the word may judge "
    "something else. Words have changed: in old texts gay means merry. The list of judging words is "
    "short and a choice. A high ratio is no praise, a low one no hate."
)
OF_PRONOUNS = (
    "A pronoun nearby may stand for somebody else; they is mostly plural; he was long used for "
    "anybody. Counts do not say whether a text describes the world or distorts it. First names, and "
    "job titles that tell a gender, are not analyzed."
)
OF_OCCUPATIONS = (
    "Expected is what the totals of groups and occupations give, so what is common to all groups "
    f"does not show. Pairs of which fewer than {LEAST_EXPECTED:.0f} are expected are left out. Near "
    "is a number of words: the one with the occupation may be somebody else."
)
OF_SPELLING = (
    "Spelling is the only mark of a dialect that is measured. Others, such as African-American "
    "English, are not: published methods need a trained model (Blodgett et al. 2016). Programming "
    "languages spell the American way (color, center), British texts may write -ize, and a quotation "
    "keeps its spelling."
)
OF_REGIONS = (
    "A mention is not an origin. Adjectives are also names of languages (French, Chinese); names "
    "that mostly mean something else (Turkey, Georgia, Polish, English) are counted in other forms "
    "or not at all; cities are not counted. A domain says where a host is registered, and .com says "
    "nothing."
)


def exhibits(m: Measured) -> list[Exhibit]:
    """Every exhibit that enough was counted for; the first says what was left out."""
    bias = m.get("bias")
    if not bias:
        return []
    parts: dict[str, tuple[str, Callable[[Measured], Exhibit | None]]] = {
        "sentiment": ("words that judge near identity terms", _judgments),
        "pronouns": ("pronouns near occupations", _pronouns),
        "occupations": ("occupations near identity terms", _occupations),
        "spelling": ("spellings", _spelling),
        "regions": ("regions", _regions),
    }
    asked = [part for key, part in parts.items() if bias[key]]
    shown = [(what, build(bias)) for what, build in asked]
    missing = [what for what, exhibit in shown if exhibit is None]
    first = [_people(bias, missing)] if bias["identity"] else []
    return first + [exhibit for _, exhibit in shown if exhibit is not None]


def _people(bias: Measured, missing: list[str]) -> Exhibit:
    found = rows(bias, "identity")
    lead = (
        f"{_judged(bias)} were searched for words that name groups of people. Found in these shares "
        f"of them: {groups_named(found) or 'none'}."
    )
    if missing:
        lead += f" Left out because too little was counted: {listed(missing)}."
    notes = [f"{percent(r['share_documents'])} · {count(r['occurrences'])} words" for r in found]
    data = [
        Bar(row["category"], row["documents"], note) for row, note in zip(found, notes, strict=True)
    ]
    terms = [row for row in rows(bias, "identity_terms") if row["occurrences"]]
    table = [
        [row["term"], row["category"], count(row["occurrences"]), count(row["documents"])]
        for row in sorted(terms, key=lambda row: (-row["occurrences"], row["term"]))
    ]
    title = "Documents that name a group, by category"
    return Exhibit(
        key="people",
        title="Groups of people named",
        lead=lead,
        how=f"{bias['identity']['how']}; lists: {bias['lists']['file']}",
        figure=figures.bars("people", title, lead, data) if terms else None,
        caption="Bars count documents that have a term of the category at least once.",
        table=table_of("Term | Category | Occurrences | Documents", table, numeric_from=2),
        limits=f"{OF_PEOPLE} {_unjudged(bias)}".strip(),
    )


def _judged(bias: Measured) -> str:
    part = percent(value(bias, "share_documents"))
    language = f"in the language {bias['language']} " if bias["language_known"] else ""
    return f"{plural(value(bias, 'documents'), 'document')} {language}({part} of all)"


def _unjudged(bias: Measured) -> str:
    if not bias["language_known"]:
        return (
            "The language of the documents was not identified, so those in other languages were "
            "searched with these words too."
        )
    others = 1 - value(bias, "share_documents")
    return f"The other documents ({percent(others)}) were not judged." if others else ""


def groups_named(found: list[Row]) -> str:
    """The categories of people that documents name, with their shares, the most frequent first."""
    named = [row for row in found if row["documents"]]
    ranked = sorted(named, key=lambda row: (-row["documents"], row["category"]))
    return listed([f"{row['category']} {percent(row['share_documents'])}" for row in ranked], 8)


def _left_out(n: int, what: str) -> str:
    if not n:
        return ""
    return (
        f" {plural(n, what)} with fewer than {LEAST} such words nearby in {LEAST_DOCUMENTS} "
        f"documents {'is' if n == 1 else 'are'} left out."
    )


def _times(log_ratio: float) -> str:
    """A ratio given by its natural logarithm.

    >>> _times(0.0), _times(-0.6931471805599453)
    ('1.00', '0.50')
    """
    return f"{exp(log_ratio):.2f}"


def _ratio_cells(row: Row) -> list[str]:
    """A ratio and its interval as cells of a table."""
    return [_times(row["log_ratio"]), f"{_times(row['low'])} to {_times(row['high'])}"]


def _ratio_dots(name: str, title: str, lead: str, data: list[tuple[str, Row, str]]) -> Figure:
    """Ratios with their intervals: (label, row, note) each; ticks at powers of two, 16 at most."""
    reach = max(max(-row["low"], row["high"]) for _, row, _ in data)
    last = min(max(ceil(reach / log(2)), 1), 4)
    scale = [
        (power * log(2), f"{2**power}" if power >= 0 else f"1/{2**-power}")
        for power in range(-last, last + 1)
    ]
    dots = [
        Dots(
            label,
            [(row["log_ratio"], row["low"], row["high"])],
            f"× {_times(row['log_ratio'])} · {note}",
        )
        for label, row, note in data
    ]
    return figures.dots(name, title, lead, dots, scale, usual=0.0)


def _telling(found: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows whose interval lies above 1, and those below, the surest first."""
    above = [row for row in found if row["low"] > 0]
    below = [row for row in found if row["high"] < 0]
    return sorted(above, key=lambda row: -row["low"]), sorted(below, key=lambda row: row["high"])


def _judgments(bias: Measured) -> Exhibit | None:
    found = rows(bias, "sentiment")
    if not found:
        return None
    ranked = sorted(found, key=lambda row: (-row["log_ratio"], row["term"]))
    said = [
        f"{of} for {listed([row['term'] for row in group], 8)}"
        for of, group in zip(("higher", "lower"), _telling(found), strict=True)
        if group
    ]
    usual = f"{count(bias['sentiment']['positive'])} to {count(bias['sentiment']['negative'])}"
    lead = (
        f"Positive against negative words within {bias['window']} words of a term, compared with the "
        f"whole text ({usual}): {' and '.join(said) or 'no term clearly differs'}."
        f"{_left_out(bias['sentiment']['left_out'], 'term')}"
    )
    ends = ranked if len(ranked) <= DOTS else [*ranked[: DOTS // 2], *ranked[-DOTS // 2 :]]
    data = [(row["term"], row, f"{row['positive']:,} : {row['negative']:,}") for row in ends]
    numbers = ("positive", "negative", "documents")
    table = [[r["term"], *(count(r[n]) for n in numbers), *_ratio_cells(r)] for r in ranked]
    title = "Odds of positive against negative words near each term"
    return Exhibit(
        key="judgments",
        title="Words that judge, near groups of people",
        lead=lead,
        how=bias["sentiment"]["how"],
        figure=_ratio_dots("judgments", title, lead, data),
        caption=f"1 is the proportion in the whole text. {OF_INTERVALS}",
        table=table_of("Term | Positive | Negative | Documents | Odds ratio | 95 %", table),
        limits=OF_JUDGMENTS,
    )


def _pronouns(bias: Measured) -> Exhibit | None:
    found = rows(bias, "pronouns")
    if not found:
        return None
    ranked = sorted(found, key=lambda row: (-row["she"]["share"], row["occupation"]))
    lead = _pronoun_lead(bias, ranked)
    surest = sorted(found, key=lambda row: (-row["independent"], row["occupation"]))[:DOTS]
    data = [
        Dots(
            row["occupation"],
            [(row[p]["share"], row[p]["low"], row[p]["high"]) for p in PRONOUNS],
            f"{sum(row[p]['pairs'] for p in PRONOUNS):,} in {row['documents']:,} documents",
        )
        for row in ranked
        if row in surest
    ]
    scale = [(quarter / 4, f"{25 * quarter} %") for quarter in range(5)]
    title = "Shares of he, she and they near each occupation"
    table = [
        [
            row["occupation"],
            *(count(row[p]["pairs"]) for p in PRONOUNS),
            count(row["documents"]),
            *(f"{percent(row[p]['low'])} to {percent(row[p]['high'])}" for p in PRONOUNS),
        ]
        for row in ranked
    ]
    columns = "Occupation | He | She | They | Documents | He, 95 % | She, 95 % | They, 95 %"
    return Exhibit(
        key="pronouns",
        title="Pronouns near occupations",
        lead=lead,
        how=bias["pronouns"]["how"],
        figure=figures.dots("pronouns", title, lead, data, scale, PRONOUNS),
        caption=f"Shares of the three pronouns, with all their forms. {OF_INTERVALS}",
        table=table_of(columns, table),
        limits=OF_PRONOUNS,
    )


def _pronoun_lead(bias: Measured, ranked: list[Row]) -> str:
    whole = bias["pronouns"]["whole"]
    gendered = whole["he"] + whole["she"]
    usual = f" In the whole text {percent(whole['she'] / gendered)} of he and she are she."
    more = [row["occupation"] for row in ranked if row["she"]["low"] > row["he"]["high"]]
    less = [row["occupation"] for row in ranked[::-1] if row["he"]["low"] > row["she"]["high"]]
    return (
        f"Within {bias['window']} words of an occupation: clearly more she than he for "
        f"{listed(more, 8) or 'none'}; clearly more he than she for {listed(less, 8) or 'none'}."
        f"{usual if gendered else ''}{_left_out(bias['pronouns']['left_out'], 'occupation')}"
    )


def _occupations(bias: Measured) -> Exhibit | None:
    found = rows(bias, "occupations")
    if not found:
        return None
    above, below = _telling(found)
    more, fewer = (listed([_pair(row) for row in part], 5) or "none" for part in (above, below))
    lead = (
        f"{plural(len(found), 'pair')} of an identity term and an occupation could be compared. "
        f"Clearly more often within {bias['window']} words than expected: {more}; less often: {fewer}."
    )
    data = [
        (_pair(row), row, f"{row['pairs']:,} of {number(row['expected'])}")
        for row in (*above[: DOTS // 2], *below[: DOTS // 2])
    ]
    table = [
        [
            _pair(row),
            count(row["pairs"]),
            number(row["expected"]),
            count(row["documents"]),
            *_ratio_cells(row),
        ]
        for row in sorted(found, key=lambda row: (-abs(row["log_ratio"]), _pair(row)))
    ]
    title = "Occupations near identity terms, found against expected"
    return Exhibit(
        key="occupations",
        title="Occupations near groups of people",
        lead=lead,
        how=bias["occupations"]["how"],
        figure=_ratio_dots("occupations", title, lead, data) if data else None,
        caption=f"1 is what is expected when occupations stand near all groups alike. {OF_INTERVALS}",
        table=table_of("Pair | Found | Expected | Documents | Ratio | 95 %", table),
        limits=OF_OCCUPATIONS,
    )


def _pair(row: Row) -> str:
    return f"{row['occupation']} near {row['term']}"


def _spelling(bias: Measured) -> Exhibit | None:
    found = bias["spelling"]
    if found["occurrences"] < LEAST:
        return None
    dialects = [(row["dialect"], row["share"]) for row in found["dialects"]]
    shares = [f"{percent(part)} {name}" for name, part in dialects]
    lead = f"{plural(found['occurrences'], 'word')} of two spellings: {listed(shares)}."
    pairs = sorted(found["rows"], key=lambda row: (-sum(row["occurrences"]), row["words"]))
    table = [
        [" / ".join(row["words"]), *map(count, row["occurrences"])]
        for row in pairs
        if sum(row["occurrences"])
    ]
    return Exhibit(
        key="spelling",
        title="Spelling",
        lead=lead,
        how=found["how"],
        figure=figures.stacked("spelling", "Shares of spellings", lead, dialects),
        table=table_of(" | ".join(["Words", *(name for name, _ in dialects)]), table),
        limits=OF_SPELLING,
    )


def _regions(bias: Measured) -> Exhibit | None:
    found = bias["regions"]
    if found["occurrences"] < LEAST:
        return None
    domains = {row["region"]: row["documents"] for row in rows(bias, "domains")}
    ranked = sorted(found["rows"], key=lambda row: (-row["occurrences"], row["region"]))
    lead = _region_lead(bias, ranked)
    data = [
        Bar(row["region"], row["occurrences"], f"{percent(row['share'])} of mentions")
        for row in ranked
    ]
    table = [
        [
            row["region"],
            count(row["occurrences"]),
            percent(row["share"]),
            count(row["documents"]),
            count(domains.get(row["region"], 0)),
        ]
        for row in ranked
    ]
    return Exhibit(
        key="regions",
        title="Regions of the world",
        lead=lead,
        how="; ".join(part["how"] for part in (found, bias["domains"]) if part),
        figure=figures.bars("regions", "Mentions of countries, by region", lead, data),
        table=table_of("Region | Mentions | Share | Documents | URLs in its domains", table),
        limits=OF_REGIONS,
    )


def _region_lead(bias: Measured, ranked: list[Row]) -> str:
    found = bias["regions"]
    shares = [f"{row['region']} {percent(row['share'])}" for row in ranked]
    top = [f"{row['country']} {count(row['occurrences'])}" for row in found["countries"][:5]]
    lead = (
        f"{plural(found['occurrences'], 'mention')} of countries or their people: "
        f"{listed(shares, 8)}. Most named: {listed(top)}."
    )
    if not (with_url := value(bias, "domains", "with_url", default=0)):
        return lead
    of_country = count(bias["domains"]["of_a_country"])
    return f"{lead} Of {plural(with_url, 'URL')}, {of_country} end in a country's domain."
