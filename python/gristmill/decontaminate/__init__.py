"""Finds benchmark items in a corpus, says where, and reports, cuts or drops."""

from __future__ import annotations

from gristmill.decontaminate.items import BenchmarkItem, read_items
from gristmill.decontaminate.report import CONTAMINATION, counted, report_rows
from gristmill.decontaminate.search import Benchmarks, contamination
from gristmill.decontaminate.stage import Decontaminate

__all__ = [
    "CONTAMINATION",
    "BenchmarkItem",
    "Benchmarks",
    "Decontaminate",
    "contamination",
    "counted",
    "read_items",
    "report_rows",
]
