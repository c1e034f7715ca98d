"""WordPiece and Unigram vocabularies, trained and run by Hugging Face `tokenizers`.

They do not keep every text: WordPiece drops white space and both replace characters they have not
seen by an unknown token, so ``decode(encode(text))`` need not be `text`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.text import Texts
from gristmill.tokenizer import Specials, Tokenizer
from gristmill.tokenizer.document import config_of, end_token
from gristmill.tokenizer.texts import Errors, one_text, text_table

if TYPE_CHECKING:
    import tokenizers

WrappedModel: TypeAlias = Literal["wordpiece", "unigram"]

MODELS: dict[str, WrappedModel] = {"WordPiece": "wordpiece", "Unigram": "unigram"}
"""The model types of ``tokenizer.json`` that are opened here, and our names of them."""

_UNKNOWN = {"wordpiece": "[UNK]", "unigram": "<unk>"}
_UINT32_LIST = pa.list_(pa.field("item", pa.uint32(), nullable=False))


def library() -> Any:
    """The package `tokenizers`.

    Raises:
        RecipeError: It is not installed.
    """
    try:
        import tokenizers
    except ImportError:
        raise RecipeError(
            "WordPiece and Unigram need tokenizers, which is not installed; "
            "`pip install 'gristmill[tokenizers]'` brings it"
        ) from None
    return tokenizers


class WrappedTokenizer(Tokenizer):
    """A vocabulary that is not byte-level BPE, behind the interface of `Tokenizer`.

    Make one with ``Tokenizer.train(..., model=...)`` or `Tokenizer.load`.
    """

    def __init__(self, document: dict[str, Any], config: dict[str, Any], where: str) -> None:
        """Read a parsed ``tokenizer.json`` and ``tokenizer_config.json``."""
        self._document, self._config, self._where, self._tied = document, config, where, False
        self.model = MODELS[document["model"]["type"]]
        self.pattern = self.model
        self._matching = self._open(document, where)
        added = self._matching.get_added_tokens_decoder()
        self.special_tokens = {t.content: i for i, t in sorted(added.items()) if t.special}
        complete = json.loads(self._matching.to_str())
        self._plain = self._open(_without_specials(complete, self.special_tokens), where)
        self._end_token = end_token(config, self.special_tokens)

    @staticmethod
    def _open(document: dict[str, Any], where: str) -> tokenizers.Tokenizer:
        from_str = library().Tokenizer.from_str
        try:
            opened: tokenizers.Tokenizer = from_str(json.dumps(document))
        except Exception as error:  # it raises Exception itself
            raise FormatError(f"{where}: tokenizers refuses it: {error}") from None
        opened.no_truncation()
        opened.no_padding()
        return opened

    @classmethod
    def learn(
        cls,
        batches: Iterable[Texts],
        vocab_size: int,
        special_tokens: list[str],
        model: WrappedModel,
        min_frequency: int = 1,
    ) -> WrappedTokenizer:
        """Train; see `Tokenizer.train`. Special tokens come first, the unknown token after them."""
        made = _untrained(model)
        specials = [*dict.fromkeys([*special_tokens, _UNKNOWN[model]])]
        trainers = library().trainers
        options = {"vocab_size": vocab_size, "special_tokens": specials, "show_progress": False}
        trainer = (
            trainers.WordPieceTrainer(**options, min_frequency=min_frequency)
            if model == "wordpiece"
            else trainers.UnigramTrainer(**options, unk_token=_UNKNOWN[model])
        )
        made.train_from_iterator(_each(batches), trainer)
        document = json.loads(made.to_str())
        return cls(document, config_of(special_tokens), "trained vocabulary")

    @property
    def normalizes(self) -> bool:
        """Whether texts are changed before they are encoded."""
        return self._document.get("normalizer") is not None

    @property
    def vocab_size(self) -> int:
        """Number of ids: one more than the largest."""
        return max(self._matching.get_vocab().values(), default=-1) + 1

    @property
    def merges(self) -> NoReturn:
        """There are none.

        Raises:
            FormatError: Always.
        """
        raise FormatError(f"{self._where}: a {self.model} vocabulary has no merges")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of a token, as the vocabulary spells it (``##ing``, ``▁the``).

        Raises:
            KeyError: No token has this id.
        """
        token = self._matching.id_to_token(token_id) if 0 <= token_id < 2**32 else None
        if token is None:
            raise KeyError(f"no token has id {token_id}; there are {self.vocab_size} ids")
        return str(token).encode()

    def words(self, text: str) -> list[str]:
        """The words that a text is cut into; tokens never cross them."""
        text = one_text(text)
        if self._matching.normalizer is not None:
            text = self._matching.normalizer.normalize_str(text)
        cutter = self._matching.pre_tokenizer
        return [text] if cutter is None else [word for word, _ in cutter.pre_tokenize_str(text)]

    def encode(
        self, text: str | bytes, *, specials: Specials = "text", errors: Errors = "strict"
    ) -> list[int]:
        """Encode one text; see `encode_batch`."""
        return list(self._encode([one_text(text, errors)], 1, specials)[0].ids)

    def encode_batch(
        self,
        texts: Texts,
        threads: int = 1,
        *,
        specials: Specials = "text",
        errors: Errors = "strict",
    ) -> pa.ListArray:
        """As `Tokenizer.encode_batch`; with more than one thread, `tokenizers` takes its own number."""
        encodings = self._encode(_strings(texts, errors), threads, specials)
        return pa.array([encoding.ids for encoding in encodings], _UINT32_LIST)

    def encode_into(
        self,
        packer: _core.Packer,
        texts: Texts,
        held_out: pa.Array | pa.ChunkedArray,
        threads: int = 1,
    ) -> pa.UInt32Array:
        """As `Tokenizer.encode_into`, by way of lists."""
        tokens = self.encode_batch(texts, threads)
        packer.push(pa.Table.from_arrays([tokens, held_out], ["tokens", "held_out"]))
        return pc.list_value_length(tokens).cast(pa.uint32())

    def count(
        self,
        texts: Texts,
        threads: int = 1,
        *,
        specials: Specials = "text",
        errors: Errors = "strict",
    ) -> pa.UInt64Array:
        """The number of tokens of each text, ``uint64[n]``."""
        encodings = self._encode(_strings(texts, errors), threads, specials)
        return pa.array([len(encoding.ids) for encoding in encodings], pa.uint64())

    def encode_batch_with_offsets(
        self,
        texts: Texts,
        threads: int = 1,
        *,
        specials: Specials = "text",
        errors: Errors = "strict",
    ) -> pa.Table:
        """As `Tokenizer.encode_batch_with_offsets`; a character dropped belongs to no token."""
        encodings = self._encode(_strings(texts, errors), threads, specials)
        columns = {
            "ids": [encoding.ids for encoding in encodings],
            "starts": [[start for start, _ in encoding.offsets] for encoding in encodings],
            "ends": [[end for _, end in encoding.offsets] for encoding in encodings],
        }
        return pa.table({name: pa.array(column, _UINT32_LIST) for name, column in columns.items()})

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """The text of a sequence of ids, as well as the model can give it back.

        Raises:
            CoreError: No token has one of the ids.
        """
        plain = [int(token_id) for token_id in ids]
        for place, token_id in enumerate(plain):
            if not 0 <= token_id < 2**32 or self._matching.id_to_token(token_id) is None:
                raise CoreError(f"token {place}: no token has id {token_id}")
        return str(self._matching.decode(plain, skip_special_tokens=skip_special_tokens))

    def decode_bytes(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> bytes:
        """The bytes of `decode`."""
        return self.decode(ids, skip_special_tokens=skip_special_tokens).encode()

    def _save_ranks(self, file: Path) -> None:
        raise FormatError(f"{file}: only BPE has ranks; save tokenizer.json instead")

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size}, model={self.model!r})"

    def _encode(self, texts: list[str], threads: int, specials: Specials) -> list[Any]:
        if specials not in ("text", "encode", "refuse"):
            raise ValueError(f"specials = {specials!r} is not allowed: text, encode or refuse")
        if threads < 1:
            raise ValueError(f"threads = {threads} is not allowed: at least 1")
        if specials == "refuse":
            self._refuse_specials(texts)
        chosen = self._matching if specials == "encode" else self._plain
        try:
            if threads == 1:
                return [chosen.encode(text, add_special_tokens=False) for text in texts]
            return chosen.encode_batch(texts, add_special_tokens=False)
        except Exception as error:  # it raises Exception itself
            raise CoreError(f"tokenizers cannot encode the texts: {error}") from None

    def _refuse_specials(self, texts: list[str]) -> None:
        for i, text in enumerate(texts):
            for token in self.special_tokens:
                if token in text:
                    at = len(text[: text.index(token)].encode())
                    raise CoreError(
                        f"text {i}: it spells out the special token {token!r} at byte {at}"
                    )


