"""Benchmark items are found in texts, verbatim or edited, and nothing else is."""

from __future__ import annotations

import gzip
import json
import random
import re
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import gristmill as gm
import naive_decontaminate as naive
from gristmill import _core
from gristmill.cli.app import app
from gristmill.decontaminate import (
    CONTAMINATION,
    BenchmarkItem,
    Benchmarks,
    Decontaminate,
    read_items,
)
from gristmill.decontaminate.report import wilson
from gristmill.decontaminate.stage import cut
from gristmill.errors import FormatError, RecipeError
from surveys import documents, outcome

QUESTION = (
    "A farmer keeps seventeen geese beside an old mill and sells every second egg to the baker, "
    "who pays three copper coins for each of them. How many coins does the farmer earn in a week?"
)
OTHER = (
    "Why does a lake of salt water freeze later than a lake of fresh water that lies at the same "
    "height above the sea?"
)
CHOICES = [
    "Because dissolved salt lowers the temperature at which water turns to ice",
    "Because the wind keeps salty waves in motion during long winter nights",
]
FILLER = "Nothing of this is a question. The weather was mild and the road was empty. "


def items_of(*parts: tuple[str, ...]) -> list[BenchmarkItem]:
    return [BenchmarkItem("b", f"b.jsonl:{row}", one) for row, one in enumerate(parts, 1)]


ITEMS = items_of((QUESTION,), (OTHER, *CHOICES))


def found(text: str, items: list[BenchmarkItem] = ITEMS, **rule: float) -> list[str]:
    """The items found in a text."""
    rows = Benchmarks(items, **rule).find(pa.array([text]))
    return list(dict.fromkeys(rows["item"].to_pylist()))


def every_eighth(text: str, edit: str) -> str:
    words = text.split()
    words[5::8] = [edit.format(word) for word in words[5::8]]
    return " ".join(words)


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        QUESTION.upper(),
        re.sub(r"[^\w\s]", "", QUESTION),
        QUESTION.replace(" ", "\n \t"),
        every_eighth(QUESTION, "something"),
        every_eighth(QUESTION, "{} indeed"),
        every_eighth(QUESTION, ""),
        QUESTION[: len(QUESTION) * 2 // 3],
    ],
    ids=["verbatim", "case", "marks", "space", "replaced", "inserted", "deleted", "truncated"],
)
@pytest.mark.parametrize(
    "place", ["{}", FILLER * 9 + "{}", "{}" + FILLER, FILLER + "{}" + FILLER * 3]
)
def test_an_item_is_found_verbatim_and_edited_wherever_it_stands(text, place):
    assert found(place.format(f"\n{text}\n")) == ["b.jsonl:1"]


def test_choices_may_stand_in_another_order():
    assert found(f"{FILLER}{CHOICES[1]} / {CHOICES[0]} -- {OTHER}") == ["b.jsonl:2"]


def test_clean_text_is_not_flagged():
    assert found(FILLER * 50 + "The farmer keeps geese. How many eggs does the baker buy?") == []


def test_a_short_answer_alone_is_no_find():
    assert found(f"{FILLER}{CHOICES[1]}. {FILLER}") == []


def test_a_short_edited_question_is_found():
    question = "Which bird lays the largest eggs relative to its own body weight?"
    assert found("Which bird lays the largest ones relative to its own body weight?",
                 items_of((question,))) == ["b.jsonl:1"]  # fmt: skip


def test_what_many_items_share_is_no_find():
    animals = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}beast" for n in range(200)]
    intro = "Read the statement with care and choose the answer that fits it best of all:"
    items = items_of(*((f"{intro} the {one} sleeps all day because nights are long for it",)
                       for one in animals))  # fmt: skip
    assert found(intro, items) == []
    assert found(items[77].parts[0], items) == ["b.jsonl:78"]


def test_a_passage_that_some_questions_share_is_found_as_each_of_them():
    items = items_of(*((QUESTION, f"And what about number {n} of them?") for n in range(20)))
    assert len(found(QUESTION, items)) == 20


def test_numbers_and_single_letters_are_no_find():
    items = items_of(("0 1 2 3 4 5 6 7 8 9 a b c d e f 10 11 12 13 14 15 16",), (QUESTION,))
    assert found("0 1 2 3 4 5 6 7 8 9 A B C D E F 10 11 12 13 14 15 16", items) == []


def test_a_phrase_repeated_in_item_and_text_counts_once():
    items = items_of(("it can be used for baking; it can be used for frying and cooking",))
    text = "It can be used for sale on any market. As a gift it can be used for friends too. "
    assert found(text * 5, items) == []


