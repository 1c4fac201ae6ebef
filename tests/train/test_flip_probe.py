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


def wedges(count):
    """Return small triangles at random places that point left or right: mirroring swaps the two classes."""
    rng = np.random.default_rng(0)
    images, labels = np.zeros((count, 32, 32, 1), np.uint8), rng.integers(0, 2, count)
    wedge = np.tril(np.full((6, 6), 255, np.uint8))[:, :, None]
    for image, label, (top, left) in zip(images, labels, rng.integers(0, 26, (count, 2)), strict=True):
        image[top : top + 6, left : left + 6] = wedge[:, ::-1] if label else wedge
    return images, labels


def test_a_probe_that_recognizes_nothing_does_not_allow_flips():
    probe = probe_of(*wedges(1200), classes=2, seed=0)

    assert not probe.allowed
    assert "cannot tell" in probe.reason
    assert probe.upright - probe.mirrored < 0.1, "the drop alone would not have shown it"


def test_a_few_pictures_cannot_tell():
    probe = probe_of(*bars(300, sided=False), classes=4, seed=0)

    assert not probe.allowed
    assert "too few" in probe.reason


@pytest.mark.parametrize("side", [8, 12, 32, 225])
def test_any_size_will_do(side):
    labels = np.arange(900) % 3
    images = np.broadcast_to((labels * 90).astype(np.uint8)[:, None, None, None], (900, side, side, 3))

    assert probe_of(images, labels, classes=3, seed=0).allowed
