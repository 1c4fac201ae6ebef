"""Identical files.

Between splits they are an error, however few: what was trained on would be measured on, and the printed
number would be about memory. Within a split they only weigh double, and a carved split keeps them together.
"""

from collections import defaultdict
from collections.abc import Iterator

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def duplicates(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield what identical bytes in several files mean."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for index, sha256 in enumerate(inventory.sha256):
        if inventory.error[index] is None:
            by_content[sha256].append(index)
    clusters = [indices for indices in by_content.values() if len(indices) > 1]
    yield from _across(dataset, clusters)
    yield from _within(dataset, clusters)
    yield from _conflicting(dataset, clusters)


def _across(dataset: Dataset, clusters: list[list[int]]) -> Iterator[Finding]:
    torn = [indices for indices in clusters if len({dataset.splits[i] for i in indices}) > 1]
    if torn:
        pictures = sum(map(len, torn))
        yield Finding(
            "duplicates_across_splits",
            "error",
            pictures,
            f"{pictures} files are {counted(len(torn), 'picture')} in more than one of "
            f"{', '.join(dataset.split_names)}: what was trained on would be measured on.",
            "Keep each picture in one split; delete the copies in train.",
            _shown(dataset, torn),
        )


def _within(dataset: Dataset, clusters: list[list[int]]) -> Iterator[Finding]:
    def copies(indices: list[int]) -> int:
        return len(indices) - len({dataset.splits[i] for i in indices})

    doubled = [indices for indices in clusters if copies(indices)]
    if doubled:
        surplus = sum(map(copies, doubled))
        yield Finding(
            "duplicates_within_split",
            "warning",
            surplus,
            f"{counted(surplus, 'file')} too many, exact copies of others in the same split: "
            "such a picture weighs double, and makes intervals look narrower than they are.",
            "Delete the copies.",
            _shown(dataset, doubled),
        )


def _conflicting(dataset: Dataset, clusters: list[list[int]]) -> Iterator[Finding]:
    truths = dataset.truths if clusters else []
    torn = [indices for indices in clusters if len({truths[i] for i in indices}) > 1]
    if torn and dataset.scenes is not None:
        yield Finding(
            "conflicting_labels",
            "warning",
            sum(map(len, torn)),
            f"{counted(len(torn), 'picture')} found, byte for byte, with different annotations: at most one "
            "of them is right.",
            "Compare the annotations, and delete the copies.",
            _shown(dataset, torn),
        )
    elif torn:
        yield Finding(
            "conflicting_labels",
            "warning",
            sum(map(len, torn)),
            f"{counted(len(torn), 'picture')} found, byte for byte, in more than one class: at least one "
            "label is wrong.",
            "Decide which class each belongs to, and delete it in the others.",
            _shown(dataset, torn),
        )


def _shown(dataset: Dataset, clusters: list[list[int]]) -> tuple[str, ...]:
    return tuple(" = ".join(dataset.sources[i] for i in indices[:4]) for indices in clusters[:EXAMPLES])
