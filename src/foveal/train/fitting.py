"""Fit a baseline as planned: features of the training images, then its method, in one go."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foveal import models
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import build
from foveal.train import checkpoint, classical
from foveal.train.classical import Sample
from foveal.train.examples import Examples
from foveal.train.fit_plan import FitPlan
from foveal.train.loop import Fitted, settings
from foveal.train.sampling import spread

_CHUNK_PIXELS = 256 * 64**2  # whose features are computed at once


def is_baseline(model: str) -> bool:
    """Return whether a model, by its name, is fitted in one go instead of trained step by step."""
    return not models.is_own(model) and models.card(model).kind == "baseline"


def fit_baseline(
    plan: FitPlan,
    examples: Examples,
    preprocess: Preprocess,
    *,
    checkpoints: Path | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Return the fitted weights; the history has a row per setting that cross-validation tried.

    What was fitted by the same plan, and lies in `checkpoints`, is not fitted again.

    Only `examples` decide: the settings, too, are chosen among them.

    Args:
        plan: All choices that depend on the machine.
        examples: As many as the plan says.
        preprocess: Gives the normalization.
        checkpoints: Folder that gets the result; None: it is not kept.
        progress: Told about each fit.

    Raises:
        UsageError: The plan is for another number of images.
    """
    if len(examples) != plan.of:
        raise UsageError(f"the plan is for {plan.of} images; got {len(examples)}")
    saved = None if checkpoints is None else checkpoint.latest(checkpoints, plan=plan.digest)
    if saved is not None:
        return _kept(saved)
    started = time.monotonic()
    with settings(plan), torch.no_grad():
        labels = examples.labels[examples.indices]
        chosen = np.sort(spread(labels, seed=plan.seed, purpose="fitted images")[: plan.images])
        rows = examples.indices[chosen]
        progress("features", 0, 1)
        sample = Sample(
            features=features(features_of(plan), examples.images, rows, preprocess),
            labels=torch.from_numpy(labels[chosen]),
            units=rows if examples.units is None else examples.units[rows],
            classes=plan.arguments["classes"],
        )
        progress("features", 1, 1)
        method = catalog.find(classical, str(models.card(plan.model).fitted_by))
        fit = method(sample, plan, progress=progress)
    seconds = time.monotonic() - started
    if checkpoints is not None:
        tensors = {f"fitted.{name}": tensor for name, tensor in fit.tensors.items()}
        about = {"step": 1, "seconds": seconds, "history": fit.rows}
        checkpoint.save(checkpoints, tensors=tensors, about=about, plan=plan.digest)
    return Fitted(fit.tensors, fit.rows, seconds, seconds_now=seconds, waiting_share=0.0, resumed_from=0)


def _kept(saved: checkpoint.Checkpoint) -> Fitted:
    """Return what was fitted before."""
    return Fitted(
        saved.part("fitted"),
        saved.about["history"],
        saved.about["seconds"],
        seconds_now=0.0,
        waiting_share=0.0,
        resumed_from=1,
        passed_over=saved.passed_over,
    )


def features_of(plan: FitPlan) -> nn.Module:
    """Return the part of a baseline that turns normalized images (N, C, H, W) into features (N, D)."""
    part: nn.Module = build(plan.model, plan.arguments).get_submodule("projection.features")
    return part


def features(part: nn.Module, images: UInt8, rows: np.ndarray, preprocess: Preprocess) -> Tensor:
    """Return the features of some images, float32 (N, D).

    Args:
        part: Normalized images to features.
        images: uint8 (M, H, W, C), usually memory-mapped.
        rows: Which, int64 (N,).
        preprocess: Gives the normalization.
    """
    chunk = max(1, _CHUNK_PIXELS // preprocess.size**2)
    parts = [
        part(learn.normalize(torch.from_numpy(images[rows[start : start + chunk]]), preprocess))
        for start in range(0, len(rows), chunk)
    ]
    return torch.cat(parts)
