"""Files as sources: what becomes a document, what is bad and named, what is refused at once."""

from __future__ import annotations

import copy
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from gristmill.errors import DataRefusedError, IntegrityError, RecipeError
from gristmill.schema import DOCUMENT
from gristmill.sources import BAD, document_id, later_repeats, open_source
from gristmill.sources.base import digest
from gristmill.sources.whole_files import LARGEST_CODE_FILE

DATA = Path(__file__).parents[1] / "data" / "sources"


def read(source):
    """All documents and all bad records of a source, as lists of dicts."""
    found = [batch for split in source.splits() for batch in source.read(split)]
    for batch in found:
        assert batch.docs.schema == DOCUMENT
        assert batch.bad.schema == BAD
    docs = [row for batch in found for row in batch.docs.to_pylist()]
    bad = [row for batch in found for row in batch.bad.to_pylist()]
    return docs, bad


def source(path, base=DATA, **keys):
    return open_source(**{"name": "s", "path": path, "base": base} | keys)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


ROWS = [{"id": f"id-{i}", "text": f"text number {i} " * (i % 7 + 1)} for i in range(50)]


# ---- documents ----


def test_a_record_with_all_columns_keeps_them():
    docs, bad = read(source("articles.jsonl", license="MIT"))
    assert bad == []
    assert docs[0] == {
        "id": "a-1",
        "text": "The mill stands by the river.",
        "source": "gazette",
        "license": "CC-BY-4.0",
        "url": "https://example.org/mill",
        "created": datetime(2024, 2, 29, 12, tzinfo=UTC),
        "metadata": '{"page": 3}',
    }


def test_missing_columns_take_the_value_of_the_source():
    doc = read(source("articles.jsonl", license="mit"))[0][1]
    assert (doc["source"], doc["license"], doc["url"], doc["created"]) == ("s", "MIT", None, None)
    assert doc["id"] == document_id("s", "articles.jsonl:2", b"No id, so it gets one.")
    assert json.loads(doc["metadata"]) == {"locator": "articles.jsonl:2"}
    assert read(source("articles.jsonl"))[0][1]["license"] == "NOASSERTION"


def test_ids_licenses_and_dates_are_read_and_what_cannot_be_is_kept_as_declared():
    docs = read(source("articles.jsonl"))[0]
    assert (docs[2]["id"], docs[2]["license"]) == ("7", "Apache-2.0")
    assert docs[2]["created"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (docs[3]["license"], docs[3]["created"]) == ("NOASSERTION", None)
    assert json.loads(docs[3]["metadata"]) == {
        "declared_license": "ask the author",
        "declared_created": "last week",
        "dump": "CC-2024",
    }
    assert (docs[4]["text"], json.loads(docs[4]["metadata"])) == ("", {"shelf": "B"})


def test_the_id_is_the_xxh3_of_source_locator_and_text():
    assert document_id("news", "a.jsonl:1", b"text") == document_id("news", "a.jsonl:1", b"text")
    ids = {document_id(*parts) for parts in [("a", "b", b"c"), ("ab", "", b"c"), ("a", "bc", b"")]}
    assert len(ids) == 3
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_compressed_files_of_several_members_give_the_same_documents(tmp_path, compression):
    raw = (DATA / "articles.jsonl").read_bytes()
    compress = {
        "": lambda data: data,
        ".gz": gzip.compress,
        ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
    }[compression]
    (tmp_path / f"articles.jsonl{compression}").write_bytes(compress(raw[:40]) + compress(raw[40:]))
    expected = [doc["text"] for doc in read(source("articles.jsonl"))[0]]
    assert [doc["text"] for doc in read(source("*.jsonl*", tmp_path))[0]] == expected


@pytest.mark.parametrize("kind", ["parquet", "file", "stream", "view"])
def test_parquet_and_arrow_give_the_documents_that_json_lines_give(tmp_path, kind):
    table = pa.Table.from_pylist(ROWS)
    if kind == "parquet":
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=7)
    else:
        new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        if kind == "view":
            table = table.set_column(1, "text", table["text"].cast(pa.string_view()))
        with new(tmp_path / "t.arrow", table.schema) as writer:
            writer.write_table(table, max_chunksize=9)
    docs, bad = read(source("t.*", tmp_path))
    assert bad == []
    assert [(doc["id"], doc["text"]) for doc in docs] == [(r["id"], r["text"]) for r in ROWS]


