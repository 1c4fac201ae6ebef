"""From a text to numbers and back: frequent words, and bytes for all others.

A text is brought to NFC, small letters and single spaces. Its words, each with the space before it, and its
signs are looked up in a list made from the texts that were learned from; what is not in it is spelled in
UTF-8 bytes, so that every text can be written. The same texts give the same list on every machine.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PAD, START, END = 0, 1, 2
_BYTES = 3  # the number of byte 0
_WORDS = _BYTES + 256
_PIECE = re.compile(r" ?\w+| ?[^\w\s]")
_LEAST = 2  # a word that is there once is spelled: it would learn nothing
SCHEMA = "foveal.tokenizer/1"


class Tokenizer(Protocol):
    """What turns texts into numbers."""

    @property
    def end(self) -> int:
        """The number that ends a text."""
        ...

    @property
    def size(self) -> int:
        """How many different numbers there are."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text, with start and end."""
        ...

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """Return the words and signs of a text, and whether each is known: what is not says nothing."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return all that it is made of."""
        ...


@dataclass(frozen=True)
class WordTokenizer:
    """Words of a list, and bytes for the rest.

    Attributes:
        words: With the space before them, the most frequent first.
    """

    words: tuple[str, ...] = field(repr=False)
    end: int = END

    @classmethod
    def learned(cls, texts: Iterable[str], *, most: int) -> "WordTokenizer":
        """Return one whose words are the most frequent of some texts.

        Args:
            texts: In any order; equal counts are sorted by the word.
            most: So many words at most.
        """
        counts = Counter(piece for text in texts for piece in _PIECE.findall(_normal(text)))
        known = sorted((word for word, n in counts.items() if n >= _LEAST), key=lambda w: (-counts[w], w))
        return cls(tuple(known[:most]))

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {word: _WORDS + place for place, word in enumerate(self.words)}

    @property
    def size(self) -> int:
        """How many different numbers there are."""
        return _WORDS + len(self.words)

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text, with start and end."""
        found = [START]
        for piece in _PIECE.findall(_normal(text)):
            number = self._numbers.get(piece)
            found += [_BYTES + byte for byte in piece.encode()] if number is None else [number]
        return [*found, END]

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """Return the words and signs of a text, and whether each is in the list: others are spelled."""
        return [(piece.strip(), piece in self._numbers) for piece in _PIECE.findall(_normal(text))]

    def decode(self, numbers: Sequence[int]) -> str:
        """Return the text of some numbers: of those of a text, the text in NFC, small and evenly spaced."""
        content = b"".join(
            bytes([n - _BYTES]) if n < _WORDS else self.words[n - _WORDS].encode()
            for n in numbers
            if n >= _BYTES
        )
        return content.decode("utf-8", "replace").removeprefix(" ")

    def as_json(self) -> dict[str, Any]:
        """Return all that it is made of."""
        return {"schema": SCHEMA, "kind": "words", "words": list(self.words)}


def token_table(tokenizer: Tokenizer, texts: Sequence[str], *, length: int) -> NDArray[np.int64]:
    """Return the numbers of texts, int64 (N, length), filled up with 0; a longer text keeps its end sign.

    Args:
        tokenizer: Turns one text into numbers.
        texts: N of them.
        length: Numbers of a text that are kept.
    """
    table = np.full((len(texts), length), PAD, dtype=np.int64)
    for row, text in zip(table, texts, strict=True):
        numbers = tokenizer.encode(text)[:length]
        numbers[-1] = tokenizer.end
        row[: len(numbers)] = numbers
    return table


def _normal(text: str) -> str:
    """Return a text in NFC and small letters, with a space before it and single ones inside."""
    words = unicodedata.normalize("NFC", text).lower().split()
    return "".join(f" {word}" for word in words)
