"""datatrove's own executor over our sources, its readers as our sources, both against our own read."""

import doctest
import json
import pickle
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import CSVReader, JsonlReader, ParquetReader
from datatrove.pipeline.writers import JsonlWriter

import gristmill.datatrove
from gristmill.datatrove import GristmillReader, source
from gristmill.errors import DataRefusedError, IntegrityError, RecipeError
from gristmill.sources import open_source
from gristmill.sources.base import document_id


def rows_of(opened, kind="docs"):
    batches = [batch for split in opened.splits() for batch in opened.read(split)]
    return [row for batch in batches for row in getattr(batch, kind).to_pylist()]


@pytest.fixture
def folder(tmp_path):
    """Seven JSON Lines files, with a bad line and documents that declare more or less of themselves."""
    for number in range(7):
        rows = [{"id": f"{number}-{i}", "text": f"text {i} of {number}"} for i in range(number + 1)]
        rows[0] |= {"url": "https://example.org", "created": "2024-02-29T12:00:00Z", "page": number}
        rows[0] |= {"license": "mit", "source": "gazette", "metadata": {"shelf": "B"}}
        lines = [json.dumps(row) for row in rows]
        (tmp_path / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    with (tmp_path / "6.jsonl").open("a") as file:
        file.write("not JSON\n")
    return tmp_path


@pytest.mark.parametrize(("tasks", "workers"), [(1, 1), (2, 2), (3, 1), (9, 1)])
def test_a_pipeline_gets_every_document_once_whatever_the_tasks(folder, tmp_path, tasks, workers):
    ours = open_source(name="s", path="*.jsonl", license="CC0-1.0", base=folder)
    stats = LocalPipelineExecutor(
        [GristmillReader(ours), JsonlWriter(str(tmp_path / "out"), compression=None)],
        tasks=tasks, workers=workers, logging_dir=str(tmp_path / "logs"),
    ).run()  # fmt: skip
    written = [path.read_text().splitlines() for path in sorted((tmp_path / "out").iterdir())]
    got = {one["id"]: one for lines in written for one in map(json.loads, lines)}
    expected = rows_of(ours)
    assert sum(map(len, written)) == len(got) == len(expected) == 28
    for row in expected:
        assert got[row["id"]]["text"] == row["text"]
        metadata = json.loads(row["metadata"]) | {
            "license": row["license"],
            "source": row["source"],
        }
        if row["url"]:
            metadata |= {"url": row["url"], "created": "2024-02-29T12:00:00+00:00"}
        assert got[row["id"]]["metadata"] == metadata
    assert (stats.stats[0]["bad_records"].total, stats.stats[0]["bad_json"].total) == (1, 1)


def test_a_reader_of_json_lines_gives_what_our_source_gives(folder):
    theirs = source(JsonlReader(str(folder)), name="s", license="CC0-1.0")
    ours = open_source(name="s", path="*.jsonl", license="CC0-1.0", base=folder)
    got = rows_of(theirs)
    for row in got:
        metadata = json.loads(row["metadata"])
        assert metadata.pop("file_path").startswith(str(folder))
        row["metadata"] = json.dumps(metadata, sort_keys=True)
    assert got == rows_of(ours)
    assert [split.name for split in theirs.splits()] == [f"{number}.jsonl" for number in range(7)]


def test_readers_of_tables_are_sources_too(tmp_path):
    table = pa.table({"id": ["a", "b"], "body": ["one", "two"], "date": ["2024-02-29", None]})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("id,body,date\na,one,2024-02-29\nb,two,\n")
    for reader, suffix in ((ParquetReader, "parquet"), (CSVReader, "csv")):
        made = reader(str(tmp_path), glob_pattern=f"*.{suffix}", text_key="body")
        rows = rows_of(source(made, name="s"))
        assert [(row["id"], row["text"]) for row in rows] == [("a", "one"), ("b", "two")]
        assert rows[0]["created"].isoformat() == "2024-02-29T00:00:00+00:00"
        assert rows[1]["created"] is None


class Generator:
    """A reader without files."""

    def __init__(self, texts):
        self.texts = texts

    def run(self, data=None, rank=0, world_size=1):
        from datatrove.data import Document

        for number, text in enumerate(self.texts):
            yield Document(text=text, id=f"g{number}")


def test_a_step_that_generates_is_a_source_of_one_split():
    made = source(Generator(["one", "two", "\ud800"]), name="s")
    (split,) = made.splits()
    assert [row["text"] for row in rows_of(made)] == ["one", "two"]
    (bad,) = rows_of(made, "bad")
    assert (bad["reason"], bad["id"]) == ("bad_utf8", document_id("s", "s:2", b""))
    assert source(Generator(["other"]), name="s").splits()[0].key != split.key


def shout(self, data, path, id_in_file):
    return {"text": data["text"].upper(), "id": data["id"], "metadata": {}}


def test_what_the_reader_was_made_with_is_in_the_key_and_travels_to_a_worker(folder):
    plain, loud = (
        source(JsonlReader(str(folder), adapter=adapter), name="s") for adapter in (None, shout)
    )
    keys = [split.key for split in plain.splits()]
    assert keys == [split.key for split in source(JsonlReader(str(folder)), name="s").splits()]
    assert not set(keys) & {split.key for split in loud.splits()}
    sent, split = pickle.loads(pickle.dumps((loud, loud.splits()[0])))
    assert [batch.docs["text"].to_pylist() for batch in sent.read(split)] == [["TEXT 0 OF 0"]]


def test_files_that_break_off_or_change_are_noticed(folder):
    reader = JsonlReader(str(folder), glob_pattern="0.jsonl*")
    made = source(reader, name="s")
    (split,) = made.splits()
    (folder / "0.jsonl").write_text('{"text": "another"}\n')
    with pytest.raises(IntegrityError, match=r"0.jsonl: is another file"):
        list(made.read(split))
    (folder / "t.parquet").write_bytes(b"PAR1 but not a table PAR1")
    broken = source(ParquetReader(str(folder), glob_pattern="*.parquet"), name="s")
    (bad,) = rows_of(broken, "bad")
    assert (bad["reason"], bad["detail"].split(": ")[0]) == ("bad_file", "t.parquet:0")
    with pytest.raises(DataRefusedError, match="bad_file"):
        rows_of(source(broken.reader, name="s", on_bad="refuse"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"limit": 3}, "limit = 3 and skip = 0"),
        ({"skip": 1}, "limit = -1 and skip = 1"),
        ({"glob_pattern": "*.absent"}, "finds no file"),
        ({"adapter": eval("lambda self, data, path, at: data")}, "adapter is not found"),
    ],
)
def test_a_reader_that_cannot_be_a_source_is_refused_with_the_remedy(folder, keys, message):
    with pytest.raises(RecipeError, match=message):
        source(JsonlReader(str(folder), **keys), name="s").splits()