WORDS = ["anchor", "barrel", "candle", "dragon", "ember", "falcon", "garden"]
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(SENTENCES, st.lists(SENTENCES, max_size=3), st.integers(4, 14))
def test_ngrams_are_found_exactly_where_sets_of_words_have_them(text, parts, ngram):
    items = [*items_of(tuple(parts)), BenchmarkItem("b", "other", (QUESTION,))]
    rows = Benchmarks(items, ngram=ngram, coverage=1.0).find(pa.array([text])).to_pylist()
    held = any(row["has_ngram"] for row in rows if row["item"] != "other")
    assert held == naive.has_ngram(parts, text, ngram)


@settings(max_examples=100, deadline=None)
@given(SENTENCES, SENTENCES, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_a_part_whose_words_mostly_stand_in_common_runs_close_together_is_found(text, part, share):
    items = [*items_of((part,)), BenchmarkItem("b", "other", (QUESTION,))]
    rows = Benchmarks(items, ngram=1000, coverage=share).find(pa.array([text])).to_pylist()
    n_words = len(part.split())
    if not rows and n_words >= 8 and len(set(naive.grams_of(part.split(), 4))) == n_words - 3:
        assert naive.seed_coverage(part, text) < max(share, 8 / n_words)
    for row in rows:
        assert naive.seed_coverage(part, row["matched"]) >= share / 2 - 1e-6
        assert row["coverage"] >= share - 1e-6


@settings(max_examples=60, deadline=None)
@given(st.text("aBé日 .", max_size=40), st.text("aBé日 .", max_size=40))
def test_the_longest_match_is_that_of_the_table_of_all_pairs(before, after):
    text = f"{before} {QUESTION} {after}"
    item = f"{after}\n{QUESTION}{before}"
    row = Benchmarks(items_of((item,))).find(pa.array([text])).to_pylist()[0]
    assert row["matched"] == text[row["start"] : row["end"]]
    assert row["longest_match"] == naive.longest_common(item, row["matched"])


def test_the_twin_tells_strings_apart():
    assert naive.longest_common("abcd", "xbcy") == 2
    assert naive.has_ngram(["a b c"], "A, b!", 2)
    assert not naive.has_ngram(["a b", "c"], "b c", 2)


def test_threads_change_nothing():
    rng = random.Random(1)
    texts = pa.array(
        [FILLER * rng.randrange(4) + rng.choice([QUESTION, OTHER, ""]) for _ in range(99)]
    )
    assert Benchmarks(ITEMS).find(texts, 1).equals(Benchmarks(ITEMS).find(texts, 3))


@pytest.mark.parametrize(
    "text",
    ["", "a", "x" * 50_000_000, "a b " * 2_500_000, "can be used for " * 600_000, "\u0301" * 10**6],
    ids=["empty", "one", "word", "line", "repeats", "marks"],
)
def test_hostile_texts_take_bounded_time(text):
    repeats = BenchmarkItem("b", "repeats", ("it can be used for what can be used for " * 9,))
    started = time.process_time()
    assert found(text, [*ITEMS, repeats, *items_of(("a b " * 500,))]) in ([], ["repeats"])
    assert time.process_time() - started < 10


def test_scripts_without_spaces_and_from_right_to_left_are_found():
    chinese = "水在什么温度下会结冰而盐水为什么在更低的温度下才会结冰呢"
    arabic = "لماذا يتجمد الماء المالح في درجة حرارة أقل من درجة حرارة تجمد الماء العذب في البحيرة"
    items = items_of((chinese,), (arabic,))
    assert found(f"前言{chinese}。后记", items) == ["b.jsonl:1"]
    assert found(f"{FILLER} {arabic} ؟", items) == ["b.jsonl:2"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [({"ngram": 3}, "ngram = 3 "), ({"ngram": 1001}, "ngram"), ({"coverage": 0.0}, "coverage = 0"),
     ({"coverage": 1.5}, "coverage = 1.5"), ({"coverage": float("nan")}, "coverage = NaN")],
)  # fmt: skip
def test_a_rule_outside_its_range_is_refused_with_its_value(rule, message):
    with pytest.raises(ValueError, match=message):
        Benchmarks(ITEMS, **rule)


def test_the_kernel_refuses_items_that_do_not_add_up():
    with pytest.raises(ValueError, match="n_parts"):
        _core.BenchmarkItems(pa.table({"text": pa.array(["a"])}), [2], 13, 0.5)


# ---- files ----

ROWS = [
    ({"query": "Question: " + OTHER, "choices": CHOICES, "gold": 0}, ["Question: " + OTHER, *CHOICES]),
    ({"context_options": ["The cat saw it as the cat", "The cat saw it as the dog"],
      "continuation": "ran.", "gold": 1},
     ["The cat saw it as the cat ran.", "The cat saw it as the dog ran."]),
    ({"context": "He opened the", "continuation": "door"}, ["He opened the door"]),
    ({"context": "How many?", "chain_of_thought": "Two and one.", "answer": "3"},
     ["How many?", "Two and one."]),
    ({"goal": "open it", "sol1": "pull", "sol2": "push", "label": 1}, ["open it", "pull", "push"]),
    ({"task_id": "H/0", "prompt": "def f():", "canonical_solution": "return 1", "test": "assert f()"},
     ["def f():", "return 1", "assert f()"]),
    ({"Type": "A", "Question": "Is it?", "Best Answer": "No", "Source": "x"}, ["Is it?", "No"]),
    ({"question": "Who?", "answer": "She #### 3"}, ["Who?", "She #### 3"]),
    ({"id": "7", "question": {"stem": "Why?", "choices": [{"text": "So", "label": "A"}]}},
     ["Why?", "So", "7", "A"]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "parts"), ROWS, ids=lambda one: " ".join(one)[:30])
def test_a_row_is_read_question_first(tmp_path, row, parts):
    (tmp_path / "task.jsonl").write_text(json.dumps(row))
    assert read_items(tmp_path / "task.jsonl") == [BenchmarkItem("task", f"{tmp_path}/task.jsonl:1",
                                                                 tuple(parts))]  # fmt: skip


def test_every_format_gives_the_same_items(tmp_path):
    rows = [{"question": QUESTION, "answer": "119"}, {"question": OTHER, "answer": CHOICES[0]}]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    (tmp_path / "a.jsonl").write_bytes(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "c.jsonl.zst").write_bytes(pa.Codec("zstd").compress(lines, asbytes=True))
    (tmp_path / "d.json").write_text(json.dumps({"version": 1, "data": rows}))
    (tmp_path / "e.csv").write_text(
        "\ufeffquestion,answer\n" + "".join(f'"{r["question"]}","{r["answer"]}"\n' for r in rows),
        encoding="utf-8")  # fmt: skip
    (tmp_path / "f.tsv").write_text(
        "question\tanswer\n" + "".join(f"{r['question']}\t{r['answer']}\n" for r in rows)
    )
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "g.parquet")
    items = read_items("*", tmp_path)
    assert [item.benchmark for item in items[::2]] == list("abcdefg")
    for pair in zip(items[::2], items[1::2], strict=True):
        assert [item.parts for item in pair] == [(QUESTION, "119"), (OTHER, CHOICES[0])]
    assert items[2].id == "b.jsonl.gz:1"


