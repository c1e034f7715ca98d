"""The stage that cuts repeats: against its definition, its promise that nothing is lost, its proof."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_dedup as naive
from gristmill import _core, dedup
from gristmill.dedup import ExactSubstrings
from gristmill.errors import IntegrityError, RecipeError
from gristmill.room import Room
from gristmill.tokenizer import Tokenizer
from surveys import on_disk, outcome

PARTS = ["ab", "aba", "bb", "abbab", " ", "é", "漢", "🦀", "xyz", "q", "漢字 ab", "    "]
texts_of = st.lists(st.lists(st.sampled_from(PARTS), max_size=16).map("".join), max_size=7)
joints_of = st.sampled_from(["exclude", "include"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A vocabulary whose tokens cut through some characters and span others."""
    path = tmp_path_factory.mktemp("tokenizer")
    trained = Tokenizer.train(["ababab bb xyz é q" * 9, "漢" * 4 + "abba"], vocab_size=270)
    trained.save(path)
    return path / "tokenizer.json"


PASSAGE = " ".join(f"passage é{number} 漢" for number in range(40, 60))
"""Some text that does not repeat itself."""


def characters(text: bytes) -> int:
    return len("".join(text.decode().split()))


def cut_by_definition(
    texts: list[str], least: int, joints: str, encode: Any = None
) -> tuple[list[bytes], list[bool], list[list[naive.Range]]]:
    """What is left of each text, whether it still holds a window, and the ranges of each scan."""
    left, rounds = [text.encode() for text in texts], []
    while True:
        symbols = [encode(data.decode()) for data in left] if encode else left
        found = naive.ranges(symbols, least)
        windows = [
            any(len(piece) >= least for piece in pieces) for pieces in naive.pieces(symbols, found)
        ]
        if encode:
            ends = [[len(b"".join(one[:n])) for n in range(len(one) + 1)] for one in symbols]
            found = [naive.Range(d, ends[d][start], ends[d][end]) for d, start, end in found]
        found = naive.on_characters(left, found)
        rounds.append(found)
        left = [b"".join(pieces) for pieces in naive.pieces(left, found)]
        if joints == "exclude" or not found:
            return left, windows, rounds


def kept_by_definition(
    texts: list[str], left: list[bytes], windows: list[bool], min_remaining: int
) -> dict[str, str]:
    return {
        f"d{number}": data.decode()
        for number, (text, data) in enumerate(zip(texts, left, strict=True))
        if data == text.encode() or windows[number] or characters(data) >= min_remaining
    }


@settings(max_examples=100, deadline=None)
@given(texts_of, st.integers(8, 14), st.integers(0, 9), joints_of, st.sampled_from(dedup.ENGINES))
def test_what_is_kept_is_what_the_definition_keeps(texts, least, min_remaining, joints, engine):
    stage = ExactSubstrings(
        min_bytes=least, min_remaining=min_remaining, joints=joints, engine=engine, verify=True
    )
    left, windows, _ = cut_by_definition(texts, least, joints)
    found = outcome(stage, *texts)
    assert found.kept == kept_by_definition(texts, left, windows, min_remaining)
    assert found.noted["verified"]["repeats"] == 0
    if joints == "include":
        kept = [text.encode() for text in found.kept.values()]
        assert not naive.on_characters(kept, naive.ranges(kept, least))


@settings(max_examples=100, deadline=None)
@given(texts_of, st.integers(8, 10), st.integers(0, 9), joints_of, st.sampled_from(dedup.ENGINES))
def test_in_tokens_too(tokenizer, texts, least, min_remaining, joints, engine):
    loaded = Tokenizer.load(tokenizer)
    stage = ExactSubstrings(
        min_tokens=least,
        tokenizer=tokenizer,
        min_remaining=min_remaining,
        joints=joints,
        engine=engine,
        verify=True,
    )

    def encode(text: str) -> list[bytes]:
        return [loaded.token_bytes(token) for token in loaded.encode(text)]

    left, windows, _ = cut_by_definition(texts, least, joints, encode)
    found = outcome(stage, *texts)
    assert found.kept == kept_by_definition(texts, left, windows, min_remaining)
    assert found.noted["verified"]["repeats"] == 0


