"""Work that spills to a disk that is full: it ends with 4, and the same command goes on.

The disk is a small file system in memory, mounted where only the tested process sees it.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys

import pytest

from corpora import digests
from gristmill.shards.verify import verify_shards
from gristmill.tokenizer import Tokenizer

COMMAND = [sys.executable, "-m", "gristmill", "dedup", "exact"]

ON_A_SMALL_DISK = """
mount -t tmpfs -o size="$2" tmpfs "$1" || exit 99
shift 2
out="$1"; shift
"$@"; echo "first: $?"
cd "$out/.work"; find . -name '*.partial' -o -path './spill/*' -o -name run.json
find exact_substrings -type f -name '*.docs.arrow'; echo '=== left'
mount -o remount,size=400m "$out" || exit 99
"$@"; echo "second: $?"
cp -r "$out/documents" "$out/ledger" "$SAVED"
"""


WORDS = ["".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz", k=10)) for n in range(999)]


def write(path, n_docs, n_words=200):
    """Text of which little repeats, and nine copies."""
    chooser = random.Random(4)
    lines = [
        json.dumps({"id": f"d{n}", "text": " ".join(chooser.choices(WORDS, k=n_words))})
        for n in range(n_docs)
    ]
    lines += [
        json.dumps({"id": f"copy{n}", "text": json.loads(lines[n])["text"]}) for n in range(9)
    ]
    path.write_text("\n".join(lines))


def run(path, out, *options):
    command = [*COMMAND, path, "--out", out, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """4.4 MB of text, and what is to be made of it."""
    folder = tmp_path_factory.mktemp("text")
    write(folder / "docs.jsonl", 2_000)
    assert run(folder / "docs.jsonl", folder / "out").returncode == 0
    return folder / "docs.jsonl", digests(folder / "out", ("documents", "ledger"))


def in_own_mounts(*command, **options):
    """Run as root of a namespace of mounts; None where the system does not let us."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True,
                       capture_output=True, timeout=60)  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return subprocess.run(
        [*unshare, *command], capture_output=True, text=True, timeout=300, **options
    )


def on_a_small_disk(tmp_path, size, path, *options):
    """Run on a disk of that size and again on a larger one; skip where nobody may mount a disk."""
    out, saved = tmp_path / "out", tmp_path / "saved"
    out.mkdir()
    saved.mkdir()
    done = in_own_mounts(
        "sh", "-c", ON_A_SMALL_DISK, "sh", out, size, out, *COMMAND, path, "--out", out, *options,
        env={**os.environ, "SAVED": str(saved)},
    )  # fmt: skip
    if done is None:
        pytest.skip("this system does not let a user mount a file system")
    assert "the disk is full" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    first, second = re.split(r"first: 4\n", done.stdout)
    del first
    left, _ = second.split("=== left\n")
    assert "second: 0\n" in second, done.stderr
    return left.splitlines(), done.stderr, digests(saved, ("documents", "ledger"))


def test_a_full_disk_ends_with_4_and_the_same_command_goes_on(text, tmp_path):
    path, expected = text
    left, _, found = on_a_small_disk(tmp_path, "6m", path)
    assert left == []
    assert found == expected


def test_a_disk_that_fills_while_the_second_scan_spills_loses_nothing(text, tmp_path):
    path, expected = text
    left, _, found = on_a_small_disk(tmp_path, "11m", path, "--verify")
    assert [line.rpartition("/")[0] for line in left] == ["exact_substrings"]
    assert found == expected


def test_a_disk_that_fills_while_the_kernel_spills_loses_nothing(tmp_path):
    write(tmp_path / "docs.jsonl", 20_000)
    options = ("--memory", "1MB")  # the least that a kernel gets, which 44 MB of text exceed
    left, said, found = on_a_small_disk(tmp_path, "52m", tmp_path / "docs.jsonl", *options)
    assert "/.work/spill" in said
    assert left == []
    assert run(tmp_path / "docs.jsonl", tmp_path / "ample").returncode == 0
    assert found == digests(tmp_path / "ample", ("documents", "ledger"))


