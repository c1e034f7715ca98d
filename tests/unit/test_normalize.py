"""Normalizing: what is mended, what is left alone, and that twice is once."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.normalize import Normalize, normalize

CODE = (
    'def f():\n\t"""Doc ‘quoted’ &amp; “kept”, ﬁ and Ｗide."""\n\n'
    "    return f'{x!r}' \\\n    + 1\n"
)

# Letters that mojibake is made of, next to what else is mended.
MESSY = st.text(st.sampled_from("aÃ©Â©â€œ™ðŸ¤  \n\t\r\x00\x1b[0m\x85\x93\u2028\ufeff\u0301éк»"))
ANY = st.text(st.characters(exclude_categories=["Cs"]))


def naive_is_regular(text: str) -> bool:
    """Say, one character at a time, whether nothing is left to normalize (encoding aside)."""
    controls = {c for c in text if unicodedata.category(c) == "Cc"} - {"\n", "\t"}
    ends = [line != line.rstrip() for line in text.split("\n")]
    marks = {"\ufeff", "\u2028", "\u2029"} & set(text)
    return (
        not controls and not any(ends) and not marks and unicodedata.normalize("NFC", text) == text
    )


@settings(deadline=None)
@given(st.one_of(ANY, MESSY))
def test_a_normalized_text_is_regular_and_normalizing_it_again_changes_nothing(text):
    once = normalize(text)
    assert naive_is_regular(once)
    assert normalize(once) == once


@pytest.mark.parametrize("text", ["a\r", "a\x00", "a ", "\ufeffa", "e\u0301", "a\u2028b", "a\x85"])
def test_the_naive_check_sees_what_is_irregular(text):
    assert not naive_is_regular(text)


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])).map(str.rstrip))
def test_regular_ascii_comes_back_as_the_very_same_object(text):
    assert normalize(text) is text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        ("page one\fpage two", "page one\npage two"),
        ("a \t\nb  ", "a\nb"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("nul\x00 bell\x07", "nul bell"),
        ("\ufefftext", "text"),
        ("cafe\u0301", "café"),
        ("schÃ¶n", "schön"),
        ("âœ” No problems", "✔ No problems"),
        ("schön, naïve – “fine”…", "schön, naïve – “fine”…"),
        ("中文，全角", "中文，全角"),
        ("  indented\n\tby a tab", "  indented\n\tby a tab"),
    ],
)
def test_texts_are_mended(text, expected):
    assert normalize(text) == expected


def test_source_code_keeps_its_indentation_quotes_ligatures_and_entities():
    assert normalize(CODE) == CODE


def test_a_run_of_a_million_blanks_takes_linear_time():
    text = "x" + " " * 1_000_000 + "x"
    assert normalize(text) == text


def test_what_is_nothing_but_white_space_is_dropped_as_empty():
    texts = pa.array(["", " \n\t", "\ufeff\x00", "\u00a0\u3000", "text"], pa.large_string())
    verdict = Normalize().judge(pa.table({"text": texts}))
    assert verdict.reason.to_pylist() == ["empty", "empty", "empty", "empty", None]


def test_texts_that_nothing_is_wrong_with_are_not_written_again():
    verdict = Normalize().judge(pa.table({"text": pa.array(["a", "é"], pa.large_string())}))
    assert verdict.text is None
    assert Normalize().judge(pa.table({"text": pa.array([], pa.large_string())})).text is None


def test_the_changed_column_keeps_its_type_and_length():
    text = pa.array(["a\r\n", "b"], pa.large_string())
    changed = Normalize().judge(pa.table({"text": text})).text
    assert changed == pa.array(["a\n", "b"], pa.large_string())
