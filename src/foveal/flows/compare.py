"""Several recognizers on the same pictures: which is better, is that proven, and what does it cost?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive
from foveal.bundle.timing import Times
from foveal.core import files, machine
from foveal.core.errors import UsageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.core.task import SCENE_TASKS
from foveal.data.dataset import Dataset, UInt8
from foveal.evaluate.held_out import sample
from foveal.evaluate.paired import Pair, independent, paired
from foveal.evaluate.robustness import MOST_IMAGES, robustness
from foveal.evaluate.structure import structure
from foveal.flows._compare_scenes import compare_scenes, measure_for
from foveal.flows._compare_speed import columns, timed, which_is_slower
from foveal.flows._contestants import Contestant, contestants, located, provenance
from foveal.flows._grouped import grouped
from foveal.flows._resisting import check_level, resisting
from foveal.metrics.accuracy import accuracy
from foveal.metrics.balanced_accuracy import balanced_accuracy
from foveal.metrics.ece import ece, ece_null
from foveal.metrics.worst_class import worst_class

SCHEMA = "foveal.compare/1"
_SHOWN = 12  # pictures for each side of a pair


@dataclass(frozen=True)
class Compared:
    """What was found.

    Attributes:
        document: The `foveal.compare/1` document.
        pictures: The pictures in its `disagreements`, by source, uint8 (H, W, C) at the first model's size.
    """

    document: dict[str, Any]
    pictures: dict[str, UInt8] = field(repr=False)


@dataclass(frozen=True)
class Terms:
    """How to compare.

    Attributes:
        split: Part of the data; None is the test part of training data and all of other data.
        curve: Also train anew on so many training pictures; see `flows.data_efficiency`.
        folder: Of these trainings; None: `runs/compare-<n>`.
        seed: Of disturbances and shuffling, and of the draw among pictures that belong together.
        threads: None takes all processors we may use.
        robustness: `none`, `quick` or `full`: how much is asked under corruption and attack.
        group: What belongs together in data that are a path; None: what the runs were told.
    """

    split: str | None = None
    curve: tuple[int, ...] = ()
    folder: Path | None = None
    seed: int = 0
    threads: int | None = None
    robustness: str = "quick"
    group: str | None = None


USUAL = Terms()


def compare(
    models: Sequence[str | Path],
    data: str | Path | Dataset,
    terms: Terms = USUAL,
    *,
    progress: Progress = silent,
) -> Compared:
    """Compare recognizers on pictures that none of them has learned from.

    Args:
        models: Two or more bundles, or run folders that hold one.
        data: Anything `data.open` recognizes, or what it returned. Which pictures count and which belong
            together: as in `foveal evaluate`; where two models held out different ones, those that all held
            out, and what belongs together for one of them does so for all.
        terms: How.
        progress: Told a few times a second.

    Raises:
        NotFoundError: No such model or data.
        BundleError: A bundle is not to be trusted.
        DataError: A class that a model lacks, a picture that one has learned from, or none in common.
        UsageError: Fewer than two models, one named twice, no such split or level, or a curve that cannot be
            drawn.
    """
    seed, threads = terms.seed, terms.threads or machine.usable_cpus()
    check_level(terms.robustness)
    bundles = located(models)
    manifests = [archive.read(bundle).manifest for bundle in bundles]
    if any(manifest.task in SCENE_TASKS for manifest in manifests):
        return _scenes(models, bundles, data, [one.task for one in manifests], terms, progress)
    clip = manifests[0].preprocess.clip
    dataset = data if isinstance(data, Dataset) else grouped(data, bundles, clip, group=terms.group)
    found, unreadable = contestants(models, dataset, split=terms.split, threads=threads, progress=progress)
    points = _curve(found, dataset, replace(terms, threads=threads), progress) if terms.curve else []
    first = found[0].held_out
    counted = independent(first.units, len(first), seed=seed)
    pairs = paired([one.right[counted] for one in found])
    images = [one.held_out.read(0) for one in found]
    times = timed([one.bundle for one in found], images, seed=seed, threads=threads, progress=progress)
    disturbed = _disturbed(found, seed=seed, threads=threads, progress=progress)
    resisted = resisting(
        found, counted, level=terms.robustness, seed=seed, threads=threads, progress=progress
    )
    rows = [
        {**_row(one, taken), **extra, "ece_null_p95": ece_null(one.probabilities, seed=seed)}
        for one, taken, extra in zip(found, times, disturbed, strict=True)
    ]
    shown = [row for pair in pairs for row in _disagreements(found, pair, counted, seed=seed)]
    document = {
        "schema": SCHEMA,
        "ok": True,
        "data": str(data.path if isinstance(data, Dataset) else data),
        "split": first.split,
        "images": len(first),
        "independent_images": len(counted),
        "classes": [found[0].predictor.classes[k] for k in np.unique(first.labels)],
        "models": rows,
        "pairs": [_pair(pair, found, times) for pair in pairs],
        "resistance": resisted,
        "disagreements": shown,
        "curve": points,
        "unreadable": unreadable,
        "provenance": provenance(found[0].predictor, dataset, first.fingerprint, seed=seed, threads=threads),
    }
    return Compared(document, first.pictures([row["source"] for row in shown]))


def _scenes(
    models: Sequence[str | Path],
    bundles: Sequence[Path],
    data: str | Path | Dataset,
    tasks: Sequence[str],
    terms: Terms,
    progress: Progress,
) -> Compared:
    """Compare recognizers of which some say where something is.

    Raises:
        UsageError: `other_task`: they answer for different things, or what is asked is for a class.
    """
    measure_for(tasks)
    if terms.curve or terms.robustness == "full":
        raise UsageError(
            "these recognizers say where something is: no curve is trained, and no disturbance measured",
            code="other_task",
            hint="leave --curve and --robustness out",
        )
    opened = data
    if not isinstance(opened, Dataset):
        task = "detect" if "detect" in tasks else tasks[0]
        opened = grouped(opened, bundles, None, group=terms.group, task=task, things=_counted(bundles))
    found = compare_scenes(
        models,
        bundles,
        opened,
        split=terms.split,
        seed=terms.seed,
        threads=terms.threads or machine.usable_cpus(),
        progress=progress,
    )
    return Compared({"schema": SCHEMA, "ok": True, **found}, {})


def _counted(bundles: Sequence[Path]) -> tuple[str, ...]:
    """Return the classes whose objects panoptic recognizers count; none of any other.

    Raises:
        UsageError: `other_task`: two count other classes.
    """
    told = {archive.read(bundle).manifest.things for bundle in bundles}
    if len(told) > 1:
        raise UsageError(
            "these recognizers count objects of other classes",
            code="other_task",
            hint="compare those that were trained with the same --things",
        )
    return told.pop()


def check_has_page(models: Sequence[str | Path]) -> None:
    """Refuse a page before anything is measured where there is none.

    Raises:
        UsageError: `other_task`: one says where something is.
        NotFoundError, BundleError: There is none, or it is not to be trusted.
    """
    if any(archive.read(bundle).manifest.task in SCENE_TASKS for bundle in located(models)):
        raise UsageError(
            "no page compares what says where something is",
            code="other_task",
            hint="leave --report out; foveal evaluate --report shows what each finds",
        )


def write_page(compared: Compared, path: Path) -> None:
    """Write the comparison as one HTML page; it shows pictures on which the recognizers differ.

    Raises:
        MissingExtraError: The page needs the `train` extra.
        WriteError: It cannot be written.
    """
    from foveal.report.comparison_page import comparison_page

    files.write_text(path, comparison_page(compared.document, pictures=compared.pictures))


def _curve(
    found: Sequence[Contestant], dataset: Dataset, terms: Terms, progress: Progress
) -> list[dict[str, Any]]:
    from foveal.flows import data_efficiency  # here: it trains; the rest needs no torch

    asked = data_efficiency.Curve(terms.curve, terms.folder, terms.split, terms.threads or 1)
    return data_efficiency.data_efficiency(found, dataset, asked, progress=progress)


def _disturbed(
    found: Sequence[Contestant], *, seed: int, threads: int, progress: Progress
) -> list[dict[str, list[dict[str, Any]]]]:
    """Return each one's accuracies on disturbed pictures, and without their detail or arrangement."""

    def rows(one: Contestant) -> dict[str, list[dict[str, Any]]]:
        images, labels = sample(one.held_out, np.arange(len(one.held_out)), at_most=MOST_IMAGES)
        corrupted = robustness(one.predictor, images, labels, seed=seed)
        seen = structure(one.predictor, images, labels, seed=seed)
        return {"robustness": list(map(asdict, corrupted)), "structure": list(map(asdict, seen))}

    progress("disturbing", 0, len(found))
    results = []
    for result in in_order(rows, found, workers=threads, name="foveal-compare"):
        results.append(result)
        progress("disturbing", len(results), len(found))
    return results


