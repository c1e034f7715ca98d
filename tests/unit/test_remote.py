"""Sources on a real S3 server, through a proxy that injects the faults of a network."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from operator import itemgetter

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpora import DATA, digests, document
from gristmill.build import build
from gristmill.errors import IntegrityError, InterruptedRunError, RecipeError
from gristmill.sources import open_source, remote
from gristmill.sources.paths import find, open_raw
from s3 import FAULTS, KEY, READ_TIMEOUT_S, SECRET, Proxy, serve
from warcs import http, member, warc

RECIPE = """\
name: remote
sources:
  - {name: news, path: "s3://bucket/news/*.jsonl.gz", license: CC-BY-4.0}
  - {name: tables, path: ["s3://bucket/t*/*.parquet", "s3://bucket/one.parquet"], license: MIT}
  - {name: notes, path: "s3://bucket/notes/**/*.md"}
  - {name: crawl, path: "s3://bucket/crawl.warc.gz"}
extract: {mode: fast}
normalize: {}
dedup: {documents: {}}
tokenizer: {vocab_size: 300}
pack: {seq_len: 64}
"""


def write_bucket(bucket):
    """News in gzip, tables in Parquet, notes in folders and a web archive, 13 files."""
    chooser = random.Random(3)
    for folder in ("news", "tables", "notes/deep", "notes/.hidden"):
        (bucket / folder).mkdir(parents=True)
    rows = [
        {"text": document(chooser, 30), "junk": chooser.randbytes(900).hex()} for _ in range(90)
    ]
    for number in range(4):
        lines = "".join(json.dumps(row) + "\n" for row in rows[number * 20 : number * 20 + 20])
        (bucket / f"news/{number}.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    for name in ("tables/a", "tables/b", "one"):
        table = pa.Table.from_pylist([{"text": document(chooser)} for _ in range(50)])
        pq.write_table(table, bucket / f"{name}.parquet", row_group_size=9)
    for name in ("a", "b", "deep/c", "deep/d", ".hidden/e"):
        (bucket / f"notes/{name}.md").write_text(f"# {name}\n\n{document(chooser)}\n")
    pages = [f"<html><article><p>{document(chooser)}</p></article></html>" for _ in range(30)]
    crawl = b"".join(member(warc(http(page.encode()))) for page in pages)
    (bucket / "crawl.warc.gz").write_bytes(crawl)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("s3")
    write_bucket(root / "bucket")
    with serve(root) as port:
        yield root / "bucket", port


@pytest.fixture
def proxy(server):
    with Proxy(server[1]) as proxy:
        yield proxy
        proxy.shutdown()


def settings(port, read_timeout=READ_TIMEOUT_S):
    """What a user would put into the environment variable FSSPEC_S3, as JSON."""
    client = {"read_timeout": read_timeout}
    return {"endpoint_url": f"http://127.0.0.1:{port}", "config_kwargs": client}


@pytest.fixture
def through(monkeypatch):
    """Let this process find S3 on a port."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.001)
    return lambda port: monkeypatch.setitem(fsspec.config.conf, "s3", settings(port))


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """The corpus that a build without any fault makes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "recipe.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setitem(fsspec.config.conf, "s3", settings(server[1], read_timeout=10))
        return build(folder / "recipe.yaml", folder / "out")


def command(tmp_path, port, *arguments):
    """The command line on its own, with S3 given by the environment alone."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "FSSPEC_S3": json.dumps({"config_kwargs": {"read_timeout": READ_TIMEOUT_S}}),
        "FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "gristmill", "build", tmp_path / "recipe.yaml", *arguments],
        env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def item_of(path):
    ((item, _),) = find("s", f"s3://bucket/{path}", ".")
    return item


def read(path):
    with open_raw(item_of(path)) as file:
        return file.read()


# ---- faults that pass ----


def test_a_build_through_faults_gives_the_bytes_of_one_without(
    undisturbed, proxy, through, tmp_path
):
    assert len(undisturbed.ledger().collect()) == 80 + 150 + 4 + 30
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    proxy.strike_by_chance(1, share=0.5)
    through(proxy.server_port)
    build(tmp_path / "recipe.yaml", tmp_path / "out")
    assert proxy.faults() == set(FAULTS)
    assert digests(tmp_path / "out", DATA) == digests(undisturbed.path, DATA)


def test_a_build_killed_amid_faults_goes_on_with_two_workers_to_the_same_bytes(
    undisturbed, proxy, tmp_path
):
    proxy.strike_by_chance(5, share=0.2)
    killed = command(tmp_path, proxy.server_port, "--out", tmp_path / "out", "--workers", "1")
    until = time.monotonic() + 60
    while sum("/bucket/" in path for _, path, *_ in proxy.seen) < 30 and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "run.json").exists()
    done = command(tmp_path, proxy.server_port, "--out", tmp_path / "out", "--workers", "2")
    _, said = done.communicate(timeout=120)
    assert done.returncode == 0, said
    assert digests(tmp_path / "out", DATA) == digests(undisturbed.path, DATA)


