"""Measures of a classifier against slow twins, and tables that are known by their columns."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.classifier import evaluate_classifier
from gristmill.classifier.measures import area_under_roc, measure, roc, share
from gristmill.classifier.tables import Layout, read_table
from gristmill.errors import FormatError, RecipeError

scored = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=1)


def area_of_all_pairs(scores, truth):
    """Every positive against every negative: 1 above, a half equal; None without a pair."""
    pairs = [
        (a > b) + (a == b) / 2
        for a, positive in zip(scores, truth, strict=True)
        for b, other in zip(scores, truth, strict=True)
        if positive and not other
    ]
    return sum(pairs) / len(pairs) if pairs else None


@given(scored)
def test_the_area_is_that_of_all_pairs(rows):
    scores, truth = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    slow = area_of_all_pairs(scores.tolist(), truth.tolist())
    fast = area_under_roc(scores, truth).value
    assert fast == slow if slow is None else fast == pytest.approx(slow)


@given(scored)
def test_the_curve_has_the_area_under_it(rows):
    scores, truth = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    area = area_under_roc(scores, truth).value
    if area is not None:
        x, y = roc(scores, truth)
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)) == pytest.approx(area)


@given(scored, st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_rates_are_those_counted_one_by_one(rows, threshold):
    found = measure(np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), threshold)
    tp = sum(score >= threshold and positive for score, positive in rows)
    fp = sum(score >= threshold and not positive for score, positive in rows)
    fn = sum(score < threshold and positive for score, positive in rows)
    tn = len(rows) - tp - fp - fn
    for estimate, part, whole in (
        (found.precision, tp, tp + fp),
        (found.recall, tp, tp + fn),
        (found.accuracy, tp + tn, len(rows)),
        (found.false_positive_rate, fp, fp + tn),
        (found.f1, 2 * tp, 2 * tp + fp + fn),
    ):
        assert estimate.value == (part / whole if whole else None)
        if whole:
            assert estimate.low <= estimate.value <= estimate.high


def test_the_interval_of_the_area_holds_the_truth_19_times_of_20():
    draw, held = np.random.default_rng(3), 0
    true_area = 0.7602  # of two normal distributions one standard deviation apart
    for _ in range(400):
        truth = draw.random(150) < 0.4
        estimate = area_under_roc(draw.normal(size=150) + truth, truth)
        held += estimate.low <= true_area <= estimate.high
    assert 0.91 < held / 400 < 0.98


def test_intervals_of_shares_are_wilsons():
    estimate = share(10, 100)  # Brown, Cai and DasGupta 2001 give 0.055 to 0.174
    assert (round(estimate.low, 3), round(estimate.high, 3)) == (0.055, 0.174)
    assert str(share(0, 0)) == "-"
    assert share(0, 10).low == 0
    assert share(10, 10).high == 1


def write(path: Path, columns: str, rows: list[list[str]]) -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns.split(","), *rows])
    return path


def knows(word: str):
    """A classifier that is sure of texts with `word`, and knows nothing of empty ones."""
    return lambda texts: pa.chunked_array(
        [[None if not text else float(word in text) for text in texts.to_pylist()]], pa.float32()
    )


def test_published_tables_are_known_by_their_columns(tmp_path):
    tweets = write(
        tmp_path / "a.csv.gz",
        ",count,class,tweet",
        [
            ["0", "3", "2", "fine, here"],
            ["1", "3", "0", "line\nbreak"],
            ["2", "3", "1", 'a "quote"'],
        ],
    )
    assert read_table(tweets).truth == [False, True, True]
    assert read_table(tweets).texts == ["fine, here", "line\nbreak", 'a "quote"']
    wiki = write(
        tmp_path / "b.csv", "rev_id,comment,toxic", [["1", "a", "True"], ["2", "b", "False"]]
    )
    assert read_table(wiki).truth == [True, False]
    check = write(
        tmp_path / "c.csv",
        "functionality,case_id,test_case,label_gold,target_ident",
        [["derog", "1", "x", "hateful", "women"], ["neutral", "2", "y", "non-hateful", ""]],
    )
    found = read_table(check)
    assert (found.truth, found.terms, found.tests) == (
        [True, False], ["women", ""], ["derog", "neutral"],
    )  # fmt: skip


TEMPLATES = [
    ["verb_adj", "nontoxic", "hug middle aged"],
    ["verb_adj", "toxic", "kill gay"],
    ["name_adj", "nontoxic", "Gay people are nice"],
    ["name_adj", "nontoxic", "a middle aged one"],
    ["name_adj", "toxic", "nothing known"],
    ["you_are_adj", "nontoxic", "you are gayer"],
]


def test_identity_terms_are_taken_from_the_templates_and_matched_as_words(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "template,toxicity,phrase", TEMPLATES))
    assert table.terms == ["middle aged", "gay", "gay", "middle aged", "", ""]
    given_terms = read_table(tmp_path / "t.csv", terms=["nice", "gayer"])
    assert given_terms.terms == ["", "", "nice", "", "", "gayer"]


def test_rates_are_given_for_each_term_and_test_with_the_largest_gap(tmp_path):
    rows = [["t1", "nontoxic", f"{term} {n}"] for n in range(20) for term in ("red", "blue")]
    rows += [["t1", "nontoxic", f"red bad {n}"] for n in range(5)]
    rows += [["t2", "toxic", "bad"], ["t2", "nontoxic", ""], ["t2", "nontoxic", "green bad"]]
    table = read_table(
        write(tmp_path / "t.csv", "template,toxicity,phrase", rows), terms=["red", "blue", "green"]
    )
    found = evaluate_classifier(knows("bad"), table)
    by_name = {group.name: group for group in found.terms}
    assert by_name["red"].false_positive_rate.value == 5 / 25
    assert by_name["blue"].false_positive_rate.value == 0
    assert found.gap == (0.2, "red", "blue")  # green has one text, which is too few to count
    assert [(group.name, group.negatives) for group in found.tests] == [("t1", 45), ("t2", 2)]
    assert found.tests[1].recall.value == 1
    assert found.measures.false_positive_rate.value == 6 / 47


def test_other_tables_are_described(tmp_path):
    path = write(tmp_path / "o.csv", "body,verdict,who", [["a", "Bad", "x"], ["b", "ok", "y"]])
    table = read_table(path, Layout("body", "verdict", frozenset({"bad"}), term="who"))
    assert (table.truth, table.terms) == ([True, False], ["x", "y"])
    with pytest.raises(RecipeError, match=r"body, verdict, who.*--text-column"):
        read_table(path)
    with pytest.raises(RecipeError, match="has no column label; it has body"):
        read_table(path, Layout("body", "label", frozenset({"bad"})))


def test_tables_of_one_class_and_without_rows_are_refused(tmp_path):
    one = write(tmp_path / "one.csv", "comment,toxic", [["a", "True"], ["b", "true"]])
    with pytest.raises(RecipeError, match="all 2 rows are positive"):
        evaluate_classifier(knows("a"), read_table(one))
    with pytest.raises(RecipeError, match="no rows"):
        read_table(write(tmp_path / "none.csv", "comment,toxic", []))


def test_files_that_are_no_csv_are_refused(tmp_path):
    (tmp_path / "latin.csv").write_bytes("comment,toxic\nsch\xf6n,1\n".encode("latin-1"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"comment,toxic\n" * 99)[:-9])
    (tmp_path / "plain.csv.gz").write_bytes(b"comment,toxic\na,1\n")
    (tmp_path / "quote.csv").write_text('comment,toxic\n"never closed,1\n')
    for name in ("latin.csv", "cut.csv.gz", "plain.csv.gz", "quote.csv"):
        with pytest.raises(FormatError, match=f"{name} is no CSV"):
            read_table(tmp_path / name)


def test_a_text_of_ten_megabytes_and_a_short_row_are_read(tmp_path):
    long = "word " * 2_000_000
    path = write(tmp_path / "long.csv", "comment,toxic", [[long, "1"], ["b"]])
    assert read_table(path).texts == [long, "b"]
