"""evaluate.corrupted: the same pictures as corrupting all at once, each answer beside its own picture."""

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.evaluate.corrupted import corrupted
from foveal.evaluate.held_out import sample
from foveal.perturb import corruptions


@pytest.mark.parametrize("name", ["shot_noise", "dust", "fog"])
def test_parts_come_out_as_all_pictures_at_once_do(predictor, coloured, name):
    images, labels = sample(coloured(150), np.arange(150), at_most=150)
    before = images.copy()

    found = corrupted(
        name, images, labels, severity=5, rng=stream(1, name), ask=lambda asked: predictor.run(asked).logits
    )

    whole = catalog.find(corruptions, name)(images, severity=5, rng=stream(1, name))
    assert np.array_equal(found.images, whole)
    assert np.array_equal(found.scores, predictor.run(whole).logits)
    assert np.array_equal(found.right, predictor.run(whole).probabilities.argmax(axis=1) == labels)
    assert np.array_equal(images, before)


def test_another_severity_is_refused(predictor, coloured):
    images, labels = sample(coloured(3), np.arange(3), at_most=3)

    with pytest.raises(UsageError, match="severity"):
        corrupted("fog", images, labels, severity=6, rng=stream(0), ask=lambda asked: asked)
