"""Trains the language model that Gristmill ships: `python train.py CORPUS MODEL`.

CORPUS is what `corpus.py` wrote. Needs the package fasttext-community for the training alone. One
thread and a fixed seed: the same corpus gives the same bytes. README.md is the model's card.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
import unicodedata
from collections import defaultdict
from pathlib import Path

import fasttext
import numpy as np

from gristmill import _core
from gristmill.filters.language import cld2
from gristmill.text import as_table

DIM = 16
LONGEST = 4
N_ROWS = 1 << 16
LINES = 10_000
"""Training lines of each language; with less text, texts are cut at other places again."""

SMALL = 2_000
"""The same of the languages that a text is seldom in."""

SELDOM = {
    "ab", "ay", "ba", "br", "co", "ee", "fo", "fy", "gd", "gn", "gv", "ha", "ht", "ia", "ie", "ig",
    "jv", "ks", "ku", "lb", "ln", "mfe", "mg", "mt", "nr", "ny", "oc", "om", "rm", "rn", "rw", "sd",
    "ss", "su", "tk", "ug", "ve", "wo",
}  # fmt: skip

PLAIN = 0.1
"""Share of the lines that lose their diacritics, as in hurried typing; of Yoruba half."""

CODES = {"nso": "st"}
"""Languages that are given another's code, as CLD2 does."""

LEAST = 50
"""Texts below which a language is left to CLD2."""

REPEATS = 4
"""Most lines made of one text."""

SHARPEN = 1.5
"""What the logits are multiplied by: unsharpened, answers of 0.75 on package descriptions and manual
pages were right 97 times of 100."""

EPOCHS = 6
SEED = 7

SCRIPTS = {"Latin": 1, "Cyrillic": 2, "Arabic": 3, "Devanagari": 4}
MIXED = {"sr": {"Latin", "Cyrillic"}, "uz": {"Latin", "Cyrillic"}, "ku": {"Latin"}}
"""Languages written in several scripts; any other is taken in its commonest one only."""


def read_texts(folder: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Source and words, by language and script."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    known = {*cld2.codes(), *CODES}
    for path in sorted(path for path in folder.glob("*.txt") if path.stem in known):
        rows = [line.split("\t", 1) for line in path.read_text().splitlines()]
        read = _core.language_words(as_table([text for _, text in rows]))
        by_script: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (source, _), (script, words) in zip(rows, read, strict=True):
            by_script[script].append((source, words))
        commonest = max(by_script, key=lambda script: len(by_script[script]))
        for script in MIXED.get(path.stem, {commonest}) & SCRIPTS.keys():
            if len(by_script[script]) >= LEAST:
                found[path.stem, script] = by_script[script]
    return found


def balanced(texts: list[tuple[str, str]], most: int, rng: random.Random) -> list[str]:
    """At most `most` texts, as many of each source as there are, small sources first."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, words in texts:
        by_source[source].append(words)
    chosen: list[str] = []
    ordered = sorted(by_source.values(), key=len)
    for left, group in zip(range(len(ordered), 0, -1), ordered, strict=True):
        rng.shuffle(group)
        chosen += group[: (most - len(chosen)) // left]
    copies = min(REPEATS, -(-most // len(chosen)))
    return [cut(words, rng) for _ in range(copies) for words in chosen][:most]


def cut(words: str, rng: random.Random) -> str:
    """A run of the words: half the time all of up to 30, else 3 to 12 of them."""
    parts = words.split()
    n_words = 30 if rng.random() < 0.5 else rng.randint(3, 12)
    start = rng.randint(0, max(0, len(parts) - n_words))
    return " ".join(parts[start : start + n_words])


def plain(words: str) -> str:
    """`words` without diacritics."""
    return "".join(c for c in unicodedata.normalize("NFD", words) if not unicodedata.combining(c))


def spelled(language: str, script: str, words: str, rng: random.Random) -> str:
    """`words`, some of those in Latin script without diacritics."""
    share = 0.5 if language == "yo" else PLAIN
    return plain(words) if script == "Latin" and rng.random() < share else words


def write_lines(texts: dict[tuple[str, str], list[tuple[str, str]]], path: Path) -> None:
    """Write the training lines of fastText, all languages shuffled together."""
    rng = random.Random(SEED)
    lines = [
        f"__label__{script}-{language} {spelled(language, script, words, rng)}\n"
        for (language, script), rows in sorted(texts.items())
        for words in balanced(rows, SMALL if language in SELDOM else LINES, rng)
    ]
    rng.shuffle(lines)
    path.write_text("".join(lines))


def write_model(model: fasttext.FastText._FastText, path: Path) -> None:
    """Write the rows as small integers, their scale folded into the labels' weights."""
    rows, weights = model.get_input_matrix(), model.get_output_matrix()
    scale = float(np.quantile(np.abs(rows), 0.9999)) / 127
    small = np.clip(np.rint(rows / scale), -127, 127).astype(np.int8)
    labels = [label.removeprefix("__label__").split("-") for label in model.get_labels()]
    parts = [b"GMLANG01", struct.pack("<BB", LONGEST, len(labels))]
    for (script, language), row in zip(labels, weights, strict=True):
        code = CODES.get(language, language).encode()
        parts += [struct.pack("<BB", SCRIPTS[script], len(code)), code]
        parts.append((row * scale * SHARPEN).astype("<f4").tobytes())
    path.write_bytes(b"".join(parts) + small.tobytes())


def main(corpus: Path, path: Path) -> None:
    """Train on `corpus` and write the model to `path`."""
    texts = read_texts(corpus)
    for (language, script), rows in sorted(texts.items()):
        print(language, script, len(rows), sep="\t")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "lines.txt")
        write_lines(texts, lines)
        model = fasttext.train_supervised(
            str(lines), minCount=2**31 - 1, minCountLabel=1, minn=1, maxn=LONGEST, dim=DIM,
            bucket=N_ROWS, epoch=EPOCHS, lr=0.5, loss="softmax", thread=1, seed=SEED,
        )  # fmt: skip
    write_model(model, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
