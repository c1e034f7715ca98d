"""``gristmill dedup near`` from text to files: who stays, and what an earlier build holds already."""

import json
import random

import polars as pl
import pytest

from corpora import digests, document
from gristmill.build import build
from gristmill.corpus import Corpus
from gristmill.errors import RecipeError
from gristmill.verify import verify_corpus

N_DOCS = 12


def edit(text, word="edited"):
    return text.replace(text.split()[-1], word)


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def ledger(out):
    return pl.read_parquet(out / "ledger/part-*.parquet").rows_by_key("id", named=True, unique=True)


def records(seed, prefix, n_docs=N_DOCS):
    chooser = random.Random(seed)
    return [{"id": f"{prefix}{at}", "text": document(chooser)} for at in range(n_docs)]


@pytest.fixture
def months(tmp_path):
    """May, built; and June: an edited and an equal text of May, an edited one of June, one id twice."""
    may, june = records(5, "may-"), records(6, "june-")
    june[0]["text"] = edit(may[3]["text"])
    june[1] = {"id": "may-4", "text": may[4]["text"]}
    june[2]["text"] = edit(june[7]["text"])
    june[2]["quality_score"], june[7]["quality_score"] = 0.25, 0.75
    write(tmp_path / "june.jsonl", june)
    recipe = {"name": "may", "sources": [{"name": "may", "license": "MIT"}]}
    recipe["sources"][0]["path"] = str(write(tmp_path / "may.jsonl", may))
    build(recipe, tmp_path / "may")
    return tmp_path


def test_what_an_earlier_build_holds_goes_with_both_ids(months, gristmill):
    out = months / "june"
    arguments = ("dedup", "near", months / "june.jsonl", "--out", out, "--against", months / "may")
    code, printed, err = gristmill(*arguments)
    assert code == 0, err
    assert f"2 documents nearly repeat one of the 12 in {months / 'may'}" in printed.replace(
        "\n", ""
    )
    told = ledger(out)
    assert (told["june-0"]["reason"], told["june-0"]["duplicate_of"]) == (
        "near_duplicate_of_earlier",
        "may-3",
    )
    assert told["may-4"]["duplicate_of"] == "may-4"
    assert told["may-4"]["detail"] == "jaccard 1.000, threshold 0.8, earlier corpus may"
    assert (told["june-7"]["reason"], told["june-7"]["duplicate_of"]) == (
        "near_duplicate",
        "june-2",
    )
    kept = pl.read_parquet(out / "documents/part-*.parquet")["id"].to_list()
    assert kept == ["june-2", *(f"june-{at}" for at in (3, 4, 5, 6, 8, 9, 10, 11))]
    assert verify_corpus(out) == []


def test_why_names_the_document_in_the_earlier_corpus(months, gristmill):
    out, may = months / "june", months / "may"
    arguments = ("dedup", "near", months / "june.jsonl", "--out", out, "--against", may)
    assert gristmill(*arguments)[0] == 0
    said = " ".join(gristmill("why", out, "june-0")[1].split())
    assert "jaccard 0.9" in said
    where = f"in the earlier corpus {may}"
    assert f"stays in may-3 may · MIT, {where}".replace(" ", "") in said.replace(" ", "")
    told = json.loads(gristmill("why", out, "may-4", "--json")[1])
    assert told["twin"] is None
    assert told["earlier"]["id"] == "may-4"
    assert told["earlier"]["license"] == "MIT"
    assert told["copies"]["documents"] == 0  # the document of May is another one
    may.rename(months / "gone")
    said = "".join(gristmill("why", out, "june-0")[1].split())
    assert "whichisnotthereanymoreasitwas" in said
    code, printed, _ = gristmill("verify", out)
    assert code == 0
    assert "2 twins not looked up" in " ".join(printed.replace("│", " ").split())


def test_a_twin_that_is_in_no_earlier_corpus_is_a_problem(months, gristmill):
    out, may = months / "june", months / "may"
    arguments = ("dedup", "near", months / "june.jsonl", "--out", out, "--against", may)
    assert gristmill(*arguments)[0] == 0
    part = next((may / "documents").iterdir())
    ids = pl.read_parquet(part).with_columns(pl.lit("x").alias("id"))
    ids.write_parquet(part)
    found = [problem.what for problem in verify_corpus(out) if problem.check == "ledger"]
    assert found == [f"duplicate_of may-{at} is in no earlier corpus" for at in (3, 4)]


