"""`identify_language` never raises and names common languages; the filter keeps what it says."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import schema
from gristmill.errors import RecipeError
from gristmill.filters.language import LanguageFilter, identify_language, known_languages

SENTENCES = {
    "en": "The committee will publish its report on the first of next month.",
    "fr": "Le comité publiera son rapport le premier jour du mois prochain.",
    "de": "Der Ausschuss wird seinen Bericht am ersten Tag des nächsten Monats vorlegen.",
    "es": "El comité publicará su informe el primer día del próximo mes.",
    "nb": "Utvalget vil legge fram rapporten sin den første dagen i neste måned, sier lederen.",
    "he": "הוועדה תפרסם את הדוח שלה ביום הראשון של החודש הבא",
    "ja": "委員会は来月の初日に報告書を公表する予定です。",
    "zh": "委员会将于下个月第一天发布报告，届时所有成员都会出席会议。",
    "ru": "Комитет опубликует свой доклад первого числа следующего месяца.",
}


def documents(texts: list[str]) -> pa.Table:
    """`texts` with the columns of the contract."""
    rows = [
        {
            "id": str(number),
            "text": text,
            "source": "test",
            "license": "CC0-1.0",
            "metadata": json.dumps({}),
        }
        for number, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=schema.DOCUMENT)


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_named_by_its_iso_code(language: str) -> None:
    found = identify_language([SENTENCES[language]])
    assert found.column("language").to_pylist() == [language]
    assert found.column("score")[0].as_py() > 0.5


def test_the_table_has_the_columns_and_types_of_the_interface() -> None:
    found = identify_language([])
    assert found.schema == pa.schema([("language", pa.string()), ("score", pa.float32())])
    assert found.num_rows == 0


@pytest.mark.parametrize("text", ["", "a", "hi there", "12345 678", "?!", "\x00", "☃☃☃"])
def test_too_little_text_is_undetermined(text: str) -> None:
    assert identify_language([text]).to_pylist() == [{"language": "und", "score": 0.0}]


def test_characters_that_cld2_refuses_do_not_hide_the_language() -> None:
    for refused in ("\x00", "\x07", "\x0b", "\x7f", "\x85", "\ufdd0", "\uffff", "\U0010ffff"):
        text = SENTENCES["en"].replace(" ", f" {refused}")
        assert identify_language([text]).column("language").to_pylist() == ["en"], repr(refused)


def test_markup_is_text_and_not_skipped() -> None:
    assert identify_language(["<" + SENTENCES["fr"] + ">"]).column("language")[0].as_py() == "fr"


def test_nulls_count_as_empty() -> None:
    texts = pa.chunked_array([[None, SENTENCES["en"]], [SENTENCES["de"]]], pa.string())
    assert identify_language(texts).column("language").to_pylist() == ["und", "en", "de"]


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_it_never_raises_and_gives_known_codes_and_shares(texts: list[str]) -> None:
    for row in identify_language(texts).to_pylist():
        assert row["language"] in known_languages()
        assert 0 <= row["score"] <= 1


def test_a_word_of_ten_megabytes_is_answered() -> None:
    assert identify_language(["x" * 10_000_000]).num_rows == 1


def test_the_filter_drops_other_languages_and_says_which() -> None:
    texts = [SENTENCES["en"], SENTENCES["fr"], "ok"]
    verdict = LanguageFilter(keep=["en"]).judge(documents(texts))
    assert verdict.reason.to_pylist() == [None, "language", "language"]
    details = verdict.detail.to_pylist()
    assert details[0] is None
    assert details[1].startswith("fr 0.9")
    assert details[1].endswith(", kept: en")
    assert details[2] == "und 0.00, kept: en"
    assert set(verdict.columns) == {"language", "language_score"}


def test_undetermined_passes_only_when_it_is_kept_by_name() -> None:
    verdict = LanguageFilter(keep=["en", "und"], min_score=0.9).judge(documents(["ok", "?"]))
    assert verdict.reason.to_pylist() == [None, None]


def test_a_mixed_text_fails_by_its_score() -> None:
    mixed = " ".join(SENTENCES[code] for code in ("en", "ru", "de", "es"))
    [row] = identify_language([mixed]).to_pylist()
    verdict = LanguageFilter(keep=[row["language"]], min_score=0.99).judge(documents([mixed]))
    assert verdict.reason.to_pylist() == ["language_score"]
    assert verdict.detail[0].as_py().endswith("(threshold 0.99)")


def test_norwegian_keeps_both_its_written_forms() -> None:
    verdict = LanguageFilter(keep=["no"]).judge(documents([SENTENCES["nb"]]))
    assert verdict.reason.to_pylist() == [None]


@pytest.mark.parametrize("keep", [[], (), ["english"], ["en", "xx"], [""]])
def test_a_filter_that_no_document_passes_is_refused(keep: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"language\.keep"):
        LanguageFilter(keep=keep)


@pytest.mark.parametrize("min_score", [-0.1, 1.5, float("nan")])
def test_a_score_outside_its_range_is_refused(min_score: float) -> None:
    with pytest.raises(RecipeError, match="min_score"):
        LanguageFilter(keep=["en"], min_score=min_score)
