"""Scans texts on disk for repeats; the kernel maps them where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gristmill import _core
from gristmill.dedup.cuts import Found, Int64s, longest_between
from gristmill.dedup.exact import ENDLESS
from gristmill.documents import TextFiles
from gristmill.errors import RecipeError
from gristmill.room import Room
from gristmill.tables import Place
from gristmill.text import from_kernel


@dataclass(frozen=True, slots=True)
class Kernel:
    """How repeats are looked for.

    Attributes:
        least: Length of the shortest repeat that counts, in symbols.
        engine: One of `exact.ENGINES`.
        threads: Threads to use.
        room: What may be taken.
    """

    least: int
    engine: str
    threads: int
    room: Room

    def repeats(self, places: list[Place], unit: int = 1) -> list[Int64s]:
        """Document, start, end, twin and offset of each range, in symbols of `unit` bytes.

        Raises:
            RecipeError: The kernel refuses a parameter, such as too little memory.
        """
        try:
            found = _core.exact_duplicates_in_files(
                places,
                min(self.least, ENDLESS) * unit,
                self.engine,
                self.threads,
                unit,
                self.room.left(self.threads),
                self.room.folder,
            )
        except ValueError as error:
            raise RecipeError(f"exact_substrings: {error}") from None
        table = from_kernel(found)
        document, start, end, twin, offset = (
            table[name].to_numpy().astype(np.int64) for name in table.column_names
        )
        return [document, start // unit, end // unit, twin, offset // unit]


class Scanner(Protocol):
    """Finds what repeats in texts."""

    @property
    def kernel(self) -> Kernel:
        """How it looks."""
        ...

    def scan(self, texts: TextFiles) -> Found:
        """Find every range that repeats an earlier one."""
        ...


@dataclass(frozen=True, slots=True)
class ByteScanner:
    """Compares bytes."""

    kernel: Kernel

    def scan(self, texts: TextFiles) -> Found:
        """Find every range that repeats an earlier one."""
        document, start, end, twin, offset = self.kernel.repeats(texts.places("text"))
        return Found(
            document=document,
            start=start,
            end=end,
            twin=twin,
            offset=offset,
            longest=longest_between(document, start, end, texts.text_bytes()),
        )
