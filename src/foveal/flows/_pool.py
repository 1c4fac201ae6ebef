"""Pictures without labels beside labelled data: some objectives learn from them, and labels can be wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.split import ROLES
from foveal.flows import _unlabelled
from foveal.flows._prepare import SPLIT, STORE, Prepared
from foveal.train.chosen import wants_unlabelled
from foveal.train.examples import Pool
from foveal.train.recipe import Recipe

_PIXELS, _FOUND = "unlabelled.npy", "pictures.json"


@dataclass(frozen=True)
class Found:
    """Unlabelled pictures that a run does not know, at model size.

    Attributes:
        images: Of all that were found, uint8 (M, H, W, C).
        rows: Those that can be read and have no role in the run, int64 (N,).
        sources: Names of all, (M,).
        known: How many have a role in the run, by content.
    """

    images: UInt8 = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    sources: tuple[str, ...] = field(repr=False)
    known: int


def unlabelled_of(
    run: Path, unlabelled: str, preprocess: Preprocess, *, seed: int, progress: Progress
) -> Found:
    """Return the unlabelled pictures at a path; what the run has decoded already is not decoded again.

    Args:
        run: The run folder, whose data have their roles.
        unlabelled: Folder or archive with pictures.
        preprocess: Of the run.
        seed: Of the run.
        progress: Told about the pictures.

    Raises:
        NotFoundError, DataError: There are none, or others than when the run began.
    """
    found = _unlabelled.find([unlabelled], most=None, seed=seed, progress=progress)
    _unlabelled.check_same(run / _FOUND, found)
    files.make_folder(run / STORE)
    store = _unlabelled.stored_once(found, run / STORE / _PIXELS, preprocess, progress=progress)
    contents = contents_of(run, ROLES)
    known = np.array([content in contents for content in found.hashes], dtype=np.bool_)
    rows = np.flatnonzero((store.labels >= 0) & ~known)
    return Found(store.images, rows, found.dataset.sources, int(known.sum()))


def with_pool(run: Path, recipe: Recipe, prepared: Prepared, *, progress: Progress) -> Prepared:
    """Return prepared data with the pictures without labels that the recipe's objective learns from, if any.

    Raises:
        DataError: `no_unlabelled`: all of them have a role in the run, or none can be read.
    """
    if recipe.unlabelled is None or not wants_unlabelled(recipe.objective):
        return prepared
    found = unlabelled_of(run, recipe.unlabelled, prepared.preprocess, seed=recipe.seed, progress=progress)
    if not len(found.rows):
        raise DataError(
            f"{recipe.unlabelled} holds no picture that is not among the labelled ones",
            code="no_unlabelled",
            hint="name other pictures with --unlabelled, or leave --objective out",
            path=recipe.unlabelled,
        )
    return replace(prepared, pool=Pool(found.images, found.rows))


def contents_of(run: Path, roles: Sequence[str]) -> set[str]:
    """Return the contents that have one of these roles in a run."""
    return files.read_json(
        run / SPLIT,
        lambda split: {content for role in roles for _, content in split[role]},
        hint="train anew",
    )
