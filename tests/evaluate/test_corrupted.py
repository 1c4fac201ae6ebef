"""evaluate.corrupted: the same pictures as corrupting all at once, each answer beside its own picture."""

import importlib

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


def group(name: str) -> str:
    return str(importlib.import_module(f"{corruptions.__name__}.{name}").GROUP)


@pytest.mark.parametrize("name", catalog.names(corruptions))
def test_a_film_has_one_camera_and_one_weather_and_noise_in_each_frame(name):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (3, 4, 1, 1, 3), dtype=np.uint8) + rng.integers(
        0, 8, (3, 4, 32, 32, 3), dtype=np.uint8
    ).clip(0, 7)
    clips = clips.clip(0, 255).astype(np.uint8)
    still = np.repeat(clips[:, :1], 4, axis=1)

    def changed(films):
        found = corrupted(
            name, films, np.zeros(3, np.int64), severity=4, rng=stream(1, name), ask=lambda a: np.ones((3, 2))
        )
        assert found.images.shape == films.shape
        return found.images

    alike = (changed(still) == changed(still)[:, :1]).all()
    assert alike == (group(name) != "noise")
    if group(name) != "noise":  # whatever the frames show, what was drawn is the same
        frames = [
            catalog.find(corruptions, name)(clips[:, t], severity=4, rng=stream(1, name)) for t in range(4)
        ]
        assert np.array_equal(changed(clips), np.stack(frames, axis=1))
