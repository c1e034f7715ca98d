"""Content-addressed units: done once, and done again when their files are not what they were."""

import pytest

from gristmill.units import Units, spill_folder, sweep


@pytest.fixture
def unit(tmp_path):
    calls = []

    def work():
        calls.append(1)
        path = tmp_path / "documents" / "part.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"content")
        return [path], {"documents": 3}

    return tmp_path, work, calls


def test_a_finished_unit_is_not_done_again(unit):
    root, work, calls = unit
    first = Units(root).do("key", work)
    assert Units(root).do("key", work) == first
    assert first.stats == {"documents": 3}
    assert len(calls) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "record"])
def test_a_damaged_unit_is_done_again(unit, damage):
    root, work, calls = unit
    Units(root).do("key", work)
    path = root / "documents" / "part.bin"
    if damage == "flip":
        path.write_bytes(b"contenu")
    elif damage == "truncate":
        path.write_bytes(b"conten")
    elif damage == "remove":
        path.unlink()
    else:
        (root / ".work/units/key.json").write_text('{"key": "key", "fi')
    assert Units(root).get("key") is None
    Units(root).do("key", work)
    assert path.read_bytes() == b"content"
    assert len(calls) == 2


def test_work_that_fails_leaves_no_record(unit):
    root, _, _ = unit

    def fails():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Units(root).do("key", fails)
    assert Units(root).get("key") is None


def test_only_used_units_are_remembered(unit):
    root, work, _ = unit
    units = Units(root)
    units.do("one", work)
    units.do("two", work)
    (root / ".work/filter").mkdir()
    (root / ".work/filter/one.docs.arrow").touch()
    units.forget_all_but({"two"})
    assert Units(root).get("one") is None
    assert not (root / ".work/filter/one.docs.arrow").exists()
    assert Units(root).get("two") is not None


def test_what_is_spilled_is_gone_when_the_step_ends_or_the_next_run_starts(tmp_path):
    with spill_folder(tmp_path) as folder:
        (folder / "left.arrow").touch()
    assert not folder.exists()
    folder.mkdir()
    (folder / "of-a-killed-run").touch()
    sweep(tmp_path)
    assert not folder.exists()


def test_half_written_files_are_swept(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/.a.arrow.123.partial").touch()
    (tmp_path / "shards/a.arrow").touch()
    sweep(tmp_path)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["a.arrow"]
