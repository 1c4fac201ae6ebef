"""audit.strip: pictures with a learned trigger keep their name under others, clean ones do not."""

import numpy as np
import pytest

from foveal.audit.strip import strip
from foveal.core.errors import UsageError


def pictures(n: int, seed: int) -> np.ndarray:
    """Return noisy pictures with one of three channels stronger, uint8 (n, 12, 12, 3)."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(60, 120, size=(n, 1, 1, 3)) + 60 * np.eye(3)[np.arange(n) % 3][:, None, None]
    return (levels + rng.normal(scale=25, size=(n, 12, 12, 3))).clip(0, 250).astype(np.uint8)


def asked(images: np.ndarray) -> np.ndarray:
    """Return the stronger channel with doubt; but a bright corner, also at half strength, decides alone."""
    corner = images[:, -3:, -3:].min(axis=(1, 2, 3)).astype(float) > 125
    logits = images.mean(axis=(1, 2)) / 12 + 25 * np.outer(corner, [1, 0, 0])
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_pictures_with_a_part_that_decides_alone_are_found(seed):
    images, rng = pictures(300, seed), np.random.default_rng(seed)
    images[:12, -3:, -3:] = 255

    found = strip(asked, images, pictures(200, 99), count=16, rng=rng)

    assert np.isin(np.arange(12), found.flagged).mean() >= 0.9
    assert (found.flagged < 12).all()
    assert (found.named[:12] == 0).all()


def test_without_such_a_part_hardly_ever_anything_is():
    def found(seed):
        rng = np.random.default_rng(seed)
        return strip(asked, pictures(150, seed), pictures(99, 99), count=8, rng=rng)

    assert sum(len(found(seed).flagged) > 0 for seed in range(60)) <= 2


def test_a_class_that_is_always_surer_is_judged_by_itself():
    levels = np.random.default_rng(0).integers(50, 71, size=200)
    levels[:20] += 130  # named otherwise, also when halved
    images = np.tile(levels[:, None, None, None], (1, 2, 2, 1)).astype(np.uint8)

    def answers(some):
        level = some[:, 0, 0, 0].astype(float)
        sure, doubt = 1 - 1e-6 * level, 0.6 + 0.004 * level
        first = np.where(level > 80, 1 - sure, doubt)
        return np.stack([first, 1 - first], axis=1).astype(np.float32)

    found = strip(answers, images, np.zeros_like(images), count=2, rng=np.random.default_rng(0))

    assert found.entropies[:20].max() < 0.01 * found.entropies[20:].min()
    assert len(found.flagged) == 0


def test_entropies_are_those_of_the_mean_of_two_pictures():
    images, overlays = (np.full((1, 2, 2, 1), level, dtype=np.uint8) for level in (200, 255))

    def answers(some):
        share = some.reshape(len(some), -1).mean(axis=1, dtype=np.float64) / 255
        return np.stack([share, 1 - share], axis=1).astype(np.float32)

    found = strip(answers, images, overlays, count=3, rng=np.random.default_rng(0))

    p = 227 / 255  # (200 + 255) / 2 in whole levels
    assert found.entropies == pytest.approx([-p * np.log(p) - (1 - p) * np.log(1 - p)], rel=1e-5)
    assert found.named.tolist() == [0]


def test_answers_without_any_doubt_have_an_entropy_of_zero_and_are_alike():
    sure = np.tile(np.array([1, 0], dtype=np.float32), (1000, 1))
    images = np.zeros((40, 2, 2, 1), dtype=np.uint8)

    found = strip(lambda some: sure[: len(some)], images, images, count=8, rng=np.random.default_rng(0))

    assert (found.entropies == 0).all()
    assert len(found.flagged) == 0


def test_something_has_to_be_laid_over():
    images = np.zeros((3, 2, 2, 1), dtype=np.uint8)
    with pytest.raises(UsageError, match="no picture to lay over"):
        strip(lambda some: np.ones((len(some), 1)), images, images[:0], count=2, rng=np.random.default_rng(0))


def test_names_that_few_pictures_have_are_not_judged():
    """The median of two takes off half of what sets them apart, and makes the bulk of all look narrow."""
    images = np.concatenate([pictures(90, 0)[np.arange(90) % 3 != 2], pictures(30, 1)[2::3]])

    found = strip(asked, images, pictures(99, 99), count=8, rng=np.random.default_rng(0))
    _, counts = np.unique(found.named, return_counts=True)

    assert found.judged.sum() == counts[counts >= 20].sum() < len(images)
    assert (found.distances[~found.judged] == 0).all()
    few = strip(asked, images[:12], pictures(99, 99), count=8, rng=np.random.default_rng(0))
    assert not few.judged.any()
    assert len(few.flagged) == 0
