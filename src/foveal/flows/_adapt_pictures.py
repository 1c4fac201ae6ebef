"""What an adaptation is shown: pictures without labels, and labelled ones that say whether it helped."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle import archive
from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.data import opening
from foveal.data.inventory import content_hashes
from foveal.data.preprocess import Preprocess
from foveal.evaluate.held_out import HeldOut, readable
from foveal.flows import _unlabelled
from foveal.flows._held_out import choose
from foveal.flows._near_copies import near_copies
from foveal.flows._prepare import STORE
from foveal.flows._sealed import Sealed
from foveal.train.examples import Examples

FEWEST = 8  # pictures: fewer say nothing of what others look like
_PIXELS = "new.npy"


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures of the new environment, none of which the run learned from.

    Attributes:
        held_out: They, with the classes of the run.
        contents: Their content hashes.
    """

    held_out: HeldOut
    contents: frozenset[str] = field(repr=False)

    @cached_property
    def examples(self) -> Examples:
        """Those that can be read at model size, to calibrate on.

        Raises:
            DataError: `no_readable_images`: there is none.
        """
        images, found, _ = readable(self.held_out, range(len(self.held_out)))
        if not images:
            raise DataError(
                f"not one of {len(self.held_out)} labelled pictures can be read", code="no_readable_images"
            )
        units = self.held_out.units
        return Examples(
            np.stack(images),
            self.held_out.labels[found],
            np.arange(len(found)),
            None if units is None else units[found],
        )


@dataclass(frozen=True)
class Shown:
    """Pictures of the new environment at model size.

    Attributes:
        examples: N of them; their labels are all 0.
        contents: Their content hashes.
        about: What can be told of them: `images`, `copies`, `unusable`, `measured_on`.
    """

    examples: Examples
    contents: frozenset[str] = field(repr=False)
    about: Mapping[str, Any]


def labelled_at(path: Path, bundle: Path, *, progress: Progress) -> Labelled:
    """Return labelled pictures that may measure a bundle.

    Args:
        path: A labelled data set.
        bundle: Of the run; `split.json` lies beside it.
        progress: Told about the pictures.

    Raises:
        NotFoundError, DataError: There are none; a class that the run lacks; `trained_on`: they are the run's
            own, or it learned from some, with or without labels.
    """
    dataset = opening.open(path, task=opening.CLASSIFY)
    hashes = content_hashes(dataset, progress=progress)
    manifest = archive.read(bundle).manifest
    chosen = choose(dataset, hashes, Sealed.at(bundle, manifest), split=None, progress=progress)
    if chosen.held_out.fingerprint == manifest.data.fingerprint:
        raise _own(f"{path} is what the run was trained on, and no new environment", path)
    if chosen.unseen == "unlabelled":
        raise _own(f"the network of the run was shown some of {path} before, without labels", path)
    return Labelled(chosen.held_out, frozenset(filter(None, hashes)))


def _own(why: str, path: Path) -> DataError:
    return DataError(
        f"{why}; a number measured there would say nothing about new pictures of it",
        code="trained_on",
        hint="label other pictures of the new environment, or leave --labelled out; "
        "what adapting costs in the old one is measured anyway",
        path=path,
    )


@dataclass(frozen=True)
class Apart:
    """Pictures that measure, and so are not adapted to.

    Attributes:
        contents: Their content hashes.
        examples: They, at model size; near copies are not adapted to either.
    """

    contents: Set[str] = field(repr=False)
    examples: Sequence[Examples] = field(repr=False)


def shown(pictures: Path, run: Path, preprocess: Preprocess, *, apart: Apart, progress: Progress) -> Shown:
    """Return pictures at model size; what labels they have is not looked at.

    Args:
        pictures: A folder, an archive or a data set.
        run: The run folder that gets them.
        preprocess: Of the recognizer.
        apart: Pictures that are left out.
        progress: Told about the pictures.

    Raises:
        NotFoundError, DataError: There are none; `too_few_images`: hardly any.
    """
    found = _unlabelled.find([pictures], most=None, seed=0, progress=progress)
    files.make_folder(run / STORE)
    store = _unlabelled.stored_once(found, run / STORE / _PIXELS, preprocess, progress=progress)
    readable_ones = store.labels >= 0
    images = Examples(store.images, np.zeros(len(store.labels), np.int64), np.flatnonzero(readable_ones))
    near = near_copies(run, images, found.hashes, apart.examples, progress=progress)
    measures = apart.contents | near
    measuring = readable_ones & np.array([content in measures for content in found.hashes], dtype=np.bool_)
    rows = np.flatnonzero(readable_ones & ~measuring)
    if len(rows) < FEWEST:
        left = f", {int(measuring.sum())} of which are measured on" if measuring.any() else ""
        raise DataError(
            f"{pictures} has {int(readable_ones.sum())} pictures{left}; fewer than {FEWEST} say nothing of "
            "what others look like",
            code="too_few_images",
            hint="give more pictures of the new environment; they need no labels",
            path=pictures,
        )
    about = {
        "images": len(rows),
        "copies": found.copies,
        "unusable": int((~readable_ones).sum()),
        "measured_on": int(measuring.sum()),
    }
    contents = frozenset(found.hashes[row] for row in rows.tolist())
    return Shown(replace(images, indices=rows), contents, about)
