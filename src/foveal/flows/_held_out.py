"""Which pictures of a data set may measure a recognizer: none that it has learned from."""

import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress
from foveal.core.task import SCENE_TASKS
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.fingerprint import fingerprint
from foveal.data.split import Split
from foveal.evaluate.held_out import HeldOut
from foveal.flows._sealed import Sealed

_ROLE_OF_SPLIT = {"train": "fit", "val": "calib"}


@dataclass(frozen=True)
class Chosen:
    """Pictures to measure on, and how it is known that they are unseen.

    Attributes:
        held_out: The pictures, with a class each.
        indices: Which pictures of the data they are, int64 (N,).
        unseen: `split`: they are the test part of the training data; `content`: none of them has the content
            of a picture that was learned from; `calibration`: neither, but some or all of them calibrated
            confidence and thresholds; `unlabelled`: no label of theirs was learned from, but the network was
            shown some or all of them without; None: not known, the bundle alone does not say.
    """

    held_out: HeldOut
    indices: NDArray[np.int64]
    unseen: str | None


@dataclass(frozen=True)
class Picked:
    """Which pictures of some data measure a recognizer, and how it is known that they are unseen.

    Attributes:
        dataset: The data, with names of classes in NFC.
        indices: The pictures, int64 (N,).
        split: What part of the data they are.
        fingerprint: Of the data.
        seed: What the part was drawn with; None: it was not drawn.
        units: For each picture of the data the first that it belongs together with.
        unseen: As in `Chosen`.
    """

    dataset: Dataset
    indices: NDArray[np.int64]
    split: str
    fingerprint: str
    seed: int | None
    units: NDArray[np.int64]
    unseen: str | None


def choose(
    dataset: Dataset, hashes: Sequence[str], sealed: Sealed, *, split: str | None, progress: Progress
) -> Chosen:
    """Return the pictures with a class each to measure a classifier on; see `pick`.

    Raises:
        DataError, UsageError: As `pick`.
    """
    picked = pick(dataset, hashes, sealed, split=split, progress=progress)
    manifest = sealed.manifest
    held_out = HeldOut.of_dataset(picked.dataset, picked.indices, manifest.preprocess, manifest.classes)
    held_out = replace(
        held_out,
        split=picked.split,
        fingerprint=picked.fingerprint,
        split_seed=picked.seed,
        units=picked.units[picked.indices],
    )
    return Chosen(held_out, picked.indices, picked.unseen)


def pick(
    dataset: Dataset, hashes: Sequence[str], sealed: Sealed, *, split: str | None, progress: Progress
) -> Picked:
    """Return the pictures to measure a bundle on.

    Data with the fingerprint of the training data are divided as the training divided them. Any other
    data are all unseen, which is checked by content where the run's `split.json` lies beside the bundle, or
    the bundle itself says what it was taught.

    Args:
        dataset: The data.
        hashes: Content hash of each picture; see `content_hashes`.
        sealed: The bundle.
        split: Part of the data; None is the test part of training data and all of other data.
        progress: Told where the pictures have to be read to draw their division again.

    Raises:
        DataError: A class that the model lacks, a picture that was learned from, or no picture at all.
        UsageError: No such split; or `other_task`: the data are for something else than the recognizer is.
    """
    if split == "":
        raise UsageError("a split has a name; leave --split out for the test part")
    manifest = sealed.manifest
    unseen: str | None
    seed: int | None
    dataset = _named_normally(dataset)
    _check_task(dataset, manifest.task)
    _check_classes(dataset, manifest.classes)
    found = fingerprint(dataset.sources, dataset.truths, hashes)
    if found == manifest.data.fingerprint:
        made, name = _role(dataset, hashes, sealed, split, progress)
        indices, units = made.role(name), made.units
        told = sealed.split is not None or manifest.data.split_digest is not None
        how = "calibration" if name == "calib" else "split"
        unseen, seed = how if told else None, manifest.data.split_seed
    else:
        indices, name = _part(dataset, split)
        units, seed = _units(dataset, hashes), None
        indices, unseen = _new(dataset, hashes, sealed, indices, split)
    unseen = sealed.shown.among({hashes[i] for i in indices}) or unseen
    if len(indices) == 0:
        raise _nothing(dataset, name)
    return Picked(dataset, indices, name, found, seed, units, unseen)


