"""Documents on disk: what is read of them is what was written, however they lie in files."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.documents import Documents
from gristmill.errors import IntegrityError
from gristmill.schema import DOCUMENT
from gristmill.tables import ArrowFiles, arrow_writer
from surveys import documents, on_disk

TEXTS = ["one", "", "three é", "", "", "🦀" * 40, "seven", "e", "nine", "", "eleven"]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(TEXTS), max_size=20),
    st.integers(1, 8),
    st.integers(1, 5),
    st.integers(0, 22),
    st.integers(0, 22),
)
def test_what_is_read_is_what_was_written(
    tmp_path_factory, texts, per_file, per_batch, start, length
):
    docs = on_disk(tmp_path_factory.mktemp("docs"), texts, per_file, per_batch)
    whole = documents(texts)
    assert len(docs) == len(texts)
    assert pa.concat_tables([DOCUMENT.empty_table(), *docs.batches()]).equals(whole)
    assert [text for batch in docs.texts() for text in batch.to_pylist()] == texts
    assert docs.slice(start, length).to_pylist() == whole.slice(start, length).to_pylist()
    assert docs.ids().to_pylist() == whole["id"].to_pylist()
    assert docs.text_bytes().tolist() == [len(text.encode()) for text in texts]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10), max_size=30))
def test_ids_are_found_in_any_order_and_as_often_as_asked_for(tmp_path_factory, rows):
    docs = on_disk(tmp_path_factory.mktemp("docs"), TEXTS)
    assert docs.ids_at(np.array(rows, int)).to_pylist() == [f"d{row}" for row in rows]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.large_list(pa.uint16())])
def test_the_places_of_a_column_hold_its_values(tmp_path, kind):
    values = ["ab", "", "cdé"] if pa.types.is_large_string(kind) else [[1, 2], [], [3]]
    table = pa.table({"before": ["x", "y", "z"], "values": pa.array(values, kind)})
    with arrow_writer(tmp_path / "a.arrow", table.schema) as out:
        for part in (table, table.slice(1), table.slice(0, 0), table.slice(1, 1)):
            out.write(part)
    data = (tmp_path / "a.arrow").read_bytes()
    found = []
    for path, at, offsets, n_rows in ArrowFiles([tmp_path / "a.arrow"], table.schema).places(
        "values"
    ):
        assert path == tmp_path / "a.arrow"
        ends = np.frombuffer(data, "<i8", n_rows + 1, offsets)
        for start, end in pairwise(ends):
            if pa.types.is_large_string(kind):
                found.append(data[at + start : at + end].decode())
            else:
                found.append(np.frombuffer(data, "<u2", end - start, at + 2 * start).tolist())
    assert found == [*values, *values[1:], values[1]]


def test_a_file_that_cannot_be_mapped_is_refused(tmp_path):
    path = tmp_path / "packed.arrow"
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with path.open("wb") as file, pa.ipc.new_file(file, DOCUMENT, options=options) as writer:
        writer.write_table(documents(["compressible " * 1000] * 3))
    with pytest.raises(IntegrityError, match=r"packed\.arrow: column 'text' cannot be mapped"):
        Documents([path]).places("text")
