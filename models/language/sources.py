"""Reads the texts that the language model is trained on, from a folder of fetched sources.

The folder holds ``debs/*.deb``, the packages of packages.txt, and ``github/<owner>+<name>``, a bare
git repository for each row of README.md's table, at the commit named there.
Every reader yields ``(language, text)``: a code of ISO 639-1 (639-3 where there is none) and a
sentence, paragraph or message as it stands in the source.
"""

from __future__ import annotations

import html
import json
import re
import struct
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

Pairs = Iterator[tuple[str, str]]

ISO3 = {
    "afr": "af", "als": "sq", "sqi": "sq", "arb": "ar", "azj": "az", "azj_latn": "az",
    "bel": "be", "bos": "bs", "bre": "br", "bul": "bg", "cat": "ca", "ces": "cs", "cym": "cy",
    "dan": "da", "deu": "de", "ekk": "et", "ell": "el", "eng": "en", "epo": "eo", "eus": "eu",
    "fao": "fo", "fra": "fr", "fry": "fy", "gla": "gd", "gle": "ga", "glg": "gl", "hat": "ht",
    "hau": "ha", "hin": "hi", "hrv": "hr", "hun": "hu", "ibo": "ig", "ind": "id", "isl": "is",
    "ita": "it", "jav": "jv", "kaz": "kk", "khk": "mn", "kin": "rw", "kmr": "ku", "kir": "ky",
    "lat": "la", "lin": "ln", "lit": "lt", "ltz": "lb", "lug": "lg", "lvs": "lv", "mar": "mr",
    "mkd": "mk", "mlt": "mt", "mri": "mi", "nld": "nl", "nno": "nn", "nob": "nb", "npi": "ne",
    "nya": "ny", "oci": "oc", "orm": "om", "pes": "fa", "plt": "mg", "pol": "pl", "por": "pt",
    "roh": "rm", "ron": "ro", "run": "rn", "rus": "ru", "slk": "sk", "slv": "sl", "smo": "sm",
    "sna": "sn", "som": "so", "sot": "st", "spa": "es", "srp": "sr", "ssw": "ss", "sun": "su",
    "swe": "sv", "swh": "sw", "tat": "tt", "tgk": "tg", "tgl": "tl", "ton": "to", "tsn": "tn",
    "tso": "ts", "tuk": "tk", "tur": "tr", "uig": "ug", "ukr": "uk", "urd": "ur", "uzn": "uz",
    "ven": "ve", "vie": "vi", "xho": "xh", "yor": "yo", "zul": "zu", "nso": "nso", "nbl": "nr",
}  # fmt: skip
"""Codes of ISO 639-3 in the sources, and what they are called here."""

LOCALES = {
    "no": "nb", "fil": "tl", "in": "id", "iw": "he", "sh": "sr", "be-tarask": "be",
    "kk-cyrl": "kk", "ku-latn": "ku", "kmr": "ku",
}  # fmt: skip
"""Locale names that are not their language's code."""

KEEP_WHOLE = {"be-tarask", "kk-cyrl", "ku-latn"}


def language_of(locale: str) -> str:
    """The language of a locale name such as ``pt_BR``, ``sr@latin`` or ``be-Tarask``."""
    name = locale.removeprefix("b+").replace("_", "-").replace("+", "-").lower()
    if name not in KEEP_WHOLE:
        name = re.split(r"[-@.]", name)[0]
    return LOCALES.get(name, name)


