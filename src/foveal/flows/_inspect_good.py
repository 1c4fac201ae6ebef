"""Parts of which only good ones are known: learned, shipped, and measured on all others."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.calibrate.false_calls import FalseCalls, false_calls
from foveal.core import catalog, files, machine, runs
from foveal.core.batches import batches
from foveal.core.errors import MissingExtraError, UsageError
from foveal.core.progress import Progress, silent
from foveal.core.random import seed_for
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.good import one_kind
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import suggest_channels
from foveal.evaluate.paired import independent
from foveal.evaluate.scene_document import SceneReport
from foveal.flows._environment import environment
from foveal.flows._finish_scenes import Shipped, finish_scenes
from foveal.flows._log import Logged
from foveal.flows._origin import origin_of
from foveal.flows._prepare import Prepared, Wishes, prepare
from foveal.flows._run_folder import METRICS, Command, bundle_name, start, undone_if_refused
from foveal.models._places import OnlyGood
from foveal.models.pretrained._weights import Weights, normalization
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify.learn import normalize
from foveal.tasks.recognizer import Recognizer
from foveal.train.loop import Fitted
from foveal.train.recipe import TRANSFERRED, Recipe

MODELS = ("memory", "gaussian")
USUAL_SIDE = 256  # pixels
PROMISED = "false_calls.json"


@dataclass(frozen=True)
class Learned:
    """What a training on good parts left behind.

    Attributes:
        run: The run folder.
        bundle: The sealed file, or None where file and network do not answer alike.
        page: The page.
        report: What was measured on the test part; None without a bundle.
        promised: From which score on a part is called defective, and how often a good one is; None likewise.
        trained: Whether the features were learned before; otherwise they are random filters.
        seconds: All of it took.
    """

    run: Path
    bundle: Path | None
    page: Path
    report: SceneReport | None
    promised: FalseCalls | None
    trained: bool
    seconds: float


def train_good(  # noqa: PLR0913 - as `flows.train.train`, and what is promised
    data: str | Path,
    recipe: Recipe | None = None,
    *,
    rate: float = 0.05,
    delta: float = 0.05,
    out: Path | None = None,
    force: bool = False,
    strict: bool = False,
    progress: Progress = silent,
) -> Learned:
    """Learn what good parts look like, ship it and measure the file; no defective part is learned from.

    All defective pictures measure, whatever split they lie in, and good ones of the test part.

    Args:
        data: Anything that opens with the task `defect`.
        recipe: Of it count model (`memory` or `gaussian`), size, seed, threads, group, good, and what its
            backbone starts from. None, or where it names no weights: those of EfficientNet-Lite0 where their
            package is installed, else random filters, which see less.
        rate: Share of good parts that may be called defective, on average.
        delta: Probability that the bound that is told of it does not hold.
        out: Run folder; None: a new one.
        force: Replace what is there.
        strict: Warnings about the data stop it, too.
        progress: Told about every stage.

    Raises:
        UsageError: `other_task`, `unknown_model`: the recipe is for something else; a share outside (0, 1).
        DataError: `no_good_parts`: no good picture to learn from, or the data would spoil the result.
        WriteError: The run folder cannot be written, holds something else, or lies in the data.
    """
    began = time.monotonic()
    false_calls(np.zeros(0), rate=rate, delta=delta)  # refuses shares before anything is read
    recipe, weights = _complete(recipe or Recipe())
    runs.keep_apart(out, *opening.places(data))
    dataset = one_kind(recipe.opened(data))
    command = Command(bundle_name(Path(data)), strict, str(Path(data).absolute()))
    made = out is None or not files.is_there(out)
    run = runs.new_run("inspect", out=out, force=force)
    with runs.locked(run):
        with undone_if_refused(run, started=True, made=made):
            start(run, recipe, command, environment(recipe))
            runs.mark_last(run)
            told = Logged(progress, run / "log.txt")
            prepared = prepare(dataset, run, _wishes(dataset, recipe, weights, strict), progress=told)
        shipped = _shipped(run, command.name, recipe, prepared, weights, told)
        promised = _promised(shipped, prepared, rate=rate, delta=delta)
        learned = Learned(
            run,
            shipped.exported.bundle,
            shipped.page,
            shipped.report,
            promised,
            weights is not None,
            time.monotonic() - began,
        )
        if promised is not None:
            files.write_json(run / PROMISED, promised.as_json())
        if shipped.report is not None:
            files.write_json(run / METRICS, shipped.report.as_json())
        return learned


def _complete(recipe: Recipe) -> tuple[Recipe, Weights | None]:
    """Return the recipe with all that it leaves open, and the weights that its backbone starts from."""
    if recipe.task not in (None, "defect"):
        raise UsageError(f"defects are inspected; the recipe is for {recipe.task}", code="other_task")
    given = "model" in recipe.model_fields_set
    model = catalog.written(recipe.architecture.name) if given else MODELS[0]
    if model not in MODELS:
        raise UsageError(
            f"{catalog.spoken(model)} does not learn from good pictures alone",
            code="unknown_model",
            hint=f"--model {' or '.join(MODELS)}",
        )
    recipe = recipe.changed(task="defect", model=model)
    if recipe.transfers or recipe.backbone is not None:
        return recipe, origin_of(recipe)
    try:
        usual = recipe.changed(transfer=True, backbone=TRANSFERRED)
        return usual, origin_of(usual)
    except MissingExtraError:
        return recipe, None


def _wishes(dataset: Dataset, recipe: Recipe, weights: Weights | None, strict: bool) -> Wishes:
    """Return what the preparation depends on: both sides become the size, so that parts lie alike."""
    size, channels = recipe.size or USUAL_SIDE, suggest_channels(dataset)
    if size % 32:
        raise UsageError(f"the size is a multiple of 32 pixels; got {size}")
    mean: tuple[float, ...] = (0.5,) * channels
    std: tuple[float, ...] = (0.25,) * channels
    if weights is not None:
        channels = max(3, channels)
        mean, std, _ = normalization(weights, channels=channels)
    like = Preprocess(size=size, channels=channels, resize="whole", mean=mean, std=std)
    threads = recipe.threads or machine.usable_cpus()
    return Wishes(
        size, recipe.dividing_seed, strict, threads, images=recipe.images, like=like, only_good=True
    )


def _shipped(
    run: Path,
    name: str,
    recipe: Recipe,
    prepared: Prepared,
    weights: Weights | None,
    progress: Progress,
) -> Shipped:
    recognizer = _learn(recipe, prepared, weights, progress)
    recognizers.save(recognizer, run / "model")
    threads = recipe.threads or machine.usable_cpus()
    fitted = Fitted(recognizer.network.state_dict(), [], 0.0, 0.0, 0.0, 0)
    return finish_scenes(
        run,
        recognizer,
        prepared,
        fitted,
        name=name,
        recipe=recipe,
        weights=weights,
        threads=threads,
        progress=progress,
    )


def _learn(recipe: Recipe, prepared: Prepared, weights: Weights | None, progress: Progress) -> Recognizer:
    """Return the network after it has taken in the good pictures of the fit part."""
    preprocess, examples = prepared.preprocess, prepared.examples("fit")
    arguments: dict[str, Any] = {
        "channels": preprocess.channels,
        "classes": len(prepared.dataset.classes),
        "size": list(preprocess.sides),
        **recipe.network,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "weights"))
        network = recipe.architecture.build(**arguments)
    assert isinstance(network, OnlyGood)
    if weights is not None:
        network.places.start_from(weights.tensors)
    passes = 0

    def pictures() -> Iterator[Tensor]:
        nonlocal passes
        passes += 1
        progress("looking at good parts", passes, network.passes)
        for batch in batches(examples.images, examples.indices):
            yield normalize(torch.from_numpy(batch), preprocess)

    network.learn(pictures, seed=seed_for(recipe.seed, "bank") % 2**31)
    return Recognizer(
        network.eval(), recipe.architecture.name, arguments, preprocess, prepared.dataset.classes, "defect"
    )


def _promised(shipped: Shipped, prepared: Prepared, *, rate: float, delta: float) -> FalseCalls | None:
    """Return what the file promises of good parts, by those of the calib part; of a group one counts."""
    if shipped.exported.bundle is None:
        return None
    split = prepared.split
    alone = split.calib[independent(split.units[split.calib], len(split.calib), seed=split.seed)]
    predictor = Predictor.open(shipped.exported.bundle, engine=REFERENCE)
    scores = [predictor.suspect(batch).scores for batch in batches(prepared.store.images, alone)]
    return false_calls(np.concatenate([np.empty(0, np.float32), *scores]), rate=rate, delta=delta)
