"""Types of the compiled kernels; `mypy.stubtest` holds this file against the built module."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, final

import pyarrow as pa
from typing_extensions import Buffer

__all__ = [
    "Batches",
    "BenchmarkItems",
    "BpeEncoder",
    "BpeTrainer",
    "FastText",
    "IndexText",
    "LanguageModel",
    "Packer",
    "RecordRows",
    "RecordTable",
    "RowReader",
    "SuffixIndex",
    "TermCounter",
    "WarcDocuments",
    "WarcRecords",
    "Xxh3",
    "count_lines",
    "count_words",
    "document_hashes",
    "exact_duplicates",
    "exact_duplicates_in_files",
    "find_pii",
    "held_out",
    "language_words",
    "merges_of_ranks",
    "minhash_signatures",
    "near_duplicates",
    "near_duplicates_in_files",
    "permute",
    "quality_signals",
    "read_page",
    "scrub_pii",
    "similar_pairs",
    "similarities",
    "similarities_in_files",
    "toxicity_windows",
    "xxh3_64_each",
    "xxh3_64_hex",
    "xxh3_128_hex",
    "xxh3_128_hex_each",
]

@final
class Batches:
    """Arrow data on its way out; read it with `text.from_kernel`."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any: ...

# ---- bpe.rs ----

@final
class BpeTrainer:
    """Counts the words of texts, given in portions, and then learns their vocabulary."""

    def __new__(
        cls,
        pattern: str,
        vocab_size: int,
        special_tokens: list[str],
        min_frequency: int,
        max_token_bytes: int,
        sample_bytes: int | None = None,
        extend: tuple[
            list[bytes | None],
            list[tuple[int, int, int]],
            list[tuple[str, int, bool]],
            bool,
            bool,
        ]
        | None = None,
    ) -> BpeTrainer: ...
    def add(self, texts: pa.Table, threads: int) -> None: ...
    def learn(self, n: int) -> int: ...
    def finish(self) -> tuple[list[bytes], list[tuple[int, int, int]]]: ...

@final
class BpeEncoder:
    """A vocabulary ready to encode and decode."""

    def __new__(
        cls,
        tokens: list[bytes | None],
        merges: list[tuple[int, int, int]],
        added: list[tuple[str, int, bool]],
        pattern: str,
        *,
        ignore_merges: bool = False,
        add_prefix_space: bool = False,
        tied: bool = False,
    ) -> BpeEncoder: ...
    def words(self, text: str) -> list[str]: ...
    def encode(self, text: str, specials: str) -> list[int]: ...
    def encode_batch(self, texts: pa.Table, specials: str, threads: int) -> Batches: ...
    def count_batch(self, texts: pa.Table, specials: str, threads: int) -> Batches: ...
    def decode(self, ids: list[int], skip_special_tokens: bool) -> bytes: ...

def merges_of_ranks(tokens: list[bytes | None]) -> tuple[list[tuple[int, int, int]], bool]: ...

# ---- end bpe.rs ----

# ---- cooccurrence.rs ----

@final
class TermCounter:
    """Counts terms, and the groups of terms near them, in texts that are given in portions.

    `phrases` are (phrase, term), `groups` the groups of each term, `centers` the terms around which
    `window` words to each side are looked at.
    """

    def __new__(
        cls,
        phrases: list[tuple[str, int]],
        groups: list[list[int]],
        centers: list[int],
        window: int,
    ) -> TermCounter: ...
    def add(self, texts: pa.Table, threads: int) -> None: ...
    def words(self) -> int: ...
    def terms(self) -> Batches:
        """Of each term: occurrences, texts."""

    def cells(self) -> Batches:
        """One row per center and group, then one per group of whole texts: pairs, texts, squares."""

# ---- decontaminate.rs ----

@final
class BenchmarkItems:
    """Items of benchmarks, ready to be looked for."""

    def __new__(
        cls, parts: Any, n_parts: Sequence[int], ngram: int, coverage: float
    ) -> BenchmarkItems:
        """Prepare items; the first `n_parts[0]` of the texts `parts` are the first one."""

    def findable(self) -> list[bool]:
        """For each item, whether any text can be found to hold it."""

    def find(self, texts: Any, threads: int) -> Batches:
        """One row per find: document, item, start, end, coverage, n_words, has_ngram, longest."""

# ---- end decontaminate.rs ----

# ---- dedup.rs ----