def test_a_read_goes_on_from_the_byte_where_it_stopped(server, proxy, through, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(remote, "SMALLEST_REQUEST", 1 << 13)
    through(proxy.server_port)
    (server[0] / "noise").write_bytes(random.Random(1).randbytes(200_000))
    faults = iter([None, "reset", "cut", "503", None, "500", "stall", None])
    proxy.strike = lambda method, path: next(faults, None) if method == "GET" else None
    assert read("noise") == (server[0] / "noise").read_bytes()
    asked = [
        (int(byte_range.removeprefix("bytes=").partition("-")[0]), fault)
        for _, _, byte_range, fault in proxy.seen
        if byte_range
    ]
    assert asked[:4] == [(0, None), (65536, "reset"), (65536, "cut"), (65536, "503")]
    assert asked == sorted(asked, key=itemgetter(0))


def test_a_folder_that_cannot_be_listed_at_first_is_not_left_out(server, proxy, through):
    through(proxy.server_port)
    for name, kind in (("deep", "503"), ("notes", "500"), ("bucket", "reset")):
        struck = iter([kind, kind])
        proxy.strike = lambda method, path, struck=struck, name=name: (
            next(struck, None) if name in path else None
        )
        assert [item.path for item, _ in find("s", "s3://bucket/**/deep/*.md", ".")] == [
            "s3://bucket/notes/deep/c.md",
            "s3://bucket/notes/deep/d.md",
        ]
    assert proxy.faults() == {"500", "503", "reset"}


def test_hidden_files_are_left_out_of_patterns_and_folders_as_on_a_disk():
    memory = fsspec.filesystem("memory")
    for name in ("a.md", "deep/b.md", ".git/c.md", "deep/.d.md"):
        memory.pipe(f"/test-remote/{name}", b"text")
    for path in ("memory://test-remote", "memory://test-remote/**", "memory://test-remote/**/*.md"):
        found = [item.path for item, _ in find("s", path, ".")]
        assert found == ["memory:///test-remote/a.md", "memory:///test-remote/deep/b.md"], path
    (shown,) = find("s", "memory://test-remote/.git/*", ".")
    assert shown[0].locator == "memory:///test-remote/.git/c.md"


# ---- faults that do not ----


@pytest.mark.parametrize("fault", ["reset", "cut", "503", "500", "stall"])
def test_what_cannot_be_read_in_the_end_is_no_bad_record(proxy, through, monkeypatch, fault):
    monkeypatch.setattr(remote, "ATTEMPTS", 3)
    through(proxy.server_port)
    for path in ("news/*.gz", "tables/*.parquet"):
        proxy.strike = lambda method, path: None
        source = open_source(name="s", path=f"s3://bucket/{path}", base=".")
        splits = source.splits()
        proxy.strike = lambda method, path: fault if method == "GET" else None
        with pytest.raises(
            InterruptedRunError, match=r"3 attempts failed.*the same command"
        ) as stop:
            list(source.read(splits[0]))
        assert stop.value.exit_code == 4
        assert splits[0].name in str(stop.value)


def test_a_build_that_loses_its_server_ends_with_4_and_goes_on(
    undisturbed, proxy, through, monkeypatch, tmp_path, gristmill
):
    monkeypatch.setattr(remote, "ATTEMPTS", 3)
    through(proxy.server_port)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    arguments = ("build", tmp_path / "recipe.yaml", "--out", tmp_path / "out")
    arguments += ("--workers", 1)
    planned = []  # the first block of a table is read for the plan, and again for the documents
    proxy.strike = lambda method, path: (
        "500" if "one.parquet" in path and planned.append(1) is None and len(planned) > 9 else None
    )
    code, _, said = gristmill(*arguments)
    assert (code, "one.parquet: cannot be read" in said) == (4, True), said
    finished = len(list((tmp_path / "out/.work/units").glob("*.json")))
    assert finished >= 5
    proxy.strike = lambda method, path: None
    assert gristmill(*arguments)[0] == 0
    assert digests(tmp_path / "out", DATA) == digests(undisturbed.path, DATA)


def test_an_object_that_is_replaced_is_an_integrity_error_that_names_it(server, through):
    through(server[1])
    path = server[0] / "replaced"
    path.write_bytes(b"one")
    file = open_raw(item_of("replaced"))
    file.read(1)
    path.write_bytes(b"six")
    with pytest.raises(IntegrityError, match="s3://bucket/replaced: is another file"):
        file.close()
    item = item_of("replaced")
    path.unlink()
    with pytest.raises(IntegrityError, match=r"replaced: was there when .* is gone"):
        open_raw(item).read(1)


def test_a_server_that_knows_no_ranges_gives_no_wrong_bytes(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_bytes(random.Random(1).randbytes(100_000))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda self, *args: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain:
        threading.Thread(target=plain.serve_forever, args=(0.02,), daemon=True).start()
        ((item, _),) = find("s", f"http://127.0.0.1:{plain.server_port}/a.txt", ".")
        with open_raw(item) as file:
            assert file.read() == (tmp_path / "a.txt").read_bytes()
        monkeypatch.setattr(remote, "BLOCK_BYTES", 1 << 16)
        with open_raw(item) as file, pytest.raises(InterruptedRunError, match="no ranges"):
            file.read()
        plain.shutdown()


@pytest.mark.parametrize(
    ("path", "secret", "message"),
    [
        ("s3://bucket/absent.jsonl", SECRET, "absent.jsonl cannot be read"),
        ("s3://bucket/*.absent", SECRET, "matches no file"),
        ("s3://bucket/one.parquet", "wrong", "cannot be read .*Forbidden"),
        ("s3://bucket/one.parquet", None, "Unable to locate credentials"),
    ],
)
def test_what_the_server_refuses_is_refused_before_any_work(
    server, through, monkeypatch, path, secret, message
):
    through(server[1])
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    if secret is None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    else:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with pytest.raises(RecipeError, match=message):
        open_source(name="s", path=path, base=".")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
