"""Which classes there is something of, in which split, and pictures with nothing on them."""

from collections.abc import Iterator

import numpy as np

from foveal.core.task import OBJECT_TASKS
from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted, listed
from foveal.data.annotated import Annotated, annotated
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def objects(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield which classes nothing is of, anywhere or in a split; of class maps pixels are counted."""
    if dataset.scenes is None:
        return
    found = annotated(dataset)
    what = "object" if dataset.task in OBJECT_TASKS else "pixel"
    if not found.counts.any():
        yield Finding(
            "nothing_annotated",
            "error",
            len(dataset),
            f"Nothing is stated to be on any of {counted(len(dataset), 'picture')}, "
            "or all of it is to be ignored.",
            "Look whether the annotations are where the layout has them.",
        )
        return
    yield from _empty(dataset, found, what)
    yield from _missing(dataset, found, what)
    if split is not None:
        yield from _bare_roles(dataset, found, split, what)
    bare = np.flatnonzero(~found.counts.any(axis=1) & _said(dataset, found))
    if what == "object" and len(bare):
        yield Finding(
            "pictures_without_objects",
            "info",
            len(bare),
            f"{counted(len(bare), 'picture')} of {len(dataset)} with nothing on them.",
            "That teaches what is none of the classes, if it is meant; if not, annotate them.",
            tuple(dataset.sources[i] for i in bare[:EXAMPLES]),
        )


def _said(dataset: Dataset, found: Annotated) -> np.ndarray:
    """Return of which pictures something can be said, bool (N,)."""
    said = np.ones(len(dataset), dtype=bool)
    said[[i for i, _ in found.unused]] = False
    return said


def _empty(dataset: Dataset, found: Annotated, what: str) -> Iterator[Finding]:
    empty = [dataset.classes[k] for k in np.flatnonzero(~found.counts.any(axis=0))]
    if empty:
        yield Finding(
            "nothing_of_class",
            "warning",
            len(empty),
            f"{len(empty)} of {counted(len(dataset.classes), 'class')} without any {what}: {listed(empty)}. "
            "The recognizer would have an answer that nothing can teach it.",
            "Annotate some, or take the class off the list.",
            tuple(empty[:EXAMPLES]),
        )


def _missing(dataset: Dataset, found: Annotated, what: str) -> Iterator[Finding]:
    """Yield the classes that one split has something of and another has not."""
    names = dataset.split_names
    splits = np.array(dataset.splits)
    present = {name: found.counts[splits == name].any(axis=0) for name in names}
    for name in names:
        missing = [dataset.classes[k] for k in np.flatnonzero(found.counts.any(axis=0) & ~present[name])]
        if missing:
            good_alone = dataset.task == "defect"  # which can be learned from good pictures, too
            teaches = name == "train" and not good_alone
            yield Finding(
                "class_missing_in_split",
                "error" if teaches else "info" if good_alone else "warning",
                len(missing),
                f"{name} has no {what} of {listed(missing)}: "
                + ("nothing could teach it." if teaches else "nothing can be measured of it there."),
                f"Move pictures with it into {name}, or take the class off the list.",
                tuple(f"{name}/{one}" for one in missing[:EXAMPLES]),
            )


def _bare_roles(dataset: Dataset, found: Annotated, split: Split, what: str) -> Iterator[Finding]:
    """Yield the parts of a training whose pictures all have nothing on them."""
    said = _said(dataset, found)
    for role, purpose in (("fit", "learn from"), ("calib", "calibrate with"), ("test", "measure with")):
        indices = [index for index in split.role(role).tolist() if said[index]]
        if len(indices) and not found.counts[indices].any():
            yield Finding(
                "nothing_in_role",
                "error",
                len(indices),
                f"No {what} is on any of the {counted(len(indices), 'picture')} to {purpose}.",
                "Annotate more pictures; or say with train, val and test which ones are for what.",
                tuple(dataset.sources[i] for i in indices[:EXAMPLES]),
            )
