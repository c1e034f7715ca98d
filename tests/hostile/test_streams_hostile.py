"""Streams that are not what they seem: bombs, and files that change or go while they are read."""

import gzip
import json
import os
import zlib

import pyarrow as pa
import pytest

from gristmill.errors import IntegrityError
from gristmill.sources import open_source
from gristmill.sources.streams import HIGHEST_RATIO, LARGEST_UNPACKED, Unpacked

MEMBER_BYTES = 100_000_000


def member(compression):
    """100 MB of zeros, packed; any number of these in a row is one stream."""
    if compression == "zstd":
        return pa.Codec("zstd").compress(bytes(MEMBER_BYTES), asbytes=True)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(bytes(MEMBER_BYTES)) + packer.flush()


def read(source):
    batches = [batch for split in source.splits() for batch in source.read(split)]
    return [row for batch in batches for row in batch.bad.to_pylist()]


@pytest.mark.parametrize(("compression", "suffix"), [("gzip", "gz"), ("zstd", "zst")])
def test_a_bomb_is_cut_off_after_a_gibibyte_and_named(tmp_path, compression, suffix):
    bomb = member(compression) * 100  # 10 GB
    assert len(bomb) < 11_000_000
    (tmp_path / f"bomb.jsonl.{suffix}").write_bytes(bomb)
    read_bytes = 0
    with Unpacked(pa.OSFile(str(tmp_path / f"bomb.jsonl.{suffix}")), compression) as stream:
        while read_bytes < LARGEST_UNPACKED:
            read_bytes += len(stream.read(1 << 20))
        with pytest.raises(OSError, match="a decompression bomb"):
            stream.read(1 << 20)


def test_a_bomb_among_other_files_is_one_bad_record(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "before"}\n')
    (tmp_path / "b.jsonl.zst").write_bytes(member("zstd") * 100)
    (tmp_path / "c.txt.gz").write_bytes(member("gzip") * 100)
    (row,) = read(open_source(name="s", path="*.jsonl*", base=tmp_path))
    assert row["reason"] == "bad_file"
    assert row["detail"].startswith("b.jsonl.zst:1: the file breaks off here")
    assert "a decompression bomb" in row["detail"]
    (row,) = read(open_source(name="s", path="c.txt.gz", base=tmp_path))
    assert (row["reason"], row["detail"].split(":")[0]) == ("too_large", "c.txt.gz")


def test_a_large_stream_that_packs_as_well_as_text_can_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("gristmill.sources.streams.LARGEST_UNPACKED", 1 << 20)
    line = json.dumps({"text": "the same line again and again"}) + "\n"
    packed = gzip.compress(line.encode() * 50_000)
    assert len(line) * 50_000 > HIGHEST_RATIO * len(packed) / 4
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    source = open_source(name="s", path="a.jsonl.gz", base=tmp_path)
    assert sum(len(b.docs) for split in source.splits() for b in source.read(split)) == 50_000


def rows(n_rows):
    return "".join(json.dumps({"text": f"text {number} " * 20}) + "\n" for number in range(n_rows))


def grow(path):
    with path.open("ab") as file:
        file.write(b'{"text": "late"}\n')


def rewrite(path):
    with path.open("r+b") as file:
        file.write(b'{"text"')
    os.utime(path, ns=(1, 1))  # a clock may be too coarse to tell


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("change", [grow, rewrite, cut])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_that_changes_while_it_is_read_is_an_integrity_error(tmp_path, name, change):
    content = rows(20_000).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    source = open_source(name="s", path=name, base=tmp_path)
    (split,) = source.splits()
    batches = source.read(split)
    assert len(next(batches).docs) > 0
    change(tmp_path / name)
    with pytest.raises(IntegrityError, match=f"{name}: .* since the run was planned|{name}: has"):
        list(batches)


def test_a_file_that_changed_before_it_is_read_is_an_integrity_error(tmp_path):
    path = tmp_path / "a.jsonl"
    for change, words in ((grow, "has .* bytes, but had"), (rewrite, "was written to since")):
        path.write_text(rows(9))
        source = open_source(name="s", path="a.jsonl", base=tmp_path)
        splits = source.splits()
        change(path)
        with pytest.raises(IntegrityError, match=f"a.jsonl: {words}"):
            list(source.read(splits[0]))


def test_a_file_that_goes_before_it_is_read_is_an_integrity_error_and_one_gone_later_is_whole(
    tmp_path,
):
    path = tmp_path / "a.jsonl"
    path.write_text(rows(20_000))
    source = open_source(name="s", path="a.jsonl", base=tmp_path)
    (split,) = source.splits()
    batches = source.read(split)
    n_docs = len(next(batches).docs)
    path.unlink()  # who has it open goes on reading what was planned
    assert n_docs + sum(len(batch.docs) for batch in batches) == 20_000
    with pytest.raises(IntegrityError, match=r"a.jsonl: could be read when the run was planned"):
        list(source.read(split))
