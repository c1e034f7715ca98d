"""WARC and WET files: the records that fastwarc finds, wherever the file is cut."""

import gzip
import io
import zlib

import brotli
import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator

from gristmill import _core
from gristmill.sources.warc import records, splittable, wet_records
from warcs import PAGE, http, item, member, others, raw_deflate, read, warc

KINDS = [
    warc(b"software: test\r\n", kind="warcinfo", Content_Type="application/warc-fields"),
    warc(b"GET / HTTP/1.1\r\n\r\n", kind="request", Content_Type="application/http"),
    warc(http(b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE), Transfer_Encoding="chunked")),
    warc(http(gzip.compress(PAGE), Content_Encoding="gzip"), version="1.1"),
    warc(http(zlib.compress(PAGE), Content_Encoding="deflate"), version="0.18"),
    warc(http(brotli.compress(PAGE), Content_Encoding="br")),
    warc(PAGE, kind="resource", Content_Type="text/html"),
    warc(b"\x89PNG" * 20, kind="resource", Content_Type="image/png"),
    warc(http(b"")),
    warc(http(b"gone", status=b"404 Not Found")),
    warc(http(bytes(range(256)) * 900)),
]
PACKED = {
    "plain": list(KINDS),
    "members": list(map(member, KINDS)),
    "one": [member(b"".join(KINDS))],
}


def raw_records(data, start=0, stop=1 << 62, http=True):
    gzipped = data.startswith(b"\x1f\x8b")
    reader = _core.WarcRecords(io.BytesIO(data), gzipped, start, stop, len(data), 1 << 24, http)
    while batch := reader.next_batch():
        for record, fault in batch:
            assert fault is None
            yield record


@pytest.mark.parametrize("packed", PACKED)
def test_records_and_their_bodies_are_those_that_fastwarc_finds(packed):
    data = b"".join(PACKED[packed])
    stream = io.BytesIO(data)
    theirs = [
        (one.stream_pos, one.record_id, one.reader.read())
        for one in ArchiveIterator(stream, auto_decode="all", parse_http=True)
    ]
    ours = list(raw_records(data))
    assert len(ours) == len(theirs) == len(KINDS)
    for (offset, _, fields, body), (place, _, expected) in zip(ours, theirs, strict=True):
        assert packed == "one" or offset == place
        if dict(fields)["WARC-Type"] != "request":  # fastwarc takes its HTTP head off as well
            assert body == expected


@pytest.mark.parametrize("packed", ["plain", "members"])
def test_ranges_that_tile_a_file_give_each_record_once_wherever_it_is_cut(packed):
    data = b"".join(PACKED[packed][:9])
    whole = list(raw_records(data))
    for cut in range(len(data) + 1):
        assert [*raw_records(data, 0, cut), *raw_records(data, cut)] == whole, cut


def test_many_ranges_give_each_document_once(tmp_path):
    data = b"".join(PACKED["members"])
    whole = read(tmp_path, data)
    step = 97
    tiles = [read(tmp_path, data, start=at, stop=at + step) for at in range(0, len(data), step)]
    assert tuple([one for tile in tiles for one in tile[side]] for side in (0, 1)) == whole


def test_a_file_in_one_member_belongs_to_its_first_range(tmp_path):
    data = PACKED["one"][0]
    assert list(raw_records(data, 0, 1)) == list(raw_records(data))
    assert not list(raw_records(data, 1))
    assert not splittable(item(tmp_path, data))
    assert splittable(item(tmp_path, b"".join(PACKED["members"])))
    assert splittable(item(tmp_path, b"".join(KINDS)))


def test_a_text_that_shows_a_record_is_none_when_read_from_the_start(tmp_path):
    shown = http(b"<!DOCTYPE html><pre>\r\n\r\n" + warc() + b"</pre>")
    good, bad = read(tmp_path, warc(shown) + warc())
    assert [len(good), bad] == [2, []]


def test_only_successful_html_becomes_a_document_and_the_rest_is_counted(tmp_path):
    data = b"".join(KINDS)
    good, bad = read(tmp_path, data, on_bad="repair")
    assert [one.text for one in good[:5]] == [PAGE.decode()] * 5
    assert [len(good), bad] == [7, []]
    assert others(tmp_path, data) == {
        "warcinfo": 1, "request": 1, "resource: not HTML": 1, "response: status 4xx": 1,
    }  # fmt: skip


