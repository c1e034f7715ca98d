"""Toxicity: F1, AUC, identity gaps, functional tests and speed, beside fastText and a word list.

Run as ``python benches/filters/toxicity.py FOLDER [HATECHECK.csv] [DOCUMENTS.jsonl]``. FOLDER holds
Davidson's labelled tweets, comments of Wikipedia's talk pages and identity templates, as CSV, plain
or gzip. The peer is a plain fastText model trained here on nine tenths of Davidson's tweets (words
and pairs of words, no normalisation); the other tenth, by the same hash as in
``models/toxicity/train.py``, is what both are measured on. Errors are standard errors of 200
bootstrap samples. All speeds are of one thread in CPU seconds, both sides in this process.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

csv.field_size_limit(1 << 30)

Scores = npt.NDArray[np.float64]
Truth = npt.NDArray[np.bool_]
Score = Callable[[list[str]], Scores]

IDENTITIES = set(
    """african american asian bisexual black blind buddhist canadian catholic chinese christian deaf
    elderly european female gay heterosexual hispanic homosexual indian japanese jewish latina latino
    latinx lesbian lgbt lgbtq male mexican millenial muslim nonbinary old older paralyzed protestant
    queer sikh straight taoist teenage trans transgender white young younger""".split()
)


def rows(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def find(folder: Path, name: str) -> Path:
    return next(
        path for path in sorted(folder.iterdir()) if name in path.name and ".csv" in path.name
    )


def f1(truth: Truth, said: Truth) -> float:
    return float(2 * (truth & said).sum() / (truth.sum() + said.sum()))


def auc(truth: Truth, scores: Scores) -> float:
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n_toxic = truth.sum()
    above = ranks[truth].sum() - n_toxic * (n_toxic + 1) / 2
    return float(above / (n_toxic * (len(truth) - n_toxic)))


def error(figure: Callable[[Truth, Scores], float], truth: Truth, scores: Scores) -> float:
    draw = np.random.default_rng(7)
    picks = (draw.integers(len(truth), size=len(truth)) for _ in range(200))
    return float(np.std([figure(truth[pick], scores[pick]) for pick in picks]))


def ours() -> Score:
    from gristmill.filters.toxicity import toxicity

    return lambda texts: toxicity(texts).column("score").to_numpy().astype(np.float64)


def plain_fasttext(texts: Sequence[str], truth: Truth) -> Score:
    import fasttext

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        for text, toxic in zip(texts, truth, strict=True):
            file.write(f"__label__{int(toxic)} {' '.join(text.split())}\n")
        file.flush()
        model = fasttext.train_supervised(
            file.name, thread=1, seed=7, verbose=0, wordNgrams=2, epoch=8, lr=0.5, minCount=2
        )

    def score(texts: list[str]) -> Scores:
        labels, probabilities = model.predict([" ".join(text.split()) for text in texts], k=2)
        pairs = zip(labels, probabilities, strict=True)
        return np.array([p[list(names).index("__label__1")] for names, p in pairs])

    return score


def word_list() -> Score | None:
    try:
        from better_profanity import profanity
    except ImportError:
        return None
    profanity.load_censor_words()
    return lambda texts: np.array([float(profanity.contains_profanity(text)) for text in texts])


def is_held_out(text: str) -> bool:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10 == 0


def say(name: str, what: str, truth: Truth, scores: Scores) -> None:
    at_half = f1(truth, scores >= 0.5)
    margin = error(lambda t, s: f1(t, s >= 0.5), truth, scores)
    print(
        f"{name}, {what} (n = {len(truth)}): F1 {at_half:.3f} ± {margin:.3f}, "
        f"AUC {auc(truth, scores):.3f} ± {error(auc, truth, scores):.3f}, "
        f"false positives {np.mean(scores[~truth] >= 0.5):.3f}"
    )


def identities(name: str, path: Path, score: Score) -> None:
    harmless = [row["phrase"] for row in rows(path) if row["toxicity"] == "nontoxic"]
    rates = defaultdict(list)
    for text, one in zip(harmless, score(harmless), strict=True):
        for word in IDENTITIES & set(text.lower().split()):
            rates[word].append(one >= 0.5)
    means = {word: float(np.mean(rate)) for word, rate in rates.items()}
    worst = sorted(means, key=means.__getitem__, reverse=True)
    print(
        f"{name}, identity terms ({len(means)}): largest gap of false-positive rates "
        f"{max(means.values()) - min(means.values()):.3f}; "
        + ", ".join(f"{word} {means[word]:.3f}" for word in worst[:8])
    )


def functional(name: str, path: Path, score: Score) -> None:
    cases = rows(path)
    scores = score([row["test_case"] for row in cases])
    truth = np.array([row["label_gold"] == "hateful" for row in cases])
    say(name, "functional tests", truth, scores)
    right = defaultdict(list)
    for row, hateful, one in zip(cases, truth, scores, strict=True):
        right[row["functionality"]].append((one >= 0.5) == hateful)
    print("  right: " + ", ".join(f"{key} {np.mean(is_):.2f}" for key, is_ in right.items()))


def speed(name: str, what: str, texts: list[str], score: Score) -> float:
    n_bytes = sum(len(text.encode()) for text in texts)
    seconds = []
    for _ in range(3):
        started = time.process_time()
        score(texts)
        seconds.append(time.process_time() - started)
    best = min(seconds)
    print(f"{name}, {what}: {len(texts) / best:,.0f} documents/s, {n_bytes / best / 1e6:.1f} MB/s")
    return len(texts) / best


def long_documents(path: Path, n_bytes: int = 30_000_000) -> list[str]:
    texts: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            texts.append(json.loads(line)["text"])
            n_bytes -= len(line)
            if n_bytes < 0:
                break
    return texts


def main(data: Path, hatecheck: Path | None = None, documents: Path | None = None) -> None:
    """Print every figure for the model, and those of its peers beside them."""
    tweets = rows(find(data, "davidson"))
    texts = [row["tweet"] for row in tweets]
    truth = np.array([row["class"] != "2" for row in tweets])
    aside = np.array([is_held_out(text) for text in texts])
    known = [text for text, out in zip(texts, aside, strict=True) if not out]
    held = [text for text, out in zip(texts, aside, strict=True) if out]
    sides = {"gristmill": ours(), "fastText": plain_fasttext(known, truth[~aside])}
    if listed := word_list():
        sides["better-profanity"] = listed
    comments = rows(find(data, "wiki"))
    talk = [row["comment"] for row in comments]
    talk_truth = np.array([row["toxic"] == "True" for row in comments])
    rates = {}
    for name, score in sides.items():
        if name != "better-profanity":
            rates[name] = speed(name, "tweets", texts, score)
        say(name, "Davidson's tweets", truth[aside], score(held))
        if name == "better-profanity":  # minutes a comment of some kilobytes
            continue
        say(name, "Wikipedia's talk pages", talk_truth, score(talk))
        identities(name, find(data, "identity_templates_en"), score)
        if hatecheck:
            functional(name, hatecheck, score)
    print(f"tweets: ratio {rates['gristmill'] / rates['fastText']:.1f}")
    if documents:
        speed("gristmill", "long documents", long_documents(documents), sides["gristmill"])


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
