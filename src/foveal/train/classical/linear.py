"""Multinomial logistic regression on standardized features."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from foveal.core.progress import Progress
from foveal.train.classical import Effort, Fit, Sample
from foveal.train.classical._choose import Setting, choose
from foveal.train.fit_plan import FitPlan
from foveal.train.planes import STEPS, cross_entropy, planes

COSTS = (1e-4, 1e-3, 1e-2, 0.1)
_FLAT = 1e-3  # deviation below which a feature says nothing, in deviations of all pixels


def linear(sample: Sample, plan: FitPlan, *, progress: Progress) -> Fit:
    """Return the planes; the cost of an error is chosen by cross-validation."""
    mean = sample.features.mean(dim=0, dtype=torch.float64).float()
    scale = sample.features.std(dim=0, correction=0)
    scale = torch.where(scale < _FLAT, torch.ones_like(scale), scale)
    standard = (sample.features - mean) / scale
    total, done = plan.folds * len(COSTS) + 1, 0

    def attempt(fitted: Tensor, asked: Tensor) -> Iterator[tuple[Setting, Tensor]]:
        nonlocal done
        weights = None
        for cost in COSTS:
            weights = _planes(sample, standard, fitted, cost, weights)
            progress("fit", done := done + 1, total, "choosing by cross-validation")
            yield {"cost": cost}, torch.addmm(weights[-1], standard[asked], weights[:-1])

    choice = choose(sample, plan, attempt, otherwise={"cost": COSTS[1]})
    weights = _planes(sample, standard, torch.arange(len(standard)), choice.setting["cost"], None)
    progress("fit", total, total)
    tensors = {
        "projection.mean": mean,
        "projection.basis": weights[:-1] / scale[:, None],
        "bias": weights[-1],
    }
    return Fit(tensors, choice.rows)


def _planes(sample: Sample, standard: Tensor, rows: Tensor, cost: float, start: Tensor | None) -> Tensor:
    labels = sample.labels[rows]
    return planes(standard[rows], labels, classes=sample.classes, cost=cost, loss=cross_entropy, start=start)


def shape(effort: Effort) -> dict[str, Any]:
    """Return the network's own arguments: none."""
    return {}


def work(effort: Effort) -> float:
    """Return about how many floating-point operations a fit takes."""
    fits = effort.images + len(COSTS) * 2 * effort.tuning_images  # 3 folds of 2/3 each
    return fits * effort.dimensions * STEPS * (4.0 * effort.classes + 60)
