"""Large files are cut into parts that give what the whole file gives."""

import gzip
import json
import random
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gristmill.errors import IntegrityError
from gristmill.sources import forward, open_source, parts
from gristmill.sources.base import Part

ROWS = [{"text": f"the text of document {i}, é", "n": i} for i in range(300)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1000)
    monkeypatch.setattr(parts, "LARGEST_WHOLE", 10)


def opened_source(path, **keys):
    return open_source(name="here", path=path.name, base=path.parent, **keys)


def documents(source):
    """Everything that all splits of a source give, documents and bad records."""
    batches = [batch for split in source.splits() for batch in source.read(split)]
    docs = pa.concat_tables([batch.docs for batch in batches]).to_pylist()
    return docs, pa.concat_tables([batch.bad for batch in batches]).to_pylist()


def whole(path, monkeypatch, **keys):
    with monkeypatch.context() as changed:
        changed.setattr(parts, "LARGEST_WHOLE", 1 << 30)
        source = opened_source(path, **keys)
        assert [split.part for split in source.splits()] == [None]
        return documents(source)


def jsonl(rows=ROWS):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


def write(folder, kind):
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), folder / "a.parquet", row_group_size=7)
        return folder / "a.parquet"
    if kind == "arrow":
        table = pa.Table.from_pylist(ROWS)
        with (
            pa.OSFile(str(folder / "a.arrow"), "wb") as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table, max_chunksize=11)
        return folder / "a.arrow"
    pack = {"jsonl": bytes, "jsonl.gz": gzip.compress, "jsonl.zst": zstd}[kind]
    (folder / f"a.{kind}").write_bytes(pack(jsonl()))
    return folder / f"a.{kind}"


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "arrow"])
def test_the_parts_of_a_file_give_what_the_file_gives(tmp_path, monkeypatch, kind):
    path = write(tmp_path, kind)
    source = opened_source(path)
    assert len(source.splits()) > 5
    assert len({split.key for split in source.splits()}) == len(source.splits())
    assert documents(source) == whole(path, monkeypatch)


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.zst"])
def test_parts_are_read_alone_and_in_any_order(tmp_path, kind):
    source = opened_source(write(tmp_path, kind))
    splits = source.splits()
    in_order = [source.read(split) for split in splits]
    texts = [[batch.docs["text"].to_pylist() for batch in batches] for batches in in_order]
    for number in (4, 1, 5, 0, 3, 3):
        again = [batch.docs["text"].to_pylist() for batch in source.read(splits[number])]
        assert again == texts[number]


def test_bad_lines_and_a_missing_last_line_end_are_named_as_in_the_whole_file(
    tmp_path, monkeypatch
):
    lines = jsonl().splitlines(keepends=True)
    lines[40:40] = [b"\n", b"not json\n", b'{"text": 7}\n']
    lines[-1:] = [b"{broken"]
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    found = documents(opened_source(tmp_path / "a.jsonl"))
    assert [row["detail"].split(": ")[0] for row in found[1]] == [
        "a.jsonl:42", "a.jsonl:43", "a.jsonl:303",
    ]  # fmt: skip
    assert found == whole(tmp_path / "a.jsonl", monkeypatch)


def test_a_packed_file_that_breaks_off_says_so_once(tmp_path, monkeypatch):
    noise = random.Random(7)
    rows = [{"text": noise.randbytes(40).hex()} for _ in range(20_000)]
    for name, pack in (("a.jsonl.zst", zstd), ("b.jsonl.gz", gzip.compress)):
        packed = pack(jsonl(rows))
        (tmp_path / name).write_bytes(packed[: len(packed) // 2])
        assert len(opened_source(tmp_path / name).splits()) > 100
        docs, bad = documents(opened_source(tmp_path / name))
        of_whole, bad_of_whole = whole(tmp_path / name, monkeypatch)
        assert [row["reason"] for row in bad] == ["bad_file"]
        assert [row["reason"] for row in bad_of_whole] == ["bad_file"]
        # The last read, which is lost, begins elsewhere.
        n_both = min(len(docs), len(of_whole))
        assert docs[:n_both] == of_whole[:n_both]
        n_lost = max(len(docs), len(of_whole)) - n_both
        assert n_lost * len(jsonl(rows[:1])) <= parts.CHUNK_BYTES


def test_a_file_that_grows_keeps_the_parts_it_had(tmp_path):
    path = write(tmp_path, "jsonl")
    before = [split.key for split in opened_source(path).splits()]
    with path.open("ab") as file:
        file.write(jsonl(ROWS[:100]))
    after = [split.key for split in opened_source(path).splits()]
    assert after[: len(before) - 1] == before[:-1]
    assert len(after) > len(before)


def test_a_line_longer_than_a_part_stays_whole(tmp_path, monkeypatch):
    rows = [{"text": "x" * size} for size in (10, 5000, 10, 999, 1, 1001, 3)]
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows))
    source = opened_source(tmp_path / "a.jsonl")
    assert len(source.splits()) > 2
    assert documents(source) == whole(tmp_path / "a.jsonl", monkeypatch)


def test_a_limit_cuts_a_file_in_parts_where_it_cuts_the_whole(tmp_path, monkeypatch):
    path = write(tmp_path, "jsonl.zst")
    for limit in (100, 2_000, 7_900):
        found = documents(opened_source(path, limit_bytes=limit))
        assert found == whole(path, monkeypatch, limit_bytes=limit)
        assert sum(len(row["text"].encode()) for row in found[0]) <= limit


def test_a_packed_file_is_unpacked_once_for_parts_in_order(tmp_path, monkeypatch):
    source = opened_source(write(tmp_path, "jsonl.zst"))
    splits, opens, real = source.splits(), [], forward.open_bytes
    monkeypatch.setattr(forward, "open_bytes", lambda item: opens.append(item) or real(item))
    for split in splits:
        list(source.read(split))
    assert len(opens) == 1
    list(source.read(splits[2]))
    list(source.read(splits[1]))
    assert len(opens) == 3


def test_the_first_line_of_a_part_is_numbered(tmp_path):
    path = write(tmp_path, "jsonl")
    splits = opened_source(path).splits()
    for one, following in pairwise(splits):
        assert one.part.stop == following.part.start
        lines = jsonl()[: following.part.start].count(b"\n")
        assert following.part == Part(following.part.start, following.part.stop, lines)
    assert splits[-1].part.stop is None


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.zst"])
def test_a_file_that_changes_between_its_parts_is_noticed_and_can_be_planned_anew(tmp_path, kind):
    path = write(tmp_path, kind)
    source = opened_source(path)
    splits = source.splits()
    list(source.read(splits[0]))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(IntegrityError, match="when the run was planned"):
        list(source.read(splits[1]))
    again = opened_source(path)
    assert len(documents(again)[0]) == 2 * len(ROWS)


def test_a_stream_of_a_file_that_was_left_half_read_and_then_changed_is_let_go(tmp_path):
    path = write(tmp_path, "jsonl.zst")
    source = opened_source(path)
    list(source.read(source.splits()[0]))
    path.write_bytes(zstd(jsonl(ROWS[:200])))
    assert len(documents(opened_source(path))[0]) == 200
