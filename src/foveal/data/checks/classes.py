"""Classes without pictures, and classes that one split has and another lacks; of pictures with one class."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted, listed
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def classes(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield errors where the classes of the data set, or of its splits, do not fit together."""
    if dataset.scenes is not None:  # no picture is of one class there
        return
    filled = {dataset.classes[label] for label in np.unique(dataset.labels)}
    empty = [name for name in dataset.classes if name not in filled]
    if empty:
        yield Finding(
            "no_images_in_class",
            "error",
            len(empty),
            f"{len(empty)} of {counted(len(dataset.classes), 'class')} hold no picture: {listed(empty)}. "
            "The recognizer would have an answer that nothing can teach it.",
            "Add pictures, or remove the folders.",
            tuple(empty[:EXAMPLES]),
        )
    if len(filled) < 2:
        yield Finding(
            "one_class_only",
            "error",
            len(filled),
            f"Pictures are in {counted(len(filled), 'class')}; to tell apart, at least two are needed.",
            "Give each class a folder of its own with pictures in it.",
            tuple(sorted(filled)),
        )
    yield from _missing_in_split(dataset)


def _missing_in_split(dataset: Dataset) -> Iterator[Finding]:
    present: dict[str, set[str]] = defaultdict(set)
    for split, label in set(zip(dataset.splits, dataset.labels.tolist(), strict=True)):
        present[split].add(dataset.classes[label])
    # A split folder may stand there with nothing in it; that is a split without classes, not no split.
    splits = [name for name in dict.fromkeys((*dataset.folders, *dataset.split_names)) if name]
    for split in splits:
        missing = sorted(set().union(*present.values()) - present[split])
        if missing:
            others = [other for other in splits if not present[other].isdisjoint(missing)]
            yield Finding(
                "class_missing_in_split",
                "error",
                len(missing),
                f"{split} has no pictures of {listed(missing)}, which {' and '.join(others)} "
                f"{'has' if len(others) == 1 else 'have'}: its numbers would not be about the same classes."
                f"{_spelling(missing, present[split])}",
                f"Add pictures to {split}, or remove the class everywhere.",
                tuple(f"{split}/{name}" for name in missing[:EXAMPLES]),
            )


def _spelling(missing: list[str], present: set[str]) -> str:
    """Point out names that differ only in case, blanks, - or _."""

    def plain(name: str) -> str:
        return "".join(letter for letter in name.casefold() if letter not in " -_")

    near = {plain(name): name for name in present}
    pairs = [f"{near[plain(name)]!r} and {name!r}" for name in missing if plain(name) in near]
    return f" Are {pairs[0]} the same?" if pairs else ""
