"""Trains a classifier of two classes from documents that are examples of each.

As DataComp-LM trains its quality filter (Li et al. 2024, arXiv:2406.11794, section 4.4): a fastText
model of words and word pairs tells documents like the positive ones from the rest. A part is held out
by the hash of each text, so identical texts are never on both sides; what is left is sorted by the
same hash, because fastText takes the lines in the order of its file, and trained by one thread: the
same documents, in any order and any files, give the same bytes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill._core import xxh3_64_each, xxh3_128_hex
from gristmill.classifier.evaluation import score_texts
from gristmill.classifier.measures import Measures, Scores, Truth, measure
from gristmill.errors import DataRefusedError, RecipeError
from gristmill.files import atomic_write
from gristmill.filters.fasttext import FastText
from gristmill.progress import progress
from gristmill.sources import open_source
from gristmill.text import from_kernel

POSITIVE, NEGATIVE = "__label__positive", "__label__negative"
"""The labels of a model that is trained here."""

MAX_BAD_FRACTION = 0.001

_LABEL_IN_TEXT = re.compile(r"(?:^|(?<=[ \n\r\t\v\f\0]))(?:__label__)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a classifier is trained.

    Attributes:
        dim: Dimensions of a word's vector.
        epochs: Passes over the documents.
        lr: Learning rate at the start.
        word_ngrams: Words in the longest n-gram of words.
        min_count: Words that occur less often are left out.
        bucket: Places that n-grams share by their hash.
        seed: Of the vectors that training starts from.
        held_out: Part of the documents that is held out to measure on, 0 to 0.5.
        quantize: Store the vectors in an eighth of the room.
    """

    dim: int = 16
    epochs: int = 5
    lr: float = 0.1
    word_ngrams: int = 2
    min_count: int = 2
    bucket: int = 500_000
    seed: int = 0
    held_out: float = 0.1
    quantize: bool = False

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            RecipeError: An option is out of its range.
        """
        for name in ("dim", "epochs", "word_ngrams", "min_count", "bucket"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} = {getattr(self, name)} is not allowed: 1 or more")
        if not self.lr > 0:
            raise RecipeError(f"lr = {self.lr} is not allowed: above 0")
        if not 0 <= self.held_out <= 0.5:
            raise RecipeError(f"held_out = {self.held_out} is not allowed: 0 to 0.5")


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier that was trained, and what it was trained on.

    Attributes:
        path: The model.
        digest: XXH3-128 of its bytes.
        options: How it was trained.
        classes: By ``positive`` and ``negative``: inputs, documents, bytes, held_out, and the
            digest of the documents, which does not depend on their order.
        measures: Of the held-out part at a threshold of 0.5; None when nothing was held out.
        scores: Scores of the held-out part, float64[n].
        truth: Which of these are positive, bool[n].
        versions: Of the programs that made it.
    """

    path: Path
    digest: str
    options: Options
    classes: dict[str, dict[str, Any]]
    measures: Measures | None
    scores: Scores
    truth: Truth
    versions: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """All but the scores, as JSON holds it."""
        return {
            "model": self.path.name,
            "digest": self.digest,
            "labels": {"positive": POSITIVE, "negative": NEGATIVE},
            "options": asdict(self.options),
            "classes": self.classes,
            "held_out": None if self.measures is None else self.measures.as_dict(),
            "versions": self.versions,
        }


def train_classifier(
    positive: Sequence[str], negative: Sequence[str], out: Path, options: Options | None = None
) -> Trained:
    """Train a classifier that tells `positive` documents from `negative` ones.

    Memory: the held-out texts, the model, and 32 bytes a document.

    Args:
        positive: Paths, globs, folders or URLs of documents, as for a recipe's sources.
        negative: The same, of the other class.
        out: The model to write, ``.bin`` or, quantised, ``.ftz``.
        options: How to train.

    Raises:
        RecipeError: An option or input cannot be used, a class is empty, documents are in both, or
            the fastText package is not installed.
        DataRefusedError: More than `MAX_BAD_FRACTION` of the records are no documents.
    """
    options = options or Options()
    options.check()
    if out.suffix not in (".bin", ".ftz"):
        raise RecipeError(f"{out} has no known ending: .bin, or .ftz for a quantised model")
    fasttext = _package()
    with tempfile.TemporaryDirectory(prefix="gristmill-classifier-") as folder:
        lines = Path(folder) / "lines.txt"
        with lines.open("wb") as file:
            sides = [
                _read(label, inputs, file, options.held_out)
                for label, inputs in ((POSITIVE, positive), (NEGATIVE, negative))
            ]
        _refuse(sides, options)
        ordered = Path(folder) / "ordered.txt"
        _order(lines, ordered, sides)
        _fit(fasttext, ordered, out, options)
    return _measured(out, options, sides)


def _package() -> Any:
    try:
        return import_module("fasttext")
    except ImportError:
        raise RecipeError(
            "training a classifier needs the fastText package; install gristmill[classifier]"
        ) from None


