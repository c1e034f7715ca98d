"""Packing against a twin that lays one token at a time."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import _core, schema
from gristmill.packing import BLOCK_BYTES, Packer, block_rows, order_key

VOCAB, END = 50, 49

lists = st.lists(st.lists(st.integers(0, VOCAB - 1), max_size=30), max_size=15)


def naive(documents, seq_len, order=None):
    """(id, document, offset) token by token, in rows, the last one padded."""
    tokens = [
        (token, document, offset)
        for document in (range(len(documents)) if order is None else order)
        for offset, token in enumerate([*documents[document], END])
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


def pack(documents, seq_len, rows, calls=1, list_type=pa.list_, held_out=None, **options):
    """The record batches of train, or with `held_out` those of both splits."""
    packer = Packer(seq_len, VOCAB, END, rows, **options)
    mask = held_out or [False] * len(documents)
    batches = ([], [])
    for part in np.array_split(np.arange(len(documents)), calls):
        tokens = pa.array([documents[k] for k in part], list_type(pa.uint32()))
        packer.push(tokens, pa.array([mask[k] for k in part], pa.bool_()))
        for split, batch in packer.blocks():
            batches[split].append(batch)
    packer.end()
    for split, batch in packer.blocks():
        batches[split].append(batch)
    return batches if held_out else batches[0]


@settings(deadline=None)
@given(lists, st.integers(1, 20), st.integers(1, 4))
def test_rows_are_those_of_the_twin(documents, seq_len, rows):
    assert unpack(pack(documents, seq_len, rows)) == naive(documents, seq_len)


@settings(deadline=None)
@given(lists, st.integers(1, 20), st.integers(0, 2**64 - 1))
def test_shuffled_documents_come_in_the_order_of_the_permutation(documents, seq_len, key):
    keys = [
        _index(_core.permute(2**32, key, number, 1, 1)).item() for number in range(len(documents))
    ]
    order = sorted(range(len(documents)), key=keys.__getitem__)
    assert unpack(pack(documents, seq_len, 2, key=key)) == naive(documents, seq_len, order)


def _index(batches):
    return pa.table(batches)["index"].to_numpy()


@settings(deadline=None)
@given(
    lists,
    st.integers(1, 20),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from(["concatenate", "best"]),
    st.sampled_from([None, 3]),
)
def test_the_grouping_into_calls_does_not_show(documents, seq_len, rows, calls, fit, key):
    whole = pack(documents, seq_len, rows, fit=fit, key=key)
    parts = pack(documents, seq_len, rows, calls, pa.large_list, fit=fit, key=key)
    assert [batch.serialize() for batch in parts] == [batch.serialize() for batch in whole]


@settings(deadline=None)
@given(lists, st.integers(1, 20), st.integers(1, 4), st.sampled_from(["concatenate", "best"]))
def test_every_batch_but_the_last_is_full(documents, seq_len, rows, fit):
    sizes = [batch.num_rows for batch in pack(documents, seq_len, rows, fit=fit)]
    assert all(size == rows for size in sizes[:-1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 48), max_size=30), st.booleans()), min_size=1))
def test_held_out_documents_have_rows_of_their_own(documents):
    lists, held_out = zip(*documents, strict=True)
    train, validation = pack(lists, 8, 2, held_out=list(held_out))
    for batches, mask in ((train, False), (validation, True)):
        order = [number for number, held in enumerate(held_out) if held is mask]
        assert unpack(batches) == naive(lists, 8, order)


def cut(batches):
    """Documents that stand in more than one row."""
    rows_of = {}
    for number, row in enumerate(unpack(batches)):
        for _, document, _ in row:
            rows_of.setdefault(document, set()).add(number)
    return {document for document, rows in rows_of.items() if len(rows) > 1} - {schema.PADDING}


def test_best_fit_cuts_what_is_longer_than_a_row_and_hardly_anything_else():
    rng = np.random.default_rng(1)
    sizes = np.minimum(rng.lognormal(3, 1, 2_000).astype(int), 200)
    documents = [[1] * size for size in sizes]
    long = {number for number, size in enumerate(sizes) if size + 1 > 64}
    best, concatenated = (cut(pack(documents, 64, 8, fit=fit)) for fit in ("best", "concatenate"))
    assert long <= best
    assert len(best - long) <= 2
    assert len(concatenated - long) > 300
    assert sum(b.num_rows for b in pack(documents, 64, 8, fit="best")) == -(
        -(sizes.sum() + 2_000) // 64
    )


def test_the_seed_decides_the_order():
    assert order_key(7) != order_key(8)
    documents = [[n % 48] * 3 for n in range(200)]
    one, two = (pack(documents, 16, 2, key=order_key(seed)) for seed in (7, 8))
    firsts = [
        [row["piece_document"][0] for batch in batches for row in batch.to_pylist()]
        for batches in (one, two)
    ]
    assert firsts[0] != firsts[1]
    assert all(first != sorted(first) for first in firsts)


@pytest.mark.parametrize(("vocab", "dtype"), [(2**16, pa.uint16()), (2**16 + 1, pa.uint32())])
def test_ids_take_two_bytes_while_the_vocabulary_allows_it(vocab, dtype):
    packer = Packer(4, vocab, 0)
    packer.push(pa.array([[vocab - 1, 1]], pa.list_(pa.uint32())), pa.array([False]))
    packer.end()
    ((_, batch),) = packer.blocks()
    assert batch.schema == schema.shard_schema(4, vocab) == packer.schema
    assert batch.column("input_ids").values.type == dtype
    assert batch.column("input_ids").to_pylist() == [[vocab - 1, 1, 0, 0]]


def test_a_slice_of_a_list_array_is_read_at_its_place():
    tokens = pa.array([[1], [2, 3], [4]], pa.list_(pa.uint32())).slice(1)
    packer = Packer(5, VOCAB, END)
    packer.push(tokens, pa.array([True, False, False]).slice(1))
    packer.end()
    ((split, batch),) = packer.blocks()
    assert split == 0
    assert batch.column("input_ids").to_pylist() == [[2, 3, END, 4, END]]


def test_what_cannot_be_packed_is_refused():
    packer = Packer(4, VOCAB, END)
    mask, tokens = pa.array([False]), pa.array([[VOCAB]], pa.list_(pa.uint32()))
    with pytest.raises(ValueError, match="token = 50 in document 0"):
        packer.push(tokens, mask)
    with pytest.raises(TypeError, match="list<uint32>"):
        packer.push(pa.array([[1]], pa.list_(pa.int64())), mask)
    with pytest.raises(TypeError, match="cannot be packed"):
        packer.push(pa.array([None], tokens.type), mask)
    with pytest.raises(TypeError, match="held_out"):
        packer.push(tokens, pa.array([1]))
    with pytest.raises(ValueError, match="end_token = 50"):
        Packer(4, VOCAB, VOCAB)
    with pytest.raises(ValueError, match="concatenate or best"):
        Packer(4, VOCAB, END, fit="worst")
    packer.end()
    assert list(packer.blocks()) == []
    with pytest.raises(ValueError, match="finished"):
        packer.push(tokens, mask)


def test_a_block_has_about_a_mebibyte_of_ids():
    assert block_rows(2048, 32_000) * 2048 * 2 == BLOCK_BYTES
    assert block_rows(2**30, 32_000) == 1