def test_a_document_has_what_its_record_says(tmp_path):
    record = warc(url="<http://example.org/a b>", WARC_Record_ID="<urn:uuid:1>")
    (found,), _ = read(tmp_path, member(KINDS[0]) + member(record))
    assert found.locator == f"a.warc:{len(member(KINDS[0]))}"
    assert found.url == "http://example.org/a%20b"
    assert found.created.isoformat() == "2024-05-18T01:58:10+00:00"
    assert found.license is None
    assert found.metadata == {
        "content_type": "text/html; charset=utf-8",
        "crawled": "2024-05-18T01:58:10Z",
        "record_id": "urn:uuid:1",
        "status": 200,
        "charset": "UTF-8",
        "title": "A page",
    }


def test_a_record_behind_others_in_its_member_is_named_with_its_place_there(tmp_path):
    good, _ = read(tmp_path, member(warc() + warc()))
    assert [one.locator for one in good] == ["a.warc:0", f"a.warc:0+{len(warc())}"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (PAGE, {"Transfer_Encoding": "chunked"}),
        (PAGE, {"Content_Encoding": "gzip"}),
        (PAGE, {"Content_Encoding": "br"}),
        (raw_deflate(PAGE), {"Content_Encoding": "deflate"}),
        (gzip.compress(gzip.compress(PAGE)), {"Content_Encoding": "gzip, gzip"}),
        (PAGE, {"Content_Type": None}),
    ],
)
def test_a_coding_counts_only_where_the_body_has_it(tmp_path, body, fields):
    (found,), bad = read(tmp_path, warc(http(body, **fields)))
    assert (found.text, bad) == (PAGE.decode(), [])


def test_line_ends_folds_and_case_of_headers_do_not_matter(tmp_path):
    head = (
        b"WARC/0.17\nwarc-TYPE:\n response\nWARC-TARGET-uri: http://a.org/\ncontent-length: %d\n\n"
    )
    record = head % len(http()) + http() + b"\n\n"
    for data in (record * 2, member(record) * 2):
        good, bad = read(tmp_path, data)
        assert ([one.url for one in good], bad) == (["http://a.org/"] * 2, [])


def test_a_record_may_be_spread_over_gzip_members(tmp_path):
    record = warc()
    pieces = b"".join(member(record[at : at + 7]) for at in range(0, len(record), 7))
    good, bad = read(tmp_path, pieces + member(record))
    assert ([one.text for one in good], bad) == ([PAGE.decode()] * 2, [])


def test_texts_of_a_wet_file_are_documents(tmp_path):
    text = b"Una escopeta.\nDos."
    record = warc(text, kind="conversion", Content_Type="text/plain",
                  WARC_Identified_Content_Language="spa,eng")  # fmt: skip
    data = member(KINDS[0]) + member(record)
    (found,), bad = read(tmp_path, data, reader=wet_records)
    assert (found.text, bad) == (text.decode(), [])
    assert found.metadata["languages"] == "spa,eng"
    assert others(tmp_path, data) == {"warcinfo": 1, "conversion": 1}


def test_zstd_is_read_whole_by_its_first_range(tmp_path):
    data = pa.compress(b"".join(KINDS), "zstd", asbytes=True)
    good, bad = read(tmp_path, data, on_bad="repair")
    assert (len(good), bad) == (7, [])
    assert read(tmp_path, data, start=1) == ([], [])
    assert not splittable(item(tmp_path, data))


def test_what_is_no_os_error_comes_out_of_the_reader():
    class Stopped(io.BytesIO):
        def read(self, size):
            raise KeyboardInterrupt

    reader = _core.WarcRecords(Stopped(), False, 0, 10, 10, 10, True)
    with pytest.raises(KeyboardInterrupt):
        reader.next_batch()


def test_records_can_be_read_more_than_once(tmp_path):
    one = item(tmp_path, warc())
    assert list(records(one, "skip")) == list(records(one, "skip"))


def test_the_license_in_the_link_header_of_a_response_is_the_pages(tmp_path):
    by = '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'
    docs, _ = read(tmp_path, warc(http(Link=f'</next>; rel="next", {by}')))
    assert docs[0].license == "CC-BY-4.0"
    other = '<a rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/">SA</a>'
    docs, _ = read(tmp_path, warc(http(PAGE + other.encode(), Link=by)))
    assert docs[0].license == "NOASSERTION"
    assert len(docs[0].metadata["declared_license"]) == 2
