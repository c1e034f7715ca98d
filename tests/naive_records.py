"""The slow, obvious reading of records: every one through Python, the twin of the kernel's columns."""

import pyarrow.ipc
import pyarrow.parquet

from gristmill.sources import base, jsonl, parquet
from gristmill.sources.fields import record
from gristmill.sources.paths import open_bytes, open_raw


def lines(stream):
    """Number and bytes of each line."""
    number, rest = 0, b""
    while chunk := stream.read(64 << 10):
        *ended, rest = (rest + chunk).split(b"\n")
        for line in ended:
            number += 1
            yield number, line
    if rest:
        yield number + 1, rest


def jsonl_records(item, on_bad):
    """The records of a file of JSON Lines."""
    number = 0
    with open_bytes(item) as stream:
        try:
            for number, line in lines(stream):
                blank = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if blank.strip():
                    yield jsonl.record_of(line, f"{item.locator}:{number}", number, on_bad)
        except OSError as error:
            yield jsonl.broken(f"{item.locator}:{number + 1}", error)


def table_records(item, on_bad, tables):
    """The records of tables."""
    number = 0
    for table in tables:
        for row in parquet._plain(table).to_pylist():
            text = row.get("text")
            raw = text if isinstance(text, bytes) else b""
            yield record(row, f"{item.locator}:{number}", on_bad, raw)
            number += 1


def parquet_records(item, on_bad):
    """The records of a Parquet file."""
    with open_raw(item) as file:
        tables = pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1_000)
        yield from table_records(item, on_bad, tables)


def arrow_records(item, on_bad):
    """The records of an Arrow IPC file."""
    with open_bytes(item) as file:
        reader = pyarrow.ipc.open_file(file)
        tables = (reader.get_batch(i) for i in range(reader.num_record_batches))
        yield from table_records(item, on_bad, tables)


READERS = {"jsonl": jsonl_records, "parquet": parquet_records, "arrow": arrow_records}


def batches(origin, item, format):
    """The batches of a file, as `Files.read` should give them."""
    return base.batches(origin, READERS[format](item, origin.on_bad))
