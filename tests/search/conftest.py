"""Embedders: what the last layer of the colour classifier reads, and one of pictures and texts."""

import pytest

from foveal.bundle.embedder import Embedder
from foveal.data.preprocess import Preprocess
from two_encoders import two_encoders


@pytest.fixture(scope="session")
def embedder(classifier) -> Embedder:
    """Pictures of 16 pixels to 7 features, of which the first three are red, green and blue."""
    from foveal.export.embedding import cut

    preprocess = Preprocess(size=16, channels=3, mean=(0, 0, 0), std=(1, 1, 1))
    return Embedder(cut(classifier(), "features", 7), preprocess, 7, "colours", "Apache-2.0")


@pytest.fixture(scope="session")
def both() -> Embedder:
    """Pictures of 16 pixels and texts to 12 numbers, with random weights."""
    from foveal.export.image_text import shared_space

    return shared_space(two_encoders(), source="two encoders")
