"""The license gate: keep the documents whose license the recipe allows.

A document's license is an SPDX expression. With OR the user may choose, so one alternative that
passes is enough; with AND all parts must pass. ``X WITH exception`` grants more than X, so it
passes where X passes. Names are compared as SPDX has them, without case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gristmill.errors import RecipeError
from gristmill.schema import NO_ASSERTION
from gristmill.spdx import (
    classifier_to_spdx,
    expression,
    licensing,
    parse_expression,
    parse_license,
    suggestion,
)
from gristmill.stage import Verdict

__all__ = ["LicenseGate", "classifier_to_spdx", "parse_license"]

NOT_ALLOWED = "license_not_allowed"
DENIED = "license_denied"


class LicenseGate:
    """Stage ``licenses``: drops documents by their license.

    Args:
        allow: Licenses that pass; None lets all pass. ``NOASSERTION`` passes only when listed.
        deny: Licenses that never pass, whatever `allow` says.

    Raises:
        RecipeError: An entry is not a single SPDX license, or nothing could pass.
    """

    name = "licenses"

    def __init__(
        self, allow: Sequence[str] | None = None, deny: Sequence[str] | None = None
    ) -> None:
        self._allow = None if allow is None else _entries("licenses.allow", allow)
        self._deny = _entries("licenses.deny", deny or ())
        if self._allow is not None and not self._allow - self._deny:
            raise RecipeError(
                "licenses.allow: no license is left that could pass; list at least one that is "
                "not in licenses.deny, or leave the key out to allow every license"
            )

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop what is denied (``license_denied``) or not allowed (``license_not_allowed``)."""
        encoded = pc.dictionary_encode(docs["license"].combine_chunks())
        if isinstance(encoded, pa.ChunkedArray):  # an empty column stays chunked
            encoded = pa.concat_arrays(encoded.chunks)
        reasons = [self.reason(license) for license in encoded.dictionary.to_pylist()]
        reason = pa.array(reasons, pa.string()).take(encoded.indices)
        detail = pc.if_else(reason.is_valid(), encoded.dictionary_decode(), None)
        return Verdict(reason=reason, detail=detail.cast(pa.string()))

    def reason(self, license: str) -> str | None:
        """Why a document under `license` is dropped; None when it passes."""
        parsed = parse_expression(license)
        if parsed is None:  # NOASSERTION, or something that is not SPDX and so asserts nothing
            keys = frozenset({NO_ASSERTION.casefold()})
            return self._reason(lambda passes: passes(keys))
        return self._reason(lambda passes: _holds(parsed, passes))

    def _reason(self, holds: Callable[[Callable[[frozenset[str]], bool]], bool]) -> str | None:
        if not holds(lambda keys: not keys & self._deny):
            return DENIED
        if not holds(lambda keys: self._allowed(keys) and not keys & self._deny):
            return NOT_ALLOWED
        return None

    def _allowed(self, keys: frozenset[str]) -> bool:
        return self._allow is None or bool(keys & self._allow)


def _holds(parsed: Any, passes: Callable[[frozenset[str]], bool]) -> bool:
    """Evaluate an expression; each leaf is the names it goes by, itself and without exception."""
    if isinstance(parsed, licensing().OR):
        return any(_holds(part, passes) for part in parsed.args)
    if isinstance(parsed, licensing().AND):
        return all(_holds(part, passes) for part in parsed.args)
    return passes(_names(parsed))


def _names(leaf: Any) -> frozenset[str]:
    base = getattr(leaf, "license_symbol", leaf)
    return frozenset({str(leaf.render("{symbol.key}")).casefold(), str(base.key).casefold()})


def _entries(key: str, licenses: Sequence[str]) -> frozenset[str]:
    if isinstance(licenses, str):
        raise RecipeError(f"{key}: expected a list of SPDX licenses, got {licenses!r}")
    return frozenset(_entry(key, license) for license in licenses)


def _entry(key: str, license: str) -> str:
    if expression(license) is None:
        raise RecipeError(f"{key}: {license!r} is no SPDX license; {suggestion(license)}")
    parsed = parse_expression(license)
    if parsed is None:
        return NO_ASSERTION.casefold()
    if isinstance(parsed, licensing().OR | licensing().AND):
        raise RecipeError(
            f"{key}: {license!r} is an expression of several licenses; list each alone"
        )
    return str(parsed.render("{symbol.key}")).casefold()
