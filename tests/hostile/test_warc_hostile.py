"""WARC files that are broken or made to break things: what is whole is kept, the rest is counted."""

import gzip
import random
import resource
import struct
import time
import zlib

import brotli
import pyarrow as pa
import pytest

from gristmill.sources.base import Record
from gristmill.sources.html import html_record
from gristmill.sources.pages import LARGEST_PAGE
from gristmill.sources.warc import records
from warcs import PAGE, http, item, member, read, warc

GOOD = warc(url="http://good.org/")
URLS = [f"http://a.org/{n}" for n in range(4)]
RECORDS = [warc(url=url) for url in URLS]


def urls(found):
    return [one.url for one in found]


def reasons(found):
    return [one.reason for one in found]


@pytest.mark.parametrize("pack", [bytes, member])
def test_a_file_cut_anywhere_gives_the_records_before_and_says_where_it_breaks_off(tmp_path, pack):
    packed = [pack(one) for one in RECORDS[:3]]
    data = b"".join(packed)
    ends = [sum(map(len, packed[: n + 1])) for n in range(3)]
    for cut in range(len(data) + 1):
        good, bad = read(tmp_path, data[:cut])
        whole = sum(end <= cut for end in ends)
        # a block may be whole when only what ends its record is cut off
        assert urls(good) in (URLS[:whole], URLS[: whole + 1])
        if len(good) == whole:
            broken = [] if cut in (0, *ends) else [f"a.warc:{(0, *ends)[whole]}"]
            assert [one.locator for one in bad] == broken


