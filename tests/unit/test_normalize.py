"""Normalizing: what is mended, what is left alone, and that twice is once."""

from __future__ import annotations

import sysconfig
import unicodedata
from itertools import product
from pathlib import Path

import ftfy
import pyarrow as pa
import pytest
from ftfy.badness import is_bad
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gristmill.normalize import Normalize, c4_lines, normalize
from gristmill.normalize.repair import _MAY_BE_BAD

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


SAME_JOBS = ftfy.TextFixerConfig(
    unescape_html=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
)
SENTENCES = [
    "Le comité publiera son rapport à l’été – « déjà » prévu, dit-on… 50 €.",
    "Der Ausschuss wird „große“ Änderungen am nächsten Montag übernehmen.",
    "El niño comió ¿quién sabe? más piñas por 3 £ en España.",
    "Комитет опубликует свой доклад первого числа следующего месяца.",
    "Η επιτροπή θα δημοσιεύσει την έκθεσή της.",
    "委員会は来月の初日に報告書を公表する予定です。",
    "Žluťoučký kůň úpěl ďábelské ódy; łódź, ąę, ő, ű.",
    "الجنة ستنشر تقريرها في اليوم الأول.",
]


def mojibake(text: str, encoding: str, times: int) -> str:
    for _ in range(times):
        text = text.encode().decode(encoding)
    return text


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("encoding", ["latin-1", "sloppy-windows-1252", "macroman", "cp437"])
@pytest.mark.parametrize("text", SENTENCES)
def test_mojibake_is_mended_as_ftfy_mends_it(text, encoding, times):
    mangled = mojibake(text, encoding, times)
    assert normalize(mangled) == ftfy.fix_text(mangled, SAME_JOBS)


@pytest.mark.parametrize("text", SENTENCES)
def test_a_text_read_in_the_wrong_encoding_twice_is_as_it_was(text):
    assert normalize(text) == text
    assert normalize(mojibake(text, "latin-1", 2)) == text


@settings(deadline=None)
@given(
    st.one_of(
        ANY,
        MESSY,
        st.text(st.characters(codec="sloppy-windows-1252")),
        st.text(st.sampled_from("aZ ÃÂœŒ°×ГўВЂ\xa0€”“’²")),
    )
)
def test_what_ftfy_calls_bad_is_never_passed_over(text):
    assert _MAY_BE_BAD.search(text) or not is_bad(text)


COMBINATIONS = [
    Normalize(quotes=quotes, whitespace=whitespace, lines=lines)
    for quotes, whitespace, lines in product(
        ("keep", "straight"), ("keep", "collapse"), ("keep", "c4")
    )
]
PIECES = st.sampled_from(
    [
        "a b", "word", " ", "\t", "\xa0", "\u3000", "\n", "\n\n", ".", "...", "”", "’", "“", "[1]",
        "[", "]", "[edit]", "[citation needed]", "cookie policy", "Javascript", "Ã", "©", "Â",
        "\r", "e\u0301", "{", "x" * 600, "\x85", "\u2028", "†", "â€œ", "!", '"',
    ]
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(COMBINATIONS), st.lists(PIECES).map("".join))
@example(Normalize(), "\n”")
def test_with_any_options_normalizing_twice_is_normalizing_once(options, text):
    once = options(text)
    assert options(once) is once
    assert naive_is_regular(once)


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"quotes": "straight"}, "“It’s” ‚so‘ „be“", '"It\'s" \'so\' "be"'),
        ({"whitespace": "collapse"}, "  a \t b\xa0\u3000c\n\n\n\n\td", "a b c\n\nd"),
        (
            {"lines": "c4"},
            "Home\n\nThe mill turns.[3]\nTwo words.\nAnd so on...",
            "The mill turns.",
        ),
        ({"lines": "c4"}, "He said “no, thank you.”", ""),
        ({"lines": "c4", "quotes": "straight"}, "He said “no!”", 'He said "no!"'),
    ],
)
def test_options_edit_what_they_say(options, text, expected):
    assert Normalize(**options)(text) == expected
    assert normalize(text) == text


@given(st.lists(st.sampled_from([*"aZ,.\"'‘’‚‛“”„‟«»`´", "it’s ", "“so” "])).map("".join))
def test_quotes_are_straightened_as_by_ftfy(text):
    straight = Normalize(quotes="straight")(text)
    assume(not is_bad(text))
    assert straight == ftfy.fixes.uncurl_quotes(text).rstrip()


def documentation() -> list[str]:
    """Long texts with lines of every kind: the Markdown and text files of installed packages."""
    site = Path(sysconfig.get_path("purelib"))
    paths = sorted(path for end in ("md", "txt", "rst") for path in site.glob(f"*/**/*.{end}"))
    return [path.read_text(errors="replace")[:20_000] for path in paths[:200]]


def test_lines_are_cut_as_datatrove_cuts_them():
    from datatrove.data import Document
    from datatrove.pipeline.filters.c4_filters import C4QualityFilter

    lines_only = C4QualityFilter(
        min_num_sentences=-1, filter_lorem_ipsum=False, filter_curly_bracket=False
    )

    def one_pass(text: str) -> str:
        document = Document(text=text, id="")
        assert lines_only.filter(document) is True
        return document.text

    texts = documentation()
    cut = [c4_lines(text) for text in texts]
    assert cut == [one_pass(one_pass(text)) for text in texts]
    assert sum(text == one_pass(given) for text, given in zip(cut, texts, strict=True)) > (
        0.95 * len(texts)
    )
    assert len(texts) > 50
    assert 0 < sum(map(len, cut)) < 0.8 * sum(map(len, texts))


def test_a_line_of_nested_citations_takes_bounded_time():
    assert c4_lines("[" * 100_000 + "]" * 100_000 + " a b c.") == ""


def test_a_document_of_which_no_line_is_left_is_empty():
    docs = pa.table({"text": pa.array(["Menu\nHome", "One sentence stays."], pa.large_string())})
    assert Normalize(lines="c4").judge(docs).reason.to_pylist() == ["empty", None]
