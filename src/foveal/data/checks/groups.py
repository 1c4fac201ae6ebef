"""What belongs together: frames of one track, pictures of one person; and whether anything tears it apart."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.formats._groups import GROUPS
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def groups(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield a warning where a group has pictures in more than one split, and what says what a group is."""
    yield from _keys(dataset)
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


def _keys(dataset: Dataset) -> Iterator[Finding]:
    """Yield which keys of the layout say what belongs together, and which might."""
    if dataset.grouped_by:
        yield Finding(
            "grouped_by",
            "info",
            _several(dataset),
            f"Pictures with the same {' and '.join(map(repr, dataset.grouped_by))} are kept together: "
            f"{counted(_several(dataset), 'group')} of two and more.",
            "Name something else with --group, or --group none where each picture stands alone.",
            dataset.grouped_by,
        )
        yield from _alone(dataset)
        spanning = [] if dataset.scenes else _spanning(dataset)
        if spanning:
            yield Finding(
                "groups_span_classes",
                "info",
                len(spanning),
                f"{counted(len(spanning), 'group')} with pictures of several classes.",
                f"Where these are counted anew within each class, say so: {_within_classes(dataset)}.",
                tuple(spanning[:EXAMPLES]),
            )
    if dataset.not_grouped_by:
        yield Finding(
            "keys_not_used",
            "info",
            len(dataset.not_grouped_by),
            f"Not used: {', '.join(map(repr, dataset.not_grouped_by))}.",
            _using(dataset.not_grouped_by),
            dataset.not_grouped_by[:EXAMPLES],
        )


def _using(unused: tuple[str, ...]) -> str:
    keys = "Where one of them says which pictures belong together, name it with --group"
    if GROUPS not in unused:
        return f"{keys}."
    listed = f"{GROUPS} counts where --group is left out, together with a key of a usual name."
    return listed if unused == (GROUPS,) else f"{keys}; {listed}"


def _within_classes(dataset: Dataset) -> str:
    label = {"csv_manifest": "label", "npz": "labels"}.get(dataset.format)
    if label is None:  # only names are known
        return "put the part of the name that tells the class into brackets, too"
    return f"--group {label}+{'+'.join(dataset.grouped_by)}"


def _alone(dataset: Dataset) -> Iterator[Finding]:
    """Yield how many pictures the key or pattern says nothing of; a pattern may have been meant to."""
    alone = [
        source
        for source, group in zip(dataset.sources, dataset.groups or (), strict=True)
        if not group.startswith("group ")
    ]
    if alone:
        by_name = dataset.format in ("image_folder", "idx") or (
            dataset.scenes is not None and dataset.format != "csv_boxes"
        )
        yield Finding(
            "pictures_without_group",
            "warning" if by_name else "info",
            len(alone),
            f"{counted(len(alone), 'picture')} of {len(dataset)} without a group, each standing alone.",
            "Where they belong together with others, say so: a pattern may not fit all names.",
            tuple(alone[:EXAMPLES]),
        )


def _several(dataset: Dataset) -> int:
    counts = Counter(dataset.groups)
    return sum(count > 1 for count in counts.values())


def _spanning(dataset: Dataset) -> list[str]:
    classes: dict[str, set[int]] = defaultdict(set)
    for group, label in zip(dataset.groups or (), dataset.labels.tolist(), strict=True):
        classes[group].add(label)
    return [group.partition(" ")[2] for group, labels in classes.items() if len(labels) > 1]