@settings(max_examples=100, deadline=None)
@given(texts_of, st.integers(8, 12), st.integers(0, 12))
def test_every_byte_that_is_cut_leads_back_to_one_that_stays_or_to_a_rest_without_windows(
    texts, least, min_remaining
):
    data = [text.encode() for text in texts]
    kept = outcome(ExactSubstrings(min_bytes=least, min_remaining=min_remaining), *texts).kept
    repeats = naive.duplicate_windows(data, least)
    cut = {
        (document, at)
        for document, start, end in naive.on_characters(data, naive.ranges(data, least))
        for at in range(start, end)
    }
    rests = {f"d{n}": b"".join(p) for n, p in enumerate(naive.pieces(data, _ranges(data, least)))}
    for place in cut:
        document, at = place
        while (document, at) in cut:
            start = next(s for s in range(at - least + 1, at + 1) if (document, s) in repeats)
            twin, offset = repeats[document, start]
            assert (twin, offset) < (document, start)
            assert data[twin][offset : offset + least] == data[document][start : start + least]
            document, at = twin, offset + at - start
        if f"d{document}" not in kept:
            assert characters(rests[f"d{document}"]) < min_remaining
            longest = max(map(len, naive.pieces(data, _ranges(data, least))[document]))
            assert longest < least


@settings(max_examples=100, deadline=None)
@given(texts_of, st.integers(8, 12), st.integers(0, 12))
def test_a_window_whose_first_occurrence_nothing_is_cut_from_stays_whole(
    texts, least, min_remaining
):
    data = [text.encode() for text in texts]
    kept = outcome(ExactSubstrings(min_bytes=least, min_remaining=min_remaining), *texts).kept
    seen = set()
    cuts = _ranges(data, least)
    for number, text in enumerate(data):
        for start in range(len(text) - least + 1):
            window = text[start : start + least]
            untouched = all(
                document != number or stop <= start or begin >= start + least
                for document, begin, stop in cuts
            )
            if window not in seen and untouched:
                assert window in kept[f"d{number}"].encode()
            seen.add(window)


def _ranges(data: list[bytes], least: int) -> list[naive.Range]:
    return naive.on_characters(data, naive.ranges(data, least))


