"""data.texts.tokenizer: every text can be written and read back; the same texts give the same list."""

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foveal.data.texts.tokenizer import END, START, WordTokenizer, token_table

TEXTS = ("two small red circles left of a blue square", "A blue square, left of a red circle.", "a red pear")
LEARNED = WordTokenizer.learned(TEXTS, most=100)


def plain(text):
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


@given(st.text())
def test_every_text_is_read_back_as_it_was_brought_into_shape(text):
    for tokenizer in (LEARNED, WordTokenizer(())):
        numbers = tokenizer.encode(text)
        assert tokenizer.decode(numbers) == plain(text)
        assert (numbers[0], numbers[-1], numbers.count(END)) == (START, END, 1)
        assert max(numbers) < tokenizer.size


def test_words_that_are_known_are_one_number_and_others_are_spelled():
    assert len(LEARNED.encode("a red square")) == 5
    assert len(LEARNED.encode("a red pear")) == 4 + len(" pear")  # there once: not worth a number
    assert len(LEARNED.encode("a grün")) == 3 + len(" grün".encode())


def test_the_list_follows_from_the_texts_alone():
    assert WordTokenizer.learned(reversed(TEXTS), most=100) == LEARNED
    assert WordTokenizer.learned(TEXTS, most=2).words == LEARNED.words[:2]
    assert " a" in LEARNED.words
    assert LEARNED.words == tuple(LEARNED.as_json()["words"])


def test_upper_case_accents_and_spaces_do_not_make_another_text():
    assert LEARNED.encode("  A  RED\tCafe\u0301 ") == LEARNED.encode("a red café")


def test_a_long_text_keeps_its_end_and_a_short_one_is_filled_up():
    table = token_table(LEARNED, ["a red square", "a red square left of a red square"], length=6)

    assert table.dtype == np.int64
    assert table[0].tolist() == [*LEARNED.encode("a red square"), 0]
    assert table[1].tolist() == [*LEARNED.encode("a red square left")[:5], END]
