"""Pictures of a certificate of what says where something is: what tests, what proves, what was used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.calibrate.fit import split_roles
from foveal.certify.scene_subject import Located
from foveal.certify.subject import Overlap
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.task import OBJECT_TASKS
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import content_hashes
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.paired import independent
from foveal.evaluate.panoptic_measure import PanopticMeasure
from foveal.evaluate.scene_measures import ObjectsMeasure, SceneMeasure
from foveal.flows._certified_pictures import Used, Wishes, digest_of, overlap_of
from foveal.flows._compare_scenes import looked, measure_for
from foveal.flows._held_out import Picked, pick, used_contents
from foveal.flows._sealed import Sealed


@dataclass(frozen=True)
class ScenePictures:
    """Pictures with roles.

    Attributes:
        measure: Counts on one picture after the other.
        test: What is measured on.
        proving: Calibration pictures; None where they are not at hand, or chose something.
        tuning: Those of them, by their place, that choose what is proven on the others.
        overlap: Test pictures that were used before.
        used: What the certificate says of all of them.
    """

    measure: SceneMeasure
    test: Located
    proving: Located | None
    tuning: tuple[int, ...]
    overlap: Overlap
    used: Used


def scene_pictures(
    predictor: Predictor, sealed: Sealed, dataset: Dataset, wishes: Wishes, *, progress: Progress
) -> ScenePictures:
    """Return the pictures that a certificate rests on, with what the file did on them.

    Args:
        predictor: The file, opened.
        sealed: The same, with what says what it was made from.
        dataset: The data.
        wishes: Which of them.
        progress: Told a few times a second.

    Raises:
        DataError, UsageError: As `_held_out.pick`; no picture can be read; or `no_objects`: nothing is on
            the pictures.
    """
    manifest = predictor.manifest
    kind = measure_for([manifest.task])
    hashes = content_hashes(dataset, progress=progress)
    picked = pick(dataset, hashes, sealed, split=wishes.split, progress=progress)
    measure = kind(predictor, picked.dataset, predictor.classes)
    alone = _alone(picked, seed=wishes.seed)
    tested = alone[evenly_spaced(len(alone), at_most=wishes.at_most)]
    test = _located(predictor, measure, picked.dataset, tested, wishes.threads, progress)
    proving = _proving(predictor, measure, picked, sealed, hashes, wishes, progress)
    if isinstance(measure, ObjectsMeasure | PanopticMeasure) and not measure.objects(test.done).truths.any():
        raise DataError(
            f"nothing is stated on any of the {len(test)} pictures that test", code="no_objects",
            path=dataset.path,
        )  # fmt: skip
    contents = dict(zip(dataset.sources, hashes, strict=True))
    named = {"test": [dataset.sources[index] for index in test.indices]}
    tuning: tuple[int, ...] = ()
    if proving is not None:
        named["proving"] = [dataset.sources[index] for index in proving.indices]
        rows, _ = split_roles(np.zeros(len(proving), np.int64), seed=manifest.data.split_seed)
        tuning = tuple(rows.tolist())
    used = used_contents(dataset, hashes, sealed, progress=progress)
    return ScenePictures(
        measure=measure,
        test=test,
        proving=proving,
        tuning=tuning,
        overlap=overlap_of(named["test"], contents, used),
        used=Used(
            fingerprint=picked.fingerprint,
            split=picked.split,
            unseen=picked.unseen,
            available=len(picked.indices),
            independent=len(alone),
            unreadable=test.unreadable,
            roles={role: (len(one), digest_of(one, contents)) for role, one in reversed(named.items())},
        ),
    )


def _alone(picked: Picked, *, seed: int) -> NDArray[np.int64]:
    """Return the pictures that are picked; of those that belong together one."""
    units = picked.units[picked.indices]
    return picked.indices[independent(units, len(picked.indices), seed=seed)]


def _proving(  # noqa: PLR0913 - what was opened, and what is known of the data
    predictor: Predictor,
    measure: SceneMeasure,
    tested: Picked,
    sealed: Sealed,
    hashes: Sequence[str],
    wishes: Wishes,
    progress: Progress,
) -> Located | None:
    """Return the calibration pictures of a detector, where all of them did nothing but calibrate it."""
    manifest = predictor.manifest
    others = tested.fingerprint != manifest.data.fingerprint or tested.split == "calib"
    if manifest.task not in OBJECT_TASKS or others or manifest.data.images.calib == 0:
        return None
    calib = pick(tested.dataset, hashes, sealed, split="calib", progress=progress)
    if len(calib.indices) != manifest.objects.n:  # a search chose by some of them
        return None
    alone = _alone(calib, seed=wishes.seed)
    return _located(predictor, measure, calib.dataset, alone, wishes.threads, progress)


def _located(
    predictor: Predictor,
    measure: SceneMeasure,
    dataset: Dataset,
    indices: NDArray[np.int64],
    threads: int,
    progress: Progress,
) -> Located:
    """Return those of some pictures that can be used, with what the file did on each."""
    found = looked(predictor, measure, dataset, indices, threads=threads, progress=progress)
    preprocess, kept = predictor.preprocess, [int(indices[position]) for position in found.positions]

    def read(place: int) -> UInt8:
        return preprocess(dataset.read(kept[place]).decode(preprocess.channels))

    return Located(kept, read, found.found, unreadable=len(found.unreadable))
