"""The signals equal a slow twin that follows the published rules word by word; decisions follow.

The twin splits words by one regular expression, which is what the core's rules come to on the plain
vocabulary used here; that words are split as by spaCy on other text is tested in the core.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4BadWordsFilter
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_gibberish
from gristmill import schema
from gristmill.errors import RecipeError
from gristmill.filters.quality import PUBLISHED, RULE_SETS, QualityFilter, quality_signals
from gristmill.filters.rule import Rule, first_broken

WORDS = ["the", "and", "have", "river", "garden", "mountain", "été", "javascript", "lorem ipsum"]
MARKS = ["", "", "", ".", ".", "!", ",", "...", "…", " [1]", " {"]
GAPS = [" ", " ", " ", " ", "  ", "\n", "\n", "\n- ", "\n\n", "\n\n\n", "\r\n", " # "]

LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@st.composite
def plain_texts(draw: st.DrawFn) -> str:
    """Text of plain words, marks and gaps, long enough to repeat itself."""
    parts = [st.sampled_from(WORDS), st.sampled_from(MARKS), st.sampled_from(GAPS)]
    pieces = draw(st.lists(st.tuples(*parts).map("".join), max_size=30))
    return "".join(pieces) * draw(st.integers(1, 4))


def tokens(text: str) -> list[str]:
    """Words and marks of plain text."""
    return re.findall(r"[^\W\d_]+|\d+|\.{2,}|[^\w\s]", text)


def duplicates(parts: list[str]) -> tuple[int, int]:
    """How many parts, and how many characters, are in parts seen before."""
    again = [part for at, part in enumerate(parts) if part in parts[:at]]
    return len(again), sum(map(len, again))


def top_gram(words: list[str], n: int) -> int:
    """Characters of the most frequent n-gram, the first among equals, times its count."""
    grams = [" ".join(words[at : at + n]) for at in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]
    return len(gram) * count


def duplicated_grams(words: list[str], n: int) -> int:
    """Characters in n-grams seen before, none counted twice."""
    seen: set[str] = set()
    found = at = 0
    while at < len(words) - n + 1:
        gram = "".join(words[at : at + n])
        if gram in seen:
            found += len(gram)
            at += n
        else:
            seen.add(gram)
            at += 1
    return found


def sentences(line: str) -> int:
    """Sentences of a line: a token that is no mark, behind a mark that ends one, begins another."""
    count, ended = 1, False
    for token in re.findall(r" {2,}|[^\W\d_]+|\d+|\.{2,}|[^\w\s]", line):
        if token in (".", "!"):
            ended = True
        elif ended and not re.fullmatch(r"\.+|[,!…\[\]{\-#]", token):
            count, ended = count + 1, False
    return count


def c4(text: str) -> dict[str, float]:
    """C4's figures: lines that count, sentences in them, what drops the whole document."""
    found = {"c4_lorem_ipsum": 0.0, "c4_curly_bracket": 0.0, "c4_sentence_count": 0.0}
    lines = text.splitlines()
    kept = 0
    for stripped in map(str.strip, lines):
        line = re.sub(r"\[\d*\]", "", stripped)
        if not line.endswith((".", "?", "!", '"', "'")) or line.endswith("..."):
            continue
        if len(stripped.split()) < 3:
            continue
        if "lorem ipsum" in line:
            found["c4_lorem_ipsum"] = 1
        elif "javascript" in line:
            continue
        elif "{" in line:
            found["c4_curly_bracket"] = 1
        else:
            kept += 1
            found["c4_sentence_count"] += sentences(line)
    return found | {"c4_kept_line_ratio": kept / len(lines) if lines else 0}


