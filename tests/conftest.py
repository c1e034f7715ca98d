"""Fixtures that several tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.register_profile("search", max_examples=2000, deadline=None)
# The same examples in every run; --hypothesis-profile search looks for new ones.
settings.load_profile("fixed")

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """A finished corpus of `corpora.write_input`, to be read only."""
    from corpora import write_input
    from gristmill.build import build

    folder = tmp_path_factory.mktemp("small")
    return build(write_input(folder), folder / "out")


@pytest.fixture
def gristmill(monkeypatch, capsys):
    """Run the console script; gives exit code, stdout and stderr."""
    from gristmill.cli import app, run
    from gristmill.progress import show

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["gristmill", *map(str, arguments)])
        code = run(app)
        show(False)
        out, err = capsys.readouterr()
        return code, out, err

    return call
