"""The peers of `near_duplicates.py`: from a list of texts to links between near-duplicates.

It runs in the peers' own Python. ``peers.py versions`` says who is installed there;
``peers.py SIDE TEXTS.jsonl LINKS.json CORE`` measures one of them and writes its links, pairs of
documents that it says belong together. All use shingles of five words, 128 permutations and 16
bands of 8 rows. The Rust of gaoya and the word tokenizer of datatrove find words by rules of their
own; the others get n-grams of ``\\w+``, lower-cased.
"""

from __future__ import annotations

import os

os.environ |= {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
os.environ["TQDM_DISABLE"] = "1"

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

Links = list[tuple[int, int]]
THRESHOLD, NUM_PERM, BANDS, ROWS, NGRAM = 0.8, 128, 16, 8, 5
CHUNK = 256
"""Documents whose shingles are in memory at a time."""


def shingles(text: str) -> set[str]:
    """Word n-grams as strings; the quickest way there is in Python."""
    words = re.findall(r"\w+", text.lower())
    if len(words) < NGRAM:
        return {" ".join(words)}
    return set(map(" ".join, zip(*(words[at:] for at in range(NGRAM)), strict=False)))


def chunks(texts: Sequence[str]) -> Iterator[list[set[str]]]:
    sets = map(shingles, texts)
    while chunk := list(islice(sets, CHUNK)):
        yield chunk


def rensa(texts: Sequence[str]) -> Callable[[], Links]:
    """Its deduplicator; documents it flags are linked with those it kept."""
    from rensa import RMinHash, RMinHashDeduplicator

    index = RMinHashDeduplicator(THRESHOLD, NUM_PERM, True, BANDS)
    flagged, number = [], 0
    for chunk in chunks(texts):
        for signature in RMinHash.from_token_sets(chunk, NUM_PERM, 42):
            if not index.add(str(number), signature):
                flagged.append((number, signature))
            number += 1
    return lambda: [(int(kept), i) for i, one in flagged for kept in index.get_duplicates(one)]


def rensa_lsh(texts: Sequence[str]) -> Callable[[], Links]:
    """Its index, the candidates verified by the similarity of their signatures."""
    from rensa import RMinHash, RMinHashLSH

    index, signatures = RMinHashLSH(THRESHOLD, NUM_PERM, BANDS), []
    for chunk in chunks(texts):
        signatures += RMinHash.from_token_sets(chunk, NUM_PERM, 42)
    index.insert_many(signatures)
    links = [
        (earlier, number)
        for number, found in enumerate(index.query_all(signatures))
        for earlier in found
        if earlier < number and signatures[earlier].jaccard(signatures[number]) >= THRESHOLD
    ]
    return lambda: links


def gaoya(texts: Sequence[str]) -> Callable[[], Links]:
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        32, THRESHOLD, BANDS, ROWS, NUM_PERM, "word", True, (NGRAM, NGRAM), "smallvec"
    )
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    found = index.par_bulk_query(texts)
    return lambda: [(j, i) for i, near in enumerate(found) for j in near if j < i]


def datasketch(texts: Sequence[str]) -> Callable[[], Links]:
    from datasketch import MinHash, MinHashLSH

    index, links = MinHashLSH(params=(BANDS, ROWS), num_perm=NUM_PERM), []
    for chunk_number, chunk in enumerate(chunks(texts)):
        encoded = ([one.encode() for one in tokens] for tokens in chunk)
        signatures = MinHash.generator(encoded, num_perm=NUM_PERM)
        for number, signature in enumerate(signatures, chunk_number * CHUNK):
            links += [(earlier, number) for earlier in index.query(signature)]
            index.insert(number, signature)
    return lambda: links


def datatrove(texts: Sequence[str]) -> Callable[[], Links]:
    """Its four stages: signatures, buckets, clusters, filter."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from datatrove.utils.binaryio import read_tuples_from_file
    from loguru import logger

    logger.remove()
    config = minhash.MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    with TemporaryDirectory() as folder:
        signatures, buckets, removed = (f"{folder}/{name}" for name in "abc")
        docs = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
        minhash.MinhashDedupSignature(signatures, config).run(iter(docs))
        for rank in range(BANDS):
            stage = minhash.MinhashDedupBuckets(signatures, buckets, config=config)
            stage.run(rank=rank, world_size=BANDS)
        minhash.MinhashDedupCluster(buckets, removed, config).run()
        for _ in minhash.MinhashDedupFilter(removed).run(iter(docs)):
            pass
        links = set()
        for path in Path(buckets).glob("*.dups"):
            with path.open("rb") as file:
                for _, one, _, two in read_tuples_from_file(file, "4I", lines_to_buffer=5):
                    links.add((min(one, two), max(one, two)))
    return lambda: sorted(links)


SIDES = {
    "rensa": rensa,
    "rensa, LSH + verify": rensa_lsh,
    "gaoya": gaoya,
    "datasketch": datasketch,
    "datatrove": datatrove,
}


def versions() -> dict[str, str]:
    """The version of each side that is installed."""
    found = {}
    for side in SIDES:
        try:
            found[side] = version(side.split(",")[0])
        except PackageNotFoundError:
            continue
    return found


def measure(side: str, texts_path: str, links_path: str, core: str) -> dict[str, Any]:
    """One core from here on; a first run on a few texts loads and warms what is needed."""
    paired.pin(int(core))
    with open(texts_path, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    SIDES[side](texts[:50])
    links: list[Callable[[], Links]] = []
    paired.forget_peak()
    figures = paired.measure(lambda: links.append(SIDES[side](texts)))
    Path(links_path).write_text(json.dumps(links[0]()))
    return figures


if __name__ == "__main__":
    print(json.dumps(versions() if sys.argv[1:] == ["versions"] else measure(*sys.argv[1:])))