def _row(one: Contestant, times: Times) -> dict[str, Any]:
    manifest, probabilities, labels = one.predictor.manifest, one.probabilities, one.held_out.labels
    worst = worst_class(probabilities, labels)
    return {
        "path": one.path,
        "name": one.name,
        "model": manifest.model.name,
        "digest": manifest.digest,
        "unseen": one.unseen,
        "trained_on": manifest.data.images.fit,
        "input_size": manifest.preprocess.size,
        "accuracy": accuracy(probabilities, labels).as_json(),
        "on_training_images": None if one.remembered is None else one.remembered.as_json(),
        "balanced_accuracy": balanced_accuracy(probabilities, labels).as_json(),
        "worst_class": {"class": one.predictor.classes[worst.index], **worst.recall.as_json()},
        "ece": ece(probabilities, labels),
        **columns(times),
        "size_bytes": one.predictor.size_bytes,
        "parameters": manifest.model.parameters,
        "macs": manifest.model.macs,
    }


def _pair(pair: Pair, found: Sequence[Contestant], times: Sequence[Times]) -> dict[str, Any]:
    one, other = ((found[place].name, times[place]) for place in (pair.a, pair.b))
    return {**asdict(pair), "a": one[0], "b": other[0], "latency": which_is_slower(one, other)}


def _disagreements(
    found: Sequence[Contestant], pair: Pair, counted: NDArray[np.int64], *, seed: int
) -> list[dict[str, Any]]:
    """Return some pictures that only one of two named correctly, drawn by chance."""
    rows = []
    for winner, loser in ((found[pair.a], found[pair.b]), (found[pair.b], found[pair.a])):
        differs = counted[winner.right[counted] & ~loser.right[counted]]
        order = stream(seed, "compare", "shown", winner.name, loser.name).permutation(len(differs))
        for position in np.sort(differs[order[:_SHOWN]]).tolist():
            taken = int(loser.probabilities[position].argmax())
            rows.append(
                {
                    "source": loser.held_out.sources[position],
                    "right": winner.name,
                    "wrong": loser.name,
                    "truth": loser.predictor.classes[loser.held_out.labels[position]],
                    "label": loser.predictor.classes[taken],
                    "confidence": float(loser.probabilities[position, taken]),
                }
            )
    return rows