def _without_specials(document: dict[str, Any], special_tokens: dict[str, int]) -> dict[str, Any]:
    """A tokenizer for which special tokens are text.

    Their pieces are in the vocabulary, where the model itself would find them; so they get a
    spelling that no text can know.
    """
    model, secret = document["model"], token_hex(16)
    hidden = {token: secret + token for token in special_tokens if token != model.get("unk_token")}
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        spelled: Any = {hidden.get(piece, piece): i for piece, i in vocab.items()}
    else:
        spelled = [[hidden.get(piece, piece), score] for piece, score in vocab]
    added = [token for token in document["added_tokens"] if not token["special"]]
    return {**document, "added_tokens": added, "model": {**model, "vocab": spelled}}


def _untrained(model: WrappedModel) -> tokenizers.Tokenizer:
    """BERT's cutting into words for WordPiece, SentencePiece's for Unigram, both case-sensitive."""
    lib = library()
    if model == "wordpiece":
        made: tokenizers.Tokenizer = lib.Tokenizer(lib.models.WordPiece(unk_token=_UNKNOWN[model]))
        made.normalizer = lib.normalizers.BertNormalizer(lowercase=False)
        made.pre_tokenizer = lib.pre_tokenizers.BertPreTokenizer()
        made.decoder = lib.decoders.WordPiece()
        return made
    made = lib.Tokenizer(lib.models.Unigram())
    made.normalizer = lib.normalizers.NFKC()
    made.pre_tokenizer = lib.pre_tokenizers.Metaspace()
    made.decoder = lib.decoders.Metaspace()
    return made


def _each(batches: Iterable[Texts]) -> Iterator[str]:
    for batch in batches:
        yield from _strings(batch, "strict")


def _strings(texts: Texts, errors: Errors) -> list[str]:
    return [text or "" for text in text_table(texts, errors).column(0).to_pylist()]
