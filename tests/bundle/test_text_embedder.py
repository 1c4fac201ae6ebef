"""bundle.text_embedder: a text's vector is its own, the digest names what decides it, odd graphs are told."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.bundle.text_embedder import TextEmbedder
from foveal.core.errors import BundleError
from foveal.data.texts.tokenizer import WordTokenizer
from two_encoders import TEXTS, two_encoders


@pytest.fixture(scope="module")
def texts() -> TextEmbedder:
    from foveal.export.image_text import shared_space

    found = shared_space(two_encoders(), source="two encoders").texts
    assert found is not None
    return found


def test_a_vector_does_not_depend_on_other_texts(texts) -> None:
    together = texts.vectors([*TEXTS, "red", TEXTS[0]])

    np.testing.assert_array_equal(together[2], texts.vectors(["red"])[0])
    np.testing.assert_array_equal(together[0], together[3])
    assert texts.vectors([]).shape == (0, 12)
    assert together.dtype == np.float32


def test_spaces_and_capitals_change_nothing_and_the_order_of_words_does(texts) -> None:
    plain, spaced, turned = texts.vectors(["a red circle", "  A RED\ncircle ", "circle red a"])

    np.testing.assert_array_equal(plain, spaced)
    assert np.abs(plain - turned).max() > 1e-4


def test_what_is_beyond_its_length_changes_nothing(texts) -> None:
    long = " ".join(["red"] * 8)

    np.testing.assert_array_equal(*texts.vectors([long, f"{long} blue circle"]))


def test_the_digest_changes_with_all_that_decides_vectors(texts) -> None:
    fewer = WordTokenizer(texts.tokenizer.words[:-1])
    others = [replace(texts, length=9), replace(texts, tokenizer=fewer), replace(texts, graph=b"other")]

    assert len({one.digest for one in (texts, *others)}) == 4


def test_graphs_that_cannot_be_used_are_told(texts) -> None:
    too_many = WordTokenizer((*texts.tokenizer.words, " green"))
    with pytest.raises(BundleError, match="cannot be used"):
        replace(texts, graph=b"no graph").vectors(["red"])
    with pytest.raises(BundleError, match="does not give 13 finite numbers"):
        replace(texts, dimensions=13).vectors(["red"])
    with pytest.raises(BundleError, match="cannot be run"):
        replace(texts, tokenizer=too_many).vectors(["green"])
