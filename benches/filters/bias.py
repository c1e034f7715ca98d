"""Bias figures: MB of text per CPU second, beside the same counts in Python and spaCy's matcher.

One pinned core, each side in a process of its own, pair by pair. ``python`` splits with a regular
expression, looks each word up in dictionaries and joins the windows: it gives the same counts, which
is checked first. ``spacy`` is a PhraseMatcher on the lower-cased tokens of a blank English pipeline;
it finds terms only, no windows. The peers read less text, of the same file, than ours.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

SIZES = {"gristmill": 300_000_000, "python": 10_000_000, "spacy": 4_000_000}
CHECKED = 3_000_000
CENTERS = ("identity", "occupation")

Counts = tuple[dict[str, int], dict[tuple[str, str, str | None], int]]
"""Occurrences by term; pairs by center, kind and group."""


def by_gristmill(texts: Sequence[str]) -> Callable[[], Counts]:
    from gristmill.cards.bias import count_terms
    from gristmill.cards.bias_terms import packaged_terms
    from gristmill.text import as_table

    table, terms = as_table(texts), packaged_terms()

    def run() -> Counts:
        counted = count_terms([table], terms)
        occurrences = {f"{t.kind} {t.name}": n for t, (n, _) in counted.occurrences.items() if n}
        near = {
            (f"{term.kind} {term.name}", *group): cell.pairs
            for (term, group), cell in counted.near.items()
            if cell.pairs
        }
        return occurrences, near

    return run


def by_python(texts: Sequence[str]) -> Callable[[], Counts]:
    from gristmill.cards.bias_terms import Term, packaged_terms

    split = re.compile(r"\w+").findall
    terms = packaged_terms()
    begun: dict[str, dict[tuple[str, ...], list[Term]]] = {}
    for term in terms.terms:
        for form in term.forms:
            first, *rest = split(form)
            owners = begun.setdefault(first, {}).setdefault(tuple(rest), [])
            if term not in owners:
                owners.append(term)
    phrases = {
        first: sorted(found.items(), key=lambda item: -len(item[0]))
        for first, found in begun.items()
    }

    def found_in(words: list[str]) -> list[tuple[int, Term]]:
        found = []
        for at, word in enumerate(words):
            if word in phrases:
                for rest, owners in phrases[word]:
                    if tuple(words[at + 1 : at + 1 + len(rest)]) == rest:
                        found += [(at, owner) for owner in owners]
                        break
        return found

    def run() -> Counts:
        occurrences: Counter[str] = Counter()
        near: Counter[tuple[str, str, str | None]] = Counter()
        for text in texts:
            found = found_in(split(text.lower()))
            occurrences.update(f"{term.kind} {term.name}" for _, term in found)
            for place, term in found:
                if term.kind in CENTERS:
                    name = f"{term.kind} {term.name}"
                    for other_place, other in found:
                        if 0 < abs(other_place - place) <= terms.lists.window:
                            near.update((name, *group) for group in other.groups)
        return dict(occurrences), dict(near)

    return run


def by_spacy(texts: Sequence[str]) -> Callable[[], Counts]:
    import spacy
    from spacy.matcher import PhraseMatcher

    from gristmill.cards.bias_terms import packaged_terms

    pipeline = spacy.blank("en")
    pipeline.max_length = 10**9
    matcher = PhraseMatcher(pipeline.vocab, attr="LOWER")
    for term in packaged_terms().terms:
        if term.forms:
            matcher.add(f"{term.kind} {term.name}", [pipeline.make_doc(f) for f in term.forms])

    def run() -> Counts:
        found: Counter[str] = Counter()
        for document in pipeline.tokenizer.pipe(texts):
            found.update(pipeline.vocab.strings[term] for term, _, _ in matcher(document))
        return dict(found), {}

    return run


SIDES = {"gristmill": by_gristmill, "python": by_python, "spacy": by_spacy}


def figures_of(side: str) -> Callable[[str | None], dict[str, float]]:
    """The figures of one side, over the text of a file or of this machine."""

    def measure(path: str | None) -> dict[str, float]:
        paired.pin(1)
        texts = paired.texts(SIZES[side], path)
        run = SIDES[side](texts)
        return {"mb": sum(len(text.encode()) for text in texts) / 1e6, **paired.measure(run)}

    return measure


def main(data: Path | None = None) -> None:
    """Check that ours and Python's counts are the same, then time the pairs."""
    arguments = [str(data)] if data else []
    texts = paired.texts(CHECKED, *arguments)
    ours, peer = by_gristmill(texts)(), by_python(texts)()
    if ours != peer:
        sys.exit(f"counts differ: {[ours[0][t] - peer[0].get(t, 0) for t in ours[0]]}")
    print(
        f"bias: {sum(ours[0].values()):,} terms and {sum(ours[1].values()):,} pairs, all the same"
    )
    for peer_name in ("python", "spacy"):
        paired.compare(__file__, "bias", "gristmill", peer_name, arguments)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        paired.main_of(Path(__file__), {name: figures_of(name) for name in SIDES}, [])
    else:
        main(Path(sys.argv[1]) if sys.argv[1:] else None)