def test_columns_of_any_type_are_read(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", "b"]).dictionary_encode(),
            "id": pa.array([2**40, 5]),
            "created": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns")),
            "metadata": [{"page": 1, "score": float("nan")}, None],
            "dump": ["x", None],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    docs, _ = read(source("t.parquet", tmp_path))
    assert [doc["id"] for doc in docs] == [str(2**40), "5"]
    assert docs[0]["created"] == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert json.loads(docs[0]["metadata"]) == {"dump": "x", "page": 1, "score": None}
    assert json.loads(docs[1]["metadata"]) == {}


def test_a_text_or_markdown_file_is_a_document():
    docs, bad = read(source("prose", format="text"))
    assert [(doc["text"], json.loads(doc["metadata"])) for doc in docs] == [
        ("A plain text.\n\nWith two paragraphs.\n", {"path": "prose/one.txt"})
    ]
    assert [(row["reason"], row["detail"].split(":")[0]) for row in bad] == [
        ("bad_utf8", "prose/latin.txt")
    ]
    assert read(source("prose/*.md"))[0][0]["text"] == "# A title\n\nSome *Markdown*.\n"


def test_a_source_tree_is_its_source_files_in_the_encoding_they_declare():
    docs, bad = read(source("tree", format="code"))
    assert bad == []
    assert [(json.loads(doc["metadata"])) for doc in docs] == [
        {"path": "tree/main.rs", "programming_language": "Rust"},
        {"path": "tree/pkg/latin.py", "programming_language": "Python"},
        {"path": "tree/pkg/plain.py", "programming_language": "Python"},
    ]
    assert "Müller" in docs[1]["text"]


def test_hidden_folders_and_caches_are_no_part_of_a_tree(tmp_path):
    for folder in (".git", "__pycache__", "src"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("x = 1\n")
    docs, _ = read(source(".", tmp_path, format="code"))
    assert [json.loads(doc["metadata"])["path"] for doc in docs] == ["src/a.py"]


def test_fsspec_urls_are_read():
    with fsspec.open("memory://gristmill-test/a.jsonl.gz", "wb") as file:
        file.write(gzip.compress((DATA / "articles.jsonl").read_bytes()))
    opened = source("memory://gristmill-test/*.jsonl.gz")
    docs, bad = read(opened)
    assert (len(docs), bad) == (5, [])
    assert docs[1]["metadata"] == '{"locator": "memory:///gristmill-test/a.jsonl.gz:2"}'


# ---- bad records ----


def test_every_bad_line_is_named_with_its_line_and_reason():
    docs, bad = read(source("broken.jsonl"))
    assert [doc["id"] for doc in docs] == ["ok-1", "ok-2"]
    assert [(row["detail"].split(": ")[0], row["reason"]) for row in bad] == [
        ("broken.jsonl:2", "bad_json"),
        ("broken.jsonl:3", "bad_json"),
        ("broken.jsonl:4", "no_text"),
        ("broken.jsonl:5", "no_text"),
        ("broken.jsonl:6", "no_text"),
        ("broken.jsonl:7", "bad_utf8"),
        ("broken.jsonl:8", "bad_utf8"),
        ("broken.jsonl:10", "duplicate_id"),
    ]
    assert len({row["id"] for row in bad}) == 8
    assert bad[0]["bytes_in"] == len(b'{"id": "cut", "text": "never cl')
    assert "'body'" in bad[2]["detail"]


def test_repair_mends_what_is_not_utf_8_and_says_so():
    docs, bad = read(source("broken.jsonl", on_bad="repair"))
    mended = {doc["id"]: doc for doc in docs}
    assert mended["latin"]["text"] == "caf\ufffd"
    assert mended["half"]["text"] == "half a pair: \ufffd"
    assert json.loads(mended["latin"]["metadata"]) == {"repaired": "bad_utf8"}
    assert "bad_utf8" not in {row["reason"] for row in bad}


def test_refuse_stops_at_the_first_bad_record_and_names_it():
    with pytest.raises(DataRefusedError, match=r"broken\.jsonl:2: .*on_bad") as refusal:
        read(source("broken.jsonl", on_bad="refuse"))
    assert refusal.value.exit_code == 3


def test_strings_that_are_not_utf_8_are_found_in_parquet_and_arrow(tmp_path):
    text = pa.array([b"good", b"caf\xe9", None], pa.binary())
    text = pa.StringArray.from_buffers(3, text.buffers()[1], text.buffers()[2], text.buffers()[0])
    pq.write_table(pa.table({"text": text}), tmp_path / "t.parquet")
    docs, bad = read(source("t.parquet", tmp_path))
    assert [doc["text"] for doc in docs] == ["good"]
    assert [(row["reason"], row["detail"].split(": ")[0]) for row in bad] == [
        ("bad_utf8", "t.parquet:1"),
        ("no_text", "t.parquet:2"),
    ]


@pytest.mark.parametrize("compress", [gzip.compress, pa.Codec("zstd").compress])
def test_a_truncated_file_gives_what_it_holds_and_one_bad_record(tmp_path, compress):
    noise = [digest(str(i)) for i in range(20_000)]
    raw = "".join(json.dumps({"text": one}) + "\n" for one in noise).encode()
    packed = memoryview(compress(raw)).tobytes()
    (tmp_path / "a.jsonl").write_bytes(packed[: len(packed) * 9 // 10])
    docs, bad = read(source("a.jsonl", tmp_path))
    assert 15_000 < len(docs) < 20_000
    assert [row["reason"] for row in bad] == ["bad_file"]
    assert bad[0]["detail"].startswith(f"a.jsonl:{len(docs) + 1}: ")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_file_that_is_none_of_its_format_is_one_bad_record(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1 or not, this is neither" * 9)
    docs, bad = read(source(name, tmp_path))
    assert (docs, [row["reason"] for row in bad]) == ([], ["bad_file"])


def test_deep_nesting_and_huge_numbers_are_bad_json(tmp_path):
    good = '{"text": "good"}'
    rows = ["[" * 100_000, '{"text": ' + "9" * 10_000 + "}", good]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    docs, bad = read(source("a.jsonl", tmp_path))
    assert [doc["text"] for doc in docs] == ["good"]
    assert [row["reason"] for row in bad] == ["bad_json", "bad_json"]


def test_a_source_file_beyond_the_limit_is_bad(tmp_path):
    (tmp_path / "a.py").write_text("#" * (LARGEST_CODE_FILE + 1))
    (tmp_path / "b.py").write_text("#" * LARGEST_CODE_FILE)
    docs, bad = read(source("*.py", tmp_path))
    assert [len(doc["text"]) for doc in docs] == [LARGEST_CODE_FILE]
    assert [(row["reason"], row["bytes_in"]) for row in bad] == [
        ("too_large", LARGEST_CODE_FILE + 1)
    ]


def test_ids_that_come_again_are_marked():
    ids = pa.chunked_array([["a", "b"], ["a", "c", "b", "a"]])
    assert later_repeats(ids).to_pylist() == [False, False, True, False, True, True]
    assert later_repeats(pa.array([], pa.string())).to_pylist() == []


# ---- splits and limits ----


def test_a_limit_takes_the_longest_prefix_that_fits_whatever_the_files(tmp_path):
    for start in range(0, 50, 10):
        write_jsonl(tmp_path / f"{start:02}.jsonl", ROWS[start : start + 10])
    sizes = [len(row["text"]) for row in ROWS]
    for limit in (sizes[0], 500, 777, sum(sizes) - 1, sum(sizes), 10**9):
        docs, _ = read(source("*.jsonl", tmp_path, limit_bytes=limit))
        total = sum(len(doc["text"]) for doc in docs)
        assert [doc["id"] for doc in docs] == [row["id"] for row in ROWS[: len(docs)]]
        assert total <= limit
        assert len(docs) == 50 or total + sizes[len(docs)] > limit


def test_splits_read_alone_and_from_copies_give_what_all_together_give(tmp_path):
    for start in range(0, 50, 10):
        write_jsonl(tmp_path / f"{start:02}.jsonl", ROWS[start : start + 10])
    opened = source("*.jsonl", tmp_path, limit_bytes=1500)
    sent, splits = copy.deepcopy((opened, opened.splits()))  # as a worker process is sent them
    tables = {split.name: [b.docs for b in sent.read(split)] for split in reversed(splits)}
    ids = [row for split in splits for table in tables[split.name] for row in table["id"]]
    assert [one.as_py() for one in ids] == [doc["id"] for doc in read(opened)[0]]


def test_a_split_has_a_new_key_when_and_only_when_its_content_changed(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        write_jsonl(tmp_path / name, ROWS)
    before = [split.key for split in source("*.jsonl", tmp_path).splits()]
    (tmp_path / "a.jsonl").touch()
    assert [split.key for split in source("*.jsonl", tmp_path).splits()] == before
    raw = (tmp_path / "b.jsonl").read_bytes()
    (tmp_path / "b.jsonl").write_bytes(raw.replace(b"number 3", b"number 4"))
    after = [split.key for split in source("*.jsonl", tmp_path).splits()]
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert len({*before, *after}) == 3


def test_a_file_that_grew_or_went_since_the_plan_is_not_read(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    opened = source("a.jsonl", tmp_path)
    (split,) = opened.splits()
    write_jsonl(tmp_path / "a.jsonl", ROWS * 2)
    with pytest.raises(IntegrityError, match=r"a\.jsonl: has .* bytes, but had"):
        list(opened.read(split))
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(IntegrityError, match="cannot be now"):
        list(opened.read(split))


def test_a_file_named_twice_is_read_once():
    assert len(read(source(["articles.jsonl", "art*.jsonl"]))[0]) == 5


# ---- refused before any work ----


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"path": "article.jsonl"}, "article.jsonl does not exist.*did you mean 'articles.jsonl'"),
        ({"path": "nowhere/a.jsonl"}, "nor does its folder"),
        ({"path": "*.parquet"}, "matches no file in"),
        ({"path": []}, "empty list"),
        ({"path": None}, "path is missing"),
        ({"path": "articles.jsonl", "format": "jsnl"}, "'jsnl' is unknown; did you mean 'jsonl'"),
        ({"path": "articles.jsonl", "on_bad": "ignore"}, "on_bad 'ignore' is unknown"),
        ({"path": "articles.jsonl", "license": "Apache2"}, "did you mean 'Apache-2.0'"),
        ({"path": "articles.jsonl", "limit_bytes": 0}, "must be positive"),
        ({"path": "articles.jsonl", "kinds": ["docs"]}, "format 'installed' only"),
        ({"path": "articles.jsonl", "name": ""}, "name the source"),
        ({"path": "prose"}, "several formats"),
        ({"path": "tree", "format": "markdown"}, "no file with .md"),
        ({"path": "nothing://bucket/a.jsonl"}, "cannot be opened"),
        ({"path": "memory://gristmill-nowhere/*.jsonl"}, "matches no file"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_remedy(keys, message):
    with pytest.raises(RecipeError, match=message) as refusal:
        source(**keys)
    assert refusal.value.exit_code == 2
    assert type(refusal.value) is RecipeError


def test_a_name_without_a_known_suffix_needs_a_format(tmp_path):
    (tmp_path / "data").write_text('{"text": "x"}\n')
    with pytest.raises(RecipeError, match="cannot tell the format of data; add format"):
        source("data", tmp_path)
    assert len(read(source("data", tmp_path, format="jsonl"))[0]) == 1


def test_a_table_without_a_text_column_is_refused(tmp_path):
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(RecipeError, match=r"t\.parquet has no column 'text', but body"):
        source("t.parquet", tmp_path).splits()


def test_an_empty_source_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n\n")
    (tmp_path / "b.jsonl").write_text("")
    for keys in ({}, {"limit_bytes": 9}):
        with pytest.raises(RecipeError, match=r"no document in a\.jsonl and 1 more"):
            source("*.jsonl", tmp_path, **keys).splits()


def test_a_limit_below_the_first_document_is_refused(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(RecipeError, match="first document is larger than limit_bytes = 3"):
        source("a.jsonl", tmp_path, limit_bytes=3).splits()


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone.jsonl")
    with pytest.raises(RecipeError, match=r"a\.jsonl does not exist"):
        source("a.jsonl", tmp_path)
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "b.jsonl")
    with pytest.raises(RecipeError, match=r"b\.jsonl cannot be read"):
        source("b.jsonl", tmp_path)


def test_a_source_file_has_the_license_that_its_head_declares(tmp_path):
    heads = {
        "one.py": "# SPDX-License-Identifier: apache-2.0\n",
        "two.c": "/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */\n",
        "both.rs": "// SPDX-License-Identifier: MIT\n// SPDX-License-Identifier: ISC\n",
        "wrong.go": "// SPDX-License-Identifier: see LICENSE\n",
        "far.py": "x = 1\n" * 4_000 + "# SPDX-License-Identifier: MIT\n",
        "none.py": "x = 1\n",
    }
    for name, head in heads.items():
        (tmp_path / name).write_text(head + "x = 1\n")
    docs, _ = read(source(".", tmp_path, format="code", license="Zlib"))
    found = {json.loads(doc["metadata"])["path"]: doc for doc in docs}
    assert {name: doc["license"] for name, doc in found.items()} == {
        "one.py": "Apache-2.0",
        "two.c": "GPL-2.0-only WITH Linux-syscall-note",
        "both.rs": "NOASSERTION",
        "wrong.go": "NOASSERTION",
        "far.py": "Zlib",
        "none.py": "Zlib",
    }
    assert json.loads(found["both.rs"]["metadata"])["declared_license"] == "MIT; ISC"
