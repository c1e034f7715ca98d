"""fastText models read by the core: answers held against those of the fastText package."""

import random
from functools import cache
from pathlib import Path

import fasttext
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import FormatError, RecipeError
from gristmill.filters.fasttext import FastText

LETTERS = "abcdefgéüßжя漢"
ODD = [
    "",
    " \t",
    "</s>",
    "a </s> b",
    "__label__0 a",
    "__label__none a",
    "\0a\vb\rc\f",
    "_ü",
    "a",
    "مرحبا",
]
"""Texts that the package treats in a way of its own."""

SHAPES = {
    "words": {"dim": 4},
    "pairs": {"dim": 3, "wordNgrams": 3, "bucket": 1000},
    "letters": {"dim": 10, "minn": 2, "maxn": 4, "bucket": 2000},
    "all": {"dim": 8, "minn": 1, "maxn": 3, "wordNgrams": 2, "bucket": 1500},
}
QUANTIZED = {
    "plain": None,
    "quantized": {},
    "pruned": {"cutoff": 500, "qnorm": True},
    "narrow": {"cutoff": 700, "dsub": 3},
}


@cache
def vocabulary() -> list[str]:
    choose = random.Random(1)
    return ["".join(choose.choices(LETTERS, k=choose.randint(1, 9))) for _ in range(400)]


def document(choose: random.Random, topic: int) -> str:
    words = choose.choices(vocabulary()[topic * 60 :][:160], k=choose.randint(1, 20))
    return " ".join([*words, "".join(choose.choices(LETTERS, k=8))])


def train(folder: Path, n_labels: int, quantize: dict | None = None, **options):
    choose = random.Random(2)
    lines = [
        f"__label__{label} {document(choose, label % 5)} {vocabulary()[label]}\n"
        for label in choose.choices(range(n_labels), k=max(400, 4 * n_labels))
    ]
    examples = folder / "examples.txt"
    examples.write_text("".join(lines), encoding="utf-8")
    model = fasttext.train_supervised(
        str(examples), thread=1, verbose=0, lr=0.5, epoch=2, **options
    )
    if quantize is not None:
        model.quantize(**quantize)
    model.save_model(str(folder / "model"))
    return model, FastText.load(folder / "model")


def differences(theirs, ours: FastText, texts: list[str]) -> list[tuple]:
    """Where labels differ, or probabilities by more than 1e-5."""
    found = ours.predict(texts)
    scores = {label: ours.score(texts, label).to_pylist() for label in ours.labels[:3]}
    faults = []
    for at, (text, label, score) in enumerate(
        zip(texts, found["label"].to_pylist(), found["score"].to_pylist(), strict=True)
    ):
        line = text.replace("\n", " ")
        labels, probabilities = theirs.predict(line, k=-1)
        best, highest = theirs.predict(line)
        if not best:
            faults += [] if label is None and score is None else [(text, label, best)]
            continue
        each = dict(zip(labels, probabilities, strict=True))
        wrong = [name for name in scores if abs(scores[name][at] - each.get(name, 0)) > 1e-5]
        tied = label in each and abs(each[label] - highest[0]) < 1e-7
        if abs(score - highest[0]) > 1e-5 or not (label == best[0] or tied) or wrong:
            faults.append((text, label, score, best, highest))
    return faults


def texts_of(seed: int, n: int = 60) -> list[str]:
    choose = random.Random(seed)
    return ODD + [document(choose, choose.randrange(5)) for _ in range(n)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ["softmax", "hs", "ova", "ns"])
@pytest.mark.parametrize("n_labels", [2, 5])
def test_answers_are_those_of_the_package(tmp_path, n_labels, loss, shape):
    theirs, ours = train(tmp_path, n_labels, loss=loss, **SHAPES[shape])
    assert ours.labels == theirs.labels
    assert differences(theirs, ours, texts_of(3)) == []


