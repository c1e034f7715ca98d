"""Gristmill: raw text in, a documented corpus and a trained, quantised language model out.

The flow, and the name of each step::

    sources -> build ------------------------------> corpus directory
                 | documents/ ledger/ tokenizer/       | Corpus: .documents() .ledger() .card()
                 | shards/ index/ card/                |         .why(id) .trace(text)
                 v                                     v
               ShardStream -> train -> evaluate -> export -> serve

The kernels also work alone: `exact_duplicates`, `near_duplicates`, `Tokenizer`, `quality_signals`,
`identify_language`, `toxicity`, `find_pii`, `scrub_pii`, `contamination`. Importing this package does
not import torch.
"""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("gristmill")

from gristmill.build import build
from gristmill.corpus import Corpus
from gristmill.decontaminate import contamination
from gristmill.dedup import (
    calibrate_near_duplicates,
    exact_duplicate_tokens,
    exact_duplicates,
    near_duplicates,
)
from gristmill.errors import GristmillError
from gristmill.evaluate import evaluate
from gristmill.export import export
from gristmill.extract import extract_html
from gristmill.filters.language import identify_language
from gristmill.filters.quality import quality_signals
from gristmill.filters.toxicity import toxicity
from gristmill.pii import find_pii, scrub_pii
from gristmill.shards.stream import ShardStream
from gristmill.tokenizer import Tokenizer
from gristmill.tokenizer.comparison import compare_tokenizers
from gristmill.train import train

__all__ = [
    "Corpus",
    "GristmillError",
    "ShardStream",
    "Tokenizer",
    "__version__",
    "build",
    "calibrate_near_duplicates",
    "compare_tokenizers",
    "contamination",
    "evaluate",
    "exact_duplicate_tokens",
    "exact_duplicates",
    "export",
    "extract_html",
    "find_pii",
    "identify_language",
    "near_duplicates",
    "quality_signals",
    "scrub_pii",
    "toxicity",
    "train",
]