def blobs(repository: Path, prefix: str = "", suffix: str = "") -> Iterator[tuple[str, bytes]]:
    """Every file of `repository` under `prefix` whose name ends in `suffix`; absent ones skipped."""
    git = ["git", f"--git-dir={repository}"]
    listing = subprocess.run(
        [*git, "ls-tree", "-r", "-l", "-z", "HEAD"], check=True, capture_output=True
    ).stdout
    names = []
    for row in listing.decode().split("\0")[:-1]:
        meta, path = row.split("\t", 1)
        if path.startswith(prefix) and path.endswith(suffix) and meta.split()[3].isdigit():
            names.append((meta.split()[2], path))
    with subprocess.Popen(
        [*git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        for digest, path in names:
            server.stdin.write(f"{digest}\n".encode())
            server.stdin.flush()
            size = int(server.stdout.readline().split()[2])
            yield path, server.stdout.read(size + 1)[:-1]


def common_voice(repository: Path) -> Pairs:
    """Sentences read aloud for Common Voice: a line each."""
    for path, content in blobs(repository, "server/data/", ".txt"):
        for line in content.decode(errors="replace").splitlines():
            yield language_of(path.split("/")[2]), line


def treebank(language: str) -> Callable[[Path], Pairs]:
    """Sentences of a treebank of Universal Dependencies."""

    def read(repository: Path) -> Pairs:
        for _, content in blobs(repository, "", ".conllu"):
            for line in content.decode().splitlines():
                if line.startswith("# text = "):
                    yield language, line[9:]

    return read


BIBLES = {
    "Armenian-PART": "hy", "Basque-NT": "eu", "Estonian-PART": "et", "Gaelic-PART": "gd",
    "Latvian-NT": "lv", "Swahili-NT": "sw", "Ukranian-NT": "uk", "Zulu-NT": "zu",
    "Manx-PART": "gv", "Kabyle-NT": "kab", "Wolof-NT": "wo", "Ewe-NT": "ee",
}  # fmt: skip


def bible(repository: Path) -> Pairs:
    """Verses; only the books whose files a snapshot has, which are the smaller ones."""
    for path, content in blobs(repository, "bibles/", ".xml"):
        language = BIBLES.get(Path(path).stem)
        if language:
            for verse in re.findall(r"<seg[^>]*>(.*?)</seg>", content.decode(), re.DOTALL):
                yield language, html.unescape(verse)


def declaration(repository: Path) -> Pairs:
    """Paragraphs of the Universal Declaration of Human Rights."""
    for _, content in blobs(repository, "declaration/", ".html"):
        page = content.decode()
        code = re.search(r'data-iso6393="(\w+)"', page)
        if code and code[1] in ISO3:
            for paragraph in re.findall(r"<p>(.*?)</p>", page, re.DOTALL):
                yield ISO3[code[1]], html.unescape(re.sub(r"<[^>]+>", " ", paragraph))


def addresses(repository: Path) -> Pairs:
    """Sentences of South Africa's state of the nation addresses."""
    for path, content in blobs(repository, "data/raw/", ".txt"):
        for sentence in re.split(r"(?<=[.;!?])", content.decode(errors="replace")):
            yield ISO3.get(Path(path).stem, Path(path).stem), sentence


def stories(repository: Path) -> Pairs:
    """African Storybook: a Markdown file per story; those for non-commercial use only left out."""
    for path, content in blobs(repository, "", ".md"):
        story = content.decode(errors="replace")
        if "/" in path and "CC-BY-NC" not in story:
            body = story.split("* License")[0]
            for page in re.split(r"\n##.*\n", body)[1:]:
                yield language_of(path.split("/")[0]), page


def daily_news(repository: Path) -> Pairs:
    """Setswana news, headline and text."""
    for _, content in blobs(repository, "daily-news-dikgang/", ".tsv"):
        for line in content.decode().splitlines()[1:]:
            yield from (("tn", sentence) for sentence in re.split(r"(?<=[.!?]) ", line))


def lang_files(repository: Path) -> Pairs:
    """Mozilla's .lang files: the English text behind a semicolon, its translation below."""
    for path, content in blobs(repository, "", ".lang"):
        lines = content.decode(errors="replace").splitlines()
        for source, target in pairwise(lines):
            if source.startswith(";") and target.removesuffix("{ok}").strip() != source[1:].strip():
                yield language_of(path.split("/")[0]), target.removesuffix("{ok}")


def latin_library(repository: Path) -> Pairs:
    """Latin authors of the Perseus library, cut into sentences."""

    def leaves(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            for child in node.values():
                yield from leaves(child)
        elif isinstance(node, str):
            yield node

    for _, content in blobs(repository, "cltk_json/", "__latin.json"):
        for text in leaves(json.loads(content).get("text", {})):
            yield from (("la", sentence) for sentence in re.split(r"(?<=[.!?]) ", text))


def android(repository: Path) -> Pairs:
    """Messages of an Android program: ``values-xx/strings.xml``."""
    for path, content in blobs(repository, "app/src/main/res/values-", "/strings.xml"):
        locale = path.split("/values-")[1].split("/")[0]
        for message in re.findall(r"<(?:string|item)[^>]*>(.*?)</", content.decode(), re.DOTALL):
            yield language_of(locale.replace("-r", "-")), html.unescape(message)


def yaml_messages(repository: Path) -> Pairs:
    """Messages of the OpenStreetMap site; its .yml files have one a line."""
    for path, content in blobs(repository, "config/locales/", ".yml"):
        for message in re.findall(r"^ +\w+: (.{20,})$", content.decode(), re.MULTILINE):
            yield language_of(Path(path).stem), message.strip("'\"")


def tldr(repository: Path) -> Pairs:
    """Descriptions in tldr pages: lines that start with ``>`` or ``-``."""
    for path, content in blobs(repository, "pages.", ".md"):
        for line in content.decode().splitlines():
            if line.startswith(("> ", "- ")):
                yield language_of(path.split("/")[0].removeprefix("pages.")), line[2:]


def named(language: str, prefix: str) -> Callable[[Path], Pairs]:
    """The lines of the files under `prefix`, all in one language."""

    def read(repository: Path) -> Pairs:
        for _, content in blobs(repository, prefix, ".txt"):
            yield from ((language, line) for line in content.decode().splitlines())

    return read


def catalogue(content: bytes) -> Iterator[tuple[str, str]]:
    """The original and the translation of every message of a .mo file."""
    order = "<" if content[:4] == b"\xde\x12\x04\x95" else ">"
    _, _, count, originals, translations = struct.unpack_from(f"{order}5I", content)
    for row in range(count):
        texts = []
        for table in (originals, translations):
            size, start = struct.unpack_from(f"{order}2I", content, table + 8 * row)
            texts.append(content[start : start + size].decode(errors="replace"))
        yield texts[0].split("\0")[0].split("\4")[-1], texts[1].split("\0")[0]


def pak(content: bytes) -> Iterator[str]:
    """The messages of a .pak file of Chromium, version 5."""
    version, _, count, _ = struct.unpack_from("<IIHH", content)
    if version != 5:
        return
    rows = [struct.unpack_from("<HI", content, 12 + 6 * row) for row in range(count + 1)]
    for (_, start), (_, stop) in pairwise(rows):
        yield content[start:stop].decode(errors="replace")


_CATALOGUE = re.compile(r"/([^/]+)/LC_MESSAGES/[^/]+\.mo$")
_PAK = re.compile(r"/locales/([\w-]+)\.pak$")


def debian(folder: Path) -> Pairs:
    """Translated messages of programs in Debian packages: .mo catalogues and Chromium's .pak."""
    for package in sorted(folder.glob("*.deb")):
        with (
            subprocess.Popen(
                ["/usr/bin/dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE
            ) as unpack,
            tarfile.open(fileobj=unpack.stdout, mode="r|") as archive,
        ):
            for member in archive:
                if member.isfile() and (found := _CATALOGUE.search(member.name)):
                    for original, text in catalogue(archive.extractfile(member).read()):
                        if text != original:
                            yield language_of(found[1]), text
                elif member.isfile() and (found := _PAK.search(member.name)):
                    for text in pak(archive.extractfile(member).read()):
                        yield language_of(found[1]), text