@pytest.mark.parametrize("shape", ["pairs", "letters", "all"])
@pytest.mark.parametrize("quantize", ["quantized", "pruned", "narrow"])
def test_answers_of_quantized_and_pruned_models_are_those_of_the_package(tmp_path, quantize, shape):
    theirs, ours = train(tmp_path, 2, QUANTIZED[quantize], **SHAPES[shape])
    assert differences(theirs, ours, texts_of(4)) == []


@pytest.mark.parametrize("loss", ["softmax", "hs", "ova"])
def test_answers_of_more_labels_than_dimensions_quantized_output_included(tmp_path, loss):
    options = {"qout": True, "qnorm": True, "cutoff": 600}
    theirs, ours = train(tmp_path, 300, options, loss=loss, **SHAPES["all"])
    assert differences(theirs, ours, texts_of(5, 30)) == []


def test_a_model_of_one_label_is_sure(tmp_path):
    theirs, ours = train(tmp_path, 1, **SHAPES["words"])
    assert differences(theirs, ours, texts_of(6, 10)) == []


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return train(tmp_path_factory.mktemp("pair"), 3, QUANTIZED["pruned"], **SHAPES["all"])


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from(LETTERS + " \n\t\0_</s>'"), max_size=120) | st.text())
def test_answers_for_any_text_are_those_of_the_package(pair, text):
    assert differences(*pair, [text]) == []


def test_the_check_sees_a_wrong_answer(pair, tmp_path):
    _, other = train(tmp_path, 3, **SHAPES["words"])
    assert differences(pair[0], other, texts_of(7))


def test_threads_and_the_texts_around_change_nothing(pair):
    ours, texts = pair[1], texts_of(8, 400)
    alone = pa.concat_tables([ours.predict([text]) for text in texts])
    assert ours.predict(texts).to_pydict() == alone.to_pydict()
    assert ours.predict(texts, threads=3).to_pydict() == alone.to_pydict()


def test_arrow_texts_and_nulls_are_taken(pair):
    found = pair[1].predict(pa.array(["abc", None, ""], pa.large_string()))
    assert found.schema.names == ["label", "score"]
    assert found["score"].type == pa.float32()
    assert found.slice(1, 1).to_pydict() == found.slice(2, 1).to_pydict()


def test_max_bytes_reads_the_beginning_in_whole_characters(pair):
    ours, text = pair[1], "漢字 abc " * 50
    for limit in (0, 1, 2, 3, 4, 7, 100):
        start = text.encode()[:limit].decode(errors="ignore")
        cut = ours.predict([text], max_bytes=limit)
        assert cut.to_pydict() == ours.predict([start]).to_pydict()


def test_a_text_of_millions_of_words_gets_the_answer_of_its_words(pair):
    ours = pair[1]
    few = ours.score(["ab cd ef " * 100], "__label__1")[0].as_py()
    many = ours.score(["ab cd ef " * 1_000_000], "__label__1")[0].as_py()
    assert many == pytest.approx(few, abs=0.02)


def test_unknown_labels_are_refused_with_the_labels_there_are(pair):
    with pytest.raises(ValueError, match=r"'nine'.*__label__0"):
        pair[1].score(["a"], "nine")
    with pytest.raises(RecipeError, match=r"no label '11'.*did you mean '1'"):
        pair[1].label("11")
    assert pair[1].label("2") == pair[1].label("__label__2") == "__label__2"


def test_zero_threads_are_refused(pair):
    with pytest.raises(ValueError, match="threads = 0"):
        pair[1].predict(["a"], threads=0)


def test_a_missing_file_and_a_model_without_labels_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        FastText.load(tmp_path / "none.bin")
    text = tmp_path / "text.txt"
    text.write_text("a b c d\n" * 20)
    model = fasttext.train_unsupervised(str(text), dim=2, minCount=1, thread=1, verbose=0)
    model.save_model(str(tmp_path / "vectors.bin"))
    with pytest.raises(FormatError, match="unsupervised model"):
        FastText.load(tmp_path / "vectors.bin")
