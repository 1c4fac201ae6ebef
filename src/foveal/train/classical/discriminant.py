"""Linear discriminant analysis: Gaussian classes that share one covariance.

Features of a network trained elsewhere differ, within a class, far more in some directions than in others.
Logistic regression weighs all alike, and few pictures do not show it better; here the shared covariance is
estimated from all classes together, and drawn towards a multiple of the identity. Sources: Fisher 1936;
Friedman, "Regularized Discriminant Analysis", 1989; the same as scikit-learn's with solver "lsqr".
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foveal.core.progress import Progress
from foveal.train.classical import Effort, Fit, Sample
from foveal.train.classical._choose import Choice, Setting, choose, sharpness
from foveal.train.fit_plan import FitPlan

# How far the covariance is drawn; 1 would leave distances to the means of the classes.
SHRINKAGES = (0.9, 0.5, 0.3, 0.1, 0.03, 0.01)
_LEAST = -6.0  # logarithm of what scores are multiplied with: few pictures make them far too sure
_LEAST_UNASKED = -20.0  # and where none could be asked, nothing made them smaller yet
_FLAT = 1e-12  # what counts as no variance
_LEAST_SHARE = 0.01  # of the variance of all pictures, at least so much is within the classes
_NEVER = 50.0  # a class without pictures is so far below the mean of the others


def discriminant(sample: Sample, plan: FitPlan, *, progress: Progress) -> Fit:
    """Return the planes; how far the covariance is drawn is chosen by cross-validation."""
    total, done = plan.folds * len(SHRINKAGES) + 1, 0

    def attempt(fitted: Tensor, asked: Tensor) -> Iterator[tuple[Setting, Tensor]]:
        nonlocal done
        parts = _Parts(sample.features[fitted], sample.labels[fitted], sample.classes)
        for shrinkage in SHRINKAGES:
            weights, bias = parts.planes(shrinkage)
            progress("fit", done := done + 1, total, "choosing by cross-validation")
            yield {"shrinkage": shrinkage}, torch.addmm(bias, sample.features[asked], weights)

    choice = choose(sample, plan, attempt, otherwise={"shrinkage": SHRINKAGES[2]})
    parts = _Parts(sample.features, sample.labels, sample.classes)
    weights, bias = parts.planes(choice.setting["shrinkage"])
    progress("fit", total, total)
    factor = _factor(choice, torch.addmm(bias, sample.features, weights), sample)
    weights, bias = weights * factor, torch.where(parts.counts > 0, bias * factor, bias)
    mean = sample.features.mean(dim=0, dtype=torch.float64).float()
    return Fit(
        {"projection.mean": mean, "projection.basis": weights, "bias": bias + mean @ weights}, choice.rows
    )


def _factor(choice: Choice, own: Tensor, sample: Sample) -> float:
    """Return what scores are multiplied with to be logarithms of probabilities.

    Where no picture could be asked that was not fitted to, only the number of those that were says how sure
    to be: after N answers without a mistake the next one is a mistake in one of N + 2 cases (Laplace's rule).
    Pictures that belong together, as views of one do, are one of the N.
    """
    if len(choice.scores):
        return sharpness(choice.scores, choice.labels, least=_LEAST)
    there, labels = torch.unique(sample.labels, return_inverse=True)
    wrong = 1 / (len(np.unique(sample.units)) + 2)
    # What is spread falls on the right class, too.
    smoothing = wrong * len(there) / max(1, len(there) - 1)
    return sharpness(own[:, there], labels, least=_LEAST_UNASKED, smoothing=smoothing)


class _Parts:
    """Means of the classes, and the covariance within them, turned to its own axes."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int) -> None:
        wide = features.double()
        self.counts = torch.bincount(labels, minlength=classes).double()
        sums = torch.zeros(classes, features.shape[1], dtype=torch.float64).index_add_(0, labels, wide)
        self.means = sums / self.counts.clamp(min=1)[:, None]
        centred = wide - self.means[labels]
        # Axes that no picture leaves its class's mean along have no variance: they need no name.
        few = len(features) < features.shape[1]
        if few:
            squares, sides = torch.linalg.eigh(centred @ centred.T)
            real = squares > squares.amax() * _FLAT
            self.axes = centred.T @ sides[:, real] / squares[real].sqrt()
            squares = squares[real]
        else:
            squares, self.axes = torch.linalg.eigh(centred.T @ centred)
        self.variances = squares.clamp(min=0) / len(features)
        # One picture a class has no variance around its mean, and copies have next to none.
        least = _LEAST_SHARE * wide.var(dim=0, correction=0).mean()
        within = self.variances.sum() / features.shape[1]
        self.mean_variance = torch.maximum(within, least).clamp(min=_FLAT)

    def planes(self, shrinkage: float) -> tuple[Tensor, Tensor]:
        """Return weights (D, K) and biases (K,), float32; a class without pictures is never answered.

        What the classes have in common is taken off: no answer and no probability depends on it, and it is
        so large that engines would round away what tells classes apart. It leaves their mean score at 0
        wherever a picture lies, so a class that is always below 0 is never the best.
        """
        floor = shrinkage * self.mean_variance
        drawn = (1 - shrinkage) * self.variances + floor
        inside = self.means @ self.axes
        weights = (self.means / floor + (inside * (1 / drawn - 1 / floor)) @ self.axes.T).T
        there = self.counts > 0
        share = self.counts.clamp(min=1) / self.counts.sum()
        bias = share.log() - 0.5 * (self.means * weights.T).sum(dim=1)
        weights = torch.where(there, weights - weights[:, there].mean(dim=1, keepdim=True), 0.0)
        bias = torch.where(there, bias - bias[there].mean(), -_NEVER)
        return weights.float(), bias.float()


def shape(effort: Effort) -> dict[str, Any]:
    """Return the network's own arguments: none."""
    return {}


def work(effort: Effort) -> float:
    """Return about how many floating-point operations a fit takes."""
    images = effort.images + 2 * effort.tuning_images  # 3 folds of 2/3 each
    smaller = min(effort.images, effort.dimensions)
    return 2.0 * images * effort.dimensions * smaller + 40.0 * smaller**3
