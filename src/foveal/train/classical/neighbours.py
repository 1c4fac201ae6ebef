"""The nearest neighbours: nothing is fitted but how many of them vote."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from foveal.core.progress import Progress
from foveal.models._machines import MOST_NEIGHBOURS, nearest, votes
from foveal.train.classical import Effort, Fit, Sample
from foveal.train.classical._choose import Setting, choose
from foveal.train.classical._principal import principal
from foveal.train.classical._principal import work as directions_work
from foveal.train.fit_plan import FitPlan

COORDINATES = 64
VOTING = (1, 3, 5, 10, 20)
_BATCH = 1024


def neighbours(sample: Sample, plan: FitPlan, *, progress: Progress) -> Fit:
    """Return the stored images; how many neighbours vote is chosen by cross-validation."""
    mean, basis, variance = principal(sample.features, count=plan.arguments["coordinates"])
    scale = (plan.arguments["coordinates"] / max(variance, 1e-12)) ** 0.5  # variances of about 1
    points = (sample.features - mean) @ (basis * scale)

    def attempt(fitted: Tensor, asked: Tensor) -> Iterator[tuple[Setting, Tensor]]:
        count = min(MOST_NEIGHBOURS + 1, len(fitted))
        parts = [
            nearest(some, points[fitted], sample.labels[fitted], count=count)
            for some in points[asked].split(_BATCH)
        ]
        squared, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        for voting in VOTING:
            used = torch.tensor([min(voting, count - 1)])
            yield {"voting": voting}, votes(squared, labels, voting=used, classes=sample.classes)

    progress("fit", 0, 1, "choosing by cross-validation")
    choice = choose(sample, plan, attempt, otherwise={"voting": VOTING[0]})
    progress("fit", 1, 1)
    tensors = {
        "projection.mean": mean,
        "projection.basis": basis * scale,
        "stored": points,
        "labels": sample.labels,
        "voting": torch.tensor([min(int(choice.setting["voting"]), len(points) - 1)]),
    }
    return Fit(tensors, choice.rows)


def shape(effort: Effort) -> dict[str, Any]:
    """Return the network's own arguments."""
    coordinates = max(1, min(COORDINATES, effort.dimensions, effort.images - 1))
    return {"coordinates": coordinates, "stored": effort.images}


def work(effort: Effort) -> float:
    """Return about how many floating-point operations a fit takes."""
    dimensions = effort.dimensions
    directions = directions_work(effort.images, dimensions, COORDINATES)
    projecting = 2.0 * effort.images * dimensions * COORDINATES
    return directions + projecting + effort.tuning_images**2 * (2.0 * COORDINATES + 60)
