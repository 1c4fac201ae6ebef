"""Decide how many images a baseline is fitted to, and how finely, from the time and the machine's speed."""

import importlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from foveal import models
from foveal.core import catalog, machine
from foveal.core.errors import RecipeError
from foveal.core.units import show_seconds
from foveal.data.preprocess import Preprocess
from foveal.train.classical import Effort
from foveal.train.examples import Examples
from foveal.train.fit_plan import FitPlan
from foveal.train.fitting import features, features_of
from foveal.train.loop import settings
from foveal.train.recipe import Recipe

FOLDS = 3
# Landmarks and images to choose settings on, from the best to the cheapest: see docs/baselines.md.
FINENESS = ((3000, 4000), (2000, 3000), (1000, 2000), (1000, 1000), (500, 500), (250, 250))

_MOST_NUMBERS = 2e8  # of a table in memory: 0.8 GB
_FEWEST_PER_CLASS = 3  # images; with fewer, cross-validation says nothing
_TIMED_IMAGES = 128
_SIDE = 768  # of the matrices whose product is timed
_SLACK = 1.3  # more than the operations alone: memory, and what is not counted


def plan_fit(
    recipe: Recipe,
    examples: Examples,
    preprocess: Preprocess,
    *,
    classes: int,
    seconds: float | None = None,
) -> FitPlan:
    """Return a complete plan for a baseline.

    Args:
        recipe: What the user asked for.
        examples: The training images.
        preprocess: Size and channels.
        classes: K.
        seconds: That it may take; None: as long as it needs.

    Raises:
        RecipeError: `budget_too_small`: the time is too short for a few images of each class.
    """
    fitted_by = models.card(recipe.architecture.name).fitted_by
    method = importlib.import_module(f"foveal.train.classical.{fitted_by}")
    base = {"channels": preprocess.channels, "classes": classes, "size": preprocess.size}
    draft = FitPlan(
        model=recipe.architecture.name,
        arguments=base,
        images=len(examples),
        of=len(examples),
        tuning_images=1,
        folds=FOLDS,
        seed=recipe.seed,
        threads=recipe.threads or machine.usable_cpus(),
        seconds=0.0,
    )
    dimensions, each, rate = _speeds(draft, examples, preprocess)
    forecast = 0.0
    for effort in _efforts(len(examples), dimensions, classes):
        forecast = effort.images * each + _SLACK * method.work(effort) / rate
        if seconds is None or forecast <= seconds:
            arguments = {**base, **method.shape(effort)}
            return draft.model_copy(
                update={
                    "arguments": arguments,
                    "images": effort.images,
                    "tuning_images": effort.tuning_images,
                    "seconds": round(forecast, 2),
                    "reasons": _reasons(effort, len(examples), forecast, arguments, seconds),
                }
            )
    name = catalog.spoken(recipe.architecture.name)
    raise RecipeError(
        f"the time left is {show_seconds(max(0.0, seconds or 0.0))}; fitting {name} "
        f"to a few images of each class takes {show_seconds(forecast)}",
        code="budget_too_small",
        hint="give a longer --time, or a smaller --size",
    )


def _efforts(images: int, dimensions: int, classes: int) -> Iterator[Effort]:
    """Yield what may be done, the best first: rather coarsely with all images than finely with some."""
    fewest = min(images, max(2 * FOLDS, _FEWEST_PER_CLASS * classes))
    count = min(images, int(_MOST_NUMBERS / dimensions))
    while count >= fewest:
        for landmarks, tuning in FINENESS:
            used = min(landmarks, count)
            if count * used <= _MOST_NUMBERS or landmarks == FINENESS[-1][0]:
                chosen = min(count, max(tuning, fewest))
                yield Effort(dimensions, classes, count, chosen, used)
        if count == fewest:
            return
        count = max(fewest, count // 2)


def _speeds(plan: FitPlan, examples: Examples, preprocess: Preprocess) -> tuple[int, float, float]:
    """Return the number of features, the seconds that those of one image take, and operations per second."""
    rows = examples.indices[np.linspace(0, len(examples) - 1, _TIMED_IMAGES).astype(np.int64)]
    with settings(plan), torch.no_grad():
        part = features_of(plan)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            found = features(part, examples.images, rows, preprocess)
            times.append(time.perf_counter() - started)
        factor = torch.ones(_SIDE, _SIDE)
        products = []
        for _ in range(5):
            started = time.perf_counter()
            factor @ factor
            products.append(time.perf_counter() - started)
    rate = 2.0 * _SIDE**3 / statistics.median(products[1:])
    return found.shape[1], statistics.median(times[1:]) / len(rows), rate


def _reasons(
    effort: Effort, there: int, forecast: float, arguments: dict[str, Any], seconds: float | None
) -> dict[str, str]:
    """Return why each choice was made, for people."""
    full = seconds is None or effort.images == int(_MOST_NUMBERS / effort.dimensions)
    why = "more would fill the memory" if full else "more would take longer than the time left"
    images = f"all {there:,}" if effort.images == there else f"{effort.images:,} of {there:,}: {why}"
    reasons = {"images": images}
    if "landmarks" in arguments:
        landmarks = arguments["landmarks"]
        exact = landmarks == effort.images
        reasons["kernel"] = (
            "exact: compared with every training image"
            if exact
            else f"compared with {landmarks:,} of the training images (Nyström)"
        )
    reasons["length"] = (
        f"settings chosen by {FOLDS}-fold cross-validation on {effort.tuning_images:,} training images; "
        f"about {show_seconds(forecast)} in all at the measured speed"
    )
    return reasons