def test_files_of_one_name_keep_their_folders(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test.jsonl").write_text(json.dumps({"question": QUESTION}))
    items = read_items(["one/*", "two/*"], tmp_path)
    assert [item.benchmark for item in items] == ["one/test", "two/test"]


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.jsonl", b'{"question": "Who?"}\n{"n": 1}', FormatError, r"a\.jsonl:2: has no text .*n"),
        ("a.jsonl", b'{"question": "Who?"}\n{"n": ', FormatError, r"a\.jsonl:2: is no JSON"),
        ("a.jsonl", b"[1]", FormatError, r"a\.jsonl:1: is no object"),
        ("a.jsonl", b"[" * 100_000, FormatError, r"a\.jsonl:1: is nested too deeply"),
        ("a.jsonl", b"", FormatError, "holds no item"),
        ("a.json", b"[]", FormatError, "holds no item"),
        ("a.jsonl", b"\xff\xfe{}", FormatError, r"a\.jsonl:1: is no JSON"),
        ("a.csv", b"question\n\xff\n", FormatError, "is not UTF-8"),
        ("a.csv", b'question\n"' + b"x" * 200_000, FormatError, r"a\.csv:1: is no row"),
        ("a.parquet", b"PAR1", FormatError, "is no Parquet file"),
        ("a.jsonl.gz", gzip.compress(b'{"question": "Who?"}' * 99)[:-20], FormatError, "unpacked"),
        ("a.txt", b"Who?", RecipeError, r"a\.txt is no benchmark file"),
        ("a.jsonl", b'{"question": "Who was it?"}', RecipeError, "words enough"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(
    tmp_path, name, content, error, message
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        Benchmarks.read(tmp_path / name)


def test_a_file_without_effect_among_others_is_refused(tmp_path):
    (tmp_path / "good.jsonl").write_text(json.dumps({"question": QUESTION}))
    (tmp_path / "short.jsonl").write_text(json.dumps({"question": "Who?"}))
    with pytest.raises(RecipeError, match="none of the 1 items of short"):
        Benchmarks.read(str(tmp_path / "*.jsonl"))
    with pytest.raises(RecipeError, match="matches no file"):
        Benchmarks.read(str(tmp_path / "*.csv"))
    with pytest.raises(RecipeError, match="is empty"):
        Benchmarks.read([])


# ---- the public function, the stage, the command ----


@pytest.fixture
def benchmark(tmp_path):
    rows = [{"query": QUESTION, "choices": ["119", "84"]}, {"query": OTHER, "choices": CHOICES}]
    path = tmp_path / "farm.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_contamination_says_what_stands_where(benchmark):
    text = f"{FILLER}\nQ: {QUESTION} A: 119"
    rows = gm.contamination([FILLER, text, None], against=[benchmark]).to_pylist()
    assert [row["document"] for row in rows] == [1]
    assert rows[0]["item"].endswith("farm.jsonl:1")
    assert rows[0]["benchmark"] == "farm"
    assert rows[0]["matched"] == QUESTION == text[rows[0]["start"] : rows[0]["end"]]
    assert rows[0]["longest_match"] == len(QUESTION)
    assert rows[0]["coverage"] == 1.0


def test_the_stage_drops_and_names_the_item(benchmark):
    got = outcome(Decontaminate(against=[benchmark]), FILLER, FILLER + QUESTION, OTHER)
    assert got.reason == [None, "contaminated", "contaminated"]
    assert "farm.jsonl:1: 1.00 of its words" in got.detail[1]
    assert list(got.kept) == ["d0"]
    counts = got.noted["benchmarks"][0]
    assert (counts["items"], counts["found"], counts["documents"]) == (2, 2, 2)
    assert counts["largest_coverage"] == 1.0


def test_the_stage_cuts_whole_passages_and_drops_what_is_too_short(benchmark):
    stage = Decontaminate(against=[benchmark], action="cut")
    got = outcome(stage, f"{FILLER}\n{QUESTION}\n{FILLER}", f"{OTHER}\nShort.", FILLER)
    assert got.kept == {"d0": f"{FILLER}\n{FILLER}", "d2": FILLER}
    assert got.reason == [None, "too_short_after_cut", None]
    assert got.detail[0].startswith("cut ")
    assert "6 characters left, at least 50" in got.detail[1]


@pytest.mark.parametrize("options", [{"action": "report"}, {"tag": ("contaminated",)}])
def test_the_stage_can_tag_in_the_place_of_dropping(benchmark, options):
    docs = documents([FILLER, QUESTION])
    judge = Decontaminate(against=[benchmark], **options).survey(None, None)
    verdict = judge.judge(docs)
    assert verdict.reason.to_pylist() == [None, None]
    assert verdict.tags.to_pylist() == [None, ["contaminated"]]
    assert verdict.text is None
    rows = judge.report()
    assert rows.schema == CONTAMINATION
    assert rows["id"].to_pylist() == ["d1"]
    assert rows["source"].to_pylist() == ["s"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"action": "mask"}, "action = 'mask'"), ({"min_remaining": -1}, "min_remaining = -1"),
     ({"threads": 0}, "threads = 0"), ({"tag": ("bad",)}, "tag = 'bad'")],
)  # fmt: skip
def test_the_stage_refuses_options_outside_their_range(benchmark, options, message):
    with pytest.raises(ValueError, match=message):
        Decontaminate(against=[benchmark], **options)


