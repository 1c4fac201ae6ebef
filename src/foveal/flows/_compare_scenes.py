"""Recognizers that say where something is, compared on the pictures that all of them held out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.bundle.timing import Times
from foveal.bundle.ways import REFERENCE
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress
from foveal.core.task import OBJECT_TASKS
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import content_hashes
from foveal.evaluate.paired import joined
from foveal.evaluate.paired_scenes import ScenePair, paired_scenes
from foveal.evaluate.panoptic_measure import PanopticMeasure
from foveal.evaluate.scene_measures import AreasMeasure, ObjectsMeasure, OutlinesMeasure, SceneMeasure
from foveal.evaluate.scenes import Answers, Scenes, answered
from foveal.flows._compare_speed import columns, timed, which_is_slower
from foveal.flows._contestants import provenance, short_names
from foveal.flows._held_out import Picked, pick
from foveal.flows._sealed import Sealed


@dataclass(frozen=True)
class SceneContestant:
    """One recognizer and what it did.

    Attributes:
        path: As it was named.
        name: Short, and different from the others'.
        bundle: The file.
        predictor: Opened with one thread for each run.
        picked: What it may be measured on.
        measure: What it is measured by.
        done: What it did on the pictures that count, as `measure.together` gives it.
    """

    path: str
    name: str
    bundle: Path
    predictor: Predictor = field(repr=False)
    picked: Picked = field(repr=False)
    measure: SceneMeasure = field(repr=False)
    done: Any = field(repr=False)


def measure_for(tasks: Sequence[str]) -> type[SceneMeasure]:
    """Return what recognizers for these tasks can be compared by.

    Raises:
        UsageError: `other_task`: nothing.
    """
    if "defect" in tasks:
        raise UsageError(
            "what looks for defects is not compared, certified or made smaller yet",
            code="other_task",
            hint="foveal evaluate measures each by itself, foveal bench its speed",
        )
    if set(tasks) == {"panoptic"}:
        return PanopticMeasure
    if all(task in OBJECT_TASKS for task in tasks):
        return ObjectsMeasure if "detect" in tasks else OutlinesMeasure
    if all(task == "segment" for task in tasks):
        return AreasMeasure
    raise UsageError(
        f"these recognizers answer for different things: {', '.join(dict.fromkeys(tasks))}",
        code="other_task",
        hint="compare those that answer for the same",
    )


def compare_scenes(  # noqa: PLR0913 - what was opened, and how it is compared
    models: Sequence[str | Path],
    bundles: Sequence[Path],
    dataset: Dataset,
    *,
    split: str | None,
    seed: int,
    threads: int,
    progress: Progress,
) -> dict[str, Any]:
    """Return the `foveal.compare/1` document, but for its schema, of recognizers for one kind of question.

    Args:
        models: As they were named.
        bundles: Their files.
        dataset: With what is where on the pictures.
        split: Part of the data; see `_held_out.pick`.
        seed: Of draws and tosses.
        threads: Batches at once.
        progress: Told a few times a second.

    Raises:
        UsageError: `other_task`: they cannot be compared; or no such split.
        DataError: A class that one lacks, a picture that one has learned from, none in common, or nothing is
            on them.
    """
    found, sources, units, unreadable = _contestants(
        models, bundles, dataset, split=split, threads=threads, progress=progress
    )
    progress("resampling", 0, 1)
    measure, done = found[0].measure, [one.done for one in found]
    pairs = paired_scenes(done, measure.both, images=len(sources), units=units, seed=seed)
    worth = [measure.worth(one, units=units, seed=seed) for one in done]
    progress("resampling", 1, 1)
    picture = dataset.read(dataset.sources.index(sources[0]))
    ready = [one.predictor.preprocess for one in found]
    images = [preprocess(picture.decode(preprocess.channels)) for preprocess in ready]
    times = timed(bundles, images, seed=seed, threads=threads, progress=progress)
    first = found[0].picked
    return {
        "data": str(dataset.path),
        "split": first.split if all(one.picked.split == first.split for one in found) else "test",
        "measure": measure.name,
        "images": len(sources),
        "independent_images": len(sources) if units is None else len(np.unique(units)),
        "classes": list(dataset.classes),
        "models": [
            {**_row(one, taken), measure.name: value.as_json()}
            for one, taken, value in zip(found, times, worth, strict=True)
        ],
        "pairs": [_pair(pair, found, times) for pair in pairs],
        "resistance": None,
        "disagreements": [],
        "curve": [],
        "unreadable": unreadable,
        "provenance": provenance(found[0].predictor, dataset, first.fingerprint, seed=seed, threads=threads),
    }


def _contestants(
    models: Sequence[str | Path],
    bundles: Sequence[Path],
    dataset: Dataset,
    *,
    split: str | None,
    threads: int,
    progress: Progress,
) -> tuple[list[SceneContestant], list[str], NDArray[np.int64] | None, list[dict[str, Any]]]:
    """Have all look at the pictures that every one may be measured on.

    Returns:
        The contestants; the pictures that all could use; what these belong to; and `{source, error}` of the
        others.
    """
    predictors = [Predictor.open(bundle, engine=REFERENCE, threads=1) for bundle in bundles]
    kind = measure_for([predictor.manifest.task for predictor in predictors])
    classes = list(dict.fromkeys(name for predictor in predictors for name in predictor.classes))
    hashes = content_hashes(dataset, progress=progress)
    picks = [
        pick(dataset, hashes, Sealed.at(bundle, predictor.manifest), split=split, progress=progress)
        for bundle, predictor in zip(bundles, predictors, strict=True)
    ]
    common = _shared(picks, dataset)
    measures = [
        kind(predictor, picked.dataset, classes) for predictor, picked in zip(predictors, picks, strict=True)
    ]
    seen = [
        looked(predictor, measure, picked.dataset, common, threads=threads, progress=progress)
        for predictor, measure, picked in zip(predictors, measures, picks, strict=True)
    ]
    kept = sorted(set(seen[0].positions).intersection(*(one.positions for one in seen[1:])))
    if not kept:
        raise DataError(
            f"there is no picture in {dataset.path} that all models can use",
            code="no_readable_images",
            path=dataset.path,
        )
    rows = []
    for k, name in enumerate(short_names(bundles)):
        at = dict(zip(seen[k].positions, seen[k].found, strict=True))
        done = measures[k].together([at[position] for position in kept])
        rows.append(
            SceneContestant(str(models[k]), name, bundles[k], predictors[k], picks[k], measures[k], done)
        )
    errors = {str(error.path): error.as_json() for one in seen for error in one.unreadable}
    units = joined([picked.units[common[kept]] for picked in picks])
    sources = [dataset.sources[common[position]] for position in kept]
    return rows, sources, units, [{"source": name, "error": error} for name, error in errors.items()]


def _shared(picks: Sequence[Picked], dataset: Dataset) -> NDArray[np.int64]:
    """Return which pictures of the data all held out, in the order of the first."""
    others = set(picks[0].indices.tolist()).intersection(*(one.indices.tolist() for one in picks[1:]))
    common = np.array([index for index in picks[0].indices.tolist() if index in others], np.int64)
    if len(common) == 0:
        raise DataError(
            f"there is no picture in {dataset.path} that all {len(picks)} models held out",
            code="no_images",
            hint="train them with the same --seed, or compare them on other pictures",
            path=dataset.path,
        )
    return common


def looked(
    predictor: Predictor,
    measure: SceneMeasure,
    dataset: Dataset,
    indices: NDArray[np.int64],
    *,
    threads: int,
    progress: Progress,
) -> Answers[Any]:
    """Return what a recognizer did on some pictures of the data.

    Args:
        predictor: The recognizer.
        measure: What it is measured by.
        dataset: The data.
        indices: Which of their pictures, int64 (N,).
        threads: Batches at once.
        progress: Told a few times a second.

    Raises:
        UsageError: There are no pictures.
        DataError: `no_readable_images`: not one can be used.
    """
    preprocess = predictor.preprocess

    def read(position: int) -> UInt8:
        return preprocess(dataset.read(int(indices[position])).decode(preprocess.channels))

    scenes = Scenes[Any](
        [dataset.sources[index] for index in indices],
        read,
        lambda position: measure.truth(int(indices[position])),
        lambda position: measure.size(int(indices[position])),
    )
    return answered(
        scenes,
        lambda images, positions: measure.look(images, [int(indices[position]) for position in positions]),
        shape=preprocess.shape,
        threads=threads,
        progress=progress,
    )


def _row(one: SceneContestant, times: Times) -> dict[str, Any]:
    manifest = one.predictor.manifest
    return {
        "path": one.path,
        "name": one.name,
        "model": manifest.model.name,
        "task": manifest.task,
        "digest": manifest.digest,
        "unseen": one.picked.unseen,
        "trained_on": manifest.data.images.fit,
        "input_size": max(manifest.preprocess.sides),
        **columns(times),
        "size_bytes": one.predictor.size_bytes,
        "parameters": manifest.model.parameters,
        "macs": manifest.model.macs,
    }


def _pair(pair: ScenePair, found: Sequence[SceneContestant], times: Sequence[Times]) -> dict[str, Any]:
    one, other = ((found[place].name, times[place]) for place in (pair.a, pair.b))
    return {**asdict(pair), "a": one[0], "b": other[0], "latency": which_is_slower(one, other)}
