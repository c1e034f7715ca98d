"""Packing against a twin that lays one token at a time."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import schema
from gristmill.packing import BLOCK_BYTES, Packer, block_rows

VOCAB, END = 50, 49

lists = st.lists(st.lists(st.integers(0, VOCAB - 1), max_size=30), max_size=15)


def naive(documents, seq_len):
    """(id, document, offset) token by token, in rows, the last one padded."""
    tokens = [
        (token, document, offset)
        for document, ids in enumerate(documents)
        for offset, token in enumerate([*ids, END])
    ]
    tokens += [(END, schema.PADDING, offset) for offset in range(-len(tokens) % seq_len)]
    return [tokens[start : start + seq_len] for start in range(0, len(tokens), seq_len)]


def unpack(batches):
    rows = []
    for batch in batches:
        for row in batch.to_pylist():
            pieces = zip(
                row["piece_lengths"], row["piece_document"], row["piece_offset"], strict=True
            )
            places = [(d, start + k) for length, d, start in pieces for k in range(length)]
            rows.append([(i, *place) for i, place in zip(row["input_ids"], places, strict=True)])
    return rows


def pack(documents, seq_len, rows, calls=1, list_type=pa.list_):
    packer = Packer(seq_len, VOCAB, END, rows)
    numbers = np.arange(len(documents))
    batches = []
    for part in np.array_split(numbers, calls):
        tokens = pa.array([documents[k] for k in part], list_type(pa.uint32()))
        batches += packer.push(pa.array(part, pa.uint32()), tokens)
    return batches + packer.finish()


@settings(deadline=None)
@given(lists, st.integers(1, 20), st.integers(1, 4))
def test_rows_are_those_of_the_twin(documents, seq_len, rows):
    assert unpack(pack(documents, seq_len, rows)) == naive(documents, seq_len)


@settings(deadline=None)
@given(lists, st.integers(1, 20), st.integers(1, 4), st.integers(1, 5))
def test_the_grouping_into_calls_does_not_show(documents, seq_len, rows, calls):
    whole = pack(documents, seq_len, rows)
    parts = pack(documents, seq_len, rows, calls, pa.large_list)
    assert [batch.serialize() for batch in parts] == [batch.serialize() for batch in whole]


@settings(deadline=None)
@given(lists, st.integers(1, 20), st.integers(1, 4))
def test_every_batch_but_the_last_is_full(documents, seq_len, rows):
    sizes = [batch.num_rows for batch in pack(documents, seq_len, rows)]
    assert all(size == rows for size in sizes[:-1])


@pytest.mark.parametrize(("vocab", "dtype"), [(2**16, pa.uint16()), (2**16 + 1, pa.uint32())])
def test_ids_take_two_bytes_while_the_vocabulary_allows_it(vocab, dtype):
    packer = Packer(4, vocab, 0)
    tokens = pa.array([[vocab - 1, 1]], pa.list_(pa.uint32()))
    packer.push(pa.array([0], pa.uint32()), tokens)
    (batch,) = packer.finish()
    assert batch.schema == schema.shard_schema(4, vocab) == packer.schema
    assert batch.column("input_ids").values.type == dtype
    assert batch.column("input_ids").to_pylist() == [[vocab - 1, 1, 0, 0]]


def test_a_slice_of_a_list_array_is_read_at_its_place():
    tokens = pa.array([[1], [2, 3], [4]], pa.list_(pa.uint32())).slice(1)
    packer = Packer(5, VOCAB, END)
    packer.push(pa.array([0, 1], pa.uint32()), tokens)
    assert packer.finish()[0].column("input_ids").to_pylist() == [[2, 3, END, 4, END]]


def test_what_cannot_be_packed_is_refused():
    packer = Packer(4, VOCAB, END)
    numbers, tokens = pa.array([0], pa.uint32()), pa.array([[VOCAB]], pa.list_(pa.uint32()))
    with pytest.raises(ValueError, match="token = 50 in document 0"):
        packer.push(numbers, tokens)
    with pytest.raises(ValueError, match="document = 4294967295"):
        packer.push(pa.array([schema.PADDING], pa.uint32()), pa.array([[1]], tokens.type))
    with pytest.raises(TypeError, match="list<uint32>"):
        packer.push(numbers, pa.array([[1]], pa.list_(pa.int64())))
    with pytest.raises(TypeError, match="cannot be packed"):
        packer.push(numbers, pa.array([None], tokens.type))
    with pytest.raises(ValueError, match="end_token = 50"):
        Packer(4, VOCAB, VOCAB)
    assert packer.finish() == []
    with pytest.raises(ValueError, match="finished"):
        packer.push(numbers, tokens)


def test_a_block_has_about_a_mebibyte_of_ids():
    assert block_rows(2048, 32_000) * 2048 * 2 == BLOCK_BYTES
    assert block_rows(2**30, 32_000) == 1
