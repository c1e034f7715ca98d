"""The contract: the Arrow schemas of a document, of a ledger row and of a packed shard.

Everything that passes between stages, files and readers has one of these shapes. The columns are
fixed by the interface; a new one is appended, never put between.
"""

from __future__ import annotations

import pyarrow as pa

NO_ASSERTION = "NOASSERTION"
"""The license of a document that declares none (the SPDX word for it)."""

PADDING = 2**32 - 1
"""The `piece_document` of the padding at the end of a split."""

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("created", pa.timestamp("us", tz="UTC")),
        pa.field("metadata", pa.string(), nullable=False),
    ]
)
"""One document; `metadata` is a JSON object."""

SIGNALS: tuple[pa.Field, ...] = tuple(
    pa.field(name, pa.float32())
    for name in (
        "gopher_word_count",
        "gopher_mean_word_length",
        "gopher_hash_ratio",
        "gopher_ellipsis_ratio",
        "gopher_bullet_line_ratio",
        "gopher_ellipsis_line_ratio",
        "gopher_alpha_word_ratio",
        "gopher_stop_words",
        "gopher_dup_para_frac",
        "gopher_dup_para_char_frac",
        "gopher_dup_line_frac",
        "gopher_dup_line_char_frac",
        "gopher_top_2_gram_char_frac",
        "gopher_top_3_gram_char_frac",
        "gopher_top_4_gram_char_frac",
        "gopher_dup_5_gram_char_frac",
        "gopher_dup_6_gram_char_frac",
        "gopher_dup_7_gram_char_frac",
        "gopher_dup_8_gram_char_frac",
        "gopher_dup_9_gram_char_frac",
        "gopher_dup_10_gram_char_frac",
        "c4_lorem_ipsum",
        "c4_curly_bracket",
        "c4_sentence_count",
        "c4_kept_line_ratio",
        "fineweb_line_punct_ratio",
        "fineweb_short_line_ratio",
        "fineweb_char_dup_ratio",
        "fineweb_list_ratio",
        "gibberish_score",
    )
)
"""The quality signals by their published names, in the order `quality_signals` gives them.

Shares are of words, lines, paragraphs or characters of the text, 0 to 1 (``gopher_hash_ratio``,
``gopher_ellipsis_ratio`` and ``fineweb_list_ratio`` count symbols and newlines per word);
``gopher_word_count``, ``gopher_stop_words`` and ``c4_sentence_count`` are counts;
``gopher_mean_word_length`` is in characters; ``c4_lorem_ipsum`` and ``c4_curly_bracket`` are 0 or 1;
``gibberish_score`` goes from 0 for prose to 1.
Null in the ledger for a document that was not measured.
"""

LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("fate", pa.string(), nullable=False),
        pa.field("stage", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("duplicate_of", pa.string()),
        pa.field("bytes_in", pa.uint64(), nullable=False),
        pa.field("bytes_out", pa.uint64(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("language_score", pa.float32()),
        pa.field("pii_count", pa.uint32()),
        pa.field("toxicity_score", pa.float32()),
        *SIGNALS,
        pa.field("classifier_score", pa.float32()),
        pa.field("tags", pa.string()),
    ]
)
"""One row per input document: where it came from and what became of it.

`fate` is ``kept`` or ``dropped``. For a dropped document `stage` and `reason` name who dropped it
and why, `detail` gives value and threshold, `duplicate_of` the id of the twin that stays; for the
reason ``near_duplicate_of_earlier`` that is an id of an earlier corpus. A kept document may carry
`detail` too (what was cut from it). `tags` are the words, with spaces between them, for what was
found and is no reason to drop: ``toxicity pii:email``.
"""

SHARD_DOCUMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("n_tokens", pa.uint32(), nullable=False),
    ]
)
"""``shards/documents.parquet``: the documents that `piece_document` points into, by row."""


def shard_schema(seq_len: int, vocab_size: int) -> pa.Schema:
    """Schema of one packed row of `seq_len` tokens; uint16 ids while the vocabulary allows it."""
    dtype = pa.uint16() if vocab_size <= 2**16 else pa.uint32()
    pieces = pa.list_(pa.field("item", pa.uint32(), nullable=False))
    ids = pa.list_(pa.field("item", dtype, nullable=False), seq_len)
    return pa.schema(
        [
            pa.field("input_ids", ids, nullable=False),
            pa.field("piece_lengths", pieces, nullable=False),
            pa.field("piece_document", pieces, nullable=False),
            pa.field("piece_offset", pieces, nullable=False),
        ]
    )