def exact_duplicates(
    values: pa.Table,
    min_bytes: int,
    engine: str,
    threads: int,
    unit: int = 1,
    memory: int | None = None,
    spill: str | Path | None = None,
) -> Batches: ...
def exact_duplicates_in_files(
    columns: Sequence[tuple[str | Path, int, int, int]],
    min_bytes: int,
    engine: str,
    threads: int,
    unit: int = 1,
    memory: int | None = None,
    spill: str | Path | None = None,
) -> Batches: ...

class _MinHash(Protocol):
    """The parameters of MinHash."""

    @property
    def threshold(self) -> float: ...
    @property
    def num_perm(self) -> int: ...
    @property
    def ngram(self) -> int: ...
    @property
    def verify(self) -> bool: ...
    @property
    def method(self) -> str: ...
    @property
    def bands(self) -> int | None: ...
    @property
    def rows(self) -> int | None: ...
    @property
    def seed(self) -> int: ...

def near_duplicates(
    texts: pa.Table,
    minhash: _MinHash,
    threads: int,
    memory: int | None = None,
    spill: Path | None = None,
) -> Batches: ...
def near_duplicates_in_files(
    columns: Sequence[tuple[Path, int, int, int]],
    minhash: _MinHash,
    threads: int,
    memory: int | None = None,
    spill: Path | None = None,
) -> Batches: ...
def document_hashes(texts: pa.Table, threads: int) -> Batches: ...

# ---- end dedup.rs ----

# ---- digest.rs ----
def xxh3_64_hex(buffer: Buffer) -> str:
    """The 64-bit xxh3 of a contiguous buffer, as 16 hexadecimal digits."""

def xxh3_128_hex(buffer: Buffer) -> str:
    """The 128-bit xxh3 of a contiguous buffer, as 32 hexadecimal digits."""

def xxh3_128_hex_each(*columns: pa.Table) -> Batches:
    """Digest the rows of one or more columns of text, each given as a table of one column.

    Returns:
        Column ``digest``, string: for each row 32 hexadecimal digits over its fields; moving the
        border between two fields changes them. A null counts as an empty text.
    """

def xxh3_64_each(texts: pa.Table) -> Batches:
    """Digest each text of a table's first column: column ``digest``, uint64."""

@final
class Xxh3:
    """A 128-bit xxh3 of bytes that arrive in parts."""

    def __new__(cls) -> Xxh3: ...
    def update(self, buffer: Buffer) -> None:
        """Add the bytes of a contiguous buffer."""

    def hexdigest(self) -> str:
        """The digest of everything added so far, as 32 hexadecimal digits."""

# ---- end digest.rs ----

# ---- fasttext.rs ----

@final
class FastText:
    """A supervised model in memory."""

    def __new__(cls, path: Path) -> FastText: ...
    @property
    def labels(self) -> list[str]:
        """The labels, prefix included."""

    def predict(self, texts: pa.Table, threads: int, max_bytes: int) -> Batches:
        """The likeliest label of each text: columns label and score, null where there is none."""

    def score(self, texts: pa.Table, label: int, threads: int, max_bytes: int) -> Batches:
        """The probability of one label, by its number: column score, null where there is none."""

# ---- language.rs ----

@final
class LanguageModel:
    """A model that names the language of a text, read from the bytes of its file."""

    def __new__(cls, data: bytes) -> LanguageModel: ...
    def codes(self) -> list[str]:
        """The codes it can give."""

    def identify(self, texts: pa.Table, hints: list[str], threads: int) -> Batches:
        """Columns language (string, null: undetermined), score (float32) and sure (bool)."""

def language_words(texts: pa.Table) -> list[tuple[str, str]]:
    """Script and words of each text as the model reads them, to train one."""

# ---- pack.rs ----
def held_out(ids: pa.Table, limit: int | None = None) -> Batches:
    """Tell which ids have a 64-bit xxh3 below `limit`: column ``held_out``, bool; all without one."""

