"""`gristmill tokenizer`: what it prints, what it writes, how it refuses."""

import json

import pytest

from gristmill.cli.app import app, run
from gristmill.cli.tokenizer import commands
from gristmill.shards.read import Shards
from gristmill.tokenizer import Tokenizer

TEXTS = [
    f"The mill grinds slowly, document {i} says; ümlaut and 中文 too.\n" * 9 for i in range(40)
]


@pytest.fixture
def documents(tmp_path):
    path = tmp_path / "in" / "docs.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return path


def call(capsys, *arguments):
    """Exit code, stdout and stderr of a command."""
    code = run(lambda: app([str(a) for a in arguments], standalone_mode=False))
    return code, *capsys.readouterr()


def test_train_writes_a_tokenizer_and_prints_what_it_is(documents, tmp_path, capsys):
    out = tmp_path / "tok"
    code, printed, _ = call(
        capsys, "tokenizer", "train", documents, "--vocab-size", 300, "--out", out, "--json"
    )
    assert code == 0
    result = json.loads(printed)
    assert result["vocab_size"] == 300
    assert result["documents"] == 40
    assert result["bytes"] == sum(len(text.encode()) for text in TEXTS)
    assert result["bytes_per_token"] > 1
    assert Tokenizer.load(out).merges == Tokenizer.train(TEXTS, 300).merges
    again = call(capsys, "tokenizer", "train", documents, "--vocab-size=300", f"--out={out}")
    assert "bytes per token" in again[1].replace("\n", " ")


def test_text_and_several_inputs_are_read_in_order(documents, tmp_path, capsys):
    (tmp_path / "more.txt").write_text("more text, more words")
    code, printed, _ = call(
        capsys,
        *("tokenizer", "train", documents, tmp_path / "more.txt", "--vocab-size", 280),
        *("--out", tmp_path / "tok", "--pattern", "o200k", "--threads", 2, "--json"),
    )
    assert code == 0
    assert json.loads(printed)["documents"] == 41
    assert Tokenizer.load(tmp_path / "tok").pattern == "o200k"


def test_encode_packs_every_token(documents, tmp_path, capsys):
    Tokenizer.train(TEXTS, 300).save(tmp_path / "tok")
    out = tmp_path / "shards"
    code, printed, _ = call(
        capsys,
        *("tokenizer", "encode", documents, "--tokenizer", tmp_path / "tok", "--out", out),
        *("--seq-len", 64, "--validation", 0.2, "--json"),
    )
    assert code == 0
    splits = json.loads(printed)["splits"]
    counts = Tokenizer.load(tmp_path / "tok").count(TEXTS).to_pylist()
    assert sum(split["tokens"] for split in splits.values()) == sum(counts) + len(TEXTS)
    assert sum(split["documents"] for split in splits.values()) == 40
    assert len(Shards(out / "train")) == splits["train"]["rows"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["train", "IN", "--vocab-size", "256", "--out", "OUT"], "vocab_size = 256"),
        (["train", "nowhere.jsonl", "--vocab-size", "300", "--out", "OUT"], "nowhere.jsonl"),
        (["encode", "IN", "--tokenizer", "nowhere", "--out", "OUT"], "no tokenizer at nowhere"),
    ],
)
def test_wrong_use_exits_2_and_says_why(documents, tmp_path, capsys, arguments, fault):
    places = {"IN": documents, "OUT": tmp_path / "out"}
    code, printed, said = call(capsys, "tokenizer", *(places.get(a, a) for a in arguments))
    assert (code, printed) == (2, "")
    assert fault in said.replace("\n", "")
    assert not (tmp_path / "out").exists()


def test_too_many_bad_records_exit_3(documents, tmp_path, capsys):
    with documents.open("a") as file:
        file.write('{"no text": 1}\n')
    code, _, said = call(
        capsys, "tokenizer", "train", documents, "--vocab-size=300", "--out", tmp_path / "tok"
    )
    assert code == 3
    assert "1 of 41 records" in said.replace("\n", " ")
    assert not (tmp_path / "tok").exists()


def test_both_commands_show_an_example():
    for command in commands.registered_commands:
        assert "**Example:** `gristmill tokenizer" in (command.callback.__doc__ or "")
