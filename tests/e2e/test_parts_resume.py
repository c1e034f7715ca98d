"""A build that is stopped inside a large file goes on inside it."""

import json

import pytest

from gristmill import steps
from gristmill.build import build
from gristmill.sources import parts

RECIPE = {"name": "large", "normalize": {}}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 2000)
    monkeypatch.setattr(parts, "LARGEST_WHOLE", 10)
    rows = [{"text": f"line {i} of a large file"} for i in range(500)]
    path = tmp_path / "large.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RECIPE | {"sources": [{"name": "large", "path": str(path)}]}


def test_parts_that_were_read_before_the_stop_are_not_read_again(recipe, tmp_path, monkeypatch):
    whole = build(recipe, tmp_path / "whole")
    real, done = steps._filter, []

    def filter_until(job, last):
        if len(done) == last:
            raise KeyboardInterrupt
        done.append(job.splits[0].part)
        return real(job)

    monkeypatch.setattr(steps, "_filter", lambda job: filter_until(job, 4))
    with pytest.raises(KeyboardInterrupt):
        build(recipe, tmp_path / "out")
    first, done[:] = list(done), []
    monkeypatch.setattr(steps, "_filter", lambda job: filter_until(job, 99))
    corpus = build(recipe, tmp_path / "out")
    assert len(first) == 4
    assert len(done) > 4
    assert not set(first) & set(done)
    assert corpus.run["files"] == whole.run["files"]


def test_what_was_appended_to_a_file_is_all_that_is_read_anew(recipe, tmp_path, monkeypatch):
    build(recipe, tmp_path / "out")
    with (tmp_path / "large.jsonl").open("a") as file:
        file.write('{"text": "one more"}\n')
    real, done = steps._filter, []
    monkeypatch.setattr(steps, "_filter", lambda job: done.append(job) or real(job))
    corpus = build(recipe, tmp_path / "out")
    assert len(done) == 1
    assert corpus.documents().collect()["text"][-1] == "one more"
