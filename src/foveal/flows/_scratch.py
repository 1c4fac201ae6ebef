"""What a transfer was worth: a network from scratch on the same pictures, for as long as the transfer.

It is nano, for clips the same model as of the transfer with a nano that looks at the frames.

It is trained after it, at the size that the pictures suggest, and measured on the same test pictures as its
exported graph. A network from scratch that was given seconds would be no comparison: it gets half a minute at
least.
"""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core import catalog, files, machine
from foveal.core.errors import RecipeError
from foveal.core.progress import Progress
from foveal.data.store import channel_statistics
from foveal.export.graph import graph
from foveal.flows._kept_weights import head_seconds
from foveal.flows._objective import make_objective
from foveal.flows._prepare import Prepared, resized, suggested
from foveal.flows._yardstick import paired_document, right_answers
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.recognizer import Recognizer, build
from foveal.train.fit_plan import FitPlan
from foveal.train.loop import Fitted, fit, settings
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe

FOLDER = "scratch"
LEAST_SECONDS = 30.0
_MODEL = "nano"  # for pictures, and what looks at the frames of clips


def measured_scratch(
    run: Path,
    recipe: Recipe,
    prepared: Prepared,
    answers: NDArray[np.int64],
    *,
    seconds: float,
    progress: Progress,
) -> dict[str, Any]:
    """Return how a network from scratch does, as the `scratch` object of a baseline.

    Args:
        run: The run folder; gets `scratch/`, and what is there is gone on with.
        recipe: Of the transfer: seed, threads and, for clips, the model.
        prepared: The data.
        answers: What the bundle answered for the test pictures, int64 (N,).
        seconds: That the transfer took to learn.
        progress: Told about the training.
    """
    folder = run / FOLDER
    files.make_folder(folder)
    allowed = max(LEAST_SECONDS, seconds)
    model = _MODEL if prepared.dataset.clip is None else recipe.architecture.name
    named = _network(model, prepared, size=suggested(prepared.dataset, None).size)
    plain = Recipe(model=model, seed=recipe.seed, threads=recipe.threads, time_seconds=allowed)
    data = _at_its_size(run, plain, prepared, progress)
    try:
        plan = _plan(folder / "plan.json", plain, data, allowed)
    except RecipeError as error:
        return {**named, "skipped": error.message}

    def told(stage: str, done: int, total: int, note: str = "") -> None:
        progress("from scratch", done, total, note)

    with settings(plan):
        objective = make_objective(plan, plain.architecture, data)
    fitted = fit(objective, data.examples("fit"), plan, checkpoints=folder / "checkpoints", progress=told)
    network = build(plan.model, plan.arguments)
    recognizer = Recognizer(
        network, plan.model, plan.arguments, data.preprocess, data.dataset.classes, data.dataset.task
    )
    engine = onnxruntime(graph(recognizer.with_weights(fitted.weights)), threads=plan.threads)
    test = data.split.test
    right = right_answers(lambda images: engine.run(images)[1], data, test)
    return {
        **named,
        "seconds": round(fitted.seconds, 2),
        "epochs": round(plan.epochs, 2),
        "transfer": _network(
            recipe.architecture.name, prepared, size=prepared.preprocess.size, backbone=recipe.backbone
        ),
        "accuracy": clopper_pearson(int(right.sum()), len(right)).as_json(),
        "paired": paired_document(answers == data.store.labels[test], right, data),
    }


def _network(name: str, prepared: Prepared, *, size: int, backbone: str | None = None) -> dict[str, Any]:
    """Return what a network is called, for clips with what looks at the frames, and the side of its input."""
    looks = {} if prepared.dataset.clip is None else {"backbone": catalog.spoken(backbone or _MODEL)}
    return {"name": catalog.spoken(name), **looks, "size": size}


def transfer_seconds(run: Path, plan: Plan | FitPlan, fitted: Fitted) -> float:
    """Return what a transfer takes to learn, features and head included, with an empty cache."""
    head = head_seconds(run)
    return max(head, fitted.seconds) if isinstance(plan, FitPlan) else head + fitted.seconds


def _at_its_size(run: Path, recipe: Recipe, prepared: Prepared, progress: Progress) -> Prepared:
    size = suggested(prepared.dataset, None).size
    if size != prepared.preprocess.size:
        threads = recipe.threads or machine.usable_cpus()
        prepared = resized(prepared, [size], run, threads=threads, progress=progress)[size]
    mean, std = channel_statistics(prepared.store.images, prepared.split.fit)
    return replace(prepared, preprocess=prepared.preprocess.model_copy(update={"mean": mean, "std": std}))


def _plan(path: Path, recipe: Recipe, prepared: Prepared, seconds: float) -> Plan:
    """Return the plan that is there, or make one that ends after some seconds."""
    known = read_plan(path)
    if isinstance(known, Plan):
        return known
    preprocess, classes = prepared.preprocess, len(prepared.dataset.classes)
    end = time.monotonic() + seconds
    plan = plan_training(
        recipe,
        prepared.examples("fit"),
        Facts(preprocess.size, preprocess.channels, classes, frames=math.prod(preprocess.shape[:-3])),
        lambda draft: make_objective(draft, recipe.architecture, prepared),
        seconds_left=lambda: end - time.monotonic(),
    )
    write_plan(plan, path)
    return plan
