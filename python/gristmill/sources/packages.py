"""What an installed package says of itself: name, version, license, URL, files.

The license is read from the first of these that says one: the ``License-Expression`` (PEP 639), the
``License`` field, the trove classifiers. Where those name only a family ("BSD"), the license text
in the package decides which member; nothing else is ever concluded from a text beside it.
"""

from __future__ import annotations

import csv
import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import Distribution, distributions
from typing import cast

from gristmill.schema import NO_ASSERTION
from gristmill.spdx import classifier_to_spdx, expression, parse_license

OURSELVES = "gristmill"
LONGEST_DECLARATION = 200
"""Characters of a declared license that are kept where it could not be mapped."""

_GENERIC = frozenset({"License", "OSI Approved", "DFSG approved"})
_LICENSE_FILE = re.compile(r"(licen[cs]e|copying)[^/]*", re.IGNORECASE)
_URL_LABELS = ("homepage", "home", "repository", "source", "sourcecode", "github", "documentation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An installed package, or the standard library.

    Attributes:
        name: As it calls itself.
        version: As it is installed.
        license: SPDX expression, or ``NOASSERTION``.
        declared: What it declared, where that could not be mapped to SPDX.
        url: Its home page.
    """

    name: str
    version: str
    license: str = NO_ASSERTION
    declared: str | None = None
    url: str | None = None


def packages_in(folders: Sequence[str]) -> Iterator[tuple[Package, Distribution]]:
    """The packages installed in `folders`, by name; of two with one name, the first found.

    A folder of metadata that names no package (the rest of a broken installation) is no package.
    """
    found: dict[str, Distribution] = {}
    for distribution in distributions(path=list(folders)):
        try:
            name = _metadata(distribution).get("Name")
        except UnicodeDecodeError:
            continue
        if name and _normalized(name) != OURSELVES:
            found.setdefault(_normalized(name), distribution)
    for _, distribution in sorted(found.items()):
        yield _package(distribution), distribution


def standard_library() -> Package:
    """The standard library of the running interpreter."""
    version = platform.python_version()
    url = f"https://github.com/python/cpython/blob/v{version}/Lib"
    return Package(name="python", version=version, license="PSF-2.0", url=url)


def file_paths(distribution: Distribution) -> list[str]:
    """The files of a package below the folder it is installed in, as its RECORD has them."""
    record = distribution.read_text("RECORD")
    if record is None:  # an egg, or a system's package
        paths = [str(path) for path in distribution.files or ()]
    else:
        paths = [row[0] for row in csv.reader(record.splitlines()) if row]
    return [path for path in paths if not path.startswith("/") and ".." not in path.split("/")]


def description(distribution: Distribution) -> str:
    """The long description: the body of the METADATA, in old ones a field."""
    return str(_metadata(distribution).get_payload() or "").strip("\n")


def license_of(distribution: Distribution) -> tuple[str, str | None]:
    """The SPDX expression of a package, and what it declared when that could not be mapped."""
    metadata = _metadata(distribution)
    texts = list(_license_texts(distribution))
    expressed = metadata.get("License-Expression")
    found = expression(expressed) if expressed else None
    if found is not None:
        return found, None
    field = (metadata.get("License") or "").strip()
    found = parse_license(field, texts)
    if found != NO_ASSERTION:
        return found, None
    classifiers = [one for one in metadata.get_all("Classifier") or [] if _names_license(one)]
    members = sorted({classifier_to_spdx(one, texts) for one in classifiers})
    if members and NO_ASSERTION not in members:
        return " AND ".join(members), None  # whether one may choose, a classifier does not say
    declared = expressed or (field if field != "UNKNOWN" else "") or "; ".join(classifiers)
    return NO_ASSERTION, declared[:LONGEST_DECLARATION] or None


def _package(distribution: Distribution) -> Package:
    metadata = _metadata(distribution)
    license, declared = license_of(distribution)
    return Package(
        name=str(metadata["Name"]),
        version=str(metadata.get("Version", "")),
        license=license,
        declared=declared,
        url=_url(metadata),
    )


def _metadata(distribution: Distribution) -> Message:
    return cast(Message, distribution.metadata)  # which it is; the protocol names half of it


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names_license(classifier: str) -> bool:
    return classifier.startswith("License ::") and classifier.split(" :: ")[-1] not in _GENERIC


def _license_texts(distribution: Distribution) -> Iterator[str]:
    for path in sorted(file_paths(distribution)):
        if ".dist-info/" in path and _LICENSE_FILE.fullmatch(os.path.basename(path)):
            try:
                with open(str(distribution.locate_file(path)), encoding="utf-8") as file:
                    yield file.read()
            except (OSError, UnicodeError):
                continue


def _url(metadata: Message) -> str | None:
    home = metadata.get("Home-page")
    if home and home != "UNKNOWN":
        return str(home)
    labelled = [one.partition(",") for one in metadata.get_all("Project-URL") or []]
    urls = {re.sub(r"[^a-z]", "", label.lower()): url.strip() for label, _, url in labelled}
    for label in (*_URL_LABELS, *urls):
        if urls.get(label):
            return urls[label]
    return None