def learned_from(
    dataset: Dataset, hashes: Sequence[str], sealed: Sealed, *, progress: Progress
) -> HeldOut | None:
    """Return the pictures that a recognizer has learned from, or None where these are not its training data.

    They show what it knows, and measure nothing.

    Args:
        dataset: The data.
        hashes: Content hash of each picture; see `content_hashes`.
        sealed: The bundle.
        progress: Told where the pictures have to be read to draw their division again.

    Raises:
        DataError: The training data do not give the division that the bundle was trained with.
    """
    dataset, manifest = _named_normally(dataset), sealed.manifest
    found = fingerprint(dataset.sources, dataset.truths, hashes)
    if found != manifest.data.fingerprint:
        return None
    made = _divided(dataset, hashes, sealed, progress)
    held_out = HeldOut.of_dataset(dataset, made.fit, manifest.preprocess, manifest.classes)
    return replace(held_out, split="fit", units=made.units[made.fit])


def used_contents(
    dataset: Dataset, hashes: Sequence[str], sealed: Sealed, *, progress: Progress
) -> frozenset[str] | None:
    """Return the content hashes of all pictures that a recognizer learned from or was calibrated on.

    Those that it was shown without labels are among them.

    Args:
        dataset: The data.
        hashes: Content hash of each picture; see `content_hashes`.
        sealed: The bundle.
        progress: Told where the pictures have to be read to draw their division again.

    Returns:
        None where it is not known: these are not the training data, no `split.json` is beside the bundle, and
        it was not taught.

    Raises:
        DataError: `bad_split`: the file beside it is damaged; or the training data have changed.
    """
    if sealed.learned is not None:
        return sealed.learned | sealed.calibrated
    dataset = _named_normally(dataset)
    found = fingerprint(dataset.sources, dataset.truths, hashes)
    if found != sealed.manifest.data.fingerprint:
        return None
    made = _divided(dataset, hashes, sealed, progress)
    own = frozenset(hashes[place] for role in (made.fit, made.calib) for place in role)
    return own | sealed.shown.unlabelled | sealed.shown.calib


def _new(
    dataset: Dataset, hashes: Sequence[str], sealed: Sealed, indices: NDArray[np.int64], split: str | None
) -> tuple[NDArray[np.int64], str | None]:
    """Return which of some pictures of other data are meant, and how it is known that they are unseen.

    Raises:
        DataError: `trained_on`: one was learned from.
    """
    saved = sealed.split
    if saved is None:
        if sealed.taught is None:
            return indices, None
        _check_overlap(dataset, hashes, indices, sealed.taught)
        return indices, "content"
    if split in ("calib", "test") and not dataset.split_names:  # training data that changed since
        asked = splits.hashes_of(saved, split)
        known = np.array([i for i in indices if hashes[i] in asked], dtype=np.int64)
        indices = known if len(known) else indices
    _check_overlap(dataset, hashes, indices, splits.hashes_of(saved, "fit"))
    calibrated = splits.hashes_of(saved, "calib")
    return indices, "calibration" if any(hashes[i] in calibrated for i in indices) else "content"


def _units(dataset: Dataset, hashes: Sequence[str]) -> NDArray[np.int64]:
    return splits.unit_of_each(dataset, {i: content for i, content in enumerate(hashes) if content})


def _named_normally(dataset: Dataset) -> Dataset:
    return replace(dataset, classes=tuple(unicodedata.normalize("NFC", name) for name in dataset.classes))


def _check_task(dataset: Dataset, task: str) -> None:
    """Refuse data that state something else than a recognizer answers; clips look after themselves."""
    if (dataset.scenes is None) != (task not in SCENE_TASKS):
        raise UsageError(
            f"this recognizer is for {task}, and {dataset.path} ({dataset.format}) is for {dataset.task}",
            code="other_task",
            hint="name data that state what it answers",
            path=dataset.path,
        )


