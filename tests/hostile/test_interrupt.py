"""Builds that are killed, interrupted or run out of disk in every stage: the same command goes on.

The faults come from an audit hook of the interpreter that acts when a file is about to take its final
name below a given folder; nothing in the product knows of it.
"""

import os
import signal
import subprocess
import sys

import pytest

from corpora import digests, write_input

STAGES = [
    ".work/filter/",
    ".work/exact_documents/",
    ".work/near_duplicates/",
    ".work/exact_substrings/",
    "documents/",
    "ledger/",
    "tokenizer/",
    "shards/",
    "index",
    "run.json",
    "card/",
]

FAULTY = """
import os, sys
fault, folder = sys.argv.pop(1), sys.argv.pop(1)

def strike(event, arguments):
    if event == "os.rename" and folder in str(arguments[1]):
        if fault == "disk":
            raise OSError(28, "No space left on device", str(arguments[1]))
        os.kill(os.getpid(), int(fault))

sys.addaudithook(strike)
from gristmill.cli import main
main()
"""


def run(recipe, out, fault="", folder="", workers=1):
    command = (
        [sys.executable, "-c", FAULTY, fault, folder]
        if fault
        else [sys.executable, "-m", "gristmill"]
    )
    command += ["build", str(recipe), "--out", str(out), "--workers", str(workers)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_killed_in_every_stage_it_ends_with_the_same_bytes(small_corpus, tmp_path):
    recipe, out = write_input(tmp_path), tmp_path / "out"
    for stage in STAGES:
        killed = run(recipe, out, str(int(signal.SIGKILL)), f"{out}/{stage}")
        assert killed.returncode == -signal.SIGKILL, (stage, killed.stderr)
    done = run(recipe, out)
    assert done.returncode == 0, done.stderr
    assert digests(out) == digests(small_corpus.path)
    assert not list(out.rglob("*.partial"))


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("disk", 4, "the disk is full"),
        (str(int(signal.SIGTERM)), 4, "the same command goes on"),
        (str(int(signal.SIGINT)), 130, "the same command goes on"),
    ],
)
def test_a_stopped_build_says_how_to_go_on(small_corpus, tmp_path, fault, code, words):
    recipe, out = write_input(tmp_path), tmp_path / "out"
    for stage in (".work/filter/", "documents/", "shards/"):
        stopped = run(recipe, out, fault, f"{out}/{stage}")
        assert stopped.returncode == code, stopped.stderr
        assert words in stopped.stderr
        assert "Traceback" not in stopped.stderr
    assert run(recipe, out, workers=2).returncode == 0
    assert digests(out) == digests(small_corpus.path)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("normalize:", "normalise:"), 2, "did you mean 'normalize'"),
        (("web.jsonl", "wbe.jsonl"), 2, "wbe.jsonl"),
        (("keep: [en]", "keep: []"), 2, "language.keep"),
    ],
)
def test_a_faulty_recipe_is_refused_before_anything_is_written(tmp_path, change, code, words):
    recipe, out = write_input(tmp_path), tmp_path / "out"
    recipe.write_text(recipe.read_text().replace(*change))
    refused = run(recipe, out)
    assert refused.returncode == code, refused.stderr
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not out.exists()


def test_an_unreadable_source_is_named(tmp_path):
    recipe, out = write_input(tmp_path), tmp_path / "out"
    (tmp_path / "web.jsonl").chmod(0)
    if os.access(tmp_path / "web.jsonl", os.R_OK):
        (tmp_path / "web.jsonl").unlink()  # root reads everything; a folder it cannot
        (tmp_path / "web.jsonl").mkdir()
    refused = run(recipe, out)
    assert refused.returncode == 2, refused.stderr
    assert "web.jsonl" in refused.stderr
