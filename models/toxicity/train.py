"""Train the toxicity model and write it with its sidecar: `train.py SOURCES [--out FOLDER]`.

The steps: read the sources, cut them into the windows that prediction sees, set a tenth aside by
the hash of the text, train fastText on the rest and on our own sentences, let every identity term
weigh the same, quantise, fit Platt's line to the tenth. One thread and a fixed seed: the same sources give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import fasttext
import numpy as np
from sources import NONE, SOURCES
from templates import ADJECTIVES, PLURALS, sentences

from gristmill._core import toxicity_windows, xxh3_128_hex
from gristmill.filters.fasttext import FastText
from gristmill.text import as_table, from_kernel

SEED = 7
WINDOW_WORDS = 64
MAX_PENALTY_WINDOWS = 16
REPEATS = {"davidson": 5, "toxigen": 4, "social_media": 2, "jigsaw_sample": 3, "detox_sample": 3}
"""How often a source is seen in an epoch, where not once."""

LIMITS = {"definitions": 30_000}
"""How many texts of a source are taken, where not all."""

TEMPLATE_ROUNDS = 4
TOXIC_SHARE = 0.4
FASTTEXT = {
    "dim": 8,
    "epoch": 8,
    "lr": 0.1,
    "wordNgrams": 3,
    "minn": 3,
    "maxn": 5,
    "bucket": 200_000,
    "minCount": 3,
}


class Example(NamedTuple):
    """One window of a labelled text."""

    words: str
    label: str
    source: str
    is_held_out: bool


def plain_windows(texts: list[str]) -> list[list[str]]:
    """The windows of each text, as the filter sees them."""
    found = from_kernel(toxicity_windows(as_table(texts), WINDOW_WORDS, 1))
    windows: list[list[str]] = [[] for _ in texts]
    for document, words in zip(*(found.column(at).to_pylist() for at in (0, 1)), strict=True):
        windows[document].append(words)
    return windows


def held_out(text: str) -> bool:
    """Whether a text is in the tenth that is set aside."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10 == 0


def fingerprint(text: str) -> str:
    """What two texts share that differ in case, spaces and signs only."""
    return re.sub(r"[\W_]", "", text.lower())


def read_all(folder: Path, refused: set[str]) -> list[Example]:
    """The windows of every source; a text met before, or in `refused`, is left out.

    Of a toxic text of several windows nobody knows which is toxic, so it is left out too.
    """
    examples, seen = [], set(refused)
    for source, (repository, read) in SOURCES.items():
        texts = []
        for text, label in read(folder / repository):
            mark = fingerprint(text)
            if len(mark) > 1 and mark not in seen:
                seen.add(mark)
                texts.append((text, label))
        if source in LIMITS:
            texts = random.Random(SEED).sample(texts, LIMITS[source])
        for (text, label), windows in zip(
            texts, plain_windows([text for text, _ in texts]), strict=True
        ):
            if label == NONE or len(windows) == 1:
                aside = held_out(text)
                examples += [Example(words, label, source, aside) for words in windows if words]
    return examples


def train(examples: Iterable[Example], out: Path) -> None:
    """Train on what is not held out and on our own sentences; write the quantised model."""
    lines = [
        f"__label__{one.label} {one.words}"
        for one in examples
        if not one.is_held_out
        for _ in range(REPEATS.get(one.source, 1))
    ]
    ours = list(sentences(TEMPLATE_ROUNDS, SEED))
    for (_, label), windows in zip(ours, plain_windows([text for text, _ in ours]), strict=True):
        lines += [f"__label__{label} {words}" for words in windows]
    random.Random(SEED).shuffle(lines)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        model = fasttext.train_supervised(file.name, thread=1, seed=SEED, verbose=0, **FASTTEXT)
    make_equal(model, [*ADJECTIVES, *PLURALS])
    model.quantize(dsub=2, qnorm=False, thread=1)
    model.save_model(str(out))


def make_equal(model: Any, terms: list[str]) -> None:
    """Let no term say more of the class than the median term says.

    A text's odds are linear in the mean of its rows. What a term's rows, its own and those of its
    letters, add along the differences of the output vectors is lowered to the terms' median; what
    pairs and triples of words say is kept, for they hold what is said of the term.
    """
    rows, outputs = model.get_input_matrix(), model.get_output_matrix()
    none = model.get_labels().index(f"__label__{NONE}")
    differences = np.delete(outputs - outputs[none], none, axis=0)
    known = sorted(set(terms) & set(model.get_words()))
    parts = {term: model.get_subwords(term)[1] for term in known}
    said = {term: differences @ rows[parts[term]].mean(axis=0) for term in known}
    median = np.median(list(said.values()), axis=0)
    for term in known:
        too_much = len(parts[term]) * np.maximum(said[term] - median, 0)
        own = model.get_word_id(term)
        rows[own] -= differences.T @ np.linalg.solve(differences @ differences.T, too_much)
    model.set_matrices(rows, outputs)


def platt(examples: Iterable[Example], model: Path) -> tuple[float, float]:
    """Slope and intercept that make the model's log-odds those of a toxic window (Platt 1999).

    The classes weigh as if `TOXIC_SHARE` of the texts were toxic, so a score is the probability in
    such a mixture.
    """
    aside = [one for one in examples if one.is_held_out]
    none = FastText.load(model).score([one.words for one in aside], f"__label__{NONE}")
    none = np.clip(none.to_numpy().astype(np.float64), 1e-6, 1 - 1e-6)
    odds = np.stack([np.log1p(-none) - np.log(none), np.ones(len(none))])
    is_toxic = np.array([one.label != NONE for one in aside], np.float64)
    share = is_toxic.mean()
    weights = np.where(is_toxic == 1, TOXIC_SHARE / share, (1 - TOXIC_SHARE) / (1 - share))
    line = np.array([1.0, 0.0])
    for _ in range(25):  # Newton's steps; ten suffice
        guess = 1 / (1 + np.exp(-line @ odds))
        curve = (odds * (weights * guess * (1 - guess))) @ odds.T
        line += np.linalg.solve(curve, odds @ (weights * (is_toxic - guess)))
    return float(line[0]), float(line[1])


def main() -> None:
    """Train, calibrate and write the model and its sidecar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path, help="folder of checkouts named OWNER+NAME")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[2] / "python/gristmill/models"
    )
    parser.add_argument("--refuse", type=Path, help="texts of test sets, one JSON string a line")
    arguments = parser.parse_args()
    refused = set()
    if arguments.refuse:
        lines = arguments.refuse.read_text(encoding="utf-8").splitlines()
        refused = {fingerprint(json.loads(line)) for line in lines}
    examples = read_all(arguments.sources, refused)
    model = arguments.out / "toxicity.ftz"
    train(examples, model)
    slope, intercept = platt(examples, model)
    sidecar = {
        "xxh3": xxh3_128_hex(model.read_bytes()),
        "window_words": WINDOW_WORDS,
        "max_penalty_windows": MAX_PENALTY_WINDOWS,
        "slope": slope,
        "intercept": intercept,
    }
    (arguments.out / "toxicity.json").write_text(json.dumps(sidecar, indent=2) + "\n")
    print(json.dumps(sidecar, indent=2))


if __name__ == "__main__":
    main()