@final
class Packer:
    """Packs documents into rows of `seq_len` tokens, `block_rows` rows a record batch.

    Raises:
        ValueError: A size is zero, or the end token is not in the vocabulary.
    """

    def __new__(
        cls,
        seq_len: int,
        block_rows: int,
        vocab_size: int,
        end_token_id: int,
        fit: str,
        order_key: int | None = None,
        spill: str | Path | None = None,
    ) -> Packer: ...
    def encode(self, encoder: BpeEncoder, documents: pa.Table, threads: int) -> Batches:
        """Encode the texts of a table ``(text, held_out bool)`` and append them.

        Returns:
            Column ``n_tokens``, uint32: the number of ids of each.
        """

    def push(self, documents: pa.Table) -> None:
        """Append the documents of a table ``(tokens list<uint32>, held_out bool)``.

        Raises:
            ValueError: An id is not in the vocabulary, there are 2**32 - 1 documents, or the packer
                is finished.
        """

    def end(self) -> None:
        """Say that there are no more documents."""

    def next_block(self) -> tuple[int, Batches] | None:
        """The next record batch that is full and its split, 0 for train and 1 for validation.

        None until there are more documents, or at all after `end`.
        """

@final
class RowReader:
    """Reads rows out of mapped files into the arrays a model takes; `width` is 2 or 4 bytes."""

    def __new__(cls, files: Sequence[Buffer], seq_len: int, width: int) -> RowReader: ...
    def expand(self, places: Buffer, rows: Buffer, out: Buffer) -> None:
        """Expand rows into `out`.

        Args:
            places: ``uint64[n, 5]``, contiguous: for each row its file, the byte offsets of its ids
                and of its piece lengths, the number of its pieces, and its padding in tokens.
            rows: ``int64[B]``, contiguous: which of them.
            out: ``int64[4, B, T]``, contiguous: filled with the ids, the labels (-100 at the first
                token of each piece and on padding), the position within the piece, and the number
                of the piece (-1 on padding).

        Raises:
            IndexError: A row is not below *n*, or its place lies outside its file.
            CoreError: Piece lengths do not sum to the row.
        """

# ---- end pack.rs ----

# ---- page.rs ----

def read_page(
    raw: bytes, content_type: str | None = None
) -> tuple[
    str,
    str,
    str | None,
    tuple[str | None, str | None, str | None, list[str], list[str], list[str]],
]:
    """Decode an HTML page: text, charset, what was replaced, and what it declares."""

# ---- permute.rs ----
def permute(n: int, key: int, start: int, count: int, step: int = 1) -> Batches:
    """The numbers at positions ``start + k * step`` of a keyed order of ``0..n``.

    Args:
        n: How many numbers the order has, below 2**64.
        key: Which order, below 2**64.
        start: First position.
        count: How many positions, all below `n`.
        step: From one position to the next.

    Returns:
        Column ``index``, uint64.

    Raises:
        ValueError: A position is `n` or more.
    """

# ---- end permute.rs ----

# ---- pii.rs ----

def find_pii(
    texts: Any, entities: list[str], named: list[tuple[int, int, int, str]], threads: int
) -> Batches:
    """Find personal data: document, start, end (characters), entity, score.

    `named` is what a model found: index of the text, first character, the one behind the last, entity.
    """

def scrub_pii(
    texts: Any,
    mask: list[str],
    pseudonymise: list[str],
    count: list[str],
    key: bytes,
    named: list[tuple[int, int, int, str]],
    threads: int,
) -> Batches:
    """Mask or pseudonymise personal data: text, and a uint32 column of counts per entity."""

# ---- end pii.rs ----

# ---- records.rs ----

class _Place(Protocol):
    """What is known of a source and of its batches."""

    @property
    def source(self) -> str: ...
    @property
    def license(self) -> str: ...
    @property
    def locator(self) -> str: ...
    @property
    def batch_bytes(self) -> int: ...
    @property
    def batch_docs(self) -> int: ...
    @property
    def longest(self) -> int: ...

def count_lines(buffer: Buffer) -> int:
    """Count the line ends in a contiguous buffer."""

@final
class RecordTable:
    """A table of one chunk whose rows are records."""

    def __new__(cls, table: pa.RecordBatch) -> RecordTable: ...

@final
class RecordRows:
    """The documents of a file on their way into batches."""

    def __new__(cls, place: _Place, n_read: int) -> RecordRows: ...
    @property
    def n_docs(self) -> int: ...
    @property
    def n_read(self) -> int: ...
    def skip(self) -> None: ...
    def is_full(self, n_bad: int) -> bool: ...
    def add_license(self, license: str, expression: str, declared: str | None) -> None: ...
    def add(
        self, number: int, row: dict[str, Any], text: str | None, n_bytes: int
    ) -> int | None: ...
    def read_lines(
        self, block: Buffer, at: int, n_bad: int
    ) -> tuple[int, int | None, str | None]: ...
    def read_table(
        self, table: RecordTable, at: int, n_bad: int
    ) -> tuple[int, int | None, str | None]: ...
    def take(self, with_text: bool) -> Batches: ...

