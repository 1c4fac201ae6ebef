"""Recognizers that are to be compared, and what they answer for the pictures that all of them held out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import machine
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress
from foveal.core.types import Measured
from foveal.data.dataset import Dataset
from foveal.data.inventory import content_hashes
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.answers import answers
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.paired import joined
from foveal.flows._held_out import choose, learned_from
from foveal.flows._prepare import SPLIT
from foveal.flows._sealed import Sealed
from foveal.metrics.accuracy import accuracy

_MOST_REMEMBERED = 500


@dataclass(frozen=True)
class Contestant:
    """One recognizer and what it answered.

    Attributes:
        path: As it was named.
        name: Short, and different from the others'.
        bundle: The file.
        predictor: Opened with one thread for each run.
        held_out: N pictures, the same for all contestants, at this model's size.
        unseen: How it is known that it has not learned from them; see `Chosen.unseen`.
        probabilities: Its answers, float32 (N, K).
        remembered: Its accuracy on pictures that it has learned from: how well it remembers, nothing else;
            None where these are not its training data, or the run's `split.json` is not beside the bundle.
    """

    path: str
    name: str
    bundle: Path
    predictor: Predictor = field(repr=False)
    held_out: HeldOut = field(repr=False)
    unseen: str | None
    probabilities: NDArray[np.float32] = field(repr=False)
    remembered: Measured | None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether it named each picture correctly, bool (N,)."""
        found: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.held_out.labels
        return found


def contestants(
    models: Sequence[str | Path], dataset: Dataset, *, split: str | None, threads: int, progress: Progress
) -> tuple[list[Contestant], list[dict[str, Any]]]:
    """Open recognizers and have them answer for the pictures that every one of them may be measured on.

    Args:
        models: Two or more bundles, or run folders that hold one.
        dataset: The pictures.
        split: Part of them; see `_held_out.choose`.
        threads: Batches at once.
        progress: Told a few times a second.

    Returns:
        The contestants in the order of `models`; and `{source, error}` of the pictures that one of them could
        not use, which are in no number.

    Raises:
        UsageError: Fewer than two models, one named twice, or no such split.
        DataError: A class that a model lacks, a picture that one has learned from, or none in common.
    """
    bundles = located(models)
    predictors = [
        Predictor.open(bundle, engine=REFERENCE, threads=1) for bundle in bundles
    ]  # batches run side by side
    sealed = [
        Sealed.at(bundle, predictor.manifest) for bundle, predictor in zip(bundles, predictors, strict=True)
    ]
    hashes = content_hashes(dataset, progress=progress)
    chosen = [choose(dataset, hashes, one, split=split, progress=progress) for one in sealed]
    shared = _shared([one.held_out for one in chosen], dataset.path)
    found = [
        answers(predictor, held_out, threads=threads, progress=progress)
        for predictor, held_out in zip(predictors, shared, strict=True)
    ]
    kept = found[0].positions
    for one in found[1:]:
        kept = np.intersect1d(kept, one.positions)
    if len(kept) == 0:
        raise DataError(
            f"there is no picture in {dataset.path} that all models can use",
            code="no_readable_images",
            path=dataset.path,
        )
    errors = {str(error.path): error.as_json() for one in found for error in one.unreadable}
    rows = [
        Contestant(
            path=str(models[k]),
            name=name,
            bundle=bundles[k],
            predictor=predictors[k],
            held_out=shared[k].only(kept),
            unseen=chosen[k].unseen,
            probabilities=found[k].probabilities[np.searchsorted(found[k].positions, kept)],
            remembered=_remembered(dataset, hashes, sealed[k], predictors[k], threads, progress),
        )
        for k, name in enumerate(short_names(bundles))
    ]
    return rows, [{"source": source, "error": error} for source, error in errors.items()]


def _remembered(
    dataset: Dataset,
    hashes: Sequence[str],
    sealed: Sealed,
    predictor: Predictor,
    threads: int,
    progress: Progress,
) -> Measured | None:
    if not (sealed.run / SPLIT).is_file():
        return None  # to divide the data again would take longer than all else
    learned = learned_from(dataset, hashes, sealed, progress=progress)
    if learned is None:
        return None
    some = learned.only(np.array(evenly_spaced(len(learned), at_most=_MOST_REMEMBERED)))
    found = answers(predictor, some, threads=threads, progress=progress)
    return accuracy(found.probabilities, some.labels[found.positions])


def located(models: Sequence[str | Path]) -> list[Path]:
    """Return the file of each model.

    Raises:
        UsageError: Fewer than two models, or one named twice.
        NotFoundError: There is none.
    """
    if len(models) < 2:
        raise UsageError(f"a comparison needs two models or more; got {len(models)}")
    bundles = [locate(model) for model in models]
    for place, bundle in enumerate(bundles):
        if any(bundle.samefile(other) for other in bundles[:place]):
            raise UsageError(f"{bundle} is named twice; a recognizer does not differ from itself")
    return bundles


def provenance(
    predictor: Predictor, dataset: Dataset, fingerprint: str | None, *, seed: int, threads: int
) -> dict[str, Any]:
    """Return with what and on what recognizers were compared."""
    return {
        "engine": predictor.session.engine,
        "cpu": machine.cpu_name(),
        "threads": threads,
        "fingerprint": fingerprint,
        "seed": seed,
        "grouped_by": list(dataset.grouped_by),
    }


def _shared(held_out: Sequence[HeldOut], data: Path) -> list[HeldOut]:
    """Return for each the pictures that all held out, in the order of the first.

    What belongs together according to one of them does so for all: a run may know more than a bundle.
    """
    common = set(held_out[0].sources).intersection(*(one.sources for one in held_out[1:]))
    if not common:
        raise DataError(
            f"there is no picture in {data} that all {len(held_out)} models held out",
            code="no_images",
            hint="train them with the same --seed, or compare them on other pictures",
            path=data,
        )
    order = [source for source in held_out[0].sources if source in common]
    found = []
    for one in held_out:
        places = {source: place for place, source in enumerate(one.sources)}
        found.append(one.only(np.array([places[source] for source in order], dtype=np.int64)))
    units = joined([one.units for one in found if one.units is not None])
    split = found[0].split if all(one.split == found[0].split for one in found) else "test"
    return [replace(one, split=split, units=units) for one in found]


def short_names(bundles: Sequence[Path]) -> list[str]:
    """Return short names that tell all bundles apart: their own, else the ends of their folders.

    >>> short_names([Path("/runs/cnn/parts.foveal"), Path("/runs/svm/parts.foveal")])
    ['cnn', 'svm']
    >>> short_names([Path("/a/small.foveal"), Path("/a/large.foveal")])
    ['small', 'large']
    """
    stems = [bundle.stem for bundle in bundles]
    if len(set(stems)) == len(stems):
        return stems
    folders = [bundle.resolve().parent.parts for bundle in bundles]
    for length in range(1, max(map(len, folders)) + 1):
        names = ["/".join(parts[-length:]) for parts in folders]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(parts[1:])}/{stem}" for parts, stem in zip(folders, stems, strict=True)]