def test_a_cut_leaves_no_empty_line_and_one_space():
    assert cut("one two three", [(4, 7)]) == "one three"
    assert cut("one\ntwo\nthree", [(4, 7)]) == "one\nthree"
    assert cut("one two", [(4, 7), (2, 5)]) == "on"
    assert cut("one", []) == "one"


def test_the_interval_is_wilsons():
    low, high = wilson(1, 100)
    assert (round(low, 4), round(high, 4)) == (0.0018, 0.0545)
    assert wilson(0, 5)[0] == 0.0


def test_the_command_prints_counts_and_writes_the_report(benchmark, tmp_path):
    lines = [{"id": "clean", "text": FILLER}, {"id": "dirty", "text": FILLER + QUESTION}]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    arguments = ["decontaminate", str(tmp_path / "docs.jsonl"), "--against", str(benchmark)]
    done = CliRunner().invoke(app, [*arguments, "--json", "--report", str(tmp_path / "r.parquet")])
    data = json.loads(done.stdout)
    assert (data["documents"], data["contaminated"]) == (2, 1)
    assert data["benchmarks"][0]["found"] == 1
    assert data["examples"][0]["id"] == "dirty"
    rows = pq.read_table(tmp_path / "r.parquet")
    assert rows["matched"].to_pylist() == [QUESTION]
    shown = CliRunner().invoke(app, arguments).stdout
    assert "1 of 2 documents hold benchmark items" in shown
