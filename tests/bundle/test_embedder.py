"""Embedder: features do not depend on how they are asked for, and the digest names all that decides them."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.bundle.embedder import Embedder, unit
from foveal.core.errors import BundleError, UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.embedding import cut


@pytest.fixture(scope="module")
def embedder(classifier) -> Embedder:
    preprocess = Preprocess(size=16, channels=3, mean=(0, 0, 0), std=(1, 1, 1))
    return Embedder(cut(classifier(), "features", 7), preprocess, 7, "colours")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (21, 16, 16, 3), dtype=np.uint8)


def test_features_do_not_depend_on_threads_or_neighbours(embedder, images) -> None:
    told = []
    together = embedder.features(images, threads=3, progress=lambda *what: told.append(what))

    assert together.shape == (21, 7)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, embedder.features(images))
    np.testing.assert_allclose(together[20], embedder.features(images[20:])[0], rtol=1e-6)
    assert told[-1] == ("features", 21, 21)
    assert embedder.features(images[:0]).shape == (0, 7)


def test_they_are_what_the_graph_says(embedder, images) -> None:
    """The first filters pass each channel through: their means over every second inner pixel."""
    expected = images[:, 1:15:2, 1:15:2].mean(axis=(1, 2)) / 255

    np.testing.assert_allclose(embedder.features(images)[:, :3], expected, atol=1e-5)


@pytest.mark.parametrize("wrong", ["float32", "size", "rank", "channels"])
def test_other_pictures_are_refused(embedder, images, wrong) -> None:
    given = {
        "float32": images.astype(np.float32),
        "size": images[:, :15],
        "rank": images[0],
        "channels": images[..., :1],
    }[wrong]

    with pytest.raises(UsageError, match=r"need uint8 \(N, 16, 16, 3\)"):
        embedder.features(given)


def test_the_digest_changes_with_all_that_decides_features_and_nothing_else(embedder, classifier) -> None:
    other_graph = replace(embedder, graph=cut(classifier(classes=7), "logits", 7))
    other_pictures = replace(embedder, preprocess=embedder.preprocess.model_copy(update={"size": 17}))

    digests = {one.digest for one in (embedder, other_graph, other_pictures)}

    assert len(digests) == 3
    assert replace(embedder, source="another name", license="MIT").digest == embedder.digest


def test_a_graph_that_reaches_outside_is_not_loaded(embedder, images) -> None:
    with pytest.raises(BundleError):
        replace(embedder, graph=b"no graph").features(images)


def test_unit_vectors_have_length_1_and_zero_stays_zero() -> None:
    vectors = np.array([[3, 4], [0, 0], [1e-15, 0], [-1e18, 0]], np.float32)

    np.testing.assert_allclose(unit(vectors), [[0.6, 0.8], [0, 0], [1, 0], [-1, 0]], rtol=1e-6)