def _check_classes(dataset: Dataset, known: Sequence[str]) -> None:
    unknown = [name for name in dataset.classes if name not in set(known)]
    if unknown:
        raise DataError(
            f"the model does not know {len(unknown)} of the classes in {dataset.path}: "
            f"{', '.join(map(repr, unknown[:10]))}{' …' if len(unknown) > 10 else ''}",
            code="unknown_classes",
            hint=f"it knows {', '.join(map(repr, known[:10]))}{' …' if len(known) > 10 else ''}; "
            "names must be equal, upper and lower case too",
            path=dataset.path,
        )


def _role(
    dataset: Dataset, hashes: Sequence[str], sealed: Sealed, split: str | None, progress: Progress
) -> tuple[Split, str]:
    """Return the training data as the training divided them, and the role that is meant."""
    name = "test" if split is None else split
    role = _ROLE_OF_SPLIT.get(name, name)
    if role not in splits.ROLES:
        raise UsageError(f"there is no split {name!r}; the training made: {', '.join(splits.ROLES)}")
    made = _divided(dataset, hashes, sealed, progress)
    indices = made.role(role)
    if role == "fit":
        raise _learned(dataset.sources[indices[0]], len(indices), len(indices), dataset.path)
    return made, role


def _divided(dataset: Dataset, hashes: Sequence[str], sealed: Sealed, progress: Progress) -> Split:
    """Return the training data as the training divided them.

    Raises:
        DataError: They do not give the division that the bundle was trained with.
    """
    data, preprocess = sealed.manifest.data, sealed.manifest.preprocess
    if sealed.split is not None:
        made = splits.from_json(sealed.split, dataset, fingerprint=data.fingerprint)
    elif sealed.taught is not None:
        made = splits.of_taught(dataset, hashes, seed=data.split_seed)
    else:
        seen = preprocess.seeing(dataset)
        inventory = inventories.take(seen, progress=progress)
        made = splits.make(dataset, inventory, seed=data.split_seed)
    if data.split_digest not in (None, made.digest):
        raise DataError(
            f"the split that {dataset.path} gives now is not the one that the bundle was trained with",
            code="split_mismatch",
            hint="name the run folder, whose split.json says which pictures were held out; "
            "was groups.csv changed, or was it trained with --group or --images?",
            path=dataset.path,
        )
    return made


def _nothing(dataset: Dataset, name: str) -> DataError:
    if name not in dataset.split_names:
        return DataError(f"{dataset.path} has no {name} picture", code="no_images", path=dataset.path)
    return DataError(
        f"{dataset.path} has no {name} picture that was not learned from, too",
        code="no_images",
        hint=f"put pictures that it has not seen into {name}/",
        path=dataset.path,
    )


def _part(dataset: Dataset, split: str | None) -> tuple[NDArray[np.int64], str]:
    """Return a part of data that the training has not seen, and its name."""
    names = dataset.split_names
    if split is None:
        return np.arange(len(dataset)), names[0] if len(names) == 1 else "all"
    if not names:
        return np.arange(len(dataset)), split  # a plain folder is whatever the user says it is
    if split not in names:
        raise UsageError(f"{dataset.path} has no split {split!r}; it has: {', '.join(names)}")
    return np.flatnonzero(np.array(dataset.splits) == split), split


def _check_overlap(
    dataset: Dataset, hashes: Sequence[str], indices: NDArray[np.int64], learned: Container[str]
) -> None:
    seen = [int(index) for index in indices if hashes[index] in learned]
    if seen:
        raise _learned(dataset.sources[seen[0]], len(seen), len(indices), dataset.path)


def _learned(source: str, count: int, total: int, path: Path) -> DataError:
    return DataError(
        f"{count} of {total} pictures were learned from, the first is {source}; "
        "a number measured on them would say nothing about new pictures",
        code="trained_on",
        hint="name the part that was kept for this, --split test, or take these pictures out",
        path=path / source,
    )
