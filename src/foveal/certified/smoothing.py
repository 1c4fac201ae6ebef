"""Randomized smoothing: ask about many noisy copies of a picture, and prove how far the majority holds.

The smoothed recognizer answers what the recognizer answers most often for x + noise, noise normal with
deviation σ. If it answers c with probability p > 1/2, it answers c for every picture within
R = σ Φ⁻¹(p) of x in the L2 distance. Source: Cohen, Rosenfeld & Kolter, "Certified Adversarial Robustness via
Randomized Smoothing", 2019: theorem 1 with p_B = 1 - p_A, and the algorithms of §3.2.

*Whole levels.* A file takes uint8 pictures, so what it is asked about is clip(round(x + noise)), not
x + noise. That costs nothing: the theorem holds for any measurable function of x + noise, and "round, clip,
ask the file" is one. What is certified is this whole function around x, and every x' it speaks of is smoothed
in the same way.

*Floating point.* Floats near x + noise differ in their last digits from those near x' + noise, and a
recognizer could tell by them which picture it was given; then nothing is proven (Voráček & Hein, "Sound
Randomized Smoothing in Floating-Point Arithmetics", 2023, §3). Here x is whole, so
round(x + noise) = x + round(noise): noise is rounded first and added in integers, which is exact. No digit
behind the point reaches the recognizer. What is left is how well the generator hits the probability of each
whole number; `SAMPLER_ERROR` per number and picture is taken off p.

The guarantee is about the smoothed recognizer: the file alone may still be fooled.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Scores = Callable[[UInt8], Float32]
ABSTAINS = -1
SAMPLER_ERROR = 2.0**-40  # of a normal number in float64: at most 512 borders of rounding, 2⁻⁵² and less each


@dataclass(frozen=True)
class Smoothing:
    """How a recognizer is smoothed and what is drawn to certify it.

    Attributes:
        sigma: Deviation of the noise in grey levels, above 0; 63.75 is the 0.25 of the literature.
        select: Noisy copies that choose the answer, ≥ 1; N0 of the paper.
        estimate: Further ones that bound its probability, ≥ 1; N.
        alpha: Probability with which a radius may be wrong, for each picture, in (0, 1/2).
    """

    sigma: float
    select: int = 100
    estimate: int = 1000
    alpha: float = 0.001

    def __post_init__(self) -> None:
        drawn = min(self.select, self.estimate)
        if not (self.sigma > 0 and drawn >= 1 and 0 < self.alpha < 0.5):
            raise UsageError(f"smoothing needs sigma > 0, copies and alpha in (0, 1/2); got {self}")

    @property
    def largest_radius(self) -> float:
        """The radius in grey levels where all copies agree: no picture can be certified further.

        >>> round(Smoothing(sigma=1, estimate=1000).largest_radius, 2)
        2.46
        """
        return self.radius(self.estimate, numbers=0)

    def radius(self, agreeing: int, *, numbers: int) -> float:
        """Return the certified radius in grey levels, 0 where nothing is proven.

        Args:
            agreeing: Of the `estimate` copies.
            numbers: In a picture, H·W·C.
        """
        low = clopper_pearson(agreeing, self.estimate, 1 - 2 * self.alpha).low - numbers * SAMPLER_ERROR
        return self.sigma * NormalDist().inv_cdf(low) if low > 0.5 else 0.0


@dataclass(frozen=True)
class Smoothed:
    """What the smoothed recognizer answers.

    Attributes:
        labels: int64 (N,); `ABSTAINS` where no class is proven to be answered most often.
        radii: In grey levels, float64 (N,): no picture within this L2 distance is answered otherwise, with
            probability 1 - alpha for each picture. 0 where it abstains.
    """

    labels: NDArray[np.int64]
    radii: NDArray[np.float64]

    @property
    def unit_radii(self) -> NDArray[np.float64]:
        """The radii for pixels from 0 to 1, as the literature has them."""
        return self.radii / 255


def certify(
    scores: Scores, images: UInt8, smoothing: Smoothing, *, seed: int = 0, batch: int = 256
) -> Smoothed:
    """Return answers of the smoothed recognizer and the radii within which they cannot change.

    Source: CERTIFY of §3.2.2: one set of copies chooses the class, another bounds its probability.

    Args:
        scores: What a picture is answered with; the largest score of a row wins.
        images: uint8 (N, H, W, C).
        smoothing: Noise and numbers of copies.
        seed: The noise of picture i follows from it and i, whatever the batch.
        batch: Copies asked about at a time.
    """
    labels = np.full(len(images), ABSTAINS, np.int64)
    radii = np.zeros(len(images))
    for row, image in enumerate(images):
        rng = stream(seed, "smoothing", row)
        chosen = int(np.argmax(_votes(scores, image, smoothing, smoothing.select, rng, batch)))
        votes = _votes(scores, image, smoothing, smoothing.estimate, rng, batch)
        radius = smoothing.radius(int(votes[chosen]), numbers=image.size)
        if radius > 0:
            labels[row], radii[row] = chosen, radius
    return Smoothed(labels, radii)


def predict(
    scores: Scores, images: UInt8, smoothing: Smoothing, *, seed: int = 0, batch: int = 256
) -> NDArray[np.int64]:
    """Return answers of the smoothed recognizer, int64 (N,); `ABSTAINS` where two classes are too close.

    An answer is another one than that of infinitely many copies with probability at most alpha.
    Source: PREDICT of §3.2.1, from `estimate` copies.

    Args:
        scores: As for `certify`.
        images: uint8 (N, H, W, C).
        smoothing: Noise and number of copies.
        seed: As for `certify`; the copies are other ones.
        batch: Copies asked about at a time.
    """
    labels = np.full(len(images), ABSTAINS, np.int64)
    for row, image in enumerate(images):
        rng = stream(seed, "smoothed prediction", row)
        votes = _votes(scores, image, smoothing, smoothing.estimate, rng, batch)
        second, first = np.argsort(votes, kind="stable")[-2:]
        most, together = int(votes[first]), int(votes[first] + votes[second])
        # Two-sided: as extreme a split of fair coins in either direction.
        if min(1.0, 2 * binomial_cdf(together - most, together, 0.5)) <= smoothing.alpha:
            labels[row] = first
    return labels


def _votes(
    scores: Scores, image: UInt8, smoothing: Smoothing, copies: int, rng: np.random.Generator, batch: int
) -> NDArray[np.int64]:
    """Return how many of the noisy copies are answered with each class, int64 (K,)."""
    votes = []
    for noisy in _noisy(image, smoothing.sigma, copies, rng, batch):
        answered = scores(noisy)
        votes.append(np.bincount(answered.argmax(axis=1), minlength=answered.shape[1]))
    total: NDArray[np.int64] = np.sum(votes, axis=0)
    return total


def _noisy(image: UInt8, sigma: float, copies: int, rng: np.random.Generator, batch: int) -> Iterator[UInt8]:
    """Yield noisy copies in whole levels, exactly as if rounded after adding: the picture is whole."""
    for start in range(0, copies, batch):
        drawn = rng.standard_normal((min(batch, copies - start), *image.shape))
        noise = np.rint(drawn * sigma).clip(-255, 255).astype(np.int16)  # more changes nothing
        yield (image + noise).clip(0, 255).astype(np.uint8)
