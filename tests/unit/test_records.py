"""The kernel's columns against their slow twin: whatever it takes, the batches are the same."""

import gzip
import json
import math
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.schema import NO_ASSERTION
from gristmill.sources import base, columns, jsonl, parquet
from gristmill.sources.base import Item, Origin, Part

sys.path.insert(0, str(Path(__file__).parents[1]))
import naive_records

DATA = Path(__file__).parents[1] / "data" / "sources"
READ = {
    "jsonl": jsonl.batches,
    "parquet": parquet.parquet_batches,
    "arrow": parquet.arrow_batches,
}


def item_of(path):
    return Item(path=str(path), locator=path.name, n_bytes=path.stat().st_size)


def origin(on_bad="skip", license=NO_ASSERTION):
    return Origin(name="s", on_bad=on_bad, license=license)


def plain(batches):
    """Batches as lists, so that a difference is shown as one."""
    return [
        (batch.docs.to_pylist(), batch.bad.to_pylist(), batch.bad_at.tolist()) for batch in batches
    ]


def same(path, format="jsonl", on_bad="skip"):
    """Both readings of a file, which must be equal; what they say."""
    source, item = origin(on_bad), item_of(path)
    found = plain(READ[format](source, item))
    assert found == plain(naive_records.batches(source, item, format))
    return [row for docs, _, _ in found for row in docs]


def write(path, lines):
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("records") / "a.jsonl"


# ---- JSON Lines ----

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.sampled_from('"\\/\b\f\n\r\té\u2028\x7f\x00😀\ufeff'), max_size=8),
    st.sampled_from(["a" * 1_000, "a" * 1_001, "é" * 1_000, "é" * 1_001, "{}", '{"a": 1}']),
)
DATES = st.sampled_from(
    "2024-02-29 2023-02-29 2024-02-29T12:30:00Z 2024-02-29T12:30:00.5 2024-02-29T12:30:00.123+01:30"
    " 2024-02-29T12:30:00.123456-23:59 0001-01-01T00:00:00+23:00 9999-12-31T23:59:59-23:00 0000-01-01"
    " 2024-13-01 2024-02-29T24:00:00 2024-02-29T12:30 20240229 2024-W09-4 2024-02-29T12:30:60 1900-02-29"
    " 2024-02-29T12:30:00+0100 2024-02-29T12:30:00,123 ٢٠٢٤-02-29 1969-12-31T23:59:59.999999".split()
)
SPACED_DATES = st.sampled_from(["2024-02-29 12:30:00", " 2024-02-29 ", "2024-02-29T12:30:00z", ""])
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([-0.0, 1e16, 1e15, 1e22, 1e-4, 1e-5, 5e-324, 10**30, 2**63, 253402300800]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, DATES, SPACED_DATES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.one_of(
    st.sampled_from(["id", "source", "license", "url", "created", "metadata", "a", "locator"]),
    st.sampled_from(["declared_license", "declared_created", "repaired", "é", "b"]),
    st.text(max_size=3),
)
LICENSES = st.sampled_from(["MIT", "mit", "BSD", "ask the author", "x" * 1_001, "CC-BY-4.0 OR MIT"])
RECORDS = st.builds(
    lambda text, rest, license, created: text | rest | license | created,
    st.one_of(st.just({}), st.fixed_dictionaries({"text": st.one_of(TEXTS, JSON)})),
    st.dictionaries(KEYS, JSON, max_size=5),
    st.one_of(st.just({}), st.fixed_dictionaries({"license": LICENSES})),
    st.one_of(st.just({}), st.fixed_dictionaries({"created": st.one_of(DATES, SPACED_DATES)})),
)


@given(st.lists(RECORDS, max_size=6), st.booleans(), st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None, max_examples=120)
def test_any_objects_become_the_documents_that_python_makes_of_them(
    file, records, ascii, indent, at_end
):
    spelled = [json.dumps(one, ensure_ascii=ascii) for one in records]
    if indent:  # white space wherever it may be
        spelled = [json.dumps(one, ensure_ascii=ascii, indent=1) for one in records]
        spelled = [one.replace("\n", "\t\r ") for one in spelled]
    raw = "\n".join(spelled) + ("\n" if at_end else "")
    file.write_bytes(raw.encode("utf-8", "surrogatepass"))
    same(file, on_bad="repair" if at_end else "skip")


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None, max_examples=200)
def test_floats_are_spelled_as_python_spells_them(file, number):
    write(file, [b'{"text": "a", "id": %s, "n": %s}' % ((repr(number).encode(),) * 2)])
    (doc,) = same(file)
    assert (doc["id"], doc["metadata"]) == (repr(number), json.dumps({"n": number}))