@settings(max_examples=100, deadline=None)
@given(texts_of, st.integers(8, 12))
def test_the_place_that_a_cut_names_is_earlier_and_holds_half_of_a_window_that_was_cut(
    texts, least
):
    data = [text.encode() for text in texts]
    found = outcome(ExactSubstrings(min_bytes=least, min_remaining=0), *texts)
    for number, (detail, twin) in enumerate(zip(found.detail, found.duplicate_of, strict=True)):
        if detail is not None:
            cuts = [cut for cut in _ranges(data, least) if cut.document == number]
            longest = max(cuts, key=lambda cut: cut.end - cut.start)
            place = int(twin[1:]), int(re.search(r"offset ([\d,]+) of", detail)[1].replace(",", ""))
            assert place < (number, longest.start)
            passage = data[place[0]][place[1] :][: (least + 1) // 2 - 3]
            assert passage in data[number][longest.start : longest.start + least]


def test_the_place_that_a_cut_names_is_where_it_stays():
    texts = [f"one {PASSAGE} two", f"three {PASSAGE} four", f"free {PASSAGE} for all"]
    found = outcome(ExactSubstrings(min_remaining=0), *texts)
    assert found.kept["d2"] == "fr all"  # "ree " stands before it in d1, which lost it too
    assert found.duplicate_of == [None, "d0", "d0"]
    assert found.detail[2].endswith("in 1 range; longest from offset 2 of d0")


CHINESE = "".join(chr(0x4E00 + 7 * n) for n in range(60))


def test_a_rest_that_is_short_in_characters_and_long_in_bytes_stays():
    passage, rest = "".join(chr(0x5000 + 5 * n) for n in range(50)), CHINESE[:34]
    other = "A document of its own, long enough to stay whatever is cut from its other half: "
    found = outcome(ExactSubstrings(), passage, passage + rest, other * 2 + rest)
    assert found.kept["d1"] == rest  # 34 characters, 102 bytes, and d2 does not have them any more
    assert rest not in found.kept["d2"]
    short = outcome(ExactSubstrings(), passage, passage + rest[:33])
    assert short.reason == [None, "too_short_after_cut"]
    assert short.detail[1].endswith("; 33 characters left, at least 50 needed")


def test_a_passage_of_white_space_that_was_cut_elsewhere_stays_where_it_stood_first():
    passage, gap = PASSAGE, "".join(" \t\n"[n * n * n % 7 % 3] * (n % 5 + 1) for n in range(50))
    table = "A document of its own, long enough to stay: one two three four five six seven. "
    found = outcome(ExactSubstrings(), passage, passage + gap, table * 2 + gap)
    assert found.kept["d1"] == gap
    assert gap not in found.kept["d2"]


def test_joints_included_are_cut_until_nothing_repeats():
    head, tail, passage = "h" + "0123456789" * 6, "9876543210" * 6 + "t", PASSAGE
    texts = [passage, head + tail + "end of one", "start of two " * 5 + head + passage + tail]
    alone = outcome(ExactSubstrings(verify=True), *texts)
    assert head + tail in alone.kept["d2"]
    assert alone.noted["cut"]["scans"] == 1
    joined = outcome(ExactSubstrings(joints="include", verify=True), *texts)
    assert head + tail not in joined.kept["d2"]
    assert joined.noted["cut"]["scans"] == 3
    assert joined.noted["verified"] == {"joints": "include", "documents": 3, "repeats": 0}
    assert "in 1 range; longest from offset 0 of d0" in joined.detail[2]


def test_with_joints_included_a_window_across_a_joint_is_not_dropped_with_its_document():
    head, tail = "0123456789" * 5 + "é", "abcdefghij" * 5 + "ü"
    own = "A document of its own, long enough to stay: one two three four five six seven. " * 2
    texts = [PASSAGE, head + PASSAGE + tail, own + head + tail]
    options = {"min_bytes": 100, "min_remaining": 103}
    apart = outcome(ExactSubstrings(**options), *texts)
    assert apart.reason[1] == "too_short_after_cut"  # neither piece is a window; d2 has both
    assert head + tail in apart.kept["d2"]
    joined = outcome(ExactSubstrings(joints="include", **options), *texts)
    assert joined.kept["d1"] == head + tail
    assert head + tail not in joined.kept["d2"]


BROKEN = ["Mine alone, one. " + PASSAGE, PASSAGE, "And two: " + PASSAGE + "the end"]


@pytest.mark.parametrize("joints", ["exclude", "include"])
@pytest.mark.parametrize("unit", ["bytes", "tokens"])
def test_a_cut_that_was_not_made_is_noticed(tokenizer, tmp_path, unit, joints):
    options: dict[str, Any] = {"verify": True, "joints": joints, "min_bytes": 100}
    if unit == "tokens":
        options = {**options, "min_bytes": None, "min_tokens": 50, "tokenizer": tokenizer}
    texts = [text.replace("m", "M", number) for number, text in enumerate(BROKEN)]
    docs = on_disk(tmp_path, texts)
    (tmp_path / "spill").mkdir()
    judge = ExactSubstrings(**options, min_remaining=0).survey(docs, Room(tmp_path / "spill"))
    for batch in docs.batches():
        judge.judge(batch)
    with pytest.raises(IntegrityError, match=r"document 'd1'|documents 0 to 2"):
        judge.finish(docs)


@pytest.mark.parametrize("joints", ["exclude", "include"])
@pytest.mark.parametrize("unit", ["bytes", "tokens"])
def test_an_engine_that_misses_a_repeat_is_noticed(tokenizer, monkeypatch, unit, joints):
    kernel, calls = _core.exact_duplicates_in_files, []

    def misses(*arguments: Any) -> pa.Table:
        calls.append(arguments)
        found = pa.table(kernel(*arguments))
        return found.slice(0, 0) if len(calls) == 1 else found

    monkeypatch.setattr(_core, "exact_duplicates_in_files", misses)
    options: dict[str, Any] = {"verify": True, "joints": joints}
    if unit == "tokens":
        options = {**options, "min_tokens": 50, "tokenizer": tokenizer}
    stage = ExactSubstrings(**options)
    with pytest.raises(
        IntegrityError, match=r"2 ranges of .* the first at byte 0 of document 'd1'"
    ):
        outcome(stage, *BROKEN)
    assert len(calls) == 2


def test_a_tokenizer_that_changes_texts_is_refused_with_the_document(tokenizer, tmp_path):
    written = (tokenizer).read_text().replace('"normalizer": null', '"normalizer": {"type": "NFC"}')
    assert "NFC" in written
    (tmp_path / "nfc.json").write_text(written)
    stage = ExactSubstrings(tokenizer=tmp_path / "nfc.json")
    assert outcome(stage, "caf\u00e9", "plain").reason == [None, None]
    with pytest.raises(RecipeError, match=r"document 1 .* do not spell its text"):
        outcome(stage, "plain", "cafe\u0301")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_bytes": 100, "min_tokens": 50}, "exclude each other"),
        ({"min_bytes": 100, "tokenizer": "t.json"}, "exclude each other"),
        ({"min_tokens": 50}, "needs a tokenizer"),
        ({"min_bytes": 0}, "min_bytes = 0 is not allowed: at least 1"),
        ({"min_bytes": 4, "verify": True}, "min_bytes = 4 is not allowed: at least 8"),
        ({"joints": "maybe"}, "joints = 'maybe' is not allowed"),
        ({"min_remaining": -1}, "min_remaining = -1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ExactSubstrings(**options)