def test_the_best_document_stays_by_a_key_of_the_input(months, gristmill):
    out = months / "best"
    arguments = ("dedup", "near", months / "june.jsonl", "--out", out, "--keep", "quality")
    assert gristmill(*arguments)[0] == 0
    told = ledger(out)
    assert (told["june-2"]["fate"], told["june-7"]["fate"]) == ("dropped", "kept")
    assert told["june-2"]["duplicate_of"] == "june-7"
    code, _, err = gristmill(*arguments, "--quality-key", "rating")
    assert code == 2
    assert "quality_key = 'rating': no document has a number under this key" in err


def test_other_ways_of_looking_find_the_same_here(months, gristmill):
    for number, options in enumerate(
        [
            ("--method", "k-permutation"),
            ("--bands", 20, "--rows", 5),
            ("--no-verify",),
            ("--memory", "1GiB", "--threads", 2),
        ]
    ):
        out = months / f"way-{number}"
        code, _, err = gristmill("dedup", "near", months / "june.jsonl", "--out", out, *options)
        assert code == 0, err
        gone = {name: row["detail"] for name, row in ledger(out).items() if row["reason"]}
        assert list(gone) == ["june-7"]
        assert ("not verified" in gone["june-7"]) == (options == ("--no-verify",))


RECIPE = """\
name: june
sources: [{name: june, path: june.jsonl, license: MIT}]
dedup: {near: {keep: longest, against: [may]}, substrings: {}}
card: {}
"""


@pytest.fixture
def recipe(months):
    (months / "june.yaml").write_text(RECIPE)
    return months / "june.yaml"


def test_the_recipe_names_earlier_builds_from_its_folder_for_any_number_of_workers(
    recipe, months, monkeypatch
):
    monkeypatch.chdir(months.parent)
    one, two = (build(recipe, months / f"out-{n}", workers=n) for n in (1, 2))
    assert digests(one.path) == digests(two.path)
    assert verify_corpus(one.path) == []
    card = (one.path / "card" / "README.md").read_text()
    assert "near duplicate of earlier" in card
    assert "2 documents that an earlier corpus holds were left out" in card
    datasheet = (one.path / "card" / "datasheet.md").read_text()
    assert "3 near duplicates; for 2 of them it is in an earlier corpus." in datasheet
    assert str(months) not in card
    assert ledger(one.path)["june-0"]["duplicate_of"] == "may-3"


def test_an_absolute_path_of_an_earlier_build_stays_out_of_the_card(recipe, months):
    change = [f"dedup.near.against=[{months / 'may'}]"]
    out = build(recipe, months / "out", settings=change).path
    assert all(str(months) not in path.read_text() for path in (out / "card").glob("*.*"))


def test_a_build_against_the_same_corpus_does_nothing_again_and_another_one_is_looked_at(
    recipe, months
):
    out = months / "out"
    first = build(recipe, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.arrow")}
    assert build(recipe, out).run == first.run
    assert {path: path.stat().st_mtime_ns for path in times} == times
    may = records(5, "may-", N_DOCS + 1)
    may[-1]["text"] = edit(records(6, "june-")[9]["text"])
    source = {"name": "may", "path": str(write(months / "may.jsonl", may)), "license": "MIT"}
    build({"name": "may", "sources": [source]}, months / "may")
    again = build(recipe, out)
    assert again.fingerprint != first.fingerprint
    assert ledger(out)["june-9"]["duplicate_of"] == "may-12"
    assert digests(out) == digests(build(recipe, months / "fresh").path)


def test_a_path_that_is_no_finished_corpus_is_refused_before_any_work(recipe, months):
    out = months / "out"
    unfinished = months / "unfinished"
    (unfinished / ".work").mkdir(parents=True)
    for given, words in [
        ("[none]", "none: not a corpus directory"),
        ("[unfinished]", "the build is not finished"),
        (f"[may, ../{months.name}/may]", "is there twice"),
        ("[out]", "out is the directory that this build writes"),
    ]:
        with pytest.raises(RecipeError, match=r"dedup\.near\.against") as found:
            build(recipe, out, settings=[f"dedup.near.against={given}"])
        assert words in str(found.value)
        assert found.value.exit_code == 2
        assert not out.exists()


def test_two_earlier_corpora_of_one_name_are_told_apart(recipe, months):
    other = records(8, "other-")
    other[0]["text"] = records(6, "june-")[10]["text"]
    source = {"name": "other", "path": str(write(months / "other.jsonl", other))}
    build({"name": "other", "sources": [source]}, months / "old" / "may")
    build(recipe, months / "out", settings=["dedup.near.against=[may, old/may]"])
    told = ledger(months / "out")
    assert told["june-0"]["detail"].endswith("earlier corpus may")
    assert told["june-10"]["detail"].endswith("earlier corpus may-2")
    earlier = Corpus.open(months / "out").why("june-10")["earlier"]
    assert (earlier["id"], earlier["path"]) == ("other-0", str(months / "old" / "may"))