# ---- signals.rs ----

def count_words(texts: Any, words: list[str], apart: bool, threads: int) -> Batches: ...
def quality_signals(texts: Any, threads: int) -> Batches:
    """Measure the quality signals of every text, as float64 columns."""

# ---- end signals.rs ----

# ---- similarity.rs ----

def similar_pairs(texts: pa.Table, ngram: int, least: float, threads: int) -> Batches:
    """Every pair of texts of Jaccard similarity `least` or more: left, right, jaccard.

    Among texts of equal n-gram sets only the first takes part; each later one has a single pair,
    with that first one, of similarity 1.
    """

def similarities(
    texts: pa.Table, left: pa.Table, right: pa.Table, ngram: int, threads: int
) -> Batches:
    """The exact similarity of pairs, given as two tables of one uint32 column: jaccard."""

def similarities_in_files(
    columns: Sequence[tuple[str | Path, int, int, int]],
    left: pa.Table,
    right: pa.Table,
    ngram: int,
    threads: int,
) -> Batches:
    """As `similarities`, of texts in Arrow files."""

def minhash_signatures(
    texts: pa.Table, num_perm: int, ngram: int, seed: int, method: str, threads: int
) -> Batches:
    """Column ``signature``, fixed_size_list<uint32>[num_perm]."""

# ---- end similarity.rs ----

# ---- suffix_index.rs ----

@final
class IndexText:
    """The text of one shard before it is written: documents joined, and where each starts."""

    def __new__(cls, texts: pa.Table) -> IndexText: ...
    def text(self) -> Batches:
        """Column ``text``, uint8."""

    def starts(self) -> Batches:
        """Column ``starts``, uint64."""

    def sort(self) -> tuple[Batches, Batches]:
        """Sort the suffixes: column ``suffixes``, uint32, and column ``samples``, uint8."""

@final
class SuffixIndex:
    """Suffix arrays in files, each shard given as its text, suffixes, samples and starts."""

    def __new__(cls, shards: Sequence[tuple[Path, Path, Path, Path]]) -> SuffixIndex: ...
    @property
    def n_documents(self) -> int:
        """The number of documents."""

    def count(self, pattern: bytes) -> int:
        """How often a pattern occurs, overlaps included."""

    def locate(self, pattern: bytes, limit: int) -> list[tuple[int, int]]:
        """The first documents that hold a pattern, with its first place in each."""

    def spans(
        self, text: str, tokens: Sequence[tuple[int, int]], min_tokens: int, limit: int
    ) -> list[tuple[int, int, int, list[tuple[int, int]]]]:
        """The maximal spans of a text that hold `min_tokens` of `tokens`."""

# ---- end suffix_index.rs ----

# ---- toxicity.rs ----

def toxicity_windows(texts: Any, max_words: int, threads: int) -> Batches:
    """Each text as plain words in windows: document uint32 and words large_string, in order.

    A text has at least one window, empty where it has no words.
    """

# ---- end toxicity.rs ----

# ---- warc.rs ----

class _Readable(Protocol):
    """A file; one with `seek` too where reading does not begin at its start."""

    def read(self, size: int, /) -> bytes: ...

@final
class WarcDocuments:
    """Reads the documents of a part of a WARC or WET file; an `OSError` of `file` ends it."""

    def __new__(
        cls,
        file: _Readable,
        gzip: bool,
        start: int,
        stop: int,
        size: int,
        limit: int,
        texts: bool,
        repair: bool,
    ) -> WarcDocuments: ...
    def next_batch(self) -> list[tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]]:
        """The next documents and bad records in order, one of each pair; empty at the end."""

    def others(self) -> dict[str, int]:
        """How many records of each kind were no documents."""

@final
class WarcRecords:
    """Reads the records of a part of a WARC file, of whatever type."""

    def __new__(
        cls,
        file: _Readable,
        gzip: bool,
        start: int,
        stop: int,
        size: int,
        limit: int,
        http: bool,
    ) -> WarcRecords: ...
    def next_batch(
        self,
    ) -> list[
        tuple[tuple[int, int, list[tuple[str, str]], bytes] | None, tuple[int, int, str] | None]
    ]:
        """The next records and faults in order, one of each pair; empty at the end.

        A record is its place in the file and in its member, its header fields, and its block;
        with `http` a response's decoded body instead.
        """
