"""The stream's order: one sequence for every world size, worker count and resume point."""

import copy
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import IntegrityError, NotBuiltYetError, RecipeError
from gristmill.shards.read import Shards
from gristmill.shards.stream import ShardStream
from packed import documents, write

SEQ_LEN = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("shards")
    write(out, documents(300, longest=120), seq_len=SEQ_LEN, block_bytes=500)
    return out


@pytest.fixture(scope="module")
def train(folder):
    return folder / "train"


@pytest.fixture(scope="module")
def row_numbers(train):
    """The row a batch's ids come from; rows are told apart by their ids."""
    shards = Shards(train)
    numbers = {shards.row(row).tobytes(): row for row in range(len(shards))}
    assert len(numbers) == len(shards)
    return lambda ids: [numbers[np.asarray(row).astype(np.uint16).tobytes()] for row in ids]


def by_ranks(train, row_numbers, world_size, batch_size, state=None, batches=None, **options):
    """The global sequence of rows, put together from what all ranks read, and a rank's state."""
    ranks = []
    for rank in range(world_size):
        stream = ShardStream(train, batch_size, rank=rank, world_size=world_size, **options)
        if state:
            stream.load_state_dict(state)
        rows = []
        for number, batch in enumerate(stream):
            rows += row_numbers(batch["input_ids"])
            if number + 1 == batches:
                break
        ranks.append((rows, stream.state_dict()))
    longest = max(len(rows) for rows, _ in ranks)
    sequence = [rows[k] for k in range(longest) for rows, _ in ranks if k < len(rows)]
    return sequence, ranks[0][1]


@pytest.mark.parametrize("world_size", range(1, 8))
def test_the_order_is_the_same_for_every_world_size(train, row_numbers, world_size):
    alone, _ = by_ranks(train, row_numbers, 1, 8)
    together, state = by_ranks(train, row_numbers, world_size, 3)
    assert together == alone
    assert sorted(alone) == list(range(len(alone)))
    assert state["samples_seen"] == len(alone)
    assert state["epoch"] == 1


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_another_world_size_goes_on_where_the_last_one_stopped(train, row_numbers, data):
    whole, _ = by_ranks(train, row_numbers, 1, 8)
    sequence, state = [], None
    while not state or state["epoch"] == 0:
        world_size, size = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 9))
        rounds = data.draw(st.integers(1, math.ceil(len(whole) / (world_size * size))))
        part, state = by_ranks(train, row_numbers, world_size, size, state, rounds)
        sequence += part
        assert state["samples_seen"] == len(sequence)
    assert sequence == whole


def test_epochs_are_shuffled_anew_and_seeds_differ(train, row_numbers):
    stream = ShardStream(train)
    orders = [[row for batch in stream for row in row_numbers(batch["input_ids"])] for _ in "ab"]
    other, _ = by_ranks(train, row_numbers, 1, 8, seed=8)
    packed, _ = by_ranks(train, row_numbers, 1, 8, shuffle=False)
    assert packed == sorted(orders[0]) == sorted(orders[1]) == sorted(other)
    assert len({tuple(order) for order in (*orders, other, packed)}) == 4
    stream.set_epoch(1)
    assert [row for batch in stream for row in row_numbers(batch["input_ids"])] == orders[1]


def test_forever_gives_full_batches_from_epoch_to_epoch(train, row_numbers):
    n_rows = len(Shards(train))
    rounds = math.ceil(2.5 * n_rows / 21)
    ranks = []
    for rank in range(3):
        stream = ShardStream(train, 7, rank=rank, world_size=3)
        batches = [next(source) for source in [stream.forever()] for _ in range(rounds)]
        assert all(len(batch["input_ids"]) == 7 for batch in batches)
        ranks.append([row for batch in batches for row in row_numbers(batch["input_ids"])])
        assert stream.state_dict()["samples_seen"] == rounds * 21
        assert stream.state_dict()["epoch"] == 2
    sequence = [row for rows in zip(*ranks, strict=True) for row in rows]
    alone = ShardStream(train)
    orders = [[row for batch in alone for row in row_numbers(batch["input_ids"])] for _ in "abc"]
    assert sequence == (orders[0] + orders[1] + orders[2])[: len(sequence)]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_dataloader_workers_lose_and_repeat_nothing(train, row_numbers, workers):
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    whole, _ = by_ranks(train, row_numbers, 1, 8)
    stream = ShardStream(train, 4, rank=1, world_size=2)
    assert isinstance(stream, IterableDataset)
    start = "fork" if workers else None
    batches = list(
        DataLoader(stream, batch_size=None, num_workers=workers, multiprocessing_context=start)
    )
    assert all(batch["labels"].dtype == torch.int64 for batch in batches)
    rows = [row for batch in batches for row in row_numbers(batch["input_ids"])]
    assert rows == whole[1::2]


def test_a_copy_goes_on_where_the_original_is(train, row_numbers):
    """Which is how a spawned DataLoader worker gets its stream."""
    stream = ShardStream(train, 3, seed=5, rank=1, world_size=2, licenses=["MIT"])
    next(iter(stream))
    twin = copy.copy(stream)
    assert twin.state_dict() == stream.state_dict()
    rest = [[row_numbers(batch["input_ids"]) for batch in part] for part in (twin, stream)]
    assert rest[0] == rest[1] != []


