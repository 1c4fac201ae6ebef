"""train.flip_probe: mirrored where left and right mean nothing, and only there."""

import numpy as np
import pytest

from foveal.train.flip_probe import flip_probe


def bars(count, *, sided, seed=0):
    """Return pictures with one bright bar: its place tells the class, left or right only if `sided`."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (count, 24, 24, 1), dtype=np.uint8)
    labels = rng.integers(0, 4, count)
    for image, label in zip(images, labels, strict=True):
        start = 2 + 5 * label
        if sided:
            image[:, start : start + 4] += 100
        else:
            image[start : start + 4] += 100
    return images, labels


def probe_of(images, labels, *, classes, seed):
    return flip_probe(images, labels, indices=np.arange(len(images)), classes=classes, seed=seed)


def test_only_training_pictures_are_asked():
    images, labels = bars(1200, sided=False)
    misleading, wrong = bars(1200, sided=True)

    probe = flip_probe(
        np.concatenate([images, misleading]),
        np.concatenate([labels, wrong]),
        indices=np.arange(1200),
        classes=4,
        seed=0,
    )

    assert probe.allowed


@pytest.mark.parametrize("seed", range(5))
def test_where_the_side_tells_the_class_flips_are_off(seed):
    probe = probe_of(*bars(1200, sided=True, seed=seed), classes=4, seed=seed)

    assert not probe.allowed
    assert probe.upright > 0.9 > 0.5 > probe.mirrored
    assert probe.reason.startswith("off: a linear probe recognizes")


@pytest.mark.parametrize("seed", range(5))
def test_where_the_side_means_nothing_flips_are_on(seed):
    probe = probe_of(*bars(1200, sided=False, seed=seed), classes=4, seed=seed)

    assert probe.allowed
    assert probe.n == 600


def test_pure_noise_is_no_reason_against_flips():
    rng = np.random.default_rng(0)

    probe = probe_of(
        rng.integers(0, 256, (1000, 17, 23, 3), dtype=np.uint8), rng.integers(0, 5, 1000), classes=5, seed=0
    )

    assert probe.allowed


def test_a_few_pictures_cannot_tell():
    probe = probe_of(*bars(300, sided=False), classes=4, seed=0)

    assert not probe.allowed
    assert "too few" in probe.reason


@pytest.mark.parametrize("side", [8, 12, 32, 225])
def test_any_size_will_do(side):
    images = np.zeros((900, side, side, 3), np.uint8)

    assert probe_of(images, np.arange(900) % 3, classes=3, seed=0).allowed
