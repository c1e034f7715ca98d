"""``gristmill dedup exact`` from text to files: one copy stays, and each cut can be looked up."""

import json
import random
import re

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from corpora import digests
from gristmill import _core
from gristmill.build import build
from gristmill.tokenizer import Tokenizer
from gristmill.verify import verify_corpus

SENTENCE = (
    " ".join(f"{word}{n}" for n, word in enumerate(["planted", "words", "stand"] * 20)) + " x."
)
N_PLANTED = 300


def neighbors(chooser, n_words=20):
    return " ".join("".join(chooser.choices("abcdefghij", k=8)) for _ in range(n_words))


def write(path, texts, ids=None):
    names = ids or [f"doc-{number}" for number in range(len(texts))]
    rows = (json.dumps({"id": i, "text": text}) for i, text in zip(names, texts, strict=True))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def kept(out):
    return dict(pl.read_parquet(out / "documents/part-*.parquet").select("id", "text").rows())


def ledger(out):
    return pl.read_parquet(out / "ledger/part-*.parquet").rows_by_key("id", named=True, unique=True)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """One sentence of 61 words in 300 documents, each time between other words."""
    chooser = random.Random(61)
    texts = [neighbors(chooser) for _ in range(2 * N_PLANTED)]
    for number in range(0, 2 * N_PLANTED, 2):
        texts[number] = f"{texts[number]} {SENTENCE} {neighbors(chooser)}"
    return write(tmp_path_factory.mktemp("planted") / "docs.jsonl", texts)


@pytest.mark.parametrize("engine", ["winnowing", "suffix-array"])
def test_a_sentence_of_61_words_planted_300_times_stays_once_and_each_cut_is_told(
    planted, tmp_path, gristmill, engine
):
    assert len(SENTENCE.split()) == 61
    out = tmp_path / "out"
    options = ("--engine", engine, "--verify", "--memory", "1GiB")
    code, printed, err = gristmill("dedup", "exact", planted, "--out", out, *options)
    assert code == 0, err
    texts = kept(out)
    assert len(texts) == 2 * N_PLANTED
    assert [name for name, text in texts.items() if SENTENCE in text] == ["doc-0"]
    assert sum("planted0" in text for text in texts.values()) == 1
    assert "from 299 documents; first occurrences stay in 1;" in printed.replace("\n", " ")
    assert "verified: nothing that long repeats in the 899 pieces" in printed.replace("\n", " ")

    before = {row["id"]: row["text"] for row in map(json.loads, planted.read_text().splitlines())}
    told = ledger(out)
    start = before["doc-0"].index(f" {SENTENCE}")
    for number in range(2, 2 * N_PLANTED, 2):
        row, text = told[f"doc-{number}"], before[f"doc-{number}"]
        n_bytes = len(text) - len(texts[f"doc-{number}"])
        assert len(SENTENCE) + 2 <= n_bytes <= len(SENTENCE) + 14  # a few letters may be the same
        assert row["duplicate_of"] == "doc-0"
        assert row["bytes_out"] == row["bytes_in"] - n_bytes
        told_of = rf"cut {n_bytes} bytes in 1 range; longest from offset (\d+) of doc-0"
        assert start - 6 <= int(re.fullmatch(told_of, row["detail"])[1]) <= start
    assert told["doc-0"]["detail"] is None
    assert verify_corpus(out) == []


def test_why_tells_what_was_cut_and_where_it_stays(planted, tmp_path, gristmill):
    out = tmp_path / "out"
    assert gristmill("dedup", "exact", planted, "--out", out)[0] == 0
    for number in (2, 300, 598):
        code, printed, _ = gristmill("why", out, f"doc-{number}")
        assert code == 0
        said = " ".join(printed.split())
        assert re.search(
            r"exact_substrings │ changed │ │ cut \d{3} bytes in 1 range; longest", said
        )
        assert "Its longest cut stays in doc-0 docs.jsonl · NOASSERTION, which was kept." in said
    code, printed, _ = gristmill("why", out, "doc-0")
    assert "299 later documents repeat it" in " ".join(printed.split())


def test_tokens_count_with_a_tokenizer_and_bytes_do_not(planted, tmp_path, gristmill):
    Tokenizer.train([SENTENCE], vocab_size=320).save(tmp_path / "tok")
    tokenizer = tmp_path / "tok" / "tokenizer.json"
    n_tokens = len(Tokenizer.load(tokenizer).encode(" " + SENTENCE))
    options = ("--tokenizer", tokenizer, "--verify", "--json")
    for name, least, n_left in (("under", n_tokens, 1), ("over", n_tokens + 20, N_PLANTED)):
        out = tmp_path / name
        arguments = ("dedup", "exact", planted, "--out", out, "--min-tokens", least, *options)
        code, printed, err = gristmill(*arguments)
        assert code == 0, err
        assert sum(SENTENCE[:-1] in text for text in kept(out).values()) == n_left
        stage = next(s for s in json.loads(printed)["stages"] if s["name"] == "exact_substrings")
        assert stage["cut"]["documents"] == N_PLANTED - n_left
        assert stage["verified"] == {
            "joints": "exclude",
            "pieces": 2 * N_PLANTED + stage["cut"]["ranges"],
            "repeats": 0,
        }


