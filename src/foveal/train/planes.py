"""One plane per class: squared hinge loss or cross-entropy, with a quadratic penalty, to the minimum."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

STEPS = 150  # of the optimizer at most; it stops where the loss no longer falls
_GAIN = 1e-6  # relative, of a step that is worth taking in float32
_REMEMBERED = 20  # steps from which the curvature is estimated

# From scores (N, K) and labels (N,) to the sum of the losses and their slope in the scores, (N, K).
Loss = Callable[[Tensor, Tensor], tuple[float, Tensor]]


def squared_hinge(scores: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Each class against the rest: Σ max(0, 1 - y · score)², y = 1 for the image's class, else -1."""
    signs = 2.0 * F.one_hot(labels, scores.shape[1]).float() - 1.0
    short = F.relu(1.0 - signs * scores)
    return float((short.double() ** 2).sum()), -2.0 * signs * short


def cross_entropy(scores: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """All classes at once: Σ -log softmax(scores)[label]."""
    logs = F.log_softmax(scores, dim=1)
    slope = logs.exp() - F.one_hot(labels, scores.shape[1])
    return -float(logs.double().gather(1, labels[:, None]).sum()), slope


def planes(
    features: Tensor, labels: Tensor, *, classes: int, cost: float, loss: Loss, start: Tensor | None = None
) -> Tensor:
    """Return the weights and, in the last row, the biases, float32 (D + 1, K), of least loss and penalty.

    They minimize ½ Σ weights² + cost · Σ loss; the biases are in the loss alone.
    Method: L-BFGS (Liu & Nocedal 1989). The objectives are those of scikit-learn's LogisticRegression and,
    but for its penalty on the bias, LinearSVC.

    Args:
        features: float32 (N, D).
        labels: int64 (N,).
        classes: K.
        cost: What an error costs, > 0.
        loss: `squared_hinge` or `cross_entropy`.
        start: Weights to start from, those of another cost.
    """
    shape = (features.shape[1] + 1, classes)
    scale = 1.0 / (cost * len(features))  # so that values, and what ends the search, are per image

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.from_numpy(flat).view(shape)
        single = weights.float()
        # The thin factor on the left: five times as fast as the other way round.
        total, slope = loss((single[:-1].T.contiguous() @ features.T).T + single[-1], labels)
        falls = (slope.T.contiguous() @ features).T
        gradient = torch.cat([falls, slope.sum(dim=0, keepdim=True)]).double() / len(features)
        gradient[:-1] += scale * weights[:-1]
        penalty = 0.5 * scale * float((weights[:-1] ** 2).sum())
        return total / len(features) + penalty, gradient.flatten().numpy()

    first = torch.zeros(shape) if start is None else start
    options: dict[str, Any] = {"maxiter": STEPS, "ftol": _GAIN, "gtol": 1e-7, "maxcor": _REMEMBERED}
    found = minimize(value, first.double().flatten().numpy(), jac=True, method="L-BFGS-B", options=options)
    return torch.from_numpy(found.x).view(shape).float()
