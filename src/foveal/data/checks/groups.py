"""Groups that the splits on disk tear apart: frames of one track, pictures of one person."""

from collections import defaultdict
from collections.abc import Iterator

from foveal.core.types import Finding
from foveal.data.checks._words import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def groups(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield a warning where a group has pictures in more than one split."""
    if dataset.groups is None:
        return
    splits: dict[str, set[str]] = defaultdict(set)
    for group, name in zip(dataset.groups, dataset.splits, strict=True):
        splits[group].add(name)
    torn = [group.partition(" ")[2] for group, names in splits.items() if len(names) > 1]
    if torn:
        yield Finding(
            "groups_across_splits",
            "warning",
            len(torn),
            f"{counted(len(torn), 'group')} with pictures in more than one of "
            f"{', '.join(dataset.split_names)}: near-copies of what was trained on would be measured on.",
            "Move each group into one split, or leave the splitting to foveal: one folder per class.",
            tuple(torn[:EXAMPLES]),
        )