def twin(text: str) -> dict[str, float]:
    """Every signal, by the published formulas, slowly."""

    def share(part: float, whole: float) -> float:
        return part / whole if whole else 0

    words = tokens(text)
    not_symbols = [word for word in words if re.search(r"\w", word)]
    lines = text.splitlines()
    found = {
        "gopher_word_count": len(not_symbols),
        "gopher_mean_word_length": share(sum(map(len, not_symbols)), len(not_symbols)),
        "gopher_hash_ratio": share(text.count("#"), len(words)),
        "gopher_ellipsis_ratio": share(text.count("...") + text.count("…"), len(words)),
        "gopher_bullet_line_ratio": share(
            sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)
        ),
        "gopher_ellipsis_line_ratio": share(
            sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)
        ),
        "gopher_alpha_word_ratio": share(
            sum(any(c.isalpha() for c in word) for word in words), len(words)
        ),
        "gopher_stop_words": len({"the", "and", "have"} & set(words)),
    }
    for name, parts in (
        ("para", re.split(r"\n{2,}", text.strip())),
        ("line", re.split(r"\n+", text)),
    ):
        n_parts, n_chars = duplicates(parts)
        found[f"gopher_dup_{name}_frac"] = share(n_parts, len(parts))
        found[f"gopher_dup_{name}_char_frac"] = share(n_chars, len(text))
    for n in (2, 3, 4):
        found[f"gopher_top_{n}_gram_char_frac"] = share(top_gram(words, n), len(text))
    for n in range(5, 11):
        found[f"gopher_dup_{n}_gram_char_frac"] = share(duplicated_grams(words, n), len(text))
    filled = [line for line in text.split("\n") if line.strip()]
    return (
        found
        | c4(text)
        | {
            "gibberish_score": naive_gibberish.score(text),
            "fineweb_line_punct_ratio": share(
                sum(line.endswith((".", "!")) for line in filled), len(filled)
            ),
            "fineweb_short_line_ratio": share(sum(len(line) <= 30 for line in filled), len(filled)),
            "fineweb_char_dup_ratio": share(duplicates(filled)[1], len(text.replace("\n", ""))),
            "fineweb_list_ratio": share(text.count("\n"), len(words)),
        }
    )


@settings(deadline=None)  # the first call compiles the rules
@given(st.lists(plain_texts(), max_size=4))
def test_signals_equal_the_twin(texts: list[str]) -> None:
    measured = quality_signals(texts).to_pylist()
    for text, row in zip(texts, measured, strict=True):
        expected = twin(text)
        assert set(expected) == {field.name for field in schema.SIGNALS}
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-7), (name, text)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=6))
def test_any_text_is_measured_alike_for_any_number_of_threads(texts: list[str]) -> None:
    measured = quality_signals(texts)
    assert measured.equals(quality_signals(texts, threads=3))
    for field in schema.SIGNALS:
        assert np.isfinite(measured.column(field.name).to_numpy()).all(), field.name


def test_the_columns_are_the_signals_of_the_ledger_and_three_decisions() -> None:
    table = quality_signals([])
    names = [field.name for field in schema.SIGNALS]
    assert table.column_names == [*names, "keep_gopher", "keep_c4", "keep_fineweb"]
    assert all(table.schema.field(name).type == pa.float32() for name in names)
    assert all(table.schema.field(f"keep_{name}").type == pa.bool_() for name in PUBLISHED)
    assert all(schema.LEDGER.field(name).nullable for name in names)


@pytest.mark.parametrize("name", RULE_SETS)
def test_every_rule_reads_a_signal_of_its_own_set(name: str) -> None:
    for rule in RULE_SETS[name].rules():
        assert rule.signal.startswith(f"{name}_")
        assert rule.signal in {field.name for field in schema.SIGNALS}


PROSE = (
    "The river had risen in the night, and with it came the mud that the farmers feared most. "
    "By noon the lower garden was gone, and the men who had built its wall stood on the hill. "
    "Nobody spoke.\n"
    "They would have to begin again in the spring, as their fathers had done before them. "
    "One of them said that the mountain gives and the mountain takes. "
    "Then they walked home to be with their children.\n"
)


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


# The decisions and reasons of datatrove 0.10.1's filters with their defaults on the same texts.
GOLDEN = {
    PROSE: None,
    "": "gopher_word_count",
    "The river and the garden.": "gopher_word_count",
    "x " * 100: "gopher_mean_word_length",
    PROSE + "# " * 20: "gopher_hash_ratio",
    PROSE + "wait ... " * 20: "gopher_ellipsis_ratio",
    PROSE + "- \n" * 40: "gopher_bullet_line_ratio",
    PROSE + "1234 5678 " * 20: "gopher_alpha_word_ratio",
    re.sub(r"\b(the|be|to|of|and|that|have|with)\b", "das", PROSE): "gopher_stop_words",
    PROSE + "\n" + PROSE: "gopher_dup_para_frac",
    PROSE + "the muddy river " * 12: "gopher_top_3_gram_char_frac",
    PROSE + "Lorem ipsum is what printers set.": "c4_lorem_ipsum",
    PROSE + "The set is written { a, b }, they said.": "c4_curly_bracket",
    PROSE.replace(".", ";"): "c4_sentence_count",
    PROSE + "Nobody spoke at all.\n" * 2: "fineweb_char_dup_ratio",
}


@pytest.mark.parametrize(("text", "reason"), GOLDEN.items(), ids=map(str, GOLDEN.values()))
def test_a_document_is_dropped_for_the_first_rule_it_breaks(text: str, reason: str | None) -> None:
    verdict = QualityFilter().judge(documents([text]))
    assert verdict.reason.to_pylist() == [reason]
    assert (verdict.detail[0].as_py() is None) == (reason is None)


