"""The gibberish score: how well it tells text made by chance from sentences of 75 languages.

`main` takes a folder with ``lid/sentences.jsonl.gz``. Made texts come from a fixed seed: letters by
chance, words with their letters shuffled (Latin script, other scripts), base64, hexadecimal by
bytes and in one run, mojibake of non-Latin sentences, rows of a keyboard, the home row, noise as of
character recognition. Printed for each: the area under the ROC curve against the sentences, and the
share above the default threshold.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from pathlib import Path

from gristmill.filters.gibberish import Gibberish
from gristmill.filters.quality import quality_signals

PER_LANGUAGE = 60
PER_KIND = 400
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def sentences(data: Path) -> list[str]:
    """The first test sentences of each language."""
    found: dict[str, list[str]] = {}
    with gzip.open(data / "lid" / "sentences.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["split"] == "test":
                found.setdefault(row["lang"], []).append(row["text"])
    return [text for texts in found.values() for text in texts[:PER_LANGUAGE]]


def words(made: random.Random, alphabet: str) -> str:
    return " ".join("".join(made.choices(alphabet, k=made.randint(3, 10))) for _ in range(20))


def shuffled(made: random.Random, text: str) -> str:
    return " ".join("".join(made.sample(word, len(word))) for word in text.split())


def rows(made: random.Random, _: str) -> str:
    runs = []
    for _ in range(14):
        row, n = made.choice(ROWS), made.randint(4, 7)
        at = made.randrange(len(row) - n + 1)
        runs.append(row[at : at + n][:: made.choice((1, -1))])
    return " ".join(runs)


def noisy(made: random.Random, text: str) -> str:
    signs = "|l1I!^~.,'`*\\/:;#%0O&@_"
    return "".join(c if c == " " or made.random() > 0.25 else made.choice(signs) for c in text)


KINDS: dict[str, Callable[[random.Random, str], str]] = {
    "letters by chance": lambda made, _: words(made, LETTERS),
    "shuffled, Latin": shuffled,
    "shuffled, other scripts": shuffled,
    "base64": lambda made, _: base64.b64encode(made.randbytes(110)).decode(),
    "bytes in hex": lambda made, _: made.randbytes(60).hex(" "),
    "one run of hex": lambda made, _: made.randbytes(70).hex(),
    "mojibake": lambda _, text: text.encode().decode("latin-1"),
    "keyboard rows": rows,
    "home row": lambda made, _: words(made, "asdfghjkl;"),
    "recognition noise": noisy,
}
BEYOND_LATIN = ("shuffled, other scripts", "mojibake")


def auc(high: list[float], low: list[float]) -> float:
    """The share of pairs in which the first is larger, ties counted half."""
    low = sorted(low)
    below = sum(bisect_left(low, one) + bisect_right(low, one) for one in high)
    return below / 2 / len(high) / len(low)


def scores(texts: list[str]) -> list[float]:
    found: list[float] = quality_signals(texts)["gibberish_score"].to_pylist()
    return found


def main(data: Path) -> None:
    """Print a line for the sentences and one per kind of made text."""
    made = random.Random(7)
    prose = sentences(data)
    low, limit = scores(prose), Gibberish().max_score
    n_above = sum(score > limit for score in low)
    print(f"sentences: {n_above} of {len(low):,} above {limit}, largest {max(low):.2f}")
    latin = [text for text in prose if sum(map(str.isascii, text)) > 0.7 * len(text)]
    other = [text for text in prose if sum(c > "\u0250" for c in text) > 0.5 * len(text)]
    for kind, make in KINDS.items():
        source = other if kind in BEYOND_LATIN else latin
        high = scores([make(made, made.choice(source)) for _ in range(PER_KIND)])
        share = sum(score > limit for score in high) / len(high)
        print(f"{kind}: AUC {auc(high, low):.4f}, {share:.0%} above {limit}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
