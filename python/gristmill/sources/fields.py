"""From a JSON object or a table row to a document: one reading of the columns for all formats.

`text` must be a string of valid UTF-8; everything else may be missing. Keys that are no column of a
document go to its metadata when they are short: numbers, booleans and strings of up to 1,000
characters (so a `dump` or `file_path` stays, a raw page or an embedding does not).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from gristmill.schema import DOCUMENT, NO_ASSERTION
from gristmill.sources.base import BadRecord, OnBad, Record
from gristmill.spdx import parse_license

LONGEST_EXTRA = 1_000
"""Characters of the longest string that goes to the metadata under its own key."""

_COLUMNS = frozenset(DOCUMENT.names)
_license = lru_cache(maxsize=4096)(parse_license)


def record(row: Mapping[str, Any], locator: str, on_bad: OnBad, raw: bytes) -> Record | BadRecord:
    """Read one record; `raw` are its bytes, for the id of a bad one.

    A license that is no SPDX expression is mapped (see `spdx.parse_license`); what was declared
    stays in the metadata as ``declared_license``, a date that is none as ``declared_created``.
    """
    text, repaired = _text(row.get("text"), on_bad)
    if text is None:
        return _bad(row, locator, raw)
    metadata = _metadata(row)
    identifier = _string(row.get("id"))
    if identifier is None:
        metadata["locator"] = locator
    if repaired:
        metadata["repaired"] = "bad_utf8"
    return Record(
        locator=locator,
        text=text,
        id=identifier,
        source=_string(row.get("source")),
        license=declared_license(row.get("license"), metadata),
        url=_string(row.get("url")),
        created=_created(row.get("created"), metadata),
        metadata=metadata,
    )


def _text(value: Any, on_bad: OnBad) -> tuple[str | None, bool]:
    """The text and whether it was repaired; None when it is none."""
    try:
        if isinstance(value, bytes):
            return value.decode(), False
        if isinstance(value, str):
            value.encode()
            return value, False
    except UnicodeError:
        if on_bad == "repair":
            return _replace(value), True
    return None, False


def _replace(value: str | bytes) -> str:
    """Put U+FFFD for what is not UTF-8; two halves of a surrogate pair become their character."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _bad(row: Mapping[str, Any], locator: str, raw: bytes) -> BadRecord:
    value = row.get("text")
    if isinstance(value, str | bytes):
        reason, detail = "bad_utf8", "text is not valid UTF-8; on_bad: repair would replace it"
    elif "text" in row:
        reason, detail = "no_text", f"text is {_kind(value)}, expected a string"
    else:
        keys = ", ".join(repr(key) for key in list(row)[:8])
        reason, detail = "no_text", f"no key 'text' among {keys}" if keys else "an empty object"
    return BadRecord(locator=locator, reason=reason, detail=detail, raw=raw)


def _kind(value: Any) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"


def _string(value: Any) -> str | None:
    """A column that should be a string; numbers are spelled out, the rest counts as missing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return None
    return _clean(str(value))


def _clean(value: str) -> str:
    return value if value.isascii() else _replace(value)


def _metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    extra = {
        key: plain
        for key, value in row.items()
        if key not in _COLUMNS and (plain := _plain(value)) is not None
    }
    return extra | _given_metadata(row.get("metadata"))


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _clean(value) if len(value) <= LONGEST_EXTRA else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float) else None


def _given_metadata(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {"metadata": _clean(value)}
    if isinstance(value, list) and all(isinstance(one, tuple) for one in value):
        value = dict(value)  # an Arrow map
    if not isinstance(value, dict):
        return {} if value is None else {"metadata": _json_safe(value)}
    return {str(key): _json_safe(one) for key, one in value.items()}


def _json_safe(value: Any) -> Any:
    """`value` as plain JSON can hold it: bytes and dates as strings, no NaN, no lone surrogates."""
    if isinstance(value, dict):
        return {_clean(str(key)): _json_safe(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(one) for one in value]
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool | int | float) or value is None:
        return value
    return _clean(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def declared_license(value: Any, metadata: dict[str, Any]) -> str | None:
    """The expression of a declared license; one that is none is kept in `metadata`."""
    declared = _string(value)
    if declared is None:
        return None
    found = _license(declared)
    if found == NO_ASSERTION != declared:
        metadata["declared_license"] = declared[:LONGEST_EXTRA]
    return found


def _created(value: Any, metadata: dict[str, Any]) -> datetime | None:
    """A point in time: ISO 8601, or seconds since 1970; without a zone it is UTC."""
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, OSError):
        moment = None
    if moment is None and value is not None:
        metadata["declared_created"] = _json_safe(value)
    return moment


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = datetime.fromtimestamp(value, UTC)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