def test_the_documents_of_a_build_are_read_by_datatrove_as_they_are(small_corpus):
    expected = {row["id"]: row for row in small_corpus.documents().collect().to_dicts()}
    found = list(ParquetReader(str(small_corpus.path / "documents")).run())
    assert {one.id for one in found} == expected.keys()
    for one in found:
        row = expected[one.id]
        assert one.text == row["text"]
        assert (one.metadata["license"], one.metadata["url"]) == (row["license"], row["url"])
        assert one.metadata.items() >= json.loads(row["metadata"]).items()


def test_the_example_in_the_docstring_runs(tmp_path):
    (tmp_path / "news").mkdir()
    (tmp_path / "news/a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    (tmp_path / "tables").mkdir()
    pq.write_table(pa.table({"text": ["three"]}), tmp_path / "tables/a.parquet")
    done = doctest.testmod(gristmill.datatrove, extraglobs={"folder": str(tmp_path)})
    assert (done.failed, done.attempted > 5) == (0, True)


def test_without_datatrove_the_message_says_what_to_install():
    code = "import sys; sys.modules['datatrove'] = None; import gristmill.datatrove"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install datatrove" in done.stderr.splitlines()[-1]
    code = "import sys, gristmill.build, gristmill.cli; print('datatrove' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_a_build_takes_a_source_that_is_made_in_python(tmp_path):
    from gristmill.build import build
    from gristmill.errors import RecipeError

    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        rows = "".join(f'{{"text": "{name} {i}", "id": "{name}-{i}"}}\n' for i in range(5))
        (tmp_path / "in" / f"{name}.jsonl").write_text(rows)
    theirs = source(JsonlReader(str(tmp_path / "in")), name="theirs", license="MIT")
    recipe = {"name": "given", "sources": [{"name": "theirs", "format": "given", "weight": 1}]}
    for workers in (1, 2):
        corpus = build(recipe, tmp_path / f"out{workers}", workers=workers, sources=[theirs])
        docs = corpus.documents().collect()
        assert docs["text"].to_list() == [f"{name} {i}" for name in "ab" for i in range(5)]
        assert set(docs["license"]) == {"MIT"}
    assert (
        len(build({"name": "given"}, tmp_path / "bare", sources=[theirs]).documents().collect())
        == 10
    )
    with pytest.raises(RecipeError, match="is to be given in Python"):
        build(recipe, tmp_path / "none")
