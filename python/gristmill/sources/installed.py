"""What is installed beside this program: descriptions, documentation and code of packages.

Real text that is on every machine. Each document carries its package's declared license, its URL,
version and path. Read are the files that a package's RECORD names inside the folder of installed
packages, and the standard library; never Gristmill itself, never a path outside.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.metadata import Distribution
from pathlib import Path

from gristmill.errors import RecipeError
from gristmill.sources.base import (
    BadRecord,
    Batch,
    Item,
    Origin,
    Record,
    Split,
    batches,
    digest,
)
from gristmill.sources.files import grouped
from gristmill.sources.packages import (
    Package,
    description,
    file_paths,
    packages_in,
    standard_library,
)
from gristmill.sources.whole_files import file_record

KINDS = ("descriptions", "docs", "code", "stdlib")
"""Long descriptions · text, Markdown, reStructuredText and license files · Python files of
packages · Python files of the standard library."""

LARGEST_FILE = 1 << 20
"""Bytes; a larger file is bad (``too_large``). Of 15,000 files in the environment that this was
measured in, one is."""

_DOC_SUFFIXES = (".md", ".rst", ".txt")
_DOC_NAMES = ("license", "licence", "copying", "notice", "authors", "readme", "changelog", "news")
_MACHINE_READ = frozenset(
    {
        "cmakelists.txt", "dependency_links.txt", "entry_points.txt", "namespace_packages.txt",
        "requirements.txt", "requires.txt", "sources.txt", "top_level.txt",
    }
)  # fmt: skip
_DESCRIPTIONS = frozenset({"metadata", "pkg-info"})
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "testdata", "test_data"})
_SKIPPED_STDLIB = _TEST_FOLDERS | {
    "__pycache__", "dist-packages", "ensurepip", "idle_test", "lib-dynload", "site-packages",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledItem(Item):
    """One file of a package; of a description, the METADATA that holds it.

    Attributes:
        relative: The path below the folder of packages, or of the standard library.
        kind: One of `KINDS`.
        package: Whose it is.
    """

    relative: str
    kind: str
    package: Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The source ``installed``; see `base.Source`."""

    origin: Origin
    items: tuple[InstalledItem, ...]
    format: str = "installed"

    @property
    def name(self) -> str:
        """The source's name in the recipe."""
        return self.origin.name

    def splits(self) -> list[Split]:
        """Groups of files of about 32 MiB, by package and path.

        The key is made of package, version, path and size: of a released version, the content
        does not change.
        """
        return [_split(group) for group in grouped(self.items)]

    def read(self, split: Split) -> Iterator[Batch]:
        """Read one split in order of package and path."""
        items = (item for item in split.items if isinstance(item, InstalledItem))
        return batches(self.origin, (_record(item, self.origin) for item in items))

    def for_reading(self) -> Installed:
        """The same without the list of files; the splits name theirs."""
        return replace(self, items=())


def open_installed(
    origin: Origin,
    path: str | Sequence[str] | None,
    kinds: Sequence[str] | None,
    limit_bytes: int | None,
    base: Path,
) -> Installed:
    """List what is installed.

    With a limit, the files are taken in the order of a hash of package and path as long as they
    fit, so that a small sample has something of every package and is the same every time.

    Raises:
        RecipeError: An unknown kind, a folder that does not exist, or nothing found.
    """
    chosen = _chosen(origin.name, kinds, path)
    folders = _folders(origin.name, path, base)
    items = [item for item in _list(folders, chosen) if item.n_bytes]
    if limit_bytes is not None:
        items = _sample(items, limit_bytes)
    if not items:
        cause = f" fits into limit_bytes = {limit_bytes}" if limit_bytes is not None else ""
        raise RecipeError(
            f"source {origin.name!r}: nothing of kind {', '.join(chosen)} in "
            f"{', '.join(folders)}{cause}"
        )
    items.sort(key=lambda item: (item.package.name.lower(), item.locator))
    return Installed(origin=origin, items=tuple(items))


def _chosen(
    name: str, kinds: Sequence[str] | None, path: str | Sequence[str] | None
) -> tuple[str, ...]:
    if kinds is None:  # the standard library lies in no folder that somebody names
        return KINDS if path is None else KINDS[:-1]
    if isinstance(kinds, str) or not kinds:
        raise RecipeError(f"source {name!r}: kinds must be a list of {', '.join(KINDS)}")
    for kind in kinds:
        if kind not in KINDS:
            near = get_close_matches(str(kind), KINDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(KINDS)}"
            raise RecipeError(f"source {name!r}: kinds: {kind!r} is unknown; {hint}")
    return tuple(kind for kind in KINDS if kind in kinds)


