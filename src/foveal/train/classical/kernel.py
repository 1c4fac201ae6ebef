"""Support vector machines with a Gaussian kernel, each class against the rest.

The kernel is evaluated against landmarks, a sample of the training images (Nyström's method: Williams &
Seeger, "Using the Nyström Method to Speed Up Kernel Machines", 2001). With all training images as
landmarks, which is what up to a few thousand get, the machine is the exact one. It is fitted in the primal
(Chapelle, "Training a Support Vector Machine in the Primal", 2007) with the squared hinge loss.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from foveal.core.progress import Progress
from foveal.models._machines import similarity
from foveal.train.classical import Effort, Fit, Sample
from foveal.train.classical._choose import Setting, choose, sharpness
from foveal.train.classical._principal import principal
from foveal.train.classical._principal import work as directions_work
from foveal.train.fit_plan import FitPlan
from foveal.train.planes import STEPS, planes, squared_hinge
from foveal.train.sampling import spread

COORDINATES = 256
TUNING_LANDMARKS = 1000
WIDTHS = (0.5, 1.0, 2.0)  # gamma, in units of 1 / (variance of all coordinates together)
COSTS = (1.0, 3.0, 10.0, 30.0)
_JITTER = 1e-3  # added to the kernel's diagonal of 1: keeps rounding errors from being blown up
_BATCH = 4096


def kernel(sample: Sample, plan: FitPlan, *, progress: Progress) -> Fit:
    """Return the machine; kernel width and cost of an error are chosen by cross-validation."""
    mean, basis, variance = principal(sample.features, count=plan.arguments["coordinates"])
    points = (sample.features - mean) @ basis / max(variance, 1e-12) ** 0.5
    total, done = plan.folds * len(WIDTHS) * len(COSTS) + 1, 0

    def attempt(fitted: Tensor, asked: Tensor) -> Iterator[tuple[Setting, Tensor]]:
        nonlocal done
        for width in WIDTHS:
            scaled = points * width**0.5
            chosen = _landmarks(scaled[fitted], sample.labels[fitted], TUNING_LANDMARKS, plan.seed)
            root = _root(chosen)
            known, new = _mapped(scaled[fitted], chosen, root), _mapped(scaled[asked], chosen, root)
            weights = None
            for cost in COSTS:
                weights = _planes(known, sample.labels[fitted], sample.classes, cost, weights)
                progress("fit", done := done + 1, total, "choosing by cross-validation")
                yield {"width": width, "cost": cost}, torch.addmm(weights[-1], new, weights[:-1])

    choice = choose(sample, plan, attempt, otherwise={"width": WIDTHS[1], "cost": COSTS[1]})
    width, cost = choice.setting["width"], choice.setting["cost"]
    points *= width**0.5
    landmarks = _landmarks(points, sample.labels, plan.arguments["landmarks"], plan.seed)
    root = _root(landmarks)
    weights = _planes(_mapped(points, landmarks, root), sample.labels, sample.classes, cost, None)
    progress("fit", total, total)
    factor = sharpness(choice.scores, choice.labels)
    tensors = {
        "projection.mean": mean,
        "projection.basis": basis * (width / max(variance, 1e-12)) ** 0.5,
        "landmarks": landmarks,
        "coefficients": _solved(root, weights[:-1].double()).float() * factor,
        "bias": weights[-1] * factor,
    }
    return Fit(tensors, choice.rows)


def _landmarks(points: Tensor, labels: Tensor, count: int, seed: int) -> Tensor:
    order = spread(labels.numpy(), seed=seed, purpose="landmarks")[:count]
    return points[torch.from_numpy(order)].contiguous()


def _root(landmarks: Tensor) -> Tensor:
    """Return L with L Lᵀ = kernel between the landmarks, float64 (M, M)."""
    inner = similarity(landmarks.double(), landmarks.double())
    inner.diagonal().add_(_JITTER)
    root: Tensor = torch.linalg.cholesky(inner)
    return root


def _mapped(points: Tensor, landmarks: Tensor, root: Tensor) -> Tensor:
    """Return features whose products are Nyström's kernel, float32 (N, M): kernel(z, landmarks) L⁻ᵀ."""
    single, mapped = root.float(), torch.empty(len(points), len(landmarks))
    for start in range(0, len(points), _BATCH):
        near = similarity(points[start : start + _BATCH], landmarks)
        mapped[start : start + _BATCH] = torch.linalg.solve_triangular(single, near.T, upper=False).T
    return mapped


def _solved(root: Tensor, weights: Tensor) -> Tensor:
    """Return L⁻ᵀ weights: what belongs to the kernel itself."""
    solved: Tensor = torch.linalg.solve_triangular(root.T, weights, upper=True)
    return solved


def _planes(mapped: Tensor, labels: Tensor, classes: int, cost: float, start: Tensor | None) -> Tensor:
    return planes(mapped, labels, classes=classes, cost=cost, loss=squared_hinge, start=start)


def shape(effort: Effort) -> dict[str, Any]:
    """Return the network's own arguments."""
    # N images span N - 1 directions around their mean; more would hold nothing but chance.
    coordinates = max(1, min(COORDINATES, effort.dimensions, effort.images - 1))
    return {"coordinates": coordinates, "landmarks": min(effort.landmarks, effort.images)}


def work(effort: Effort) -> float:
    """Return about how many floating-point operations a fit takes."""
    dimensions, landmarks = effort.dimensions, min(effort.landmarks, effort.images)
    directions = directions_work(effort.images, dimensions, COORDINATES)
    tuning = min(TUNING_LANDMARKS, effort.tuning_images)
    tried = len(WIDTHS) * 3 * (_once(effort, effort.tuning_images, tuning, len(COSTS)))
    return directions + tried + _once(effort, effort.images, landmarks, 1)


def _once(effort: Effort, images: int, landmarks: int, costs: int) -> float:
    mapping = 2.0 * COORDINATES + 40 + 2.0 * landmarks
    solving = STEPS * costs * (4.0 * effort.classes + 60)
    return images * landmarks * (mapping + solving) + 4.0 * landmarks**3