@dataclass(slots=True)
class _Side:
    """One class as it is read."""

    label: str
    inputs: list[str]
    hashes: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    trained: list[tuple[int, int, int]] = field(default_factory=list)
    """Hash of a document, and where its line starts and ends."""
    held_out: list[str] = field(default_factory=list)
    bad: int = 0
    n_bytes: int = 0

    def unique(self) -> npt.NDArray[np.uint64]:
        return np.unique(np.concatenate(self.hashes or [np.empty(0, np.uint64)]))

    def summary(self) -> dict[str, Any]:
        hashes = np.sort(np.concatenate(self.hashes))
        return {
            "inputs": self.inputs,
            "documents": len(hashes),
            "distinct": len(np.unique(hashes)),
            "bad_records": self.bad,
            "bytes": self.n_bytes,
            "held_out": len(self.held_out),
            "digest": xxh3_128_hex(hashes.tobytes()),
        }


def _read(label: str, inputs: Sequence[str], file: BinaryIO, held_out: float) -> _Side:
    side, limit = _Side(label, list(inputs)), int(held_out * 2**64)
    with progress(f"read {label.removeprefix('__label__')} documents") as advance:
        for texts in _texts(side):
            digests = from_kernel(xxh3_64_each(pa.table({"text": texts}))).column("digest")
            hashes = digests.to_numpy()
            side.hashes.append(hashes)
            for text, one in zip(texts.to_pylist(), hashes.tolist(), strict=True):
                side.n_bytes += len(text.encode())
                if one < limit:
                    side.held_out.append(text)
                else:
                    start = file.tell()
                    file.write(_line(label, text))
                    side.trained.append((one, start, file.tell()))
            advance(len(texts))
    return side


def _texts(side: _Side) -> Iterator[pa.ChunkedArray]:
    for path in side.inputs:
        source = open_source(name=Path(path).name or path, path=path)
        for split in source.splits():
            for batch in source.read(split):
                side.bad += len(batch.bad)
                yield batch.docs["text"]


def _line(label: str, text: str) -> bytes:
    """A line for fastText: a word that looks like a label would be one."""
    words = _LABEL_IN_TEXT.sub("", text).replace("\n", " ")
    return f"{label} {words}\n".encode()


def _refuse(sides: Sequence[_Side], options: Options) -> None:
    for side in sides:
        name = "POS" if side.label == POSITIVE else "NEG"
        n_docs = len(side.trained) + len(side.held_out)
        if side.bad > MAX_BAD_FRACTION * (n_docs + side.bad):
            raise DataRefusedError(
                f"{side.bad} of {n_docs + side.bad} records of {name} are no documents with a "
                f"text; at most {MAX_BAD_FRACTION:.1%} may be bad"
            )
        if not side.trained:
            raise RecipeError(
                f"{name} ({', '.join(side.inputs)}) has {n_docs} documents, of which none is left "
                f"to train on with held_out = {options.held_out:g}; a classifier needs examples "
                "of both classes"
            )
    both = np.intersect1d(sides[0].unique(), sides[1].unique(), assume_unique=True)
    if len(both):
        raise RecipeError(
            f"{len(both)} texts are in both POS and NEG, so nothing can be learned from them; take "
            "them out of one"
        )


def _order(lines: Path, ordered: Path, sides: Sequence[_Side]) -> None:
    """Write the lines in the order of their hashes."""
    with lines.open("rb") as file, ordered.open("wb") as out:
        for _, start, end in sorted(place for side in sides for place in side.trained):
            file.seek(start)
            out.write(file.read(end - start))


def _fit(fasttext: Any, lines: Path, out: Path, options: Options) -> None:
    try:
        model = fasttext.train_supervised(
            input=str(lines),
            dim=options.dim,
            epoch=options.epochs,
            lr=options.lr,
            wordNgrams=options.word_ngrams,
            minCount=options.min_count,
            bucket=options.bucket,
            seed=options.seed,
            thread=1,
            verbose=0,
        )
        if options.quantize or out.suffix == ".ftz":
            model.quantize(qnorm=True)
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"fastText could not train this: {error}; see lr = {options.lr:g}, min_count = "
            f"{options.min_count} and quantize"
        ) from None
    with tempfile.TemporaryDirectory(prefix="gristmill-classifier-") as folder:
        saved = Path(folder) / "model"
        model.save_model(str(saved))
        with saved.open("rb") as file, atomic_write(out) as to:
            while part := file.read(16 << 20):
                to.write(part)


def _measured(out: Path, options: Options, sides: Sequence[_Side]) -> Trained:
    positive, negative = sides
    texts = positive.held_out + negative.held_out
    model = FastText.load(out)
    scores = score_texts(lambda texts: model.score(texts, POSITIVE), texts)
    truth = np.arange(len(texts)) < len(positive.held_out)
    return Trained(
        path=out,
        digest=xxh3_128_hex(out.read_bytes()),
        options=options,
        classes={"positive": positive.summary(), "negative": negative.summary()},
        measures=measure(scores, truth, 0.5) if texts else None,
        scores=scores,
        truth=truth,
        versions={name: version(name) for name in ("gristmill", "fasttext-community")},
    )
