"""The data-efficiency curve: the same recipes trained anew on fewer pictures, measured on the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.archive import SUFFIX
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import files, runs
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.inventory import content_hashes
from foveal.evaluate.answers import answers
from foveal.flows._contestants import Contestant
from foveal.flows._held_out import choose
from foveal.flows._run_folder import METRICS, RECIPE
from foveal.flows._sealed import Sealed
from foveal.flows.train import resume, train
from foveal.metrics.accuracy import accuracy
from foveal.train.recipe import read_recipe

Row = dict[str, Any]
LEAST_SECONDS = 60.0  # of a training with a budget, however few its pictures


@dataclass(frozen=True)
class Curve:
    """What is asked for.

    Attributes:
        images: Numbers of training pictures, each below what the runs have learned from.
        folder: Gets a run folder for each training; None: `runs/compare-<n>`.
        split: Part of the data that the runs answered for.
        threads: For training and measuring.
    """

    images: tuple[int, ...]
    folder: Path | None = None
    split: str | None = None
    threads: int = 1


def data_efficiency(
    found: Sequence[Contestant], dataset: Dataset, curve: Curve, *, progress: Progress = silent
) -> list[Row]:
    """Train the recipes of runs anew on fewer of their pictures, and measure on the same test pictures.

    A smaller set of training pictures is part of a larger one. A training with a time budget gets the share
    of it that its pictures are of all, at least a minute (or all of a smaller budget). What is in the folder
    already is not trained again, and a training that was stopped goes on.

    Args:
        found: Two or more runs, and what they answered.
        dataset: What they were trained on.
        curve: Which points.
        progress: Told about every training.

    Returns:
        Rows `name images accuracy run`, the smallest number first and the run itself last for each model.

    Raises:
        UsageError: A model is no run folder, has learned from other data, a number is too large, or the
            folder holds a training by another recipe (`other_training`).
        FovealError: What opening, training and measuring may raise.
    """
    _check(found, curve.images)
    runs.keep_apart(curve.folder, *opening.places(dataset.path))
    folder = curve.folder or runs.new_run("compare")
    files.make_folder(folder)
    hashes = content_hashes(dataset, progress=progress)
    rows = []
    for one in found:
        for count in sorted(set(curve.images)):
            run = folder / f"{one.name.replace('/', '-')}-{count}"
            told = _about(f"{one.name} from {count:,}", progress)
            trained = _trained(one, dataset.path, count, run, threads=curve.threads, progress=told)
            rows.append(_point(one, trained, dataset, hashes, split=curve.split, progress=progress))
        full = one.predictor.manifest.data.images.fit
        rows.append(
            _row(one.name, full, accuracy(one.probabilities, one.held_out.labels).as_json(), one.path)
        )
    return rows


def _check(found: Sequence[Contestant], images: Sequence[int]) -> None:
    """Refuse a curve that could not be measured, before any training."""
    for one in found:
        learned = one.predictor.manifest.data
        if not (one.bundle.parent / RECIPE).is_file():
            raise UsageError(
                f"{one.path} is no run folder: the recipe that a curve trains anew is not known",
                hint="name the folder that foveal train has written",
            )
        if learned.fingerprint != one.held_out.fingerprint:
            raise UsageError(f"{one.path} has learned from other data; a curve takes those of its training")
        if max(images) >= learned.images.fit:
            raise UsageError(
                f"{one.path} has learned from {learned.images.fit:,} pictures; a curve takes fewer, "
                f"not {max(images):,}",
                hint="leave out the larger numbers",
            )


def _about(what: str, progress: Progress) -> Progress:
    """Return progress that says which of several trainings it is about."""

    def tell(stage: str, done: int, total: int, note: str = "") -> None:
        progress(f"{what}: {stage}", done, total, note)

    return tell


def _trained(one: Contestant, data: Path, count: int, run: Path, *, threads: int, progress: Progress) -> Path:
    """Train on so many pictures, as far as that is not done yet, and return the bundle."""
    recipe = read_recipe(one.bundle.parent / RECIPE).changed(images=count, threads=threads)
    if recipe.time_seconds is not None:
        share = count / one.predictor.manifest.data.images.fit
        least = min(LEAST_SECONDS, recipe.time_seconds)
        recipe = recipe.changed(time_seconds=max(least, share * recipe.time_seconds))
    if (run / RECIPE).is_file():
        if read_recipe(run / RECIPE) != recipe:
            raise UsageError(
                f"{run} was trained by another recipe",
                code="other_training",
                hint="choose another --out, or remove this folder",
                path=run,
            )
        finished = _finished(run, one.predictor.manifest.data.fingerprint)
        if finished is not None:
            return finished
        trained = resume(run, data, progress=progress)
    else:
        trained = train(data, recipe=recipe, out=run, progress=progress)
    if trained.bundle is None:
        raise UsageError(f"the training in {run} gave no bundle; {trained.report} says why")
    return trained.bundle


def _finished(run: Path, fingerprint: str | None) -> Path | None:
    """Return the bundle of a run that was trained and measured to the end on these data."""
    if not (run / METRICS).is_file() or not list(run.glob(f"*{SUFFIX}")):
        return None
    bundle = locate(run)
    same = Predictor.open(bundle, engine=REFERENCE, threads=1).manifest.data.fingerprint == fingerprint
    return bundle if same else None


def _point(
    one: Contestant,
    bundle: Path,
    dataset: Dataset,
    hashes: Sequence[str],
    *,
    split: str | None,
    progress: Progress,
) -> Row:
    """Measure another bundle on the pictures that a contestant was measured on."""
    predictor = Predictor.open(bundle, engine=REFERENCE)
    chosen = choose(dataset, hashes, Sealed.at(bundle, predictor.manifest), split=split, progress=progress)
    places = {source: place for place, source in enumerate(chosen.held_out.sources)}
    held_out = chosen.held_out.only(np.array([places[source] for source in one.held_out.sources]))
    answered = answers(predictor, held_out, threads=1, progress=progress)
    measured = accuracy(answered.probabilities, held_out.labels[answered.positions]).as_json()
    return _row(one.name, predictor.manifest.data.images.fit, measured, str(bundle.parent))


def _row(name: str, images: int, measured: dict[str, Any], run: str) -> Row:
    return {"name": name, "images": images, "accuracy": measured, "run": run}
