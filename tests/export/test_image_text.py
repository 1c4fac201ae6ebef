"""export.image_text: graphs that answer as the two encoders do, and none that does not."""

import numpy as np
import pytest
import torch

from foveal.bundle.graph import check_graph
from foveal.core.errors import BundleError
from foveal.data.texts.tokenizer import WordTokenizer
from foveal.export.embedding import embedder
from foveal.export.image_text import shared_space, text_embedder
from foveal.models.image_text.transformer import PatchTransformer, TextTransformer
from two_encoders import TEXTS, two_encoders

ASKED = (
    *TEXTS,
    "red",
    "a red xyzzy circle",
    "a blue square, small, left of a red circle right of a blue circle",
    "square a of left blue",
)


def test_texts_become_the_vectors_that_torch_makes() -> None:
    model = two_encoders()

    made = shared_space(model, source="two encoders")

    assert made.texts is not None
    check_graph(made.texts.graph)
    vectors = made.texts.vectors(ASKED)
    np.testing.assert_allclose(vectors, model.texts(ASKED), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3, "all texts would be one"


def test_pictures_become_the_vectors_that_torch_makes() -> None:
    model = two_encoders(seed=1)
    images = np.random.default_rng(0).integers(0, 256, (11, 16, 16, 3), dtype=np.uint8)

    made = shared_space(model, source="two encoders")

    np.testing.assert_allclose(made.features(images), model.images(images), atol=1e-5)
    assert (made.dimensions, made.source) == (model.dimensions, "two encoders")


def test_the_same_weights_give_the_same_digest_and_others_do_not() -> None:
    digests = [shared_space(two_encoders(seed=seed), source="x").digest for seed in (0, 0, 1)]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_encoders_of_published_networks_are_followed_too(activation) -> None:
    torch.manual_seed(0)
    shape = {"width": 32, "layers": 2, "heads": 4, "dimensions": 8, "activation": activation}
    texts = TextTransformer(vocabulary=300, length=7, end=299, **shape).eval()
    patches = PatchTransformer(size=16, patch=4, channels=3, **shape).eval()
    preprocess = two_encoders().preprocess
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)

    made = text_embedder(texts, WordTokenizer((), end=299))
    pictures = embedder(patches, preprocess, dimensions=8, source="patches")

    assert (made.length, made.dimensions) == (7, 8)
    assert pictures.features(images).shape == (5, 8)


class _Counting(TextTransformer):
    """What tracing loses: something that depends on how many texts there are."""

    def whole(self, tokens: torch.Tensor) -> torch.Tensor:
        return super().whole(tokens) + len(tokens)


def test_a_graph_that_deviates_is_refused() -> None:
    torch.manual_seed(0)
    odd = _Counting(vocabulary=300, length=7, width=32, layers=1, heads=2, dimensions=8, end=2).eval()

    with pytest.raises(BundleError, match="does not answer as the network does") as caught:
        text_embedder(odd, WordTokenizer(()))
    assert caught.value.code == "parity"
