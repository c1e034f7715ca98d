"""Comparing tokenizers: every figure against `tokenizers`, or counted by hand; the command; the plot."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest
import tokenizers

import gristmill as gm
from gristmill.cards.tokenizers import MAX_ROWS, comparison_figure
from gristmill.cli.app import app, run
from gristmill.tokenizer import comparison
from gristmill.tokenizer.comparison import COMPARISON, MAX_GROUPS, OTHERS, compare_tokenizers

ENGLISH = "The mill grinds slowly, but it grinds exceedingly fine: 1,234 sacks a year.\n"
GERMAN = "Die Mühle mahlt langsam, aber das Mehl wird fein und der Müller schläft nicht.\n"
JAPANESE = "水車小屋の粉ひきは、朝から晩まで小麦をひいています。\n"
TEXTS = [
    ENGLISH,
    GERMAN,
    JAPANESE,
    "  x = [1,\t22]\n\n",
    "",
    "don't\u3000STOP\u00a0é\u0301 \u2028end",
]
LANGUAGES = ["en", "de", "ja", "code", "und", "en"]


@pytest.fixture(scope="module")
def trained():
    """A tokenizer of each pattern."""
    return {
        pattern: gm.Tokenizer.train([ENGLISH, GERMAN, JAPANESE] * 2, 420, pattern)
        for pattern in ("gpt2", "cl100k", "o200k", "llama3", "qwen2")
    }


@pytest.fixture(scope="module")
def bytewise():
    """A tokenizer without merges: its tokens are the bytes."""
    return gm.Tokenizer.train([""], 257)


def rows(table, group="all", name=None):
    return [row for row in table.to_pylist() if (row["group"], row["name"]) == (group, name)]


def test_figures_are_those_of_the_reference_tokenizers(trained, tmp_path):
    found = compare_tokenizers(trained, TEXTS, LANGUAGES)
    for row in rows(found):
        trained[row["tokenizer"]].save(tmp_path)
        reference = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        ids = [one for text in TEXTS for one in reference.encode(text).ids]
        assert row["tokens"] == len(ids)
        assert row["bytes_per_token"] == len("".join(TEXTS).encode()) / len(ids)
        assert row["characters_per_token"] == len("".join(TEXTS)) / len(ids)
        assert row["never_used"] == pytest.approx(1 - len(set(ids)) / (row["vocab_size"] - 1))
        words = [word for text in TEXTS if text != JAPANESE for word in text.split()]
        # a word's tokens are those after a space; one that is the space alone is not the word's
        each = [
            [one for one in reference.encode(f" {word}").tokens if one != "Ġ"] for word in words
        ]
        assert row["words"] == len(words)
        assert row["tokens_per_word"] == sum(map(len, each)) / len(words)
        assert row["continued_words"] == sum(len(one) > 1 for one in each) / len(words)


def test_figures_are_those_counted_by_hand(bytewise):
    found = compare_tokenizers({"bytes": bytewise}, ["a bé", "a\n"], ["xx", "xx"], ["s", "t"])
    shared = {"tokenizer": "bytes", "pattern": "gpt2", "vocab_size": 257, "small": True}
    assert rows(found) == [
        shared
        | {"group": "all", "name": None, "documents": 2, "bytes": 7, "characters": 6, "words": 3}
        | {"tokens": 7, "bytes_per_token": 1.0, "characters_per_token": 6 / 7}
        | {"tokens_per_word": (1 + 3 + 1) / 3, "continued_words": 1 / 3, "never_used": 1 - 6 / 256}
    ]
    (source,) = rows(found, "source", "t")
    assert (source["tokens"], source["tokens_per_word"], source["continued_words"]) == (2, 1.0, 0.0)
    assert found.schema == COMPARISON


def test_words_are_not_counted_in_languages_written_without_spaces(bytewise):
    found = compare_tokenizers({"bytes": bytewise}, ["東京 に", "go on"], ["ja-JP", "en"])
    (japanese,) = rows(found, "language", "ja-JP")
    assert (japanese["words"], japanese["tokens_per_word"]) == (0, None)
    assert japanese["bytes_per_token"] == 1
    assert rows(found)[0]["words"] == 2


def test_missing_languages_are_identified_and_the_undetermined_kept(bytewise):
    found = compare_tokenizers({"b": bytewise}, [GERMAN * 3, "?", "?"], [None, "", "tlh"])
    assert {row["name"] for row in found.to_pylist() if row["group"] == "language"} == {
        "de",
        "und",
        "tlh",
    }
    unnamed = compare_tokenizers({"b": bytewise}, ["a"], ["en"], [None])
    assert rows(unnamed, "source", "(none)")


def test_neither_portions_nor_threads_change_a_figure(trained, monkeypatch):
    sources = ["a", "b"] * 3
    whole = compare_tokenizers(trained, pa.array(TEXTS), LANGUAGES, sources)
    monkeypatch.setattr(comparison, "_PORTION_BYTES", 60)
    assert compare_tokenizers(trained, TEXTS, LANGUAGES, sources, threads=2) == whole


def test_groups_beyond_the_limit_are_counted_together(bytewise):
    n = MAX_GROUPS + 44
    found = compare_tokenizers(
        {"b": bytewise}, ["text"] * n, ["en"] * n, [f"s{i:03}" for i in range(n)]
    )
    assert rows(found, "source", OTHERS)[0]["documents"] == 44
    by_source = [row for row in found.to_pylist() if row["group"] == "source"]
    assert len(by_source) == MAX_GROUPS + 1
    assert sum(row["bytes"] for row in by_source) == rows(found)[0]["bytes"] == 4 * n


def test_groups_come_largest_first_and_small_ones_are_marked(bytewise):
    found = compare_tokenizers({"b": bytewise}, ["x", "y" * 10_000], ["en", "de"])
    marks = [(row["name"], row["small"]) for row in found.to_pylist() if row["group"] == "language"]
    assert marks == [("de", False), ("en", True)]


def test_nothing_to_compare_or_a_wrong_number_of_names_is_refused(bytewise):
    with pytest.raises(ValueError, match="give at least one"):
        compare_tokenizers({}, ["a"])
    with pytest.raises(ValueError, match="got 1 languages or sources for 2 texts"):
        compare_tokenizers({"b": bytewise}, ["a", "b"], ["en"])


# ---- the figure ----


def parsed(figure):
    return ElementTree.fromstring(figure.file())


def test_the_figure_marks_every_tokenizer_in_every_group_and_says_so_in_words(trained):
    two = {name: trained[name] for name in ("gpt2", "o200k")}
    found = compare_tokenizers(two, TEXTS, LANGUAGES, ["a", "b<&"] * 3)
    svg = parsed(comparison_figure(found))
    namespace = "{http://www.w3.org/2000/svg}"
    measured = [row for row in found.to_pylist() if row["bytes_per_token"]]
    marks = [one for one in svg.iter(f"{namespace}path") if "dot" in one.get("class", "")]
    assert len(marks) == len(measured)  # those of "all" are the legend
    description = svg.findtext(f"{namespace}desc")
    for row in measured:
        assert f"{row['bytes_per_token']:.2f}" in description
    texts = [one.text for one in svg.iter(f"{namespace}text")]
    assert {"By language", "By source", "UTF-8 bytes per token", "b<&*"} <= set(texts)
    assert "prefers-color-scheme:dark" in svg.findtext(f"{namespace}style")


def test_marks_stand_where_the_axis_says(bytewise, trained):
    pair = {"bytes": bytewise, "gpt2": trained["gpt2"]}
    found = compare_tokenizers(pair, [ENGLISH], ["en"])
    drawn = comparison_figure(found).file()
    ends = {int(tick): float(x) for x, tick in
            re.findall(r'<text x="([\d.]+)" y="[\d.]+" class="soft mid">(\d+)</text>', drawn)}  # fmt: skip
    per_byte = ends[1] - ends[0]
    values = [row["bytes_per_token"] for row in rows(found, "language", "en")]
    (span,) = re.findall(
        r'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)" .{,20} class="span"', drawn
    )
    assert [float(x) for x in span] == pytest.approx(
        [ends[0] + per_byte * value for value in values], abs=0.2
    )


def test_a_figure_of_many_groups_draws_the_largest_and_says_of_how_many(bytewise):
    n = MAX_ROWS + 5
    found = compare_tokenizers({"b": bytewise}, ["a"] * n, ["en"] * n, [f"s{i}" for i in range(n)])
    drawn = comparison_figure(found).file()
    assert f"the {MAX_ROWS} of {n} with the most text" in drawn
    assert len(re.findall(">s[0-9]+[*]<", drawn)) == MAX_ROWS


# ---- the command ----


@pytest.fixture
def folder(tmp_path, bytewise, trained):
    bytewise.save(tmp_path / "bytes")
    trained["o200k"].save(tmp_path / "trained")
    trained["gpt2"].save(tmp_path / "other" / "trained")
    documents = [{"text": GERMAN * 3, "lang": "de", "source": "named"}, {"text": ENGLISH * 200}]
    for path in (
        tmp_path / "x" / "docs.jsonl",
        tmp_path / "y" / "docs.jsonl",
        tmp_path / "z.jsonl",
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(one) + "\n" for one in documents))
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"no": "text"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    return tmp_path


def call(capsys, folder, monkeypatch, *arguments):
    """Exit code, stdout and stderr of the command, run in `folder`."""
    monkeypatch.chdir(folder)
    code = run(lambda: app(["tokenizer", "compare", *arguments], standalone_mode=False))
    return code, *capsys.readouterr()


def test_the_command_groups_by_language_and_by_file(folder, capsys, monkeypatch):
    arguments = ["bytes", "trained/tokenizer.json", "--on", "*/docs.jsonl", "--on", "z.jsonl"]
    code, printed, _ = call(capsys, folder, monkeypatch, *arguments, "--plot", "p.svg", "--json")
    assert code == 0
    found = json.loads(printed)
    assert [one["name"] for one in found["tokenizers"]] == ["bytes", "trained"]
    assert found["documents_read"] == 6
    groups = {(row["group"], row["name"]): row for row in found["groups"]}
    assert groups["source", "z.jsonl"]["documents"] == 1
    assert groups["source", "x/docs.jsonl"]["bytes"] == len(ENGLISH) * 200
    assert groups["source", "named"]["documents"] == groups["language", "de"]["documents"] == 3
    assert groups["language", "en"]["documents"] == 3
    assert found["plot"] == "p.svg"
    assert ElementTree.parse("p.svg").getroot().tag.endswith("svg")


def test_the_command_shows_tables_with_small_groups_marked(folder, capsys, monkeypatch):
    code, printed, _ = call(capsys, folder, monkeypatch, "bytes", "--on", "z.jsonl")
    assert code == 0
    assert "de (few)" in printed
    assert "few: less than 10 kB of text" in printed
    assert re.search(r"│ bytes +│ +257 │ gpt2 ", printed)


def test_tokenizers_of_the_same_name_are_shown_by_their_paths(folder, capsys, monkeypatch):
    arguments = ["trained", "other/trained", "bytes", "--on", "z.jsonl", "--json"]
    _, printed, _ = call(capsys, folder, monkeypatch, *arguments)
    names = [one["name"] for one in json.loads(printed)["tokenizers"]]
    assert names == ["trained", "other/trained", "bytes"]


def test_a_limit_takes_a_sample_that_is_always_the_same(folder, capsys, monkeypatch):
    arguments = ["bytes", "--on", "z.jsonl", "--on", "x", "--limit", "3", "--json", "--threads"]
    found = [json.loads(call(capsys, folder, monkeypatch, *arguments, n)[1]) for n in ("1", "2")]
    assert found[0]["groups"][0]["documents"] == 3
    assert found[0]["documents_read"] == 4
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (["nowhere", "--on", "z.jsonl"], 2, "no tokenizer at nowhere"),
        (["z.jsonl", "--on", "z.jsonl"], 2, "z.jsonl holds documents, not a tokenizer"),
        (["bytes", "bytes", "--on", "z.jsonl"], 2, "tokenizer bytes is given twice"),
        (["bytes", "--on", "empty.jsonl"], 2, "no document in empty.jsonl"),
        (["bytes", "--on", "nothing*.jsonl"], 2, "matches no file"),
        (["bytes", "--on", "z.jsonl", "--plot", "p.png"], 2, "written as .svg"),
        (["bytes", "--on", "bad.jsonl"], 3, "1 of 2 records"),
        (["bytes", "--on", "bad.jsonl", "--limit", "5"], 3, "1 of 2 records"),
    ],
)
def test_wrong_use_is_refused_with_its_cause(folder, capsys, monkeypatch, arguments, code, fault):
    found, printed, said = call(capsys, folder, monkeypatch, *arguments)
    assert (found, printed) == (code, "")
    assert fault in said.replace("\n", " ")


# ---- benches/bpe_equal.py ----


def test_the_check_of_ids_sees_a_wrong_pattern_and_reduces_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benches")
    import bpe_equal

    bpe_equal.every_pair("llama3").save(tmp_path / "right")
    bpe_equal.every_pair("llama3").save(tmp_path / "wrong")
    texts = [*TEXTS, *bpe_equal.fuzzed(50)]
    assert bpe_equal.check(str(tmp_path / "right"), texts).mismatches == 0
    # Qwen's pattern cuts between digits, Llama's after three
    monkeypatch.setitem(bpe_equal.PUBLISHED, "llama3", bpe_equal.PUBLISHED["qwen2"])
    tally = bpe_equal.check(str(tmp_path / "wrong"), ["one 1771 two", "one"])
    assert (tally.texts, tally.mismatches) == (2, 1)
    ((peer, (text,)),) = tally.differing.items()
    assert (peer, len(text), text.isdecimal()) == ("tiktoken", 2, True)
