"""Pages made to break a parser: a text or a reason, soon, in little memory, and a living process."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.extract import MODES, Extract, extract_html
from gristmill.extract.limits import ATTRIBUTES, FAST, OPTIONS, PRECISE

SENTENCE = "This is a sentence of text, long enough to be a real one, I think. "
BOMB = (
    '<!DOCTYPE r [<!ENTITY a "haha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 99}">' for a, b in zip("abcdefg", "bcdefgh", strict=True))
    + "]><p>&h;</p>"
)


def full(piece: str, tags: int) -> str:
    """As much of `piece` as a page may have when all of it is to be parsed."""
    return piece * (tags // piece.count("<"))


PAGES = {
    "empty": lambda: "",
    "blank": lambda: " \n\t ",
    "plain text": lambda: SENTENCE * 9_999,
    "bytes": lambda: bytes(range(256)).decode("latin-1") * 9_999,
    "NUL": lambda: "<p>\0a\0" * 9_999,
    "references to no character": lambda: "<p>&#xD800;&#xDFFF;&#0;&#x110000;&bogus;" * 999,
    "entities in entities": lambda: BOMB,
    "a long attribute": lambda: f'<p class="{"x " * 3_000_000}">{SENTENCE}',
    "many attributes": lambda: "<p " + " ".join(f"a{n}=1" for n in range(600_000)) + ">x",
    "as many as allowed": lambda: "<p " + " ".join(f"a{n}=1" for n in range(ATTRIBUTES - 1)) + ">x",
    "tags that never end": lambda: ("<a " * 9_999 + "'x\"" * 9_999 + ">") * 19,
    "deep": lambda: "<div>" * 100_000 + SENTENCE,
    "deep and closed": lambda: "<div>" * 90_000 + SENTENCE + "</div>" * 90_000,
    "deep, few tags": lambda: "<div><p>" * 2_400 + SENTENCE,
    "deep articles, few tags": lambda: f"<article><p>{SENTENCE}" * 2_400,
    "deep within the limits": lambda: "<div>" * 250 + f"<p>{SENTENCE}" * 19_500,
    "50 MB of one tag": lambda: "<br>" * 12_500_000,
    "comment without end": lambda: "<!--" + "-" * 5_000_000,
    "script without end": lambda: "<script>" + "x" * 5_000_000,
    "options": lambda: "<select>" + "<option>x" * (OPTIONS - 1),
    "links in links": lambda: full("<a href=x>", 180_000) + full("<p>", 19_000),
    "line ends": lambda: "<p>" + "<br>\n" * 9_999 + "</p>" + "\n" * 5_000_000,
    "metadata in metadata": lambda: '<script type="application/ld+json">' + "[" * 1_000_000,
    **{
        f"{PRECISE.tags} of {piece}": lambda piece=piece: full(piece, PRECISE.tags)
        for piece in ("<p>", "<b>", "<p><b>", "<li>word", "<p>a<br> ", "<table><tr><td>", "<svg>")
    },
    "most bold paragraphs": lambda: full("<p><b>", FAST.tags),
    "most items": lambda: full("<li>word", FAST.tags),
}  # fmt: skip

SECONDS, MEGABYTES = 6.0, 1_000.0
REASONS = {None, "no_main_text", "extract_failed"}


def read_all() -> None:
    """What a process of its own makes of every page: a line for each, then its peak memory."""
    stages = {mode: Extract(mode) for mode in MODES}
    for name, page in PAGES.items():
        docs = pa.table({"text": pa.array([page()], pa.large_string())})
        for mode, stage in stages.items():
            started = time.process_time()
            verdict = stage.judge(docs)
            spent = time.process_time() - started
            reason, detail = verdict.reason[0].as_py(), verdict.detail[0].as_py()
            print(json.dumps([f"{name}: {mode}", [spent, reason, detail]]), flush=True)
    print(json.dumps(["MB", peak_mb()]))


def peak_mb() -> float:
    """This process's peak; on Linux without that of the one which started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_page_is_judged_in_bounded_time(read, name, mode):
    spent, reason, detail = read[f"{name}: {mode}"]
    assert reason in REASONS
    assert detail
    assert spent < SECONDS


def test_all_of_them_stay_within_bounded_memory(read):
    assert read["MB"] < MEGABYTES


def test_the_reason_names_the_limit(read):
    assert read["deep: auto"][1:] == [
        "extract_failed",
        "100000 tags, nested 100000 deep, at most 5000000 when multiplied",
    ]
    assert read["50 MB of one tag: fast"][2] == "50000000 characters, at most 8000000"
    assert read["many attributes: precise"][2] == "a tag with more than 10000 attributes"
    assert read["bytes: fast"][1] is None


WHOLE = f"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>T</title></head><body><main>
<h1>T</h1><p>{SENTENCE * 3}</p><ul><li><a href="x">{SENTENCE}</a></li></ul><table><tr><td>a</td></tr>
</table><pre>x</pre><!-- c --><script>var a = "<p>";</script><p>{SENTENCE * 3}</p></main></body></html>"""
BYTES = st.lists(
    st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 9), st.binary(max_size=6)), max_size=5
)


@settings(max_examples=150, deadline=None)
@given(BYTES, st.sampled_from(MODES))
def test_a_page_damaged_anywhere_gives_a_text_and_no_error(changes, mode):
    page = WHOLE.encode()
    for at, cut, put in changes:
        page = page[:at] + put + page[at + cut :]
    [text] = extract_html([page], mode)
    assert isinstance(text.as_py(), str)


if __name__ == "__main__":
    read_all()