def test_the_second_scan_ends_with_1_when_a_repeat_is_left(
    planted, tmp_path, gristmill, monkeypatch
):
    kernel, calls = _core.exact_duplicates_in_files, []

    def misses(*arguments):
        calls.append(arguments)
        found = pa.table(kernel(*arguments))
        return found.slice(0, len(found) - 3) if len(calls) == 1 else found

    monkeypatch.setattr(_core, "exact_duplicates_in_files", misses)
    out = tmp_path / "out"
    code, _, err = gristmill("dedup", "exact", planted, "--out", out, "--verify")
    assert code == 1
    said = " ".join(err.split())
    assert "3 ranges of 100 bytes or more still repeat an earlier one" in said
    assert re.search(r"the first at byte \d+ of document 'doc-594'", said)
    assert not (out / "run.json").exists()
    code, _, err = gristmill("dedup", "exact", planted, "--out", out, "--verify")
    assert code == 0, err  # nothing of the failed run is taken up


def test_verifying_later_does_not_take_up_what_was_not_verified(planted, tmp_path, gristmill):
    out = tmp_path / "out"
    assert gristmill("dedup", "exact", planted, "--out", out)[0] == 0
    first = digests(out, ("documents", "ledger"))
    code, printed, _ = gristmill("dedup", "exact", planted, "--out", out, "--verify", "--json")
    assert code == 0
    assert '"verified"' in printed
    assert digests(out, ("documents", "ledger")) == first


def test_engine_threads_and_memory_change_no_byte(planted, tmp_path, gristmill):
    found = []
    for number, options in enumerate(
        (
            ("--threads", 1),
            ("--threads", 3, "--memory", "1KB"),
            ("--engine", "suffix-array", "--memory", "400MB"),
        )
    ):
        out = tmp_path / str(number)
        code, _, err = gristmill("dedup", "exact", planted, "--out", out, *options)
        assert code == 0, err
        found.append(digests(out, ("documents", "ledger")))
        assert not (out / ".work" / "spill").exists()
    assert found[0] == found[1] == found[2]


def latin():
    raw = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
    return raw.decode("latin-1")


@pytest.mark.parametrize("engine", ["winnowing", "suffix-array"])
@pytest.mark.parametrize(
    ("texts", "left"),
    [
        (["", "", ""], {"doc-0": "", "doc-1": "", "doc-2": ""}),
        (["a" * 1_000_000, "b"], {"doc-1": "b"}),
        (["Copied word for word into all of these documents. " * 2] * 20_000, {"doc-0": ...}),
        ([latin(), "other"], {"doc-0": ..., "doc-1": ...}),
        (
            ["a\0b\0\0" * 30 + "end", "🦀🦁" * 30, "🐀\0" + "🦀🦁" * 30],
            {"doc-0": "a\0b\0\0end", "doc-1": "🦀🦁", "doc-2": "🐀\0"},
        ),
    ],
    ids=["empty", "one byte", "copies", "latin-1", "NUL and four bytes"],
)
def test_hard_input_gives_the_right_answer(tmp_path, gristmill, engine, texts, left):
    path = write(tmp_path / "docs.jsonl", texts)
    options = ("--engine", engine, "--verify", "--joints", "include", "--min-remaining", 2)
    code, _, err = gristmill("dedup", "exact", path, "--out", tmp_path / "out", *options)
    assert code == 0, err
    found = kept(tmp_path / "out")
    assert found.keys() == left.keys()
    assert all(text is ... or found[name] == text for name, text in left.items())
    assert len(ledger(tmp_path / "out")) == len(texts)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--min-bytes", "0"), "min_bytes: input should be greater than or equal to 8 (given 0)"),
        (("--min-bytes", "-5"), "greater than or equal to 8 (given -5)"),
        (("--min-bytes", "many"), "Invalid value for '--min-bytes'"),
        (("--min-tokens", "50"), "min_tokens needs a tokenizer"),
        (("--min-bytes", "100", "--min-tokens", "50"), "exclude each other"),
        (("--tokenizer", "none.json"), "none.json: no such file"),
        (("--joints", "perhaps"), "joints: input should be 'exclude' or 'include'"),
        (("--memory", "much"), "'much' is not a size"),
        (("--min-remaining", "-1"), "Invalid value for '--min-remaining'"),
    ],
)
def test_wrong_use_ends_with_2_and_names_the_value(planted, tmp_path, gristmill, options, words):
    code, _, err = gristmill("dedup", "exact", planted, "--out", tmp_path / "out", *options)
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_threshold_longer_than_everything_cuts_nothing(planted, tmp_path, gristmill):
    out = tmp_path / "out"
    code, printed, _ = gristmill("dedup", "exact", planted, "--out", out, "--min-bytes", 10**30)
    assert code == 0
    assert "cut 0 bytes (0.0% of the text) in 0 ranges from 0 documents" in printed


def test_an_empty_input_ends_with_2(tmp_path, gristmill):
    (tmp_path / "none.jsonl").write_text("")
    arguments = ("dedup", "exact", tmp_path / "none.jsonl", "--out", tmp_path / "out")
    code, _, err = gristmill(*arguments)
    assert code == 2
    assert "no document in" in " ".join(err.split())


def test_a_recipe_has_the_same_options(planted, tmp_path):
    recipe = {
        "name": "planted",
        "sources": [{"name": "docs", "path": str(planted)}],
        "dedup": {"substrings": {"verify": True, "joints": "include"}},
    }
    corpus = build(recipe, tmp_path / "out")
    stage = next(s for s in corpus.run["stages"] if s["name"] == "exact_substrings")
    assert stage["cut"]["scans"] == 2
    assert stage["verified"] == {"joints": "include", "documents": 2 * N_PLANTED, "repeats": 0}
