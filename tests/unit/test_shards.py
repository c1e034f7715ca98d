"""Shards on disk: what was written is what is read, in every reader, and nothing else passes."""

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gristmill import _core, schema
from gristmill.errors import FormatError, IntegrityError
from gristmill.packing import Packer
from gristmill.shards.manifest import fingerprint, load, merkle_root
from gristmill.shards.read import Shards
from gristmill.shards.verify import Trail, verify_shards
from gristmill.shards.write import write_shards
from gristmill.tokenizer import Tokenizer
from packed import ByteTokenizer, documents, rebuild, write


@pytest.fixture
def docs():
    return documents(300)


@pytest.fixture
def shards(tmp_path, docs):
    """Several files of several blocks, in both splits."""
    write(tmp_path, docs)
    return tmp_path


def bytes_of(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("vocab_size", [257, 70_000])
def test_the_documents_come_back_token_for_token(tmp_path, docs, vocab_size):
    manifest = write(tmp_path, docs, vocab_size=vocab_size)
    expected = [[*text.encode(), 256] for text in docs.column("text").to_pylist()]
    found = rebuild(tmp_path)
    assert [found[number] for number in range(len(expected))] == expected
    assert manifest["dtype"] == ("uint16" if vocab_size == 257 else "uint32")
    assert verify_shards(tmp_path, deep=True) == []


@pytest.mark.parametrize("order", ["shuffled", "corpus"])
@pytest.mark.parametrize("fit", ["concatenate", "best"])
def test_every_order_and_fit_gives_the_documents_back(tmp_path, docs, order, fit):
    """By a tokenizer that goes through lists, and by one whose ids never leave the kernel."""
    texts = docs.column("text").to_pylist()
    bpe = Tokenizer.train(texts, 300)
    for tokenizer in (ByteTokenizer(), bpe):
        roots = set()
        for threads, n_rows in ((1, 300), (2, 7), (4, 64)):
            parts = [docs.slice(start, n_rows) for start in range(0, len(docs), n_rows)]
            sizes = {"seq_len": 64, "shard_bytes": 10_000, "block_bytes": 2_000}
            options = {**sizes, "validation": 0.1, "order": order, "fit": fit, "threads": threads}
            roots.add(write_shards(parts, tokenizer, tmp_path, **options)["merkle_root"])
        assert len(roots) == 1
        ids = tokenizer.encode_batch(docs.column("text")).to_pylist()
        found = rebuild(tmp_path)
        assert [found[number] for number in range(len(ids))] == [
            [*one, tokenizer.end_token_id] for one in ids
        ]
        assert verify_shards(tmp_path, deep=True) == []
    assert [bpe.decode(found[number][:-1]) for number in range(len(texts))] == texts


def test_rows_of_shuffled_documents_do_not_hold_neighbors(tmp_path, docs):
    near = {}
    for order in ("corpus", "shuffled"):
        write(tmp_path / order, docs, order=order)
        train = Shards(tmp_path / order / "train")
        rows = [np.unique(train.pieces(row)[1]) for row in range(len(train))]
        gaps = np.concatenate([np.diff(row) for row in rows])
        near[order] = (gaps <= 2).mean()
    assert near["corpus"] > 0.9
    assert near["shuffled"] < 0.1


def test_the_manifest_says_how_documents_were_packed(tmp_path, docs):
    manifest = write(tmp_path, docs, order="shuffled", fit="best", seed=3)
    assert (manifest["order"], manifest["fit"], manifest["seed"]) == ("shuffled", "best", 3)
    other = write(tmp_path, docs, order="shuffled", fit="best", seed=4)
    assert other["fingerprint"] != manifest["fingerprint"]


def test_what_a_killed_run_left_is_swept(tmp_path, docs):
    names = [".manifest.json.1.partial", "train/.shard-00000.arrow.1.partial", "spill-1.partial"]
    (tmp_path / "train").mkdir()
    for name in names:
        (tmp_path / name).write_text("half")
    write(tmp_path, docs)
    assert not list(tmp_path.rglob("*.partial"))


def test_the_table_of_documents_is_in_their_order(shards, docs):
    table = pq.read_table(shards / "documents.parquet", page_checksum_verification=True)
    assert table.schema == schema.SHARD_DOCUMENTS
    for name in ("id", "source", "license", "url"):
        assert table.column(name).to_pylist() == docs.column(name).to_pylist()
    sizes = [len(text.encode()) for text in docs.column("text").to_pylist()]
    assert table.column("n_tokens").to_pylist() == sizes


def test_the_manifest_counts_what_is_there(shards, docs):
    manifest = load(shards)
    splits = manifest["splits"].values()
    n_tokens = sum(len(text.encode()) + 1 for text in docs.column("text").to_pylist())
    assert sum(split["documents"] for split in splits) == len(docs)
    assert sum(split["tokens"] for split in splits) == n_tokens
    assert 10 < manifest["splits"]["validation"]["documents"] < 60
    for entry in manifest["files"]:
        assert (shards / entry["path"]).stat().st_size == entry["bytes"]


def test_threads_and_grouping_do_not_change_a_byte(tmp_path, docs):
    write(tmp_path / "one", docs, threads=1)
    parts = [docs.slice(start, 7) for start in range(0, len(docs), 7)]
    sizes = {"seq_len": 64, "shard_bytes": 10_000, "block_bytes": 2_000}
    options = {**sizes, "validation": 0.1, "threads": 2}
    write_shards(iter(parts), ByteTokenizer(), tmp_path / "parts", **options)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "parts")