def test_without_torch_a_batch_is_numpy(train):
    code = f"""
import sys
from gristmill.shards.stream import ShardStream
batch = next(iter(ShardStream({str(train)!r})))
print(type(batch["labels"]).__module__, batch["labels"].dtype, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy", "int64", "False"]


def test_a_batch_says_where_documents_end(train):
    shards, stream = Shards(train), ShardStream(train, batch_size=5)
    for start, batch in zip(range(0, 1000, 5), stream, strict=False):
        for place in range(len(batch["input_ids"])):
            lengths, documents, _ = shards.pieces(stream.row_of(start + place))
            first = np.cumsum(lengths) - lengths
            ids = np.asarray(batch["input_ids"][place])
            padding = int(lengths[-1]) if documents[-1] == 2**32 - 1 else 0
            labels = ids.copy()
            labels[first] = -100
            labels[SEQ_LEN - padding :] = -100
            positions = np.concatenate([np.arange(length) for length in lengths])
            segments = np.repeat(np.arange(len(lengths)), lengths)
            segments[SEQ_LEN - padding :] = -1
            assert (np.asarray(batch["labels"][place]) == labels).all()
            assert (np.asarray(batch["position_ids"][place]) == positions).all()
            assert (np.asarray(batch["segment_ids"][place]) == segments).all()


def test_where_finds_the_token_of_a_sample(folder, train):
    docs = {row["id"]: row["text"] for row in documents(300, longest=120).to_pylist()}
    stream = ShardStream(train, batch_size=4)
    for sample in (0, 5, len(Shards(train)) - 1, len(Shards(train)) + 3):
        ids = stream.shards.row(stream.row_of(sample))
        for token in range(SEQ_LEN):
            place = stream.where(sample, token)
            if place is not None:
                assert [*docs[place["id"]].encode(), 256][place["offset"]] == ids[token]


def test_a_state_of_other_shards_is_refused(tmp_path, train):
    write(tmp_path, documents(50, seed=1))
    state = ShardStream(tmp_path / "train").state_dict()
    assert state.keys() == {"samples_seen", "epoch", "fingerprint"}
    with pytest.raises(IntegrityError, match="the state is of shards"):
        ShardStream(train).load_state_dict(state)
    gated = ShardStream(train, licenses=["MIT"])
    with pytest.raises(IntegrityError, match="the state is of shards"):
        gated.load_state_dict(ShardStream(train).state_dict())


def test_the_license_gate_lets_only_pure_rows_through(train, row_numbers):
    shards = Shards(train)
    licenses = shards.documents.column("license").to_pylist()
    pure = []
    for row in range(len(shards)):
        _, pieces, _ = shards.pieces(row)
        if {licenses[d] for d in pieces if d != 2**32 - 1} <= {"MIT", "Apache-2.0"}:
            pure.append(row)
    assert 0 < len(pure) < len(shards)
    sequence, _ = by_ranks(train, row_numbers, 3, 2, licenses={"MIT", "Apache-2.0"})
    assert sorted(sequence) == pure
    everything = ShardStream(train, licenses=set(licenses))
    assert everything.n_samples == len(shards)
    with pytest.raises(RecipeError, match="leave no row"):
        next(iter(ShardStream(train, licenses=["GPL-3.0-only"])))


def test_an_empty_split_has_an_empty_epoch(tmp_path):
    write(tmp_path, documents(20), validation=0.0)
    stream = ShardStream(tmp_path / "validation")
    assert list(stream) == []
    assert stream.state_dict()["samples_seen"] == 0
    with pytest.raises(RecipeError, match="no row"):
        next(stream.forever())


def test_damage_stops_the_stream_before_the_batch(tmp_path):
    manifest = write(tmp_path, documents(300), validation=0.0, shard_bytes=2**30)
    path, block = tmp_path / "train/shard-00000.arrow", manifest["files"][0]["blocks"][5]
    data = bytearray(path.read_bytes())
    data[block["offset"] + block["bytes"] - 9] ^= 4
    path.write_bytes(data)
    stream = ShardStream(tmp_path / "train", batch_size=1, shuffle=False)
    good = list(itertools.islice(stream, block["first_row"]))
    assert len(good) == block["first_row"]
    with pytest.raises(IntegrityError, match=f"rows {block['first_row']} to"):
        next(iter(stream))


def test_what_cannot_be_streamed_is_refused(train):
    for options, what in [
        ({"batch_size": 0}, "batch_size = 0"),
        ({"rank": 2, "world_size": 2}, "rank = 2"),
        ({"world_size": 0}, "rank = 0"),
    ]:
        with pytest.raises(ValueError, match=what):
            ShardStream(train, **options)
    with pytest.raises(NotBuiltYetError, match="weights"):
        ShardStream(train, weights={"source-0": 1.0})
    with pytest.raises(TypeError, match="a collection of licenses"):
        ShardStream(train, licenses="MIT")
