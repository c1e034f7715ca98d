"""The index against searching every text, and against damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import FormatError, GristmillError, IntegrityError, RecipeError
from gristmill.schema import DOCUMENT
from gristmill.trace import Index, build_index, token_ranges, word_ranges

TEXTS = [
    "The miller ground the grist of the whole village between two stones.",
    "",
    "In the year 1712 the miller ground the grist of the whole village for nothing. €é🦀",
    "Nothing of that kind stands here. The grist of the whole village, again.",
]


def table(texts: list[str]) -> pa.Table:
    rows = [
        {
            "id": f"d{i}",
            "text": text,
            "source": "books",
            "license": "CC0-1.0",
            "url": f"https://example.org/{i}" if i % 2 else None,
            "created": None,
            "metadata": "{}",
        }
        for i, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, DOCUMENT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "index"
    build_index([table(TEXTS)], out, shard_bytes=100)
    return out


def naive_spans(texts: list[str], text: str, min_words: int) -> list[tuple[int, int, int]]:
    """All pairs of ends that occur and hold enough words, without those inside another."""
    found = []
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            before, after = len(text[:start].encode()), len(text[:end].encode())
            whole = [1 for a, b in word_ranges(text) if before <= a and b <= after]
            if len(whole) >= min_words and any(text[start:end] in one for one in texts):
                found.append((start, end))
    maximal = [
        (a, b) for a, b in found if not any(c <= a and b <= d for c, d in found if (c, d) != (a, b))
    ]
    return [(a, b, sum(_count(one, text[a:b]) for one in texts)) for a, b in maximal]


def _count(text: str, pattern: str) -> int:
    return sum(text.startswith(pattern, i) for i in range(len(text)))


letters = st.text("ab é", max_size=25)


@settings(max_examples=60, deadline=None)
@given(st.lists(letters, max_size=4), letters, st.integers(1, 3), st.integers(2, 60))
def test_trace_finds_all_maximal_spans_longest_first(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    text: str,
    min_tokens: int,
    shard_bytes: int,
) -> None:
    out = tmp_path_factory.mktemp("index") / "index"
    build_index([table(texts)], out, shard_bytes=shard_bytes)
    spans = Index.open(out).trace(text, min_tokens)
    found = [(span["start"], span["end"], span["count"]) for span in spans]
    assert sorted(found) == naive_spans(texts, text, min_tokens)
    lengths = [span["end"] - span["start"] for span in spans]
    assert lengths == sorted(lengths, reverse=True)
    for span in spans:
        assert span["text"] == text[span["start"] : span["end"]]
        for place in span["documents"]:
            stands = texts[int(place["id"][1:])][place["offset"] :]
            assert stands.startswith(span["text"])


def test_spans_name_their_documents(folder: Path) -> None:
    text = "Yesterday the miller ground the grist of the whole village; they say."
    (span,) = Index.open(folder).trace(text, min_tokens=5)
    assert span == {
        "start": 9,
        "end": 58,
        "text": " the miller ground the grist of the whole village",
        "count": 1,
        "documents": [
            {"id": "d2", "source": "books", "license": "CC0-1.0", "url": None, "offset": 16}
        ],
    }
    spans = Index.open(folder).trace("the grist of the whole village", 3)
    assert [span["count"] for span in spans] == [2]
    assert [place["id"] for place in spans[0]["documents"]] == ["d0", "d2"]
    assert (
        len(Index.open(folder).trace("grist of the whole village", 3, documents=1)[0]["documents"])
        == 1
    )


def test_count_and_locate_take_text_or_bytes(folder: Path) -> None:
    index = Index.open(folder.parent)  # the corpus around the index
    assert index.n_documents == 4
    assert index.count("the whole village") == index.count(b"the whole village") == 3
    assert index.count("\xff") == index.count(b"\xff") == index.count("") == 0
    assert index.locate("🦀")[0]["offset"] == TEXTS[2].index("🦀")
    assert index.locate("nowhere to be found") == []


def test_tokens_of_a_tokenizer_are_counted_by_their_bytes(folder: Path) -> None:
    class Letters:
        def encode(self, text: str) -> list[int]:
            return list(text.encode())

        def token_bytes(self, token_id: int) -> bytes:
            return bytes([token_id])

    index = Index.open(folder)
    tokens = token_ranges(Letters())
    assert [span["text"] for span in index.trace("xx€é🦀xx", 9, tokens=tokens)] == ["€é🦀"]
    assert index.trace("xx€é🦀xx", 10, tokens=tokens) == []


def test_words_are_ranges_of_bytes() -> None:
    text = " é  b\n€€ "
    assert [text.encode()[a:b].decode() for a, b in word_ranges(text)] == ["é", "b", "€€"]


def test_a_tables_border_is_no_documents_border(tmp_path: Path) -> None:
    whole = table(TEXTS)
    build_index([whole.slice(i, 1) for i in range(4)], tmp_path / "one", shard_bytes=10**6)
    build_index([whole], tmp_path / "other", shard_bytes=10**6)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_an_index_without_documents_holds_nothing(tmp_path: Path) -> None:
    for tables in ([], [table([])], [table(["", ""])]):
        build_index(tables, tmp_path / "index")
        assert Index.open(tmp_path / "index").trace("any text at all", 1) == []


def test_building_again_replaces_and_a_failure_leaves_the_old(tmp_path: Path) -> None:
    out = tmp_path / "index"
    build_index([table(["old text"])], out)

    def broken() -> Any:
        yield table(["new text"])
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError):
        build_index(broken(), out)
    assert Index.open(out).count("old") == 1
    build_index([table(["new text"])], out)
    assert Index.open(out).count("old") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in sorted(folder.glob("*.bin"))}


def test_a_shard_with_the_same_text_is_not_sorted_again(tmp_path: Path) -> None:
    out = tmp_path / "index"
    build_index([table(TEXTS)], out, shard_bytes=100)  # the first two texts, and one each
    before = inodes(out)
    build_index([table([*TEXTS[:2], TEXTS[2].upper(), *TEXTS[3:]])], out, shard_bytes=100)
    after = inodes(out)
    changed = {name for name in after if before[name] != after[name]}
    assert changed == {f"{name}-00001.bin" for name in ("text", "suffixes", "samples", "starts")}
    assert Index.open(out).count("THE GRIST") == 1
    Index.open(out).verify()


def test_shards_of_other_indexes_are_taken_over_under_new_numbers(tmp_path: Path) -> None:
    build_index([table(TEXTS)], tmp_path / "old", shard_bytes=100)
    reuse = [tmp_path / "no index", tmp_path / "old"]
    build_index([table(TEXTS[2:])], tmp_path / "new", shard_bytes=100, reuse=reuse)
    old, new = inodes(tmp_path / "old"), inodes(tmp_path / "new")
    for name in ("text", "suffixes", "samples", "starts"):
        assert new[f"{name}-00000.bin"] == old[f"{name}-00001.bin"]
    build_index([table(TEXTS[2:])], tmp_path / "fresh", shard_bytes=100)
    for path in (tmp_path / "fresh").iterdir():
        assert path.read_bytes() == (tmp_path / "new" / path.name).read_bytes()


def test_a_damaged_shard_is_sorted_again(tmp_path: Path) -> None:
    out = tmp_path / "index"
    build_index([table(TEXTS)], out, shard_bytes=100)
    path = out / "suffixes-00001.bin"
    path.write_bytes(path.read_bytes()[::-1])
    before = inodes(out)
    build_index([table(TEXTS)], out, shard_bytes=100)
    after = inodes(out)
    changed = {name for name in after if before[name] != after[name]}
    assert changed == {f"{name}-00001.bin" for name in ("text", "suffixes", "samples", "starts")}
    Index.open(out).verify()


@pytest.mark.parametrize("name", ["text", "suffixes", "samples", "starts"])
def test_a_file_cut_short_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / f"{name}-00001.bin"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(IntegrityError, match=f"{name}-00001.bin: has .* bytes, index.json says"):
        Index.open(copy)
    path.unlink()
    with pytest.raises(IntegrityError, match=f"{name}-00001.bin: is missing"):
        Index.open(copy)


def test_a_flipped_bit_is_found_by_verify_and_crashes_nothing(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    Index.open(copy).verify()
    for path in sorted(copy.glob("*.bin")):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 0x80]))
        index = Index.open(copy)
        index.trace(TEXTS[0], 1)
        index.locate("e")
        with pytest.raises(IntegrityError, match=path.name):
            index.verify()
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"version": 1}, FormatError, "version 1 is not 2, which this release reads; build the"),
        ({"format": "other"}, FormatError, "is no gristmill-index"),
        ({"shards": None}, IntegrityError, "TypeError"),
        ({"documents": {}}, IntegrityError, "KeyError"),
        ({"n_documents": 7}, IntegrityError, "holds 4 documents"),
        (
            {"documents": {"path": "../x", "bytes": 1, "xxh3": "0"}},
            IntegrityError,
            "no file of an index",
        ),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(
    folder: Path,
    tmp_path: Path,
    change: dict[str, Any],
    error: type[GristmillError],
    message: str,
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    manifest = json.loads((copy / "index.json").read_bytes())
    (copy / "index.json").write_text(json.dumps(manifest | change))
    with pytest.raises(error, match=message):
        Index.open(copy)
    (copy / "index.json").write_bytes(b"{half")
    with pytest.raises(IntegrityError, match=r"index\.json"):
        Index.open(copy)


def test_no_index_and_no_tokens_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="has no index"):
        Index.open(tmp_path)
    with pytest.raises(ValueError, match="min_tokens = 0"):
        Index.open(folder).trace("a", 0)