def _folders(name: str, path: str | Sequence[str] | None, base: Path) -> list[str]:
    if path is None:
        schemes = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
        return list(dict.fromkeys(os.path.realpath(one) for one in schemes))
    folders = [str((base / one).resolve()) for one in ([path] if isinstance(path, str) else path)]
    for folder in folders:
        if not os.path.isdir(folder):
            raise RecipeError(
                f"source {name!r}: {folder} is no folder of installed packages; take path out "
                "to read those of the running interpreter"
            )
    return folders


def _list(folders: Sequence[str], kinds: Sequence[str]) -> Iterator[InstalledItem]:
    if kinds != ("stdlib",):
        owned = set[str]()
        for package, distribution in packages_in(folders):
            for item in _package_items(package, distribution, kinds):
                if item.path not in owned:  # of two owners of a file, the first
                    owned.add(item.path)
                    yield item
    if "stdlib" in kinds:
        yield from _stdlib_items()


def _package_items(
    package: Package, distribution: Distribution, kinds: Sequence[str]
) -> Iterator[InstalledItem]:
    root = str(distribution.locate_file(""))
    for relative in file_paths(distribution):
        kind = _kind(relative)
        if kind is None or kind not in kinds:
            continue
        try:
            n_bytes = os.stat(os.path.join(root, relative)).st_size
        except OSError:
            continue  # in the RECORD, but not installed
        if kind == "descriptions":
            n_bytes = len(description(distribution).encode())
        yield _item(package, kind, root, relative, n_bytes)


def _stdlib_items() -> Iterator[InstalledItem]:
    package, root = standard_library(), sysconfig.get_path("stdlib")
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one not in _SKIPPED_STDLIB)
        for name in files:
            # _sysconfigdata holds this machine's paths.
            if name.endswith(".py") and not name.startswith("_sysconfigdata"):
                path = os.path.join(parent, name)
                relative = os.path.relpath(path, root)
                yield _item(package, "stdlib", root, relative, os.stat(path).st_size)


def _item(package: Package, kind: str, root: str, relative: str, n_bytes: int) -> InstalledItem:
    return InstalledItem(
        path=os.path.join(root, relative),
        locator=f"{package.name}/{relative}",
        n_bytes=n_bytes,
        relative=relative,
        kind=kind,
        package=package,
    )


def _kind(relative: str) -> str | None:
    """The kind of a file of a package, by its name; None when it is not read."""
    folders, _, name = relative.lower().rpartition("/")
    in_metadata = folders.endswith((".dist-info", ".egg-info"))
    if in_metadata and name in _DESCRIPTIONS:
        return None if "/" in folders else "descriptions"  # those of vendored packages are below
    if name.endswith(".py"):
        return "code"
    if name in _MACHINE_READ or not _TEST_FOLDERS.isdisjoint(folders.split("/")):
        return None
    stem, dot, _ = name.partition(".")
    named = not dot and stem.startswith(_DOC_NAMES)
    return "docs" if named or name.endswith(_DOC_SUFFIXES) else None


def _sample(items: list[InstalledItem], limit_bytes: int) -> list[InstalledItem]:
    taken, left = [], limit_bytes
    for item in sorted(items, key=lambda item: digest(item.kind, item.locator)):
        if item.n_bytes <= left:
            taken.append(item)
            left -= item.n_bytes
    return taken


def _split(items: tuple[Item, ...]) -> Split:
    parts = [f"{item.locator}\0{item.n_bytes}" for item in items]
    releases = sorted({_release(item) for item in items if isinstance(item, InstalledItem)})
    return Split(
        key=digest("installed", *releases, *parts),
        name=items[0].locator,
        n_bytes=sum(item.n_bytes for item in items),
        items=items,
    )


def _release(item: InstalledItem) -> str:
    return f"{item.package.name}=={item.package.version} {item.package.license} {item.kind}"


def _record(item: InstalledItem, origin: Origin) -> Record | BadRecord:
    package = item.package
    metadata = {
        "package": package.name,
        "version": package.version,
        "path": item.relative,
        "kind": item.kind,
    }
    if package.declared is not None:
        metadata["declared_license"] = package.declared
    found = _read(item, origin, metadata)
    found.license = package.license
    found.url = f"{package.url}/{item.relative}" if item.kind == "stdlib" else package.url
    return found


def _read(item: InstalledItem, origin: Origin, metadata: dict[str, str]) -> Record | BadRecord:
    if not os.access(item.path, os.R_OK):
        detail = "permission denied"
        return BadRecord(locator=item.locator, reason="unreadable", detail=detail, raw=b"")
    if item.kind == "descriptions":
        text = description(Distribution.at(os.path.dirname(item.path)))
        return Record(locator=item.locator, text=text, metadata=dict(metadata))
    return file_record(item, origin.on_bad, LARGEST_FILE, metadata)
