"""The tokenizer of published CLIP networks, from the two files of their vocabulary.

Byte-pair encoding: a word begins as its bytes, and the pair that was learned first is joined again and again.
Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016, §3.2; signs and
splitting into words as in Radford et al. 2021, §2.4, and the authors' program.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from foveal.data.texts.tokenizer import SCHEMA

START, _END, _WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
_MARKS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def _shown_bytes() -> dict[int, str]:
    """Return the letter that stands for each byte: itself where it can be seen, others beyond 255."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


_SHOWN = _shown_bytes()


@dataclass(frozen=True)
class PairTokenizer:
    """Joined bytes of a vocabulary.

    Attributes:
        numbers: Of each piece.
        merges: Pairs that are joined, those that were learned first before the others.
    """

    numbers: dict[str, int] = field(repr=False)
    merges: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def end(self) -> int:
        """The number that ends a text."""
        return self.numbers[_END]

    @property
    def size(self) -> int:
        """How many different numbers there are."""
        return max(self.numbers.values()) + 1

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return {pair: rank for rank, pair in enumerate(self.merges)}

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text, with start and end; a piece that is not there ends as `end`."""
        found = [self.numbers[START]]
        for word in _words(text):
            found += [self.numbers.get(piece, self.end) for piece in self._joined(word)]
        return [*found, self.end]

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """Return the words and signs of a text, and whether the vocabulary has all parts of each.

        A published one has every byte, so it knows every word, if only letter by letter.
        """
        return [(word, all(part in self.numbers for part in self._joined(word))) for word in _words(text)]

    def _joined(self, word: str) -> list[str]:
        shown = "".join(_SHOWN[byte] for byte in word.encode())
        pieces = [*shown[:-1], shown[-1] + _WORD_END]
        while len(pieces) > 1:
            pairs = list(pairwise(pieces))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            joined, place = [], 0
            while place < len(pieces):
                if tuple(pieces[place : place + 2]) == best:
                    joined.append(best[0] + best[1])
                    place += 2
                else:
                    joined.append(pieces[place])
                    place += 1
            pieces = joined
        return pieces

    def as_json(self) -> dict[str, Any]:
        """Return all that it is made of."""
        merges = [" ".join(pair) for pair in self.merges]
        return {"schema": SCHEMA, "kind": "pairs", "numbers": self.numbers, "merges": merges}


def _words(text: str) -> Iterator[str]:
    """Yield what is encoded by itself: marks of short forms, letters in a row, one digit, signs in a row."""
    text = " ".join(unicodedata.normalize("NFC", text).split()).lower()
    place = 0
    while place < len(text):
        mark = next((mark for mark in _MARKS if text.startswith(mark, place)), None)
        if mark is not None:
            yield mark
            place += len(mark)
            continue
        kind, end = _kind(text[place]), place + 1
        while kind in ("letter", "sign") and end < len(text) and _kind(text[end]) == kind:
            end += 1
        if kind != "space":
            yield text[place:end]
        place = end


def _kind(letter: str) -> str:
    if letter.isspace():
        return "space"
    major = unicodedata.category(letter)[0]
    return {"L": "letter", "N": "digit"}.get(major, "sign")


def read_merges(text: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of a `merges.txt`.

    Raises:
        ValueError: A line is no pair.
    """
    lines = [line for line in text.splitlines() if line and not re.match(r"#version", line)]
    pairs = []
    for number, line in enumerate(lines, 1):
        parts = line.split(" ")
        if len(parts) != 2:
            raise ValueError(f"pair {number} is {line!r}")
        pairs.append((parts[0], parts[1]))
    return tuple(pairs)
