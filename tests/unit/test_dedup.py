"""Deduplication against definitions spelled out in Python."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_dedup as naive
from gristmill import dedup
from gristmill.dedup import ExactDocuments, ExactSubstrings, MinHash, NearDuplicates
from gristmill.stage import GlobalStage
from surveys import outcome

ENGINES = pytest.mark.parametrize("engine", dedup.ENGINES)


def ranges(texts: dedup.Texts, **options: object) -> list[tuple[int, int, int]]:
    found = dedup.exact_duplicates(texts, **options)
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


words = st.lists(st.sampled_from("aé€🦀b "), max_size=40).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=6), st.integers(1, 20), st.sampled_from(dedup.ENGINES))
def test_ranges_are_those_of_the_definition(texts: list[str], min_bytes: int, engine: str) -> None:
    data = [text.encode() for text in texts]
    expected = naive.on_characters(data, naive.ranges(data, min_bytes))
    assert ranges(texts, min_bytes=min_bytes, engine=engine) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0, 1, 256, 65_535]), max_size=30), max_size=6),
    st.integers(1, 9),
    st.sampled_from([pa.list_(pa.uint16()), pa.large_list(pa.uint32()), pa.list_(pa.int64())]),
    st.sampled_from(dedup.ENGINES),
)
def test_ranges_of_tokens_are_those_of_the_definition(
    ids: list[list[int]], min_tokens: int, kind: pa.DataType, engine: str
) -> None:
    found = dedup.exact_duplicate_tokens(pa.array(ids, kind), min_tokens, engine)
    assert [tuple(row.values()) for row in found.to_pylist()] == naive.ranges(ids, min_tokens)
    assert found.schema.types == [pa.uint32(), pa.uint64(), pa.uint64()]


@pytest.mark.parametrize(
    "ids",
    [
        [[1, 2, 3], [], [9, 1, 2, 3]],
        [[70_000, 2, 3], [], [9, 70_000, 2, 3]],
        [np.array([1, 2, 3]), np.array([], int), np.array([9, 1, 2, 3])],
        pa.array([[7], [1, 2, 3], None, [9, 1, 2, 3]], pa.list_(pa.uint8())).slice(1),
        pa.chunked_array([[[1, 2, 3], []], [], [[9, 1, 2, 3]]], pa.large_list(pa.int32())),
        pl.Series([[1, 2, 3], [], [9, 1, 2, 3]]),
    ],
)
def test_all_ways_of_holding_token_ids_are_taken(ids: dedup.exact.TokenIds) -> None:
    found = dedup.exact_duplicate_tokens(ids, min_tokens=3).to_pylist()
    assert found == [{"document": 2, "start": 1, "end": 4}]


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ("some text", TypeError, "encode it first"),
        (["some text"], TypeError, "expected lists of token ids"),
        ([1, 2], TypeError, "expected lists of token ids"),
        (pa.array([["a"]]), TypeError, "got list"),
        ([[1, -1]], ValueError, "-1 not in range: 0 to 4294967295"),
        ([[2**32]], ValueError, "4294967296 not in range"),
        ([[1, None]], ValueError, "1 token ids are null"),
    ],
)
def test_what_is_no_list_of_token_ids_is_refused(
    ids: dedup.exact.TokenIds, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        dedup.exact_duplicate_tokens(ids)


@settings(max_examples=50, deadline=None)
@given(st.lists(words, min_size=1, max_size=5), st.integers(1, 8))
def test_the_twin_of_a_range_holds_its_first_bytes_and_comes_before_it(
    texts: list[str], min_bytes: int
) -> None:
    for row in dedup.find_ranges(texts, min_bytes).to_pylist():
        data, twin = texts[row["document"]].encode(), texts[row["twin_document"]].encode()
        n_bytes = min(min_bytes - 3, row["end"] - row["start"])
        passage = data[row["start"] :][: max(n_bytes, 1)]
        assert twin[row["twin_offset"] :].startswith(passage)
        assert (row["twin_document"], row["twin_offset"]) < (row["document"], row["start"])


def test_exact_duplicates_has_exactly_the_three_public_columns() -> None:
    for texts in ([], ["a" * 150]):
        schema = dedup.exact_duplicates(texts).schema
        assert schema.names == ["document", "start", "end"]
        assert schema.types == [pa.uint32(), pa.uint64(), pa.uint64()]


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["abcd", None, "xabcd"]),
        pa.array(["abcd", None, "xabcd"], pa.large_string()),
        pa.chunked_array([["abcd"], [], [None, "xabcd"]], pa.string_view()),
        pl.Series(["abcd", None, "xabcd"]),
        pl.Series(["no", "abcd", None, "xabcd"])[1:],
        ["abcd", "", "xabcd"],
    ],
)
def test_all_ways_of_holding_texts_are_taken(texts: dedup.Texts) -> None:
    assert ranges(texts, min_bytes=4) == [(2, 1, 5)]
    assert dedup.near_duplicates(texts).to_pylist() == [0, 1, 2]


@ENGINES
def test_pathological_texts_are_linear_and_right(engine: str) -> None:
    assert ranges(["a" * 1_000_000], engine=engine) == [(0, 1, 1_000_000)]
    copies = pa.array(["Copyright (c) the authors, all rights reserved. " * 3] * 2_000)
    assert ranges(copies, engine=engine)[-1] == (1_999, 0, 144)
    latin = np.random.default_rng(0).integers(0, 256, 100_000, np.uint8).tobytes()
    assert ranges([latin.decode("latin-1")], engine=engine) == []
    assert ranges(["", "", ""], engine=engine) == []
    assert ranges(["a\0b" * 50] * 2, engine=engine, min_bytes=150) == [(1, 0, 150)]
    for endless in (2**62, 2**64, 10**30):
        assert ranges(["abc", "abc"], engine=engine, min_bytes=endless) == []
        assert len(dedup.exact_duplicate_tokens([[1, 2], [1, 2]], endless, engine)) == 0


@ENGINES
def test_a_hundred_thousand_copies_stay_once(engine: str) -> None:
    copies = pa.array(["The same words, line for line, and nothing else. " * 3] * 100_000)
    found = dedup.exact_duplicates(copies, engine=engine)
    assert found["document"].to_pylist()[-99_999:] == list(range(1, 100_000))
    assert set(found["end"].to_pylist()) == {147}


def test_parameters_outside_their_range_are_refused_with_their_value() -> None:
    with pytest.raises(ValueError, match="min_bytes = 0 is not allowed: at least 1"):
        dedup.exact_duplicates(["a"], min_bytes=0)
    with pytest.raises(ValueError, match="min_bytes = -7 is not allowed: at least 1"):
        dedup.exact_duplicates(["a"], min_bytes=-7)
    for wrong in ("many", 1.5, None, True):
        with pytest.raises(TypeError, match=f"min_bytes = {wrong!r} is not allowed: a whole"):
            dedup.exact_duplicates(["a"], min_bytes=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="min_tokens = 0 is not allowed: at least 1"):
        dedup.exact_duplicate_tokens([[1]], min_tokens=0)
    with pytest.raises(ValueError, match="engine = 'suffix_tree' is not allowed"):
        dedup.exact_duplicates(["a"], engine="suffix_tree")
    with pytest.raises(ValueError, match="threads = 0"):
        dedup.exact_duplicates(["a"], threads=0)
    for threshold in (0, -1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"threshold = {threshold}"):
            dedup.near_duplicates(["a"], threshold=threshold)
    with pytest.raises(ValueError, match="ngram = 0"):
        MinHash(ngram=0)
    with pytest.raises(ValueError, match="num_perm = 5000"):
        dedup.near_duplicates(["a"], num_perm=5000)
    with pytest.raises(TypeError, match=r"min_bytes = 1\.5"):
        ExactSubstrings(min_bytes=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="put it in a list"):
        dedup.exact_duplicates("a text")


def test_cutting_the_ranges_leaves_no_repeat_that_was_there() -> None:
    rng = np.random.default_rng(1)
    pieces = ["".join(rng.choice(list("abcé "), 30)) for _ in range(12)]
    texts = ["".join(rng.choice(pieces, 6)) for _ in range(40)]
    cut = list(outcome(ExactSubstrings(min_bytes=20, min_remaining=0), *texts).kept.values())
    data = [text.encode() for text in texts]
    pieces = naive.pieces(data, naive.on_characters(data, naive.ranges(data, 20)))
    assert cut == [b"".join(one).decode() for one in pieces]


def test_near_duplicates_reach_the_threshold_by_brute_force() -> None:
    rng = np.random.default_rng(7)
    vocabulary = [f"w{i}" for i in range(400)]
    texts = []
    for _ in range(60):
        base = list(rng.choice(vocabulary, rng.integers(3, 120)))
        texts.append(" ".join(base))
        for _ in range(rng.integers(0, 3)):
            base[rng.integers(len(base))] = "edited"
            texts.append(" ".join(base).title())
    found = dedup.find_clusters(texts, MinHash(threshold=0.7, ngram=3)).to_pylist()

    def shingles(text: str) -> set[tuple[str, ...]]:
        tokens = text.lower().split()
        n = min(3, len(tokens))
        return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}

    sets = [shingles(text) for text in texts]
    similarity = [[len(a & b) / len(a | b) for b in sets] for a in sets]
    for i, row in enumerate(found):
        assert row["jaccard"] == pytest.approx(similarity[i][row["twin"]])
        assert row["jaccard"] >= 0.7
        assert found[row["representative"]]["representative"] == row["representative"] <= i
    pairs = [(i, j) for i in range(len(sets)) for j in range(i) if similarity[i][j] >= 0.7]
    missed = [1 for i, j in pairs if found[i]["representative"] != found[j]["representative"]]
    assert len(missed) <= 0.03 * len(pairs)


def test_results_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(3)
    lines = ["".join(rng.choice(list("abcdef "), 60)) for _ in range(60)]
    texts = ["\n".join(rng.choice(lines, 8)) for _ in range(300)]
    one, three = (dedup.find_ranges(texts, 50, threads=threads) for threads in (1, 3))
    assert one.num_rows
    assert one.equals(three)
    one, three = (dedup.find_clusters(texts, MinHash(threshold=0.3), threads) for threads in (1, 3))
    assert one.equals(three)


def test_exact_documents_keep_the_first_copy_and_name_it() -> None:
    found = outcome(ExactDocuments(), "a", "b", "a", "", "a ", "", "b")
    assert found.reason == [
        None, None, "exact_duplicate", None, None, "exact_duplicate", "exact_duplicate",
    ]  # fmt: skip
    assert found.duplicate_of == [None, None, "d0", None, None, "d3", "d1"]


def test_near_duplicates_name_the_twin_that_stays_and_the_similarity() -> None:
    text = " ".join(f"word{i}" for i in range(100))
    edited = text.replace("word99", "edited")
    found = outcome(NearDuplicates(), text, "something else entirely", edited)
    assert found.reason == [None, None, "near_duplicate"]
    assert found.duplicate_of == [None, None, "d0"]
    assert found.detail == [None, None, "jaccard 0.979, threshold 0.8"]


def test_a_document_joined_through_another_names_it() -> None:
    numbers = [f"n{i}" for i in range(120)]
    texts = [" ".join(numbers[start : start + 100]) for start in (0, 10, 20)]
    found = outcome(NearDuplicates(), *texts)
    assert found.duplicate_of == [None, "d0", "d0"]
    assert found.detail[1] == "jaccard 0.811, threshold 0.8"
    assert found.detail[2] == "jaccard 0.655, threshold 0.8, joined through d1 at 0.811"


def test_cut_documents_say_what_went_and_where_it_stands_first() -> None:
    passage = "A passage of some length, é, that stands in three documents. " * 2
    rest = "Here is enough text of its own for the document to stay in the corpus."
    found = outcome(ExactSubstrings(min_bytes=100), "First. " + passage, rest + passage, passage)
    assert found.reason == [None, None, "too_short_after_cut"]
    assert found.duplicate_of == [None, "d0", "d0"]
    assert found.kept == {"d0": "First. " + passage, "d1": rest}
    n_bytes = len(passage.encode())
    cut = f"cut {n_bytes} bytes in 1 range; longest from offset 7 of d0"
    short = f"{cut}; 0 characters left, at least 50 needed"
    assert found.detail == [None, cut, short]


def test_a_short_document_that_lost_nothing_stays() -> None:
    found = outcome(ExactSubstrings(), "short", "texts")
    assert found.reason == [None, None]
    assert found.kept == {"d0": "short", "d1": "texts"}


def test_sixty_one_words_planted_three_hundred_times_stay_once() -> None:
    sentence = " ".join(f"planted{i}" for i in range(61))
    rng = np.random.default_rng(5)

    def neighbors() -> str:
        return " ".join(str(n) for n in rng.integers(0, 10**9, 20))

    texts = [f"{neighbors()} {sentence} {neighbors()}" for _ in range(300)]
    found = outcome(ExactSubstrings(min_bytes=100), *texts)
    assert [name for name, text in found.kept.items() if sentence[:100] in text] == ["d0"]
    assert found.duplicate_of.count(None) == 1


@pytest.mark.parametrize("stage", [ExactDocuments(), NearDuplicates(), ExactSubstrings()])
def test_stages_judge_in_any_batches_and_nothing_at_all(stage: GlobalStage) -> None:
    texts = ["a b c d " * 40, "x", "a b c d " * 40, "", "y z", "", "a b c d " * 40]
    one, three, all_at_once = (outcome(stage, *texts, judged_at_once=n) for n in (1, 3, 100))
    assert one == three == all_at_once
    assert any(one.reason)
    assert outcome(stage).reason == []