def test_the_detail_is_the_value_and_the_threshold_it_crossed() -> None:
    verdict = QualityFilter().judge(documents(["The river and the garden.", "the " * 100_001]))
    assert verdict.detail.to_pylist() == ["5 (threshold 50)", "1e+05 (threshold 100000)"]


def test_only_the_chosen_rule_sets_are_asked_and_all_signals_are_measured() -> None:
    verdict = QualityFilter(rules=["fineweb"]).judge(
        documents(["The river ran past the wall of a garden."])
    )
    assert verdict.reason.to_pylist() == [None]
    assert list(verdict.columns) == [field.name for field in schema.SIGNALS]


def test_a_value_on_the_threshold_is_kept() -> None:
    ten_lines = "".join(f"line {n} of the text\n" for n in range(6)) + "line 0 of the text\n" * 3
    row = quality_signals([ten_lines.rstrip("\n") + "\nlast line"]).to_pylist()[0]
    assert row["gopher_dup_line_frac"] == pytest.approx(0.3)
    rules = [Rule("gopher_dup_line_frac", high=0.3)]
    figures = {"gopher_dup_line_frac": np.array([3 / 10, np.nextafter(0.3, 1)])}
    assert first_broken(rules, figures, 2).tolist() == [-1, 0]


@pytest.mark.parametrize("rules", [[], (), ["gofer"], ["gopher", "C4"]])
def test_rule_sets_that_do_not_exist_are_refused(rules: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"quality\.rules"):
        QualityFilter(rules=rules)


def test_zero_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="threads = 0"):
        quality_signals(["a"], threads=0)


