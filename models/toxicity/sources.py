"""The labelled texts that the model learns from: what is taken of each public repository.

A repository lies in the folder as ``OWNER+NAME``, a checkout of the commit that the card names.
Classes are ``none``, ``offensive`` and ``hateful``. What a source calls toxic without saying that
it attacks a group is ``offensive``.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

csv.field_size_limit(1 << 30)

Labelled = Iterator[tuple[str, str]]
NONE, OFFENSIVE, HATEFUL = "none", "offensive", "hateful"

UNUSED_ROWS = Path(__file__).with_name("davidson_unused_rows.txt")
"""Rows of Davidson's file that are left to others' tests, by the number in its first column."""


def rows(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def davidson(folder: Path) -> Labelled:
    """Tweets; the label is that of most of three or more people."""
    classes = {"0": HATEFUL, "1": OFFENSIVE, "2": NONE}
    unused = set(UNUSED_ROWS.read_text(encoding="ascii").split())
    for row in rows(folder / "data" / "labeled_data.csv"):
        if row[""] not in unused:
            yield row["tweet"], classes[row["class"]]


def news_comments(folder: Path) -> Labelled:
    """Sentences of Civil Comments: toxic where people marked toxic words, else harmless.

    Nearly all of these comments are toxic as wholes; their sentences are both.
    """
    for part in ("train", "trial", "test"):
        for row in rows(folder / "SemEval2021" / "data" / f"tsd_{part}.csv"):
            marked = set(json.loads(row["spans"]))
            for sentence in re.finditer(r"[^.!?\n]+[.!?\n]*", row["text"]):
                n_marked = sum(at in marked for at in range(*sentence.span()))
                if n_marked >= 3:
                    yield sentence[0], OFFENSIVE
                elif n_marked == 0 and len(sentence[0]) > 20:
                    yield sentence[0], NONE


def talk_pages(folder: Path) -> Labelled:
    """Comments of Wikipedia's talk pages, where the raters and the file's Perspective score agree.

    A comment of a score above .8 counts as toxic whatever the raters said: they saw few of them.
    """
    for part in ("gc", "gn"):
        for row in rows(folder / "data" / "CAT_LARGE" / f"{part}.csv"):
            score, is_toxic = float(row["api"]), row["label"] == "1"
            if score > 0.8 or (is_toxic and score > 0.5):
                yield row["text"], OFFENSIVE
            elif score < 0.4 and not is_toxic:
                yield row["text"], NONE


def jigsaw_sample(folder: Path) -> Labelled:
    """A few hundred comments of Wikipedia's talk pages that Detoxify tests itself with."""
    name = "jigsaw-toxic-comment-classification-challenge"
    for row in rows(folder / "tests" / "dummy_data" / name / "train.csv"):
        yield row["comment_text"], OFFENSIVE if row["toxic"] == "1" else NONE


def detox_sample(folder: Path) -> Labelled:
    """250 comments of Wikipedia's talk pages that ML.NET tests itself with."""
    path = folder / "test" / "data" / "wikipedia-detox-250-line-data.tsv"
    for row in rows(path, delimiter="\t"):
        yield row["SentimentText"], OFFENSIVE if row["Sentiment"] == "1" else NONE


def social_media(folder: Path) -> Labelled:
    """A thousand comments of several platforms."""
    for row in rows(folder / "toxicity_en.csv"):
        yield row["text"], OFFENSIVE if row["is_toxic"] == "Toxic" else NONE


def toxigen(folder: Path) -> Labelled:
    """Sentences about minorities that were written to prompt a language model."""
    for path in sorted([*folder.glob("prompts/*.txt"), *folder.glob("demonstrations/*/*.txt")]):
        label = HATEFUL if path.name.startswith("hate") else NONE
        text = path.read_text(encoding="utf-8", errors="replace")
        for sentence in re.split(r"\\n|\n", text):
            if len(sentence) > 15:
                yield sentence.strip("- \\"), label


def definitions(folder: Path) -> Labelled:
    """A dictionary's entries: one says what a bad word means and is harmless itself."""
    for path in sorted((folder / "src" / "yaml").glob("[nva]*.yaml")):
        for entry in re.split(r"^(?=\d)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            text = " ".join(_block(entry, "members") + _block(entry, "definition"))
            if text:
                yield text, NONE


def _block(entry: str, key: str) -> list[str]:
    """The items of a list of an entry, as lines."""
    found = re.search(rf"^  {key}:\n((?:  (?:- |  ).*\n)+)", entry, re.MULTILINE)
    return [line.strip("- ") for line in found[1].splitlines()] if found else []


def commands(folder: Path) -> Labelled:
    """Short manuals of commands, where things are killed, aborted and dumb."""
    for path in sorted(folder.glob("pages/*/*.md")):
        yield path.read_text(encoding="utf-8"), NONE


SOURCES: dict[str, tuple[str, Callable[[Path], Labelled]]] = {
    "davidson": ("t-davidson+hate-speech-and-offensive-language", davidson),
    "news_comments": ("ipavlopoulos+toxic_spans", news_comments),
    "talk_pages": ("ipavlopoulos+context_toxicity", talk_pages),
    "jigsaw_sample": ("unitaryai+detoxify", jigsaw_sample),
    "detox_sample": ("dotnet+machinelearning", detox_sample),
    "social_media": ("surge-ai+toxicity", social_media),
    "toxigen": ("microsoft+TOXIGEN", toxigen),
    "definitions": ("globalwordnet+english-wordnet", definitions),
    "commands": ("tldr-pages+tldr", commands),
}
"""By name: the folder of the repository, and what is taken of it."""
