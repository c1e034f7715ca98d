"""The peers of `shards.py`: from a Parquet file of documents to a file of token ids.

It runs in the peers' own Python. ``shards_peers.py versions`` says who is installed there;
``shards_peers.py SIDE FOLDER CORE`` writes the ids of FOLDER/documents.parquet under the tokenizer
in FOLDER/tokenizer, each document closed by the end token, two bytes an id, on one core, and syncs.
"""

from __future__ import annotations

import os

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}

import json
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import paired

END = "<|endoftext|>"


def gigatoken(folder: Path) -> Callable[[], Path]:
    """Encode the file in one call, as its documentation shows; then numpy."""
    import awkward
    import numpy
    from gigatoken import ParquetFileSource, Tokenizer

    tokenizer = Tokenizer(str(folder / "tokenizer" / "tokenizer.json"))
    source = ParquetFileSource([str(folder / "documents.parquet")], column="text")

    def work() -> Path:
        found = tokenizer.encode_files(source, parallel=False)
        lengths = awkward.to_numpy(awkward.num(found))
        ends = numpy.cumsum(lengths + 1)
        ids = numpy.zeros(int(ends[-1]), numpy.uint16)  # the end token has id 0
        inside = numpy.ones(len(ids), bool)
        inside[ends - 1] = False
        ids[inside] = awkward.to_numpy(awkward.flatten(found))
        out = folder / "gigatoken"
        out.mkdir()
        ids.tofile(out / "ids")
        ends.tofile(out / "ends")
        return out

    return work


def datatrove(folder: Path) -> Callable[[], Path]:
    """Its pipeline for one task: reader and tokenizer, documents shuffled (its default)."""
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.tokens import DocumentTokenizer
    from datatrove.utils.logging import logger

    logger.remove()
    reader = ParquetReader(str(folder), glob_pattern="documents.parquet", text_key="text")
    out = DocumentTokenizer(
        str(folder / "datatrove"),
        str(folder / "tokenizer" / "tokenizer.json"),
        str(folder / "datatrove-work"),
        eos_token=END,
        seed=7,
    )

    def work() -> Path:
        out.run(reader.run(), rank=0, world_size=1)
        return folder / "datatrove"

    return work


def synced(work: Callable[[], Path]) -> None:
    """Write, and wait until it is on the disk."""
    for path in work().iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def size(folder: Path) -> int:
    """Bytes of text."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "documents.parquet") as file:
        batches = file.iter_batches(columns=["text"])
        return sum(pc.sum(pc.binary_length(batch["text"])).as_py() for batch in batches)


SIDES = {"gigatoken": gigatoken, "datatrove": datatrove}


def versions() -> dict[str, str]:
    found = {}
    for name in SIDES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main(side: str, folder: str, core: str) -> None:
    paired.pin(int(core))
    work = SIDES[side](Path(folder))
    figures = paired.measure(lambda: synced(work))
    print(json.dumps(figures | {"mb": size(Path(folder)) / 1e6}))


if __name__ == "__main__":
    if sys.argv[1] == "versions":
        print(json.dumps(versions()))
    else:
        main(*sys.argv[1:])
