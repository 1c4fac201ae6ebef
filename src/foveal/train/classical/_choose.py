"""Choose settings by cross-validation: of images that were fitted to, none is asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

from foveal.train.classical import Sample
from foveal.train.fit_plan import FitPlan
from foveal.train.sampling import deal, spread

Setting = dict[str, float]
Rows = list[dict[str, float]]
# From the places to fit to and the places to ask, yields each setting with its scores (asked, K).
Attempt = Callable[[Tensor, Tensor], Iterator[tuple[Setting, Tensor]]]


@dataclass(frozen=True)
class Choice:
    """The settings that were right most often.

    Attributes:
        setting: Of equals the one that was tried first.
        rows: One per setting, with `cv_accuracy`, `cv_images` and `chosen`.
        scores: Of all images that were asked, by the chosen setting, (M, K); empty without a division.
        labels: The truth, int64 (M,).
    """

    setting: Setting
    rows: Rows
    scores: Tensor
    labels: Tensor


def choose(sample: Sample, plan: FitPlan, attempt: Attempt, *, otherwise: Setting) -> Choice:
    """Return the settings that answer best for images that they were not fitted to.

    Args:
        sample: The training images.
        plan: How many of them are divided, into how many folds.
        attempt: Fits and asks.
        otherwise: The settings where the images cannot be divided into folds that all leave two classes to
            fit to and, of those, images to ask.
    """
    labels = sample.labels.numpy()
    chosen = spread(labels, seed=plan.seed, purpose="tuning images")[: plan.tuning_images]
    folds = deal(labels[chosen], sample.units[chosen], folds=plan.folds, seed=plan.seed)
    parts = [(chosen[folds != fold], chosen[folds == fold]) for fold in range(plan.folds)]
    # A class that is all in one fold is fitted nowhere else, and no setting could answer it.
    parts = [(fitted, asked[np.isin(labels[asked], labels[fitted])]) for fitted, asked in parts]
    if any(len(asked) == 0 or len(np.unique(labels[fitted])) < 2 for fitted, asked in parts):
        row = {**otherwise, "cv_images": 0, "chosen": 1}
        return Choice(otherwise, [row], torch.empty(0, sample.classes), torch.empty(0, dtype=torch.int64))
    answers: dict[tuple[tuple[str, float], ...], list[Tensor]] = {}
    for fitted, asked in parts:
        for setting, scores in attempt(torch.from_numpy(fitted), torch.from_numpy(asked)):
            answers.setdefault(tuple(setting.items()), []).append(scores)
    truth = sample.labels[torch.from_numpy(np.concatenate([asked for _, asked in parts]))]
    accuracy = {key: float((torch.cat(s).argmax(1) == truth).double().mean()) for key, s in answers.items()}
    best = max(accuracy, key=lambda key: accuracy[key])  # the first of equals
    rows = [
        {**dict(key), "cv_accuracy": value, "cv_images": len(truth), "chosen": int(key == best)}
        for key, value in accuracy.items()
    ]
    return Choice(dict(best), rows, torch.cat(answers[best]), truth)


def sharpness(scores: Tensor, labels: Tensor, *, least: float = -2.0, smoothing: float = 0.0) -> float:
    """Return the factor that makes scores of images that were not fitted to logarithms of probabilities.

    It changes no answer; it keeps the temperature, which is fitted later and elsewhere, near 1.

    Args:
        scores: (N, K).
        labels: int64 (N,).
        least: Natural logarithm of the smallest factor that is tried.
        smoothing: Share of the target that is spread over all classes, for images that were fitted to: they
            show no mistake that there would be room for.
    """
    if len(scores) == 0:
        return 1.0

    def loss(logarithm: float) -> float:
        sharpened = scores.double() * torch.tensor(logarithm).exp()
        return float(F.cross_entropy(sharpened, labels, label_smoothing=smoothing))

    return float(torch.tensor(minimize_scalar(loss, bounds=(least, 3.5), method="bounded").x).exp())