LINES = [
    b'{"text": "a", "text": "b"}',
    b'{"text": "a", "n": 1, "n": null}',
    b'{"text": "a", "n": [], "n": 1}',
    b'{"text": "a", "metadata": {"n": 1, "n": 2}}',
    b'{"text": "a", "n": 1, "metadata": {"n": null}}',
    b'{"text": "a", "metadata": {"locator": "x", "declared_license": 1}, "license": "none of ours"}',
    b'{"te\\u0078t": "a"}',
    b'{"text": "\\ud83d\\ude00 \\u00e9 \\u0000 \\/"}',
    b'{"text": "\\ud83d"}',
    b'{"text": "\\ud83d\\u0041"}',
    b'{"text": "\\ude00\\ud83d"}',
    b'{"text": "\\u12g4"}',
    b'{"text": "\\x"}',
    b'{"text": "a\tb"}',
    b'{"text": "a\x00b"}',
    b'\t{ "text"\t:\t"a" }\t',
    b'{"text": "a"} x',
    b'{"text": "a"}}',
    b'{"text": "a",}',
    b'{"text" "a"}',
    b'{"text": "a',
    b'{"text": "a\\',
    b'{"text": "a\\u12',
    b'["text"]',
    b"null",
    b"\xef\xbb\xbf" + b'{"text": "a mark on a later line"}',
    b"  \t\r\x0b\x0c",
    b'{"text": "a"}\r',
    b'{"text": "a", "n": NaN}',
    b'{"text": "a", "n": -Infinity}',
    *(b'{"text": "a", "id": %s}' % n for n in b"-0 -0.0 1e5 1E400 -1e400 007 .5 1. +1 1e 0x1".split()),
    *(b'{"text": "a", "n": %s}' % n for n in b"-0 -0.0 1e5 1E400 1E+2 0e0 007 - 1e-7 0.1e1".split()),
    b'{"text": "a", "n": ' + b"9" * 64 + b"}",
    b'{"text": "a", "n": ' + b"9" * 65 + b"}",
    b'{"text": "a", "n": ' + b"9" * 5_000 + b"}",
    b'{"text": "a", "n": ' + b"[" * 70 + b"]" * 70 + b"}",
    b'{"text": "a", "n": ' + b"[" * 9_000 + b"]" * 9_000 + b"}",
    b'{"text": "a", "created": 1700000000}',
    b'{"text": "a", "created": 1700000000.25}',
    b'{"text": "a", "created": -5}',
    b'{"text": "a", "created": 1e300}',
    b'{"text": "a", "created": true}',
    b'{"text": "a", "metadata": "{\\"a\\": 1}"}',
    b'{"text": "a", "metadata": 3}',
    b'{"text": "caf\xe9"}',
    b'{"text": "a", "id": "caf\xe9"}',
    b'{"text": "a", "id": ""}',
    b'{"text": "a", "id": "twice"}',
    b'{"text": "b", "id": "twice"}',
    b'{"text": "c", "id": "twice", "license": "MIT", "url": "u"}',
    b'{"text": 1}',
    b"{}",
]  # fmt: skip


