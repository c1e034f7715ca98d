"""Training a classifier from documents, its files, and the commands around it."""

import importlib
import json
import random
import re
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gristmill._core import xxh3_64_hex
from gristmill.classifier import Options, train_classifier
from gristmill.classifier.report import write_report
from gristmill.classifier.training import NEGATIVE, POSITIVE
from gristmill.cli import app
from gristmill.errors import FormatError, RecipeError
from gristmill.filters.fasttext import FastText

GOOD = "river mountain history science water stone".split()
BAD = "buy cheap click prize casino offer".split()
BOTH = "the of and to in a is it that for on with".split()
SMALL = Options(dim=4, bucket=500, epochs=10, lr=0.5, held_out=0.2)


def documents(words: list[str], n: int = 150, seed: int = 1) -> list[str]:
    choose = random.Random(seed)
    return [
        " ".join(choose.choices(words, k=4) + choose.choices(BOTH, k=12)) + f" {words[0]}{at}"
        for at in range(n)
    ]


def write(path: Path, texts: list[str]) -> str:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return str(path)


@pytest.fixture
def inputs(tmp_path):
    return write(tmp_path / "pos.jsonl", documents(GOOD)), write(
        tmp_path / "neg.jsonl", documents(BAD)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    good, bad = (
        write(folder / "p.jsonl", documents(GOOD)),
        write(folder / "n.jsonl", documents(BAD)),
    )
    return train_classifier([good], [bad], folder / "quality.bin", SMALL)


def test_it_learns_the_difference_and_measures_it_on_what_is_held_out(trained):
    assert trained.measures.auc.value > 0.95
    sides = trained.classes.values()
    assert sum(side["held_out"] for side in sides) == len(trained.scores) > 30
    model = FastText.load(trained.path)
    assert set(model.labels) == {POSITIVE, NEGATIVE}
    good, bad = model.score(["river stone water", "casino click prize"], model.label()).to_pylist()
    assert good > 0.5 > bad


def test_the_same_documents_in_other_files_and_order_give_the_same_bytes(tmp_path, trained):
    good = documents(GOOD)
    random.Random(4).shuffle(good)
    parts = [write(tmp_path / "a.jsonl", good[:70]), write(tmp_path / "b.jsonl", good[70:])]
    bad = write(tmp_path / "n.jsonl", documents(BAD)[::-1])
    again = train_classifier(parts, [bad], tmp_path / "again.bin", SMALL)
    assert again.path.read_bytes() == trained.path.read_bytes()
    same = [side["digest"] for side in again.classes.values()]
    assert same == [side["digest"] for side in trained.classes.values()]


def test_another_seed_and_another_document_give_other_bytes(tmp_path, inputs, trained):
    other = Options(dim=4, bucket=500, epochs=10, lr=0.5, held_out=0.2, seed=5)
    model = train_classifier([inputs[0]], [inputs[1]], tmp_path / "o.bin", other)
    assert model.digest != trained.digest
    more = write(tmp_path / "more.jsonl", documents(GOOD, 160))
    assert train_classifier([more], [inputs[1]], tmp_path / "m.bin", SMALL).digest != trained.digest


def test_copies_of_a_text_are_all_on_one_side(tmp_path, inputs):
    copies = write(tmp_path / "copies.jsonl", documents(GOOD, 40) * 3)
    found = train_classifier([copies], [inputs[1]], tmp_path / "c.bin", SMALL)
    good = found.classes["positive"]
    assert (good["documents"], good["distinct"]) == (120, 40)
    assert good["held_out"] % 3 == 0


def test_words_that_look_like_labels_are_no_labels(tmp_path, inputs):
    tricky = [f"{NEGATIVE} __label____label__other x{n} " + text
              for n, text in enumerate(documents(GOOD))]  # fmt: skip
    found = train_classifier(
        [write(tmp_path / "tricky.jsonl", tricky)], [inputs[1]], tmp_path / "t.bin", SMALL
    )
    assert set(FastText.load(found.path).labels) == {POSITIVE, NEGATIVE}
    assert found.measures.auc.value > 0.95


def test_a_quantized_model_is_smaller_and_still_tells(tmp_path, inputs, trained):
    found = train_classifier([inputs[0]], [inputs[1]], tmp_path / "q.ftz", SMALL)
    assert found.path.stat().st_size < trained.path.stat().st_size * 0.9
    assert found.measures.auc.value > 0.9


def test_card_figures_and_drawing_are_written_beside_the_model(trained):
    files = write_report(trained)
    assert [path.name for path in files] == ["quality.json", "quality.md", "quality.svg"]
    data = json.loads(files[0].read_text())
    assert data["digest"] in files[1].read_text()
    assert data["classes"]["positive"]["digest"] in files[1].read_text()
    assert data["held_out"]["auc"]["value"] == trained.measures.auc.value
    drawn = files[2].read_text()
    assert "<svg" in drawn
    assert "nan" not in drawn
    assert [path.read_bytes() for path in write_report(trained)] == [f.read_bytes() for f in files]


def test_nothing_held_out_is_said(tmp_path, inputs):
    options = Options(dim=2, bucket=100, held_out=0)
    found = train_classifier([inputs[0]], [inputs[1]], tmp_path / "n.bin", options)
    files = write_report(found)
    assert found.measures is None
    assert len(files) == 2
    assert "Nothing was held out" in files[1].read_text()


def test_inputs_that_teach_nothing_are_refused(tmp_path, inputs):
    empty = write(tmp_path / "empty.jsonl", [])
    out = tmp_path / "m.bin"
    with pytest.raises(RecipeError, match=r"no document in .*empty\.jsonl"):
        train_classifier([inputs[0]], [empty], out, SMALL)
    lone = next(text for text in map(str, range(99)) if int(xxh3_64_hex(text.encode()), 16) < 2**63)
    alone = write(tmp_path / "alone.jsonl", [lone])
    with pytest.raises(RecipeError, match=r"NEG \(.*\) has 1 documents, of which none is left"):
        train_classifier([inputs[0]], [alone], out, Options(held_out=0.5))
    with pytest.raises(RecipeError, match="150 texts are in both POS and NEG"):
        train_classifier([inputs[0]], [inputs[0]], out, SMALL)
    few = write(tmp_path / "few.jsonl", documents(GOOD, 7) + documents(BAD, 30, seed=8))
    with pytest.raises(RecipeError, match=r"^7 texts are in both"):
        train_classifier([inputs[0]], [few], out, SMALL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held_out": 0.9}, "held_out = 0.9 is not allowed: 0 to 0.5"),
        ({"held_out": float("nan")}, "held_out = nan"),
        ({"lr": 0}, "lr = 0 is not allowed"),
        ({"dim": 0}, "dim = 0 is not allowed: 1 or more"),
        ({"bucket": -1}, "bucket = -1"),
    ],
)
def test_options_out_of_their_range_are_refused(tmp_path, inputs, options, said):
    with pytest.raises(RecipeError, match=said):
        train_classifier([inputs[0]], [inputs[1]], tmp_path / "m.bin", Options(**options))


