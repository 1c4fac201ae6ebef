"""Square Attack: as strong as mathematics allows, and not stopped by what has no gradient."""

import numpy as np
import pytest

from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box.random_noise import random_noise
from foveal.perturb.attacks.black_box.square import side_at, square

RNG = np.random.default_rng


def world(norm, radius, *, side=8, channels=3, grain=1, seed=0):
    """Return a linear recognizer of two classes, and 40 pictures that lie `radius` from its border.

    The distance of a picture to a plane is its height by the dual norm of the weights: |w| as L1 for Linf,
    as L2 for L2. Whole levels and `grain` apart, weights are noise. The exact radii come with them.
    """
    weights = (
        RNG(seed).normal(size=(side // grain, side // grain, channels)).repeat(grain, 0).repeat(grain, 1)
    )
    weights = weights.ravel()
    dual = np.abs(weights).sum() if norm == "linf" else np.linalg.norm(weights)
    grey = RNG(seed + 1).uniform(100, 156, (40, len(weights)))
    heights = (grey - 127.5) @ weights
    wanted = radius * dual * np.where(np.arange(40) % 2, 1, -1)
    grey += (wanted - heights)[:, None] * weights / (weights @ weights)
    images = grey.round().astype(np.uint8).reshape(40, side, side, channels)

    def scores(x):
        height = (x.reshape(len(x), -1) - 127.5) @ weights
        return np.stack([height, -height], axis=1).astype(np.float32)

    return scores, images, np.abs((images.reshape(40, -1) - 127.5) @ weights) / dual


def fooled(scores, found, labels):
    return scores(found).argmax(axis=1) != labels


@pytest.mark.parametrize(("norm", "radius", "grain", "above"), [("linf", 10, 1, 1.1), ("l2", 60, 3, 2.2)])
def test_reaches_nearly_the_exact_radius_of_a_linear_recognizer_and_never_less(norm, radius, grain, above):
    scores, images, exact = world(norm, radius, side=9, grain=grain, channels=1)
    labels = scores(images).argmax(axis=1)
    outer = Ball(norm, above * exact.max())
    inner = Ball(norm, 0.999 * exact.min())

    far, near = (
        square(scores, images, labels, ball=ball, queries=600, rng=RNG(0)) for ball in (outer, inner)
    )

    assert fooled(scores, far, labels).mean() >= 0.95
    assert not fooled(scores, near, labels).any(), "no picture in this ball is named wrongly"


def test_finds_the_best_corner_that_trying_all_of_them_finds():
    """Oracle: 2 ** 4 corners of the ball around a picture of four pixels, by brute force."""
    rng = RNG(3)
    weights = rng.normal(size=(4, 3))

    def scores(x):
        return (np.tanh((x.reshape(len(x), -1) - 127.5) / 40) @ weights).astype(np.float32)

    images = rng.integers(20, 236, (25, 2, 2, 1), dtype=np.uint8)
    labels = scores(images).argmax(axis=1)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T.reshape(-1, 2, 2, 1)

    found = square(scores, images, labels, ball=Ball("linf", 12), queries=400, rng=RNG(0))

    corners = (images[:, None].astype(int) + 12 * signs).clip(0, 255).astype(np.uint8)
    possible = np.array(
        [(scores(c).argmax(axis=1) != label).any() for c, label in zip(corners, labels, strict=True)]
    )
    assert possible.any()
    assert not possible.all()
    assert np.array_equal(fooled(scores, found, labels), possible)


def masked(scores, step=48):
    """Return the same recognizer behind quantized pixels: its gradient is zero wherever there is one."""
    return lambda x: scores(((x.astype(int) + step // 2) // step * step).clip(0, 255).astype(np.uint8))


def test_a_recognizer_without_gradients_is_broken_all_the_same():
    torch = pytest.importorskip("torch")
    scores, images, _ = world("linf", 10)
    hidden = masked(scores, 6)
    labels = hidden(images).argmax(axis=1)
    ball = Ball("linf", 20)

    pixels = torch.tensor(images.reshape(len(images), -1), dtype=torch.float32, requires_grad=True)
    (torch.round(pixels / 6) * 6).sum().backward()
    assert (pixels.grad == 0).all(), "the mask hides the way from a gradient"

    found, control = (
        attack(hidden, images, labels, ball=ball, queries=150, rng=RNG(0))
        for attack in (square, random_noise)
    )

    assert fooled(hidden, found, labels).mean() > 0.9
    assert fooled(hidden, control, labels).mean() < 0.1


@pytest.mark.parametrize(("norm", "radius"), [("linf", 10), ("l2", 80)])
def test_learns_more_from_its_questions_than_noise_does(norm, radius):
    scores, images, _ = world(norm, radius, side=9, grain=3)
    labels = scores(images).argmax(axis=1)
    ball = Ball(norm, 3 * radius)

    found, control = (
        attack(scores, images, labels, ball=ball, queries=150, rng=RNG(0))
        for attack in (square, random_noise)
    )

    assert fooled(scores, found, labels).mean() > 0.9
    assert fooled(scores, control, labels).mean() < 0.3


def test_moves_by_whole_levels_to_corners_of_the_ball():
    scores, images, _ = world("linf", 20)
    labels = scores(images).argmax(axis=1)

    found = square(scores, images, labels, ball=Ball("linf", 3.7), queries=5, rng=RNG(0))

    moved = np.abs(found.astype(int) - images)
    changed = moved.any(axis=(1, 2, 3))
    assert changed.any()
    assert set(np.unique(moved[changed])) == {3}
    small = square(scores, images, labels, ball=Ball("linf", 0.5), queries=5, rng=RNG(0))
    assert np.array_equal(small, images), "no picture of whole levels lies in it beside the original"


@pytest.mark.parametrize("queries", [10, 77, 5000, 10_000])
def test_schedule_is_that_of_the_paper_stretched_to_the_queries(queries):
    """Croce's reference: halved after 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000."""
    sides = [side_at(k, queries, 32, 32) for k in range(queries)]
    published = [(10, 0.8), (50, 0.4), (200, 0.2), (500, 0.1), (1000, 0.05), (2000, 0.025)]
    published += [(4000, 0.0125), (6000, 0.00625), (8000, 0.003125), (10_000, 0.0015625)]

    assert sides == sorted(sides, reverse=True)
    for k, side in enumerate(sides):
        share = next(value for until, value in published if k / queries * 10_000 <= until)
        assert side == max(1, round((share * 1024) ** 0.5))
