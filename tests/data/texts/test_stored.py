"""data.texts.stored: a tokenizer is read back as it was, and nothing else is taken for one."""

import json

import pytest

from foveal.data.texts.bpe import PairTokenizer
from foveal.data.texts.stored import tokenizer_in, written
from foveal.data.texts.tokenizer import WordTokenizer

WORDS = WordTokenizer.learned(["a red square, a blue one"] * 2, most=9)
NUMBERS = {"<|endoftext|>": 9, "<|startoftext|>": 8, "r": 0, "e": 1, "d</w>": 2, "re": 3, "red</w>": 4}
PAIRS = PairTokenizer(NUMBERS, (("r", "e"), ("re", "d</w>")))


@pytest.mark.parametrize("tokenizer", [WORDS, PAIRS])
def test_it_is_read_back_as_it_was(tokenizer) -> None:
    again = tokenizer_in(json.loads(written(tokenizer)))

    assert again == tokenizer
    assert written(again) == written(tokenizer)
    assert again.encode("red") == tokenizer.encode("red")


@pytest.mark.parametrize(
    "odd", [{}, [], {"kind": "letters"}, {"kind": "words"}, {"kind": "pairs", "merges": ["a"]}]
)
def test_other_documents_are_refused(odd) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        tokenizer_in(odd)


def test_words_that_are_not_in_the_list_are_named() -> None:
    pieces = WORDS.pieces("A red, xyzzy square!")

    assert [piece for piece, _ in pieces] == ["a", "red", ",", "xyzzy", "square", "!"]
    assert [piece for piece, known in pieces if not known] == ["xyzzy", "!"]


def test_a_vocabulary_knows_what_it_has_all_parts_of() -> None:
    assert PAIRS.pieces("red reed dye") == [("red", True), ("reed", True), ("dye", False)]