def test_a_threshold_of_the_recipe_replaces_the_published_one() -> None:
    thresholds = {"gopher_word_count": [5, 40], "gopher_top_2_gram_char_frac": 0.9}
    thresholds |= {f"gopher_top_{n}_gram_char_frac": 0.9 for n in (3, 4)}
    docs = documents([PROSE, "The river ran to the sea and back."])
    verdict = QualityFilter(["gopher"], thresholds).judge(docs)
    assert verdict.reason.to_pylist() == ["gopher_word_count", None]
    assert verdict.detail[0].as_py().endswith("(threshold 40)")


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"gopher_word_cout": [1, 2]}, "did you mean 'gopher_word_count'"),
        ({"zebra": 1}, "has no signal 'zebra'; known: gopher_word_count"),
        ({"gibberish_score": 0.5}, "quality.rules has no gibberish"),
        ({"gopher_word_count": [9, 3]}, "no value is at least 9 and at most 3"),
        ({"gopher_word_count": 50}, r"a number or two, smallest and largest, e.g. \[50, 100000\]"),
        ({"gopher_word_count": [1, 2, 3]}, "a number or two"),
        ({"gopher_word_count": [0, float("inf")]}, "could drop no document"),
        ({"fineweb_char_dup_ratio": 1}, r"could drop no document: it is from 0 to 1.*say tag"),
        ({"fineweb_char_dup_ratio": -0.1}, "would drop every document"),
        ({"gopher_stop_words": 9}, "would drop every document: it is from 0 to 8"),
        ({"fineweb_char_dup_ratio": float("nan")}, "a number or two"),
        ({"fineweb_char_dup_ratio": "0.2"}, "a number or two"),
        ({"fineweb_char_dup_ratio": True}, "a number or two"),
    ],
)
def test_thresholds_without_sense_are_refused(thresholds: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        QualityFilter(thresholds=thresholds)


def test_every_published_threshold_would_be_accepted_from_a_recipe() -> None:
    for rule_set in RULE_SETS.values():
        for rule in rule_set.rules():
            assert rule.at([max(rule.low, -1), min(rule.high, 1e9)]).signal == rule.signal


SHORT_AND_SYMBOLS = "# # # the river and the garden"


def test_a_tagged_rule_is_noted_and_hides_no_later_one() -> None:
    docs = documents([PROSE, SHORT_AND_SYMBOLS, ""])
    dropped = QualityFilter(["gopher"]).judge(docs)
    tagged = QualityFilter(["gopher"], tag=["gopher_word_count"]).judge(docs)
    assert dropped.reason.to_pylist()[1] == "gopher_word_count"
    assert dropped.tags is None
    assert tagged.reason.to_pylist()[1] == "gopher_hash_ratio"
    assert tagged.tags.to_pylist() == [[], ["gopher_word_count"], ["gopher_word_count"]]


@pytest.mark.parametrize("tag", [["quality"], ["gopher", "c4", "fineweb"], "quality"])
def test_tagging_all_drops_nothing_and_names_every_broken_rule(tag: list[str] | str) -> None:
    docs = documents([*GOLDEN, SHORT_AND_SYMBOLS])
    verdict = QualityFilter(tag=tag).judge(docs)
    assert verdict.reason.null_count == docs.num_rows
    assert verdict.tags.type == pa.list_(pa.string())
    signals = {name: values.to_numpy() for name, values in verdict.columns.items()}
    rules = [rule for rule_set in PUBLISHED.values() for rule in rule_set.rules()]
    for row, tags in enumerate(verdict.tags.to_pylist()):
        broken = [rule.signal for rule in rules if rule.broken(signals[rule.signal])[row]]
        assert tags == broken
    first = [tags[0] if tags else None for tags in verdict.tags.to_pylist()]
    assert first == QualityFilter().judge(docs).reason.to_pylist()


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        (["gopher_word"], "did you mean 'gopher_word_count'"),
        (["fineweb"], "quality.rules has no fineweb"),
        (["fineweb_list_ratio"], "quality.rules has no fineweb"),
        (["c4_bad_words"], "has no signal 'c4_bad_words'"),
    ],
)
def test_tags_for_no_rule_are_refused(tag: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        QualityFilter(["gopher", "c4"], tag=tag)


@pytest.fixture
def bad_words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("zounds\n\n  gad sooks \nc++\n", encoding="utf-8")
    return path


BAD = ["Zounds, it rains.", "zoundsy", "(GAD SOOKS)", "ok", "we like c++", ""]


def test_bad_words_are_found_as_datatrove_finds_them(bad_words: Path) -> None:
    theirs = C4BadWordsFilter()
    listed = "|".join(re.escape(word) for word in ("zounds", "gad sooks", "c++"))
    theirs._badwords_regex["en"] = re.compile(rf"(?:\W|^)({listed})(?:\W|$)")
    kept = [theirs.filter(Document(text=text, id="")) is True for text in BAD]
    thresholds = {"c4_sentence_count": 1}
    verdict = QualityFilter(["c4"], thresholds, tag=["c4"], bad_words=bad_words).judge(
        documents(BAD)
    )
    assert [("c4_bad_words" not in tags) for tags in verdict.tags.to_pylist()] == kept
    assert verdict.reason.null_count == len(BAD)


def test_a_bad_word_drops_behind_the_other_rules_of_c4(bad_words: Path) -> None:
    verdict = QualityFilter(["c4", "fineweb"], bad_words=bad_words).judge(
        documents([PROSE + "Zounds! Said he.\n", PROSE, "zounds"])
    )
    assert verdict.reason.to_pylist() == ["c4_bad_words", None, "c4_sentence_count"]
    assert verdict.detail[0].as_py() == "1 (threshold 0)"


def test_a_share_of_the_documents_with_a_bad_word_stays_whatever_the_batch(bad_words: Path) -> None:
    docs = documents([f"{PROSE} Zounds number {n}!" for n in range(400)])
    stage = QualityFilter(["c4"], bad_words=bad_words, keep_fraction=0.25)
    whole = stage.judge(docs).reason
    halves = [stage.judge(docs.slice(at, 200)).reason.to_pylist() for at in (0, 200)]
    assert 60 < whole.null_count < 140
    assert whole.to_pylist() == halves[0] + halves[1]


def test_the_words_of_c4_come_from_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{PROSE} What a load of bullshit!", PROSE]
    verdict = QualityFilter(["c4"], bad_words="c4").judge(documents(texts))
    assert verdict.reason.to_pylist() == ["c4_bad_words", None]
    monkeypatch.setitem(sys.modules, "leoprofanity", None)
    with pytest.raises(RecipeError, match=r"pip install 'gristmill\[badwords\]'"):
        QualityFilter(bad_words="c4")


def test_lists_of_bad_words_without_use_are_refused(bad_words: Path, tmp_path: Path) -> None:
    empty, latin = tmp_path / "empty.txt", tmp_path / "latin.txt"
    empty.write_text("\n \n")
    latin.write_bytes("fou\xe9".encode("latin-1"))
    for path, message in ((empty, "no word"), (latin, "not UTF-8"), (tmp_path, "directory")):
        with pytest.raises(RecipeError, match=message):
            QualityFilter(bad_words=path)
    with pytest.raises(RecipeError, match="belongs to the rule set c4"):
        QualityFilter(["gopher"], bad_words=bad_words)
    with pytest.raises(RecipeError, match="has no effect without"):
        QualityFilter(keep_fraction=0.1)
    with pytest.raises(RecipeError, match="1 excluded"):
        QualityFilter(bad_words=bad_words, keep_fraction=1)
