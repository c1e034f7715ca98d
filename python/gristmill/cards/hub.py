"""The YAML header of a Hugging Face dataset card."""

from __future__ import annotations

import re
from typing import Any

import yaml

from gristmill.cards.facts import rows, value
from gristmill.cards.questions import Answers
from gristmill.cards.wording import one_line

LICENSES = {
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "isc", "zlib",
    "unlicense", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0", "odc-by", "odbl-1.0", "pddl", "gpl-2.0", "gpl-3.0", "agpl-3.0",
    "lgpl-2.1", "lgpl-3.0", "mpl-2.0", "epl-1.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "ecl-2.0",
    "afl-3.0", "artistic-2.0", "bsl-1.0", "postgresql", "ncsa", "osl-3.0", "wtfpl", "gfdl",
}  # fmt: skip
"""License names that the hub knows (its list of identifiers, lower case)."""

RENAMED = {
    "odc-by-1.0": "odc-by",
    "pddl-1.0": "pddl",
    "gfdl-1.3-or-later": "gfdl",
    "gfdl-1.3-only": "gfdl",
}
SIZE_NAMES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
SIZES = tuple(zip(range(3, 13), SIZE_NAMES, strict=True))
"""Powers of ten, and the hub's names for them."""

MOST = 30


def hub_header(m: dict[str, Any], answers: Answers) -> str:
    """The header between its ``---`` lines."""
    said = answers.dataset
    header: dict[str, Any] = {
        "pretty_name": said.get("pretty_name") or m["corpus"]["name"],
        "license": _license(m, said),
        **_license_note(said),
        "language": _languages(m),
        "size_categories": [size_category(value(m, "sizes", "documents", default=0))],
        "task_categories": said.get("task_categories") or ["text-generation"],
        "tags": [*said.get("keywords", []), "gristmill", "datasheet", "croissant"],
        "configs": _configs(m),
    }
    kept = {key: _clean(given) for key, given in header.items() if given}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n"


def _clean(given: Any) -> Any:
    """Texts on one line, without the control characters that YAML would fold."""
    if isinstance(given, str):
        return one_line(given)
    return [_clean(item) for item in given] if isinstance(given, list) else given


def hub_license(expression: str) -> str:
    """An SPDX expression as the hub's identifier, or ``other``.

    >>> hub_license("Apache-2.0"), hub_license("GPL-3.0-or-later"), hub_license("MIT AND ISC")
    ('apache-2.0', 'gpl-3.0', 'other')
    """
    name = RENAMED.get(expression.lower(), expression.lower())
    name = re.sub(r"-(only|or-later)$|\+$", "", name)
    return name if name in LICENSES else "other"


def _license(m: dict[str, Any], said: dict[str, Any]) -> str | list[str]:
    if said.get("license"):
        return hub_license(said["license"])
    names = [hub_license(row["license"]) for row in rows(m, "licenses") if row["documents"]]
    known = list(dict.fromkeys(name for name in names if name != "other"))[:MOST]
    found = [*known, "other"] if "other" in names or not names else known
    return found[0] if len(found) == 1 else found


def _license_note(said: dict[str, Any]) -> dict[str, str]:
    if said.get("license") and hub_license(said["license"]) != "other":
        return {}
    name = said.get("license") or "each document's own, in its column `license`"
    return {"license_name": name, "license_link": said.get("license_link") or "#licenses"}


def _languages(m: dict[str, Any]) -> list[str]:
    names = (row["language"] for row in rows(m, "languages") if row["documents"])
    return [
        name for name in names if re.fullmatch(r"[a-z]{2,3}", name) and name not in ("un", "und")
    ]


def size_category(n_docs: int) -> str:
    """The hub's size class.

    >>> size_category(400), size_category(12_000), size_category(10**12)
    ('n<1K', '10K<n<100K', 'n>1T')
    """
    below = "1K"
    if n_docs < 10**3:
        return "n<1K"
    for power, name in SIZES:
        if n_docs < 10**power:
            return f"{below}<n<{name}"
        below = name
    return "n>1T"


def _configs(m: dict[str, Any]) -> list[dict[str, Any]]:
    configs: list[dict[str, Any]] = [
        {
            "config_name": "documents",
            "default": True,
            "data_files": [{"split": "train", "path": "documents/part-*.parquet"}],
        }
    ]
    splits = [row["split"] for row in rows(m, "splits")]
    if splits:
        packed = [{"split": split, "path": f"shards/{split}/shard-*.arrow"} for split in splits]
        configs.append({"config_name": "packed", "data_files": packed})
    ledger = [{"split": "train", "path": "ledger/part-*.parquet"}]
    return [*configs, {"config_name": "ledger", "data_files": ledger}]