KILLED = """
import os, sys
folder = sys.argv.pop(1)

def strike(event, arguments):
    if event == "os.rename" and folder in str(arguments[1]):
        os.kill(os.getpid(), 9)

sys.addaudithook(strike)
from gristmill.cli import main
main()
"""


def test_what_a_killed_run_spilled_is_swept_by_the_next(text, tmp_path):
    path, expected = text
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, f"{out}/.work/spill/", *COMMAND[3:]]
    command += [path, "--out", out, "--verify"]
    killed = subprocess.run(command, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert list((out / ".work" / "spill").iterdir())
    done = run(path, out, "--verify")
    assert done.returncode == 0, done.stderr
    assert not (out / ".work" / "spill").exists()
    assert digests(out, ("documents", "ledger")) == expected


ENCODE = [sys.executable, "-m", "gristmill", "tokenizer", "encode"]

SHARDS_ON_A_SMALL_DISK = """
mount -t tmpfs -o size="$2" tmpfs "$1" || exit 99
shift 2
out="$1"; shift
"$@"; echo "first: $?"
find "$out" -type f; echo '=== left'
mount -o remount,size=400m "$out" || exit 99
"$@"; echo "second: $?"
cp -r "$out" "$SAVED"
"""


@pytest.fixture(scope="module")
def bytewise(tmp_path_factory):
    """A tokenizer whose every byte is a token, so that little text makes many."""
    folder = tmp_path_factory.mktemp("tokenizer")
    Tokenizer.train(["a"], 257).save(folder)
    return folder


def write_long(path, mb):
    """Documents of 100 kB."""
    sentence = " ".join(WORDS)
    texts = (f"{n} " + sentence * 9 for n in range(mb * 10))
    path.write_text("\n".join(json.dumps({"id": f"d{n}", "text": t}) for n, t in enumerate(texts)))


def encode_on_a_small_disk(tmp_path, size, mb, tokenizer):
    """What a full disk leaves of shards, what is said, and the shards of the second run."""
    write_long(tmp_path / "docs.jsonl", mb)
    out, saved = tmp_path / "out", tmp_path / "saved"
    out.mkdir()
    command = [*ENCODE, tmp_path / "docs.jsonl", "--tokenizer", tokenizer, "--out", out]
    done = in_own_mounts(
        "sh", "-c", SHARDS_ON_A_SMALL_DISK, "sh", out, size, out, *command,
        env={**os.environ, "SAVED": str(saved)},
    )  # fmt: skip
    if done is None:
        pytest.skip("this system does not let a user mount a file system")
    assert "the disk is full" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    _, second = re.split(r"first: 4\n", done.stdout)
    left, _ = second.split("=== left\n")
    assert "second: 0\n" in second, done.stderr
    return left.splitlines(), done.stderr, saved


def test_a_disk_that_fills_in_the_middle_of_a_shard_leaves_no_part_of_it(bytewise, tmp_path):
    left, _, saved = encode_on_a_small_disk(tmp_path, "12m", 10, bytewise)
    assert left == []
    assert verify_shards(saved, deep=True) == []


def test_a_disk_that_fills_while_documents_are_shuffled_leaves_nothing(bytewise, tmp_path):
    left, said, saved = encode_on_a_small_disk(tmp_path, "40m", 42, bytewise)  # 84 MB of ids
    assert re.search(r"disk is full \(\S*/out\)", said), said
    assert left == []
    assert verify_shards(saved) == []


def test_a_run_that_is_killed_as_a_shard_takes_its_name_is_simply_run_again(bytewise, tmp_path):
    write_long(tmp_path / "docs.jsonl", 2)
    out, ample = tmp_path / "out", tmp_path / "ample"
    options = [tmp_path / "docs.jsonl", "--tokenizer", bytewise, "--out"]
    command = [sys.executable, "-c", KILLED, f"{out}/train/", *ENCODE[3:], *options, out]
    killed = subprocess.run(command, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert not list(out.rglob("shard-*.arrow"))
    for folder in (out, ample):
        subprocess.run([*ENCODE, *options, folder], check=True, capture_output=True, timeout=300)
    assert not list(out.rglob("*.partial"))
    names = ("train", "validation", "manifest.json", "documents.parquet")
    assert digests(out, names) == digests(ample, names)
