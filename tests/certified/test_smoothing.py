"""certified.smoothing: exact radii of linear recognizers are exceeded as rarely as promised."""

from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from foveal.certified import smoothing as smoothed
from foveal.certified.smoothing import ABSTAINS, Smoothing, certify, predict
from foveal.core.errors import UsageError

SHAPE = (4, 4, 1)
WEIGHTS = np.random.default_rng(0).normal(size=16)
SIGMA = 10.0


def linear(images: np.ndarray) -> np.ndarray:
    """Which side of a plane through the grey picture: two scores."""
    side = (images.reshape(len(images), -1) - 128.0) @ WEIGHTS
    return np.stack([side, -side], axis=1).astype(np.float32)


def at(distance: float) -> np.ndarray:
    """A picture of whole levels about so far from the plane, on the side of class 0."""
    return np.rint(128 + distance * WEIGHTS / np.linalg.norm(WEIGHTS)).astype(np.uint8).reshape(SHAPE)


def exact(image: np.ndarray) -> float:
    return float((image.reshape(-1) - 128.0) @ WEIGHTS / np.linalg.norm(WEIGHTS))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_a_radius_exceeds_the_exact_one_as_rarely_as_promised(alpha):
    repetitions, image = 600, at(12.0)
    how = Smoothing(SIGMA, select=20, estimate=200, alpha=alpha)

    found = certify(linear, np.repeat(image[None], repetitions, axis=0), how)

    # Rounding adds a twelfth to the variance of the noise, 0.04 % to its deviation.
    too_far = int((found.radii > exact(image) * 1.001).sum())
    assert too_far <= stats.binom.ppf(0.9999, repetitions, alpha)
    assert too_far >= stats.binom.ppf(
        0.0001, repetitions, alpha * 0.4
    )  # and the bound is no looser than it says
    assert np.median(found.radii) > 0.75 * exact(image)
    assert (found.labels == 0).all()
    assert np.array_equal(found.unit_radii, found.radii / 255)


def test_without_the_bound_radii_exceed_the_exact_one_half_of_the_time():
    """The positive control: what the test above would see if shares were taken for probabilities."""
    rng, image, estimate = np.random.default_rng(0), at(12.0), 200
    noise = np.rint(rng.normal(0, SIGMA, (600, estimate, 16)))
    shares = (((image.reshape(-1) - 128.0 + noise) @ WEIGHTS) > 0).mean(axis=1).clip(max=1 - 1e-6)

    naive = SIGMA * np.array([NormalDist().inv_cdf(share) for share in shares])

    assert (naive > exact(image) * 1.001).mean() > 0.3


def test_with_many_copies_the_radius_comes_near_the_exact_one():
    image = at(9.0)

    found = certify(linear, image[None], Smoothing(SIGMA, estimate=20_000))

    assert 0.95 * exact(image) < found.radii[0] < exact(image)


def test_a_coin_toss_is_abstained_from():
    def parity(images: np.ndarray) -> np.ndarray:
        odd = images.reshape(len(images), -1).sum(axis=1, dtype=np.int64) % 2
        return np.stack([odd, 1 - odd], axis=1).astype(np.float32)

    images = np.full((200, *SHAPE), 128, np.uint8)
    how = Smoothing(SIGMA, select=20, estimate=100, alpha=0.05)

    found = certify(parity, images, how)
    answered = predict(parity, images, how)

    assert (found.labels == ABSTAINS).mean() > 0.9
    assert (found.radii[found.labels == ABSTAINS] == 0).all()
    assert (answered == ABSTAINS).mean() > 0.9


def test_prediction_is_the_majority():
    images = np.stack([at(5.0), at(-5.0), at(0.0)])

    assert predict(linear, images, Smoothing(SIGMA, estimate=1000)).tolist()[:2] == [0, 1]


@pytest.mark.parametrize(("estimate", "radius"), [(1000, 2.46), (10_000, 3.20), (100_000, 3.81)])
def test_the_largest_radius_by_number_of_copies(estimate, radius):
    how = Smoothing(1.0, estimate=estimate, alpha=0.001)

    assert how.largest_radius == pytest.approx(radius, abs=0.005)
    assert how.radius(estimate, numbers=224 * 224 * 3) < how.largest_radius


def test_noise_is_the_same_whole_number_whatever_the_picture():
    """Else the digits behind the point could tell pictures apart, and nothing would be proven."""

    def drawn(level: int) -> np.ndarray:
        seen = []

        def record(images: np.ndarray) -> np.ndarray:
            seen.append(images.astype(np.int64) - level)
            return linear(images)

        certify(record, np.full((1, *SHAPE), level, np.uint8), Smoothing(5.0, select=1, estimate=4000))
        return np.concatenate(seen)

    noise = drawn(110)

    assert np.array_equal(drawn(111), noise)
    assert np.array_equal(drawn(140), noise)
    levels = np.arange(-15, 16)
    chances = stats.norm.cdf(levels + 0.5, scale=5) - stats.norm.cdf(levels - 0.5, scale=5)
    counts = np.array([(noise == level).sum() for level in levels])
    assert stats.chisquare(counts, chances / chances.sum() * counts.sum()).pvalue > 1e-4


def test_answers_do_not_depend_on_the_batch_nor_on_the_other_pictures():
    images = np.stack([at(8.0), at(-3.0), at(20.0)])
    how = Smoothing(SIGMA, select=30, estimate=300)

    whole, parts = certify(linear, images, how, seed=3), certify(linear, images, how, seed=3, batch=7)

    assert np.array_equal(whole.radii, parts.radii)
    assert np.array_equal(certify(linear, images[:2], how, seed=3).radii, whole.radii[:2])
    assert not np.array_equal(certify(linear, images, how, seed=4).radii, whole.radii)
    assert np.array_equal(predict(linear, images, how), predict(linear, images, how, batch=11))


def test_a_smaller_risk_costs_radius():
    radii = [Smoothing(1.0, alpha=alpha).radius(990, numbers=10) for alpha in (0.1, 0.01, 0.001)]

    assert radii == sorted(radii, reverse=True)
    assert Smoothing(1.0).radius(500, numbers=10) == 0


def test_pictures_near_black_and_white_are_clipped():
    seen = []

    def record(images: np.ndarray) -> np.ndarray:
        seen.append(images.ravel())
        return linear(images)

    images = np.stack([np.zeros(SHAPE, np.uint8), np.full(SHAPE, 255, np.uint8)])
    certify(record, images, Smoothing(5.0, select=1, estimate=100))
    black, white = np.concatenate(seen[:2]), np.concatenate(seen[2:])

    assert black.max() < 50 < 200 < white.min()
    assert (black == 0).mean() > 0.4
    assert (white == 255).mean() > 0.4


@pytest.mark.parametrize("wrong", [{"sigma": 0}, {"alpha": 0.5}, {"estimate": 0}, {"select": 0}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(UsageError):
        Smoothing(**{"sigma": 1.0, **wrong})


def test_nothing_asked_nothing_answered():
    found = certify(linear, np.zeros((0, *SHAPE), np.uint8), Smoothing(1.0))

    assert found.labels.shape == found.radii.shape == (0,)
    assert smoothed.ABSTAINS < 0