def test_a_member_of_the_whole_file_that_breaks_off_gives_what_it_held(tmp_path):
    noise = random.Random(1).randbytes(4096)
    data = member(b"".join(RECORDS) + warc(noise, kind="resource", Content_Type="image/png"))
    good, bad = read(tmp_path, data[: len(data) // 2])
    assert urls(good) == URLS
    assert [(one.reason, one.locator.split("+")[0]) for one in bad] == [("bad_file", "a.warc:0")]


@pytest.mark.parametrize("pack", [bytes, member])
def test_flipped_bytes_raise_nothing_and_leave_what_came_before(tmp_path, pack):
    data = b"".join(pack(one) for one in RECORDS)
    second = len(pack(RECORDS[0])) + len(pack(RECORDS[1]))
    chance = random.Random(7)
    for _ in range(1_000):
        at = chance.randrange(second, len(data))
        flipped = bytearray(data)
        flipped[at : at + chance.randrange(1, 4)] = chance.randbytes(chance.randrange(4))
        good, _ = read(tmp_path, bytes(flipped), on_bad=chance.choice(["skip", "repair"]))
        assert urls(good)[:1] == URLS[:1]
        assert pack is bytes or urls(good)[:2] == URLS[:2]


def test_a_damaged_member_is_one_bad_record_and_the_next_one_is_read(tmp_path):
    first, damaged, last = (bytearray(member(one)) for one in RECORDS[:3])
    damaged[-5] ^= 1  # its checksum
    good, bad = read(tmp_path, first + damaged + last)
    assert urls(good) == [URLS[0], URLS[2]]
    assert [(one.locator, one.reason) for one in bad] == [(f"a.warc:{len(first)}", "bad_file")]


@pytest.mark.parametrize("pack", [bytes, member])
@pytest.mark.parametrize("length", [2**63, 2**64, 10**30, -1, "", None, "+5", "1e3", 7, 10_000])
def test_a_length_that_is_not_true_is_a_bad_record_and_the_next_one_is_read(tmp_path, pack, length):
    data = [pack(GOOD), pack(warc(Content_Length=length)), pack(GOOD)]
    good, bad = read(tmp_path, b"".join(data))
    assert urls(good) == ["http://good.org/"] * 2
    assert [(one.reason, one.locator) for one in bad] == [("bad_file", f"a.warc:{len(data[0])}")]


@pytest.mark.parametrize("pack", [bytes, member])
def test_rubbish_between_records_costs_at_most_the_record_before_it(tmp_path, pack):
    rubbish = b"\0WARC/\r\n\r\nWARC/x\x1f\x8b\x08\0" * 50
    rubbish += b"\r\n\r\n"
    good, bad = read(tmp_path, pack(GOOD) + rubbish + pack(GOOD) + pack(GOOD))
    assert (len(good), reasons(bad)) == (2 + (pack is member), ["bad_file"])


def test_a_header_of_ten_megabytes_is_bad_and_the_next_record_is_read(tmp_path):
    for pack in (bytes, member):
        long = pack(b"WARC/1.0\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n\r\n\r\n")
        good, bad = read(tmp_path, long + pack(GOOD))
        assert (urls(good), reasons(bad)) == (["http://good.org/"], ["bad_file"])


def test_an_arc_file_is_refused_by_name(tmp_path):
    arc = b"filedesc://a.arc 127.0.0.1 20140301000000 text/plain 75\n1 0 Capture\n"
    for data in (arc, member(arc)):
        good, (bad,) = read(tmp_path, data)
        assert (good, bad.locator, bad.reason) == ([], "a.warc:0", "bad_file")
        assert "ARC" in bad.detail


@pytest.mark.parametrize(
    "chunks",
    [b"ffffffffffffffffffff\r\nx", b"7fffffffffffffff\r\n" + PAGE, b"%x\r\n" % len(PAGE) + PAGE,
     b"%x;x=y\r\n%s\r\nzz\r\nrest" % (len(PAGE), PAGE), b"", b"\r\n" * 99, b"0\r\n"],
)  # fmt: skip
def test_chunks_that_lie_break_nothing(tmp_path, chunks):
    good, bad = read(tmp_path, warc(http(chunks, Transfer_Encoding="chunked")) + GOOD)
    assert (len(good), bad) == (2, [])
    assert PAGE not in chunks or good[0].text.startswith(PAGE.decode())


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("br", brotli.compress), ("gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_body_that_inflates_without_end_is_too_large(tmp_path, coding, pack):
    bomb = pack(bytes(LARGEST_PAGE + (1 << 20)))
    good, bad = read(tmp_path, warc(http(bomb, Content_Encoding=coding)) + GOOD)
    assert (urls(good), reasons(bad)) == (["http://good.org/"], ["too_large"])


def test_a_coding_that_breaks_off_gives_what_came_before_it(tmp_path):
    page = PAGE + random.Random(3).randbytes(9999).hex().encode()
    for coding, pack in (("gzip", gzip.compress), ("br", brotli.compress)):
        (found,), bad = read(tmp_path, warc(http(pack(page)[:-999], Content_Encoding=coding)))
        assert bad == []
        assert found.metadata["truncated"] == "coding"
        assert found.text
        assert page.startswith(found.text.encode())


def zeros(gigabytes):
    """A gzip member of so many gigabytes of zeros, after the start of a record."""
    packer = zlib.compressobj(9, wbits=-15)
    start = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n" % (gigabytes << 30)
    block = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, wbits=-15)
    million = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = million * (gigabytes << 10)
    size = struct.pack("<I", (len(start) + (gigabytes << 30)) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block + body + b"\x03\0" + bytes(4) + size


def test_ten_gigabytes_in_a_member_stop_at_the_limit_and_the_next_member_is_read(tmp_path):
    data = zeros(10) + member(GOOD)
    read(tmp_path, GOOD)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    good, bad = read(tmp_path, data)
    assert (urls(good), reasons(bad)) == (["http://good.org/"], ["too_large"])
    assert time.perf_counter() - started < 5
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 200 << 10


def test_a_large_record_that_is_no_page_is_passed_over(tmp_path):
    video = warc(random.Random(2).randbytes(LARGEST_PAGE + 99), kind="resource",
                 Content_Type="video/mp4")  # fmt: skip
    for pack in (bytes, lambda one: gzip.compress(one, 1)):
        good, bad = read(tmp_path, pack(GOOD) + pack(video) + pack(GOOD))
        assert (len(good), bad) == (2, [])
        good, bad = read(tmp_path, pack(GOOD) + pack(video)[:-9999])
        assert (len(good), reasons(bad)) == (1, ["bad_file"])


def test_a_large_page_is_one_bad_record(tmp_path):
    large = warc(http(PAGE + b" " * LARGEST_PAGE))
    for pack in (bytes, member):
        good, bad = read(tmp_path, pack(large) + pack(GOOD))
        assert (urls(good), reasons(bad)) == (["http://good.org/"], ["too_large"])
        good, bad = read(tmp_path, pack(large)[:-99])
        assert (good, len(bad)) == ([], 1)


def test_a_file_of_tiny_members_is_read_in_bounded_time(tmp_path):
    tiny = b"".join(member(b"%c" % byte) for byte in b"WARC/1.0\r\nX: " + b"y" * 20_000)
    good, bad = read(tmp_path, tiny + member(GOOD))
    assert (urls(good), reasons(bad)) == (["http://good.org/"], ["bad_file"])


@pytest.mark.parametrize(
    "html",
    [b"<div>" * 100_000, b"<" * 200_000, b"<a " * 100_000, b"<a b='" * 100_000, b"<!--" * 100_000,
     b"<script>" * 100_000, b"<a href=" * 100_000, b"</" * 100_000, b"<script></" * 20_000,
     b"<script type=application/ld+json>\"license\"" + b"[" * 100_000,
     b"<title>" * 100_000, b"<p title=" + b'" ' * 100_000, b"<a x" + b" " * 100_000 + b'"' * 1000],
)  # fmt: skip
def test_nested_and_unclosed_tags_take_no_longer_than_others(tmp_path, html):
    started = time.perf_counter()
    found = html_record(item(tmp_path, html, "a.html"), "skip")
    assert isinstance(found, Record)
    assert time.perf_counter() - started < 1


def test_a_zstd_file_that_breaks_off_gives_what_it_held(tmp_path):
    noise = warc(random.Random(5).randbytes(1 << 20), kind="resource", Content_Type="image/png")
    data = pa.compress(RECORDS[0] + noise + RECORDS[1], "zstd", asbytes=True)
    good, bad = read(tmp_path, data[: len(data) // 2])
    assert (urls(good), reasons(bad)) == (URLS[:1], ["bad_file"])


def test_a_stream_that_fails_is_a_bad_record_at_the_place(tmp_path, monkeypatch):
    one = item(tmp_path, GOOD)

    class Failing:
        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def seek(self, at):
            self.left = 1

        def read(self, size):
            if size <= 4:
                return GOOD[:4]
            self.left -= 1
            if self.left < 0:
                raise OSError("connection reset")
            return GOOD

    monkeypatch.setattr("gristmill.sources.warc.open_raw", lambda item: Failing())
    good, bad = list(records(one, "skip"))
    assert good.url == "http://good.org/"
    assert (bad.reason, bad.locator) == ("bad_file", f"a.warc:{len(GOOD)}")
    assert "connection reset" in bad.detail