def test_the_fingerprint_names_the_content_not_the_files(tmp_path, docs):
    whole, cut = write(tmp_path / "a", docs), write(tmp_path / "b", docs, shard_bytes=1)
    other = write(tmp_path / "c", docs.slice(1))
    assert whole["fingerprint"] == cut["fingerprint"] != other["fingerprint"]
    assert whole["merkle_root"] != cut["merkle_root"]


def test_a_second_run_leaves_nothing_of_the_first(tmp_path, docs):
    write(tmp_path, docs, shard_bytes=1, seq_len=8)
    write(tmp_path, docs)
    assert verify_shards(tmp_path) == []
    write(tmp_path / "fresh", docs)
    fresh = bytes_of(tmp_path / "fresh")
    assert {name: data for name, data in bytes_of(tmp_path).items() if "fresh" not in name} == fresh


def test_a_run_that_fails_leaves_no_manifest_and_no_partial_file(shards, docs):
    def breaks_off():
        yield docs
        raise OSError(28, "no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_shards(breaks_off(), ByteTokenizer(), shards, seq_len=64)
    assert not (shards / "manifest.json").exists()
    assert not [name for name in bytes_of(shards) if name.endswith(".partial")]
    with pytest.raises(FormatError, match=r"manifest\.json is missing"):
        Shards(shards / "train")


@pytest.mark.parametrize("validation", [0.0, 1.0])
def test_a_split_may_be_empty(tmp_path, docs, validation):
    manifest = write(tmp_path, docs, validation=validation)
    empty = "validation" if validation == 0.0 else "train"
    assert manifest["splits"][empty] == {"rows": 0, "tokens": 0, "documents": 0}
    assert len(Shards(tmp_path / empty)) == 0
    assert verify_shards(tmp_path, deep=True) == []


def test_no_document_at_all_makes_empty_shards(tmp_path):
    manifest = write_shards([], ByteTokenizer(), tmp_path, seq_len=8)
    assert manifest["documents"]["rows"] == 0
    assert verify_shards(tmp_path, deep=True) == []


def test_two_bytes_and_a_little_per_token(tmp_path):
    text = "the quick brown fox jumps over the lazy dog. " * 40
    docs = documents(1200).drop_columns("text")
    docs = docs.add_column(
        1, schema.DOCUMENT.field("text"), pa.array([text] * 1200, "large_string")
    )
    sizes = {"shard_bytes": 2**20, "block_bytes": 2**20}
    manifest = write(tmp_path, docs, seq_len=2048, validation=0.0, **sizes)
    size = sum(entry["bytes"] for entry in manifest["files"])
    assert size / manifest["splits"]["train"]["tokens"] <= 2.05


def test_rows_are_views_and_many_rows_are_copies(shards):
    train = Shards(shards / "train")
    assert not train.row(3).flags.owndata
    picked = [len(train) - 1, 0, 3, 3]
    assert (train.rows(picked) == np.stack([train.row(row) for row in picked])).all()
    assert (train.expand(picked)[0] == train.rows(picked)).all()
    assert train.expand([]).shape == (4, 0, 64)
    for row in (-1, len(train)):
        with pytest.raises(IndexError, match="row"):
            train.row(row)
        with pytest.raises(IndexError, match="row"):
            train.expand([row])


def test_where_names_the_document_of_every_token(shards, docs):
    rows = docs.to_pylist()
    by_id = {row["id"]: row for row in rows}
    train = Shards(shards / "train")
    for row in (0, len(train) // 2, len(train) - 1):
        for token, token_id in enumerate(train.row(row).tolist()):
            place = train.where(row, token)
            if place is None:
                assert (row, token_id) == (len(train) - 1, 256)
                continue
            document = by_id[place["id"]]
            text = [*document["text"].encode(), 256]
            assert text[place["offset"]] == token_id
            assert {name: place[name] for name in ("source", "license", "url")} == {
                name: document[name] for name in ("source", "license", "url")
            }


def test_pyarrow_and_polars_open_a_shard(shards):
    path = next(iter(sorted((shards / "train").iterdir())))
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_stream(file).read_all()
    assert table.schema == schema.shard_schema(64, 257)
    table.validate(full=True)
    frame = pl.read_ipc_stream(path)
    assert frame["input_ids"].to_list() == table.column("input_ids").to_pylist()
    assert frame["piece_document"].to_list() == table.column("piece_document").to_pylist()


def test_datasets_opens_the_shards(shards, tmp_path_factory):
    """In a process of its own: `datasets` reads its cache folder when it is imported."""
    code = """
import glob, json, sys
import datasets
from datasets import Dataset, load_dataset
root = sys.argv[1]
files = sorted(glob.glob(root + "/train/*.arrow"))
one = Dataset.from_file(files[0])
many = load_dataset("arrow", data_files=files, split="train")
folder = load_dataset("arrow", data_dir=root + "/train", split="train")
splits = {name: root + f"/{name}/*.arrow" for name in ("train", "validation")}
both = load_dataset("arrow", data_files=splits)
print(json.dumps([one[0]["input_ids"], len(one), len(many), len(folder),
                  len(both["validation"]), many[len(many) - 1]]))
"""
    home = str(tmp_path_factory.mktemp("hf"))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": home, "PYTHONWARNINGS": ""}
    command = [sys.executable, "-c", code, str(shards)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, n_first, n_files, n_folder, n_validation, last = json.loads(done.stdout)
    train, validation = Shards(shards / "train"), Shards(shards / "validation")
    assert first == train.row(0).tolist()
    assert n_first == load(shards)["files"][0]["rows"]
    assert n_files == n_folder == len(train)
    assert n_validation == len(validation)
    assert last["input_ids"] == train.row(len(train) - 1).tolist()


def read_everything(folder):
    """Every row of both splits and the documents, as a reader gets them."""
    splits = [Shards(folder / split) for split in ("train", "validation")]
    rows = [shards.expand(range(len(shards))).tobytes() for shards in splits]
    return rows, splits[0].documents


def test_no_damage_reaches_a_reader(shards):
    """Flips, cuts and zeroed tails of any file either fail or change nothing that is read."""
    good, files = read_everything(shards), bytes_of(shards)
    names = sorted(files)
    rng = np.random.default_rng(3)
    unnoticed = 0
    for trial in range(250):
        name = names[trial % len(names)]
        data = bytearray(files[name])
        kind, at = rng.integers(0, 4), int(rng.integers(0, len(data)))
        if kind <= 1:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            del data[at:]
        else:
            data[at:] = bytes(len(data) - at)
        (shards / name).write_bytes(data)
        try:
            assert read_everything(shards) == good
            unnoticed += 1
            # The end mark and white space of the manifest hold no data; verify sees the first.
            assert verify_shards(shards) or name == "manifest.json" or data == files[name]
        except (IntegrityError, FormatError):
            assert verify_shards(shards)
        finally:
            (shards / name).write_bytes(files[name])
    assert unnoticed < 25
    assert read_everything(shards) == good


def test_swapped_files_are_seen_on_opening(shards):
    first, second = (shards / entry["path"] for entry in load(shards)["files"][:2])
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    with pytest.raises(IntegrityError, match=r"shard-00000\.arrow"):
        Shards(shards / "train")


def test_a_flipped_bit_names_file_and_rows(tmp_path, docs):
    block = write(tmp_path, docs, validation=0.0)["files"][0]["blocks"][-1]
    path = tmp_path / "train" / "shard-00000.arrow"
    data = bytearray(path.read_bytes())
    data[block["offset"] + block["bytes"] // 2] ^= 1
    path.write_bytes(data)
    last = block["first_row"] + block["rows"] - 1
    place = rf"shard-00000\.arrow, rows {block['first_row']} to {last}: xxh3 is"
    train = Shards(tmp_path / "train")
    with pytest.raises(IntegrityError, match=place):
        train.row(last)
    with pytest.raises(IntegrityError, match=place):
        train.expand([last])
    (problem,) = verify_shards(tmp_path)
    assert problem.path == "train/shard-00000.arrow"
    assert problem.rows == (block["first_row"], last)


def test_missing_truncated_and_foreign_files_are_named(shards):
    first, second = sorted((shards / "train").iterdir())[:2]
    data = second.read_bytes()
    second.write_bytes(data[:-1])
    first.rename(first.with_name("shard-99999.arrow"))
    with pytest.raises(IntegrityError, match=rf"{first.name} is missing(.|\n)*{second.name} has"):
        Shards(shards / "train")
    found = {problem.path: problem.what for problem in verify_shards(shards)}
    assert found == {
        "train/shard-00000.arrow": "the file is missing",
        "train/shard-00001.arrow": f"{len(data) - 1} bytes, not {len(data)}",
        "train/shard-99999.arrow": "the manifest does not list this file",
    }


def seal(folder, change):
    """Change the manifest and give it a fitting root, as a faulty writer would."""
    manifest = load(folder)
    change(manifest)
    manifest["merkle_root"] = merkle_root(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda m: m["splits"]["train"].update(tokens=1), "tokens in train, but its files have"),
        (lambda m: m["splits"]["train"].update(rows=9), "rows in train, but its files have"),
        (lambda m: m["splits"]["validation"].update(documents=0), "but the splits have"),
        (lambda m: m.update(end_token_id=1), "the fingerprint is not that of the blocks"),
        (lambda m: m["files"][0].update(path="../x.arrow"), "which is no shard of its split"),
        (lambda m: m["files"][0]["blocks"][1].update(offset=0), "leave a gap"),
        (lambda m: m["files"][0].update(rows=1), "do not make the whole file"),
        (lambda m: m.pop("documents"), "lacks documents"),
    ],
)
def test_a_manifest_that_does_not_add_up_is_refused(shards, change, what):
    seal(shards, change)
    assert any(what in str(problem) for problem in verify_shards(shards))


def test_deep_verification_follows_every_document(tmp_path, docs):
    """Two documents trade a token in the table: digests and totals fit, only deep sees it."""
    write(tmp_path, docs, validation=0.0)
    table = pq.read_table(tmp_path / "documents.parquet")
    sizes = table.column("n_tokens").to_numpy().copy()
    longest = int(sizes.argmax())
    sizes[longest] -= 1
    sizes[longest - 1] += 1
    table = table.set_column(4, schema.SHARD_DOCUMENTS.field("n_tokens"), pa.array(sizes))
    pq.write_table(table, tmp_path / "documents.parquet")

    def change(manifest):
        manifest["documents"]["xxh3"] = _core.xxh3_128_hex(
            (tmp_path / "documents.parquet").read_bytes()
        )
        manifest["fingerprint"] = fingerprint(manifest)

    seal(tmp_path, change)
    assert verify_shards(tmp_path) == []
    assert f"document {longest}" in " ".join(map(str, verify_shards(tmp_path, deep=True)))


@pytest.mark.parametrize(
    ("column", "change", "what"),
    [
        ("piece_offset", {1: 0}, "goes on at token 0, not 4"),
        ("piece_document", {0: 1}, "document 1 goes on at token 0, not 4"),
        ("piece_document", {2: 9}, "document 9 is not in documents.parquet"),
        ("input_ids", {6: 0}, "document 0 does not end with the end token"),
        ("piece_lengths", {3: 3}, "document 1 breaks off"),
    ],
)
def test_deep_verification_sees_a_piece_out_of_place(column, change, what):
    """Two documents of 6 and 5 tokens in rows of 4; one value of their block is another."""
    packer = Packer(4, 257, 256)
    packer.push(pa.array([[1] * 6, [2] * 4], pa.list_(pa.uint32())), pa.array([False, False]))
    packer.end()
    ((_, block),) = packer.blocks()
    totals = np.array([7, 5])

    def faults(batch):
        trail = Trail(totals, 256)
        found = [said for _, said in trail.follow(batch)]
        return found + [f"document {number} breaks off" for number in trail.unfinished()]

    assert faults(block) == []
    lists = block.column(column)
    values = lists.values.to_numpy().copy()
    for place, value in change.items():
        values[place] = value
    if column == "input_ids":
        changed = pa.FixedSizeListArray.from_arrays(pa.array(values), 4)
    else:
        changed = pa.ListArray.from_arrays(lists.offsets, pa.array(values))
    columns = [changed if name == column else block.column(name) for name in block.schema.names]
    batch = pa.RecordBatch.from_arrays(columns, names=block.schema.names)
    assert any(what in said for said in faults(batch)), faults(batch)


def test_settings_outside_their_range_are_refused(tmp_path, docs):
    with pytest.raises(ValueError, match=r"validation = 2\.0"):
        write(tmp_path, docs, validation=2.0)
    with pytest.raises(ValueError, match="shard_bytes = 0"):
        write(tmp_path, docs, shard_bytes=0)
    with pytest.raises(ValueError, match="order = 'random'"):
        write(tmp_path, docs, order="random")
    with pytest.raises(ValueError, match='fit = "worst"'):
        write(tmp_path, docs, fit="worst")
    with pytest.raises(ValueError, match="seq_len = 0"):
        write(tmp_path, docs, seq_len=0)
    write(tmp_path, docs)
    with pytest.raises(FormatError, match="there are: train, validation"):
        Shards(tmp_path / "test")