def test_a_model_of_another_ending_and_training_that_fails_are_refused(tmp_path, inputs):
    with pytest.raises(RecipeError, match=r"\.bin, or \.ftz"):
        train_classifier([inputs[0]], [inputs[1]], tmp_path / "m.model")
    tiny = Options(dim=2, bucket=10, min_count=100)
    with pytest.raises(RecipeError, match=r"could not train this.*256 rows"):
        train_classifier([inputs[0]], [inputs[1]], tmp_path / "m.ftz", tiny)


def test_a_missing_package_is_named_with_its_remedy(tmp_path, inputs, monkeypatch):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(RecipeError, match=r"install gristmill\[classifier\]"):
        train_classifier([inputs[0]], [inputs[1]], tmp_path / "m.bin")
    monkeypatch.undo()
    assert importlib.import_module("fasttext")


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["classifier", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_commands_train_evaluate_and_score(tmp_path, inputs):
    model = tmp_path / "m.bin"
    said = json.loads(
        run("train", *inputs, "--out", model, "--bucket", 500, "--dim", 4, "--lr", 0.5, "--json")
    )
    assert said["held_out"]["auc"]["value"] > 0.9
    assert len(said["files"]) == 3
    lines = [json.loads(line) for line in run("score", model, inputs[0]).splitlines()]
    run("score", model, inputs[0], "--out", tmp_path / "s.parquet")
    assert lines == pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert len(lines) == 150
    assert sum(line["score"] > 0.5 for line in lines) > 140
    table = tmp_path / "t.csv"
    table.write_text("body,kind,who\nriver stone,Good,red\ncasino prize,other,blue\n")
    described = ("--text-column", "body", "--label-column", "kind", "--positive", "good")
    data = json.loads(run("evaluate", model, table, *described, "--term-column", "who", "--json"))
    assert data["tables"][0]["measures"]["auc"]["value"] == 1
    shown = run("evaluate", model, table, *described)
    assert re.search(r"AUC.*1\.000", shown)
    assert "negatives" not in shown


def test_commands_refuse_what_they_cannot_use(tmp_path, trained):
    table = tmp_path / "t.csv"
    table.write_text("comment,toxic\na,1\nb,0\n")
    (tmp_path / "x.bin").write_bytes(b"no model")
    cases: list[tuple[list[object], type, str]] = [
        (["evaluate", tmp_path / "none.bin", table], RecipeError, "none.bin cannot be read"),
        (["evaluate", tmp_path / "x.bin", table], FormatError, "not a fastText model"),
        (["evaluate", trained.path, table, "--label", "positve"], RecipeError, "did you mean"),
        (["evaluate", trained.path, table, "--text-column", "a"], RecipeError, "go together"),
        (["evaluate", trained.path, table, "--positive", "1"], RecipeError, "--positive"),
        (["evaluate", trained.path, tmp_path / "no.csv"], OSError, "no.csv"),
    ]
    for arguments, kind, said in cases:
        with pytest.raises(kind, match=said):
            run(*arguments)
