"""Small WARC files, and the way to read one in a test."""

import gzip
import zlib

from gristmill.sources.base import BadRecord, Item, Record
from gristmill.sources.warc import records

PAGE = b"<!DOCTYPE html><html><title>A page</title><p>Some text on it.</p></html>"


def http(body=PAGE, status=b"200 OK", **fields):
    """An HTTP response; underscores in the fields' names stand for hyphens."""
    fields = {"Content_Type": "text/html; charset=utf-8"} | fields
    lines = [f"{k.replace('_', '-')}: {v}" for k, v in fields.items() if v is not None]
    return (
        b"HTTP/1.1 %s\r\n" % status
        + "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
        + body
    )


def warc(block=None, kind="response", url="http://example.org/", version="1.0", **fields):
    """One record with the two empty lines that end it."""
    block = http() if block is None else block
    fields = {
        "WARC_Type": kind,
        "WARC_Target_URI": url,
        "WARC_Date": "2024-05-18T01:58:10Z",
        "Content_Type": "application/http; msgtype=response",
        "Content_Length": len(block),
    } | fields
    lines = [f"{k.replace('_', '-')}: {v}" for k, v in fields.items() if v is not None]
    head = "\r\n".join([f"WARC/{version}", *lines, "", ""])
    return head.encode() + block + b"\r\n\r\n"


def member(data):
    """A gzip member without a time, so that its bytes are always the same."""
    return gzip.compress(data, mtime=0)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def item(folder, data, name="a.warc"):
    path = folder / name
    path.write_bytes(data)
    return Item(path=str(path), locator=name, n_bytes=len(data))


def read(folder, data, on_bad="skip", reader=records, **span):
    """The documents and the bad records of a file."""
    found = list(reader(item(folder, data), on_bad, **span))
    return (
        [one for one in found if isinstance(one, Record)],
        [one for one in found if isinstance(one, BadRecord)],
    )


def others(folder, data, reader=records):
    """How many records of each kind were no documents."""
    left = reader(item(folder, data), "skip")
    while True:
        try:
            next(left)
        except StopIteration as end:
            return end.value
