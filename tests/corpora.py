"""Small real-looking input for builds, made here: every stage of a recipe finds something in it."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

RECIPE = """\
name: small
sources:
  - {name: web, path: web.jsonl, license: CC-BY-4.0}
  - {name: notes, path: "notes/*.md", license: MIT, skip: [quality]}
normalize: {}
language: {keep: [en], min_score: 0.4}
quality: {rules: [gopher]}
dedup:
  documents: {}
  near: {threshold: 0.7}
  substrings: {min_bytes: 100, min_remaining: 20}
pii: {mask: [email, ip]}
tokenizer: {vocab_size: 400}
pack: {seq_len: 64, validation: 0.1}
index: {}
card: {}
limits: {max_bad_fraction: 0.1}
"""

WORDS = (
    "the of and to in that with for have this from they are was which been will would there "
    "their about when make like time just know take people into year good some could them "
    "other than then look only come over think also back after work first well even want "
    "because these give most river stone paper market window garden letter summer winter "
    "mountain history language machine science village harbor bridge forest engine signal"
).split()

BOILERPLATE = (
    "Permission is hereby granted to copy this passage, which stands in many of these documents "
    "word for word, as license texts and cookie banners do on every page of the web."
)


def sentence(chooser: random.Random, n_words: int = 12) -> str:
    words = [chooser.choice(WORDS) for _ in range(n_words)]
    return " ".join(words).capitalize() + "."


def document(chooser: random.Random, n_sentences: int = 12) -> str:
    return "\n".join(sentence(chooser) for _ in range(n_sentences))


def texts(seed: int = 1, n_docs: int = 40) -> list[str]:
    """Documents with duplicates of each kind, addresses, other languages, and one that is too short."""
    chooser = random.Random(seed)
    made = [document(chooser) for _ in range(n_docs)]
    made.append(made[0])  # an exact duplicate
    made.append(made[1].replace("river", "stream", 1) + "\nOne more line here.")  # a near one
    for position in (3, 5, 7):
        made[position] += "\n" + BOILERPLATE
    made[8] += "\nWrite to jane.doe@example.org or root@203.0.113.9 about it."
    made.append("Bonjour tout le monde, ceci est un texte écrit en français. " * 12)
    made.append("# " * 80 + document(chooser, 3))  # more symbols than Gopher allows
    made.append("too short")
    made.append("cafÃ© " + document(chooser))  # mojibake
    return made


def write_input(folder: Path, seed: int = 1) -> Path:
    """Write the input and its recipe below `folder`; give the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"text": text, "url": f"https://example.org/{number}"})
        for number, text in enumerate(texts(seed))
    ]
    lines.insert(5, '{"text": 7}')
    (folder / "web.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "notes").mkdir(exist_ok=True)
    chooser = random.Random(seed + 1)
    for name in ("one", "two", "three"):
        (folder / "notes" / f"{name}.md").write_text(f"# {name}\n\n{document(chooser, 30)}\n")
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE)
    return recipe


DATA = ("documents", "ledger", "tokenizer", "shards")
"""What must not differ by a byte between runs."""


def digests(corpus: Path, folders: tuple[str, ...] = (*DATA, "index", "card")) -> dict[str, str]:
    """SHA-256 of every file of a corpus, by its path."""
    found = {}
    for folder in folders:
        for path in sorted((corpus / folder).rglob("*")):
            if path.is_file():
                name = str(path.relative_to(corpus))
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
