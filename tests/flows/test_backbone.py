"""What a user names as a backbone: a bundle, a run, weights or a model; anything else is refused."""

import numpy as np
import pytest

from foveal.bundle.embedder import unit
from foveal.core.errors import NotFoundError, UsageError
from foveal.data import opening
from foveal.flows._backbone import embedder_of


def test_a_run_and_the_bundle_in_it_see_the_same(trained, colors) -> None:
    dataset = opening.open(colors)
    [bundle] = trained.run.glob("*.foveal")
    of_run, of_bundle = (
        embedder_of(str(one), dataset, size=size) for one, size in ((trained.run, 16), (bundle, None))
    )
    images = np.stack([of_bundle.preprocess(dataset.read(row).decode(3)) for row in range(0, 180, 20)])

    assert of_run.preprocess.shape == of_bundle.preprocess.shape
    assert of_run.dimensions == of_bundle.dimensions
    alike = (unit(of_run.features(images)) * unit(of_bundle.features(images))).sum(axis=1)
    np.testing.assert_allclose(alike, 1, atol=1e-4)


def test_what_is_not_there_is_told(colors, bundle) -> None:
    dataset = opening.open(colors)
    with pytest.raises(NotFoundError, match="there is no nothing, and no model of that name"):
        embedder_of("nothing", dataset)
    with pytest.raises(UsageError, match="is a model already"):
        embedder_of("efficientnet-lite0", dataset, model="resnet18")
    with pytest.raises(UsageError, match="takes pictures of 16 pixels, not of 32") as caught:
        embedder_of(str(bundle), dataset, size=32)
    assert caught.value.code == "size_of_bundle"
