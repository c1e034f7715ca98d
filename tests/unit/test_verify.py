"""Verify: a whole corpus passes, and every way of breaking one is named with file and rows."""

from __future__ import annotations

import json
import shutil
import struct

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import safetensors

from gristmill.cards import write_card
from gristmill.cards.compare import compare
from gristmill.errors import RecipeError
from gristmill.verify import check_corpus, check_directory, verify_corpus, verify_model
from synthetic_corpus import edit_json, list_files, make_docs, write_corpus


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A corpus with card; not to be changed."""
    corpus = write_corpus(tmp_path_factory.mktemp("verify") / "corpus", make_docs(80))
    write_card(corpus)
    return corpus


@pytest.fixture
def corpus(whole, tmp_path):
    """A copy to break."""
    return shutil.copytree(whole, tmp_path / "corpus")


def rewrite(path, change):
    """Write a Parquet file again with a changed table."""
    pq.write_table(change(pq.read_table(path)), path, write_page_checksum=True)


def relist(corpus):
    """Make the digests of ``run.json`` right again, so that another check must find the fault."""
    edit_json(corpus / "run.json", files=list_files(corpus))


def with_column(table, name, values):
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), values)


def test_a_whole_corpus_holds(whole):
    assert verify_corpus(whole) == []
    assert verify_corpus(whole, deep=True) == []
    assert [check.name for check in check_corpus(whole)] == [
        "files",
        "conservation",
        "documents",
        "ledger",
        "fates",
        "tokenizer",
        "shards",
        "card",
    ]


def test_shards_alone_hold_and_a_changed_byte_in_them_is_named(corpus):
    shards = corpus / "shards"
    (check,) = check_directory(shards, deep=True)
    assert not check.problems
    assert "every token" in check.looked_at

    path = next((shards / "train").glob("*.arrow"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (check,) = check_directory(shards)
    assert [problem.path for problem in check.problems] == [f"train/{path.name}"]
    assert check.problems[0].rows


def test_a_corpus_of_documents_alone_holds(tmp_path):
    assert verify_corpus(write_corpus(tmp_path / "a", make_docs(10), packed=False)) == []
    assert verify_corpus(write_corpus(tmp_path / "b", [])) == []


@pytest.mark.parametrize(
    "name",
    [
        "documents/part-00000.parquet",
        "ledger/part-00000.parquet",
        "tokenizer/tokenizer.json",
        "shards/documents.parquet",
        "shards/manifest.json",
    ],
)
def test_one_changed_byte_is_named_with_its_file(corpus, name):
    path = corpus / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert name in {problem.path for problem in verify_corpus(corpus) if problem.check == "files"}


def test_a_flipped_bit_in_a_page_is_found_without_the_digest(corpus):
    path = corpus / "documents" / "part-00000.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert column.path_in_schema == "text"
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    relist(corpus)
    found = [problem for problem in verify_corpus(corpus) if problem.check == "documents"]
    assert [problem.path for problem in found] == ["documents/part-00000.parquet"]
    n_docs = pq.ParquetFile(path).metadata.num_rows
    assert found[0].rows == f"0-{n_docs - 1}"


def test_a_missing_and_an_added_file_are_named(corpus):
    shutil.copy(
        corpus / "documents" / "part-00000.parquet", corpus / "documents" / "part-00001.parquet"
    )
    (corpus / "tokenizer" / "tokenizer_config.json").unlink()
    what = {problem.path: problem.what for problem in verify_corpus(corpus)}
    assert "missing" in what["tokenizer/tokenizer_config.json"]
    assert "documents/part-00001.parquet" in what


def test_a_changed_count_breaks_conservation(corpus):
    run = json.loads((corpus / "run.json").read_bytes())
    run["stages"][4]["docs_kept"] += 1
    edit_json(corpus / "run.json", stages=run["stages"])
    found = [str(problem) for problem in verify_corpus(corpus) if problem.check == "conservation"]
    assert any("quality" in text for text in found)
    assert any("exact_documents" in text for text in found), "the next stage got another number"


def test_a_changed_text_is_found_by_its_size(corpus):
    path = corpus / "documents" / "part-00000.parquet"

    def longer(table):
        texts = table["text"].to_pylist()
        texts[5] += "!"
        return with_column(table, "text", pa.array(texts, pa.large_string()))

    rewrite(path, longer)
    relist(corpus)
    found = {problem.check: problem for problem in verify_corpus(corpus)}
    assert (found["fates"].path, found["fates"].rows) == ("documents/part-00000.parquet", "5")
    first = next(problem for problem in verify_corpus(corpus) if problem.check == "card")
    assert first.what.startswith("sizes.bytes.value")


def test_a_document_that_vanished_is_named(corpus):
    path = corpus / "documents" / "part-00000.parquet"
    gone = pq.read_table(path)["id"][3].as_py()
    rewrite(path, lambda table: pa.concat_tables([table.slice(0, 3), table.slice(4)]))
    relist(corpus)
    problems = verify_corpus(corpus)
    assert any(gone in problem.what for problem in problems if problem.check == "fates")
    assert any(problem.rows == "3" for problem in problems if problem.check == "shards")


def test_a_lost_ledger_row_and_a_repeated_id_are_named(corpus):
    path = corpus / "ledger" / "part-00000.parquet"
    rewrite(
        path, lambda table: pa.concat_tables([table.slice(0, 1), table.slice(0, len(table) - 2)])
    )
    relist(corpus)
    found = [str(problem) for problem in verify_corpus(corpus) if problem.check == "ledger"]
    assert any("occurs more than once" in text for text in found)
    assert any("but run.json read 80" in text for text in found)


def test_a_changed_reason_is_found_by_the_counts_of_the_run(corpus):
    path = corpus / "ledger" / "part-00000.parquet"

    def excuse(table):
        reasons = table["reason"].to_pylist()
        reasons[next(at for at, reason in enumerate(reasons) if reason)] = "bad_luck"
        return with_column(table, "reason", pa.array(reasons, pa.string()))

    rewrite(path, excuse)
    relist(corpus)
    found = [str(problem) for problem in verify_corpus(corpus) if problem.check == "ledger"]
    assert any("bad_luck, run.json says 0" in text for text in found)


def test_a_twin_that_never_was_is_named(corpus):
    path = corpus / "ledger" / "part-00000.parquet"

    def invent(table):
        twins = table["duplicate_of"].to_pylist()
        twins[7] = "nobody"
        return with_column(table, "duplicate_of", pa.array(twins, pa.string()))

    rewrite(path, invent)
    found = [problem for problem in verify_corpus(corpus) if problem.check == "ledger"]
    assert [(problem.rows, "nobody" in problem.what) for problem in found] == [("7", True)]


def test_a_column_of_the_wrong_type_is_named(corpus):
    path = corpus / "documents" / "part-00000.parquet"
    rewrite(path, lambda table: table.set_column(1, "text", pc.cast(table["text"], pa.string())))
    found = [problem.what for problem in verify_corpus(corpus) if problem.check == "documents"]
    assert found == ["column 'text' is string, not large_string"]


def test_the_first_number_of_the_card_that_does_not_hold_is_named(corpus):
    path = corpus / "card" / "measured.json"
    measured = json.loads(path.read_bytes())
    measured["licenses"]["rows"][1]["documents"] += 1
    path.write_text(json.dumps(measured))
    found = [problem for problem in verify_corpus(corpus) if problem.check == "card"]
    assert len(found) == 1
    assert found[0].path == "card/measured.json"
    assert found[0].what.startswith("licenses.rows[1].documents = ")


def test_compare_counts_leaves_and_tells_missing_keys():
    assert compare({"a": 1}, {"a": 1, "b": {"c": 2}}) == (2, [("b", None, {"c": 2})])
    assert compare({"a": 1, "z": 3}, {"a": 1})[1] == [("z", 3, None)]
    assert compare([1], [1, 2])[1] == [("", [1], [1, 2])]


def test_a_damaged_run_and_no_corpus_at_all(corpus, tmp_path):
    (corpus / "run.json").write_text("[")
    with pytest.raises(Exception, match=r"run\.json"):
        verify_corpus(corpus)
    with pytest.raises(RecipeError, match="does not exist"):
        verify_corpus(tmp_path / "nothing")


# ---- models ----


def write_weights(path, tensors):
    """A safetensors file of named (dtype, array) pairs."""
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture
def model(whole, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 300}))
    shutil.copy(whole / "tokenizer" / "tokenizer.json", folder)
    ones = np.ones((4, 3), np.float32)
    half = np.ones(6, np.float16)
    brain = (np.ones(5, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    tensors = {"a": ("F32", ones), "b": ("F16", half), "c": ("BF16", brain)}
    write_weights(folder / "model.safetensors", tensors)
    return folder


def test_a_whole_model_holds(model):
    assert verify_model(model) == []


def test_our_reading_of_safetensors_is_that_of_the_library(model):
    with safetensors.safe_open(model / "model.safetensors", "numpy") as file:
        assert set(file.keys()) == {"a", "b", "c"}
        assert (file.get_tensor("a") == 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F64"])
def test_weights_that_are_not_finite_are_counted(model, dtype, bad):
    kinds = {"F32": np.float32, "F16": np.float16, "BF16": np.float32, "F64": np.float64}
    array = np.array([1, bad, 2, bad], kinds[dtype])
    if dtype == "BF16":
        array = (array.view(np.uint32) >> 16).astype(np.uint16)
    write_weights(model / "model.safetensors", {"w": (dtype, array)})
    assert [problem.what for problem in verify_model(model)] == [
        "tensor 'w' holds 2 values that are not finite"
    ]


def hostile_headers():
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    yield b"", "does not fit"
    yield struct.pack("<Q", 2**63) + b"{}", "does not fit"
    yield struct.pack("<Q", 4) + b"{{{{", "not that of safetensors"
    yield struct.pack("<Q", 2) + b"[]", "not that of safetensors"
    for wrong, message in (
        ({"shape": [2]}, "needs 8"),
        ({"dtype": "F33"}, "unknown dtype"),
        ({"data_offsets": [4, 8]}, "gap or overlap"),
        ({"shape": [-1]}, "its shape needs"),
        ({"shape": None}, "not that of safetensors"),
    ):
        text = json.dumps({"w": {**entry, **wrong}}).encode()
        yield struct.pack("<Q", len(text)) + text + b"\0" * 8, message
    text = b"[" * 100_000
    yield struct.pack("<Q", len(text)) + text, "not that of safetensors"


@pytest.mark.parametrize(
    ("data", "message"), list(hostile_headers()), ids=lambda value: str(value)[:24]
)
def test_a_hostile_header_is_refused(model, data, message):
    (model / "model.safetensors").write_bytes(data)
    assert [message in problem.what for problem in verify_model(model)] == [True]


def test_a_truncated_and_a_missing_file_are_named(model):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert "gap or overlap" in verify_model(model)[0].what
    path.unlink()
    assert [str(problem) for problem in verify_model(model)] == ["model.safetensors: is missing"]


def test_a_tokenizer_that_does_not_fit_is_named(model):
    edit_json(model / "config.json", vocab_size=299)
    assert [problem.what for problem in verify_model(model)] == [
        "has 300 tokens, the model has room for 299"
    ]
    described = json.loads((model / "tokenizer.json").read_bytes())
    described["model"]["merges"].append(["nothing", "known"])
    edit_json(model / "tokenizer.json", model=described["model"])
    assert any("merge" in problem.what for problem in verify_model(model))


def test_digests_beside_a_model_are_checked(model):
    edit_json_path = model / "checkpoint.json"
    edit_json_path.write_text(json.dumps({"files": {"config.json": {"xxh3": "0" * 32}}}))
    assert [problem.check for problem in verify_model(model)] == ["files"]


# ---- the command ----


def test_the_command_ends_with_0_1_or_2(gristmill, whole, corpus, model, tmp_path):
    code, out, _ = gristmill("verify", whole, "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)
    assert gristmill("verify", model)[0] == 0
    (corpus / "tokenizer" / "tokenizer.json").write_text("{}")
    code, out, err = gristmill("verify", corpus)
    assert code == 1
    assert "tokenizer/tokenizer.json" in err
    code, out, _ = gristmill("verify", corpus, "--json")
    assert code == 1
    assert json.loads(out)["ok"] is False
    assert gristmill("verify", tmp_path / "nothing")[0] == 2