@pytest.mark.parametrize("on_bad", ["skip", "repair"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_in_rare_spellings_and_broken_ones_are_read_as_before(tmp_path, on_bad, end):
    raw = b"\xef\xbb\xbf" + end.join([b'{"text": "first"}', b"", *LINES])
    (tmp_path / "a.jsonl").write_bytes(raw)
    assert len(same(tmp_path / "a.jsonl", on_bad=on_bad)) > 20


@pytest.mark.parametrize("name", ["articles.jsonl", "broken.jsonl"])
def test_the_files_among_the_tests_are_read_as_before(name):
    assert same(DATA / name)


def test_a_kernel_that_says_something_else_is_found_out(tmp_path, monkeypatch):
    write(tmp_path / "a.jsonl", [b'{"id": "1", "text": "a", "n": 1}'])
    same(tmp_path / "a.jsonl")
    from_kernel = columns.from_kernel
    for column in ("id", "text", "source", "license", "url", "metadata"):

        def broken(batches, column=column):
            table = from_kernel(batches)
            at = table.schema.get_field_index(column)
            wrong = pa.array(["x"] * len(table), table.schema.types[at])
            return table.set_column(at, column, wrong)

        monkeypatch.setattr(columns, "from_kernel", broken)
        with pytest.raises(AssertionError):
            same(tmp_path / "a.jsonl")


def test_ordinary_lines_never_reach_python(tmp_path, monkeypatch):
    record = {
        "id": "1",
        "text": 'é "\\ \n',
        "license": "MIT",
        "created": "2024-02-29T12:30:00.000Z",
    }
    record |= {"url": "u", "source": "x", "metadata": {"a": [1, {"b": None}]}, "score": 0.5}
    write(tmp_path / "a.jsonl", [json.dumps(record).encode()])
    expected = same(tmp_path / "a.jsonl")
    monkeypatch.delattr(jsonl, "record_of")
    assert [row for docs, _, _ in plain(jsonl.batches(origin(), item_of(tmp_path / "a.jsonl")))
            for row in docs] == expected  # fmt: skip


def test_a_batch_ends_where_it_did_whatever_the_blocks(tmp_path, monkeypatch):
    for module in (base, columns):
        monkeypatch.setattr(module, "BATCH_BYTES", 500)
        monkeypatch.setattr(module, "BATCH_DOCS", 7)
    lines = [b'{"text": "%s"}' % (b"x" * (i * 37 % 200)) for i in range(200)]
    lines[5::11] = [b"broken"] * len(lines[5::11])
    path = write(tmp_path / "a.jsonl", lines)
    for block in (256, 1_000, 1 << 20):
        monkeypatch.setattr(jsonl, "BLOCK_BYTES", block)
        assert len(same(path)) == 200 - len(lines[5::11])


@given(st.binary(max_size=200), st.integers(1, 9), st.integers(1, 40))
@settings(deadline=None)
def test_blocks_are_the_lines_of_a_stream_whatever_it_gives(raw, step, n_block):
    class Stream:
        at = 0

        def readinto(self, room):
            piece = raw[self.at : self.at + min(step, len(room))]
            self.at += len(piece)
            room[: len(piece)] = piece
            return len(piece)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "BLOCK_BYTES", n_block)
        found = [bytes(block) for block in jsonl.blocks(Stream())]
        assert b"".join(found) == raw
        assert all(block.endswith(b"\n") for block in found[:-1])
        Stream.at = 0
        assert b"".join(bytes(b) for b in jsonl.blocks(Stream(), 5)) == raw[:5]


@pytest.mark.parametrize("packed", [False, True])
def test_parts_of_a_file_give_what_the_whole_gives(tmp_path, packed):
    lines = [b'{"text": "number %d"}\n' % i for i in range(100)]
    lines[7] = b"broken\n"
    raw = b"".join(lines)
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    whole = plain(jsonl.batches(origin(), item_of(path)))
    ends = [0, 1, 40, 41, 100]
    at = [len(b"".join(lines[:n])) for n in ends]
    parts = [Part(at[i], at[i + 1], ends[i]) for i in range(3)] + [Part(at[3], None, ends[3])]
    found = [one for part in parts for one in plain(jsonl.batches(origin(), item_of(path), part))]
    for kind in (0, 1):
        assert [row for one in found for row in one[kind]] == whole[0][kind]


@pytest.mark.parametrize("compress", [gzip.compress, pa.Codec("zstd").compress])
def test_a_file_that_breaks_off_gives_the_same_as_before(tmp_path, compress):
    noise = [base.digest(str(i)) for i in range(5_000)]
    raw = "".join(json.dumps({"text": one}) + "\n" for one in noise).encode()
    packed = memoryview(compress(raw)).tobytes()
    (tmp_path / "a.jsonl").write_bytes(packed[: len(packed) * 2 // 3])
    assert 2_000 < len(same(tmp_path / "a.jsonl")) < 5_000


# ---- tables ----

CELLS = {
    pa.string(): TEXTS,
    pa.large_string(): DATES,
    pa.string_view(): TEXTS,
    pa.binary(): st.binary(max_size=4),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("ns"): st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
    pa.timestamp("ms", "UTC"): st.datetimes(timezones=st.just(UTC)),
    pa.timestamp("us", "Asia/Kolkata"): st.datetimes(
        datetime(1950, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
    ),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=2),
    pa.struct([("a", pa.int64()), ("b", pa.string())]): st.fixed_dictionaries({"a": st.just(1)}),
    pa.decimal128(9, 2): st.just(1),
    pa.null(): st.none(),
}
COLUMN = st.sampled_from(list(CELLS)).flatmap(
    lambda kind: st.lists(st.one_of(st.none(), CELLS[kind]), min_size=5, max_size=5).map(
        lambda values: pa.array(values, kind)
    )
)
NAMES = st.sampled_from(["id", "source", "license", "url", "created", "metadata", "a", "é", "b"])


@given(
    st.lists(st.one_of(st.none(), st.binary(max_size=3), st.just("é".encode())), min_size=5, max_size=5),
    st.dictionaries(NAMES, COLUMN, max_size=4),
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_any_table_becomes_the_documents_that_python_makes_of_it(file, texts, rest):
    text = pa.array(texts, pa.binary()).view(pa.string())
    table = pa.table({"text": text} | rest)
    path = file.with_suffix(".arrow")
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    same(path, "arrow")
    same(path, "arrow", on_bad="repair")


def test_a_table_with_a_name_twice_is_left_to_python(tmp_path):
    table = pa.table([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "n", "n"])
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    assert len(same(tmp_path / "a.arrow", "arrow")) == 1


@pytest.fixture
def parquet_file(tmp_path):
    n = 3_000
    table = pa.table(
        {
            "id": [f"id-{i % 2_900}" for i in range(n)],
            "text": [None if i % 501 == 7 else f"é {i}" * (i % 50) for i in range(n)],
            "license": pa.array(["MIT", "ask the author", None] * (n // 3)).dictionary_encode(),
            "created": [date(2024, 1, 1 + i % 31) for i in range(n)],
            "metadata": ['{"b": 1.0, "a": {"d": [1], "c": null}}', "", None] * (n // 3),
            "score": [math.nan if i % 9 == 0 else i / 7 for i in range(n)],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    return tmp_path / "a.parquet"


def test_a_parquet_file_gives_the_documents_that_python_makes_of_it(parquet_file, monkeypatch):
    for module in (base, columns):
        monkeypatch.setattr(module, "BATCH_DOCS", 640)
    assert len(same(parquet_file, "parquet")) > 2_800


def test_row_groups_read_alone_give_what_the_whole_file_gives(parquet_file):
    item = item_of(parquet_file)
    whole = [row for docs, _, _ in plain(parquet.parquet_batches(origin(), item)) for row in docs]
    parts = [Part(0, 1, 0), Part(1, 4, 700), Part(4, None, 2_800)]
    found = [plain(parquet.parquet_batches(origin(), item, part)) for part in parts]
    read = [row for batches in found for docs, _, _ in batches for row in docs]
    first = {row["id"]: row for row in reversed(read)}  # a part does not know the ids before it
    assert [first[row["id"]] for row in whole] == whole


def test_the_texts_of_an_arrow_file_are_not_copied(tmp_path):
    table = pa.table({"text": pa.array(["x" * 1_000] * 1_000, pa.large_string())})
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    before = pa.total_allocated_bytes()
    (batch,) = parquet.arrow_batches(origin(), item_of(tmp_path / "a.arrow"))
    assert batch.docs["text"].nbytes > 1_000_000
    assert pa.total_allocated_bytes() - before < 1_200_000  # the file's own bytes
