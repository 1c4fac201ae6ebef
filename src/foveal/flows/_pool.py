"""Pictures without labels beside labelled data: some objectives learn from them, and labels can be wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.flows import _unlabelled
from foveal.flows._near_copies import near_copies
from foveal.flows._prepare import SPLIT, STORE, Prepared
from foveal.flows._shown import note
from foveal.train.chosen import wants_unlabelled
from foveal.train.examples import Examples, Pool
from foveal.train.recipe import Recipe

HELD_OUT = ("calib", "test")
_PIXELS, _FOUND = "unlabelled.npy", "pictures.json"


@dataclass(frozen=True)
class Found:
    """Unlabelled pictures that a run does not know, at model size.

    Attributes:
        images: Of all that were found, uint8 (M, H, W, C).
        rows: Those that can be read, have no role in the run, and look unlike what is held out, int64 (N,).
        sources: Names of all, (M,).
        hashes: Content hash of all, (M,).
        known: How many the run learns from with their labels, by content.
        held_out: How many calibrate or test, by content or as near copies.
        copies: How many more had the content of another.
    """

    images: UInt8 = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    sources: tuple[str, ...] = field(repr=False)
    hashes: tuple[str, ...] = field(repr=False)
    known: int
    held_out: int
    copies: int

    def about(self, path: str) -> dict[str, Any]:
        """Return the `unlabelled` object of `foveal.train/1`; without copies its numbers are all there is.

        Args:
            path: Where they were found.
        """
        left_out = self.known + self.held_out
        return {
            "path": path,
            "images": len(self.rows),
            "known": self.known,
            "held_out": self.held_out,
            "copies": self.copies,
            "unusable": len(self.sources) - len(self.rows) - left_out,
        }


def unlabelled_of(run: Path, unlabelled: str, prepared: Prepared, *, seed: int, progress: Progress) -> Found:
    """Return the unlabelled pictures at a path; what the run has decoded already is not decoded again.

    Args:
        run: The run folder, whose data have their roles.
        unlabelled: Folder or archive with pictures.
        prepared: The run's data.
        seed: Of the run.
        progress: Told about the pictures.

    Raises:
        NotFoundError, DataError: There are none, or others than when the run began.
    """
    found = _unlabelled.find([unlabelled], most=None, seed=seed, progress=progress)
    _unlabelled.check_same(run / _FOUND, found)
    files.make_folder(run / STORE)
    store = _unlabelled.stored_once(found, run / STORE / _PIXELS, prepared.preprocess, progress=progress)
    readable = store.labels >= 0
    roles = (("fit",), HELD_OUT)
    known, apart = (_among(found.hashes, contents_of(run, each)) & readable for each in roles)
    pictures = Examples(store.images, store.labels, np.flatnonzero(readable & ~known & ~apart))
    measuring = [prepared.examples(role) for role in HELD_OUT]
    apart |= _among(found.hashes, near_copies(run, pictures, found.hashes, measuring, progress=progress))
    return Found(
        store.images,
        np.flatnonzero(readable & ~known & ~apart),
        found.dataset.sources,
        found.hashes,
        known=int(known.sum()),
        held_out=int(apart.sum()),
        copies=found.copies,
    )


def _among(hashes: Sequence[str], contents: set[str]) -> NDArray[np.bool_]:
    return np.array([content in contents for content in hashes], dtype=np.bool_)


def with_pool(run: Path, recipe: Recipe, prepared: Prepared, *, progress: Progress) -> Prepared:
    """Return prepared data with the pictures without labels that the recipe's objective learns from, if any.

    The run notes which they are: they are no pictures any more that its network never met.

    Raises:
        DataError: `no_unlabelled`: all of them have a role in the run, or none can be read.
    """
    if recipe.unlabelled is None or not wants_unlabelled(recipe.objective):
        return prepared
    found = unlabelled_of(run, recipe.unlabelled, prepared, seed=recipe.seed, progress=progress)
    if not len(found.rows):
        raise DataError(
            f"{recipe.unlabelled} holds no picture that is not among the labelled ones",
            code="no_unlabelled",
            hint="name other pictures with --unlabelled, or leave --objective out",
            path=recipe.unlabelled,
        )
    note(run, prepared.split.fingerprint, unlabelled=[found.hashes[row] for row in found.rows.tolist()])
    pool = Pool(found.images, found.rows)
    return replace(prepared, pool=pool, unlabelled=found.about(recipe.unlabelled))


def contents_of(run: Path, roles: Sequence[str]) -> set[str]:
    """Return the contents that have one of these roles in a run."""
    return files.read_json(
        run / SPLIT,
        lambda split: {content for role in roles for _, content in split[role]},
        hint="train anew",
    )
