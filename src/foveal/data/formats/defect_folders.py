"""A folder for each kind of defect and one for good parts, with masks beside the pictures."""

from collections import defaultdict
from collections.abc import Sequence

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, stem_of
from foveal.data.formats._class_folders import Place, lacks, rows_of, split_folders
from foveal.data.formats._defects import Part, called_good, defect_dataset, marked
from foveal.data.formats._format import Format
from foveal.data.formats._maps import is_map
from foveal.data.good import GOOD
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_ENDING = "_mask"


def _read(tree: Tree, group: str | None) -> Dataset:
    rows = list(rows_of(tree, split_folders(tree, is_picture), is_picture))
    masks = _masks([row.name for row in rows])
    folders: dict[str, list[Place]] = defaultdict(list)
    taken = set(masks.values())
    alone = next(
        (row.name for row in rows if stem_of(row.name).endswith(_ENDING) and row.name not in taken), ""
    )
    if alone:
        raise bad(
            tree, alone, None, "no picture beside it has its name", hint="the mask of 1.jpg is 1_mask.png"
        )
    for row in rows:
        if row.name not in taken:
            folders[row.label].append(row)
    parts = []
    for label, places in folders.items():
        named = [masks.get(place.name, "") for place in places]
        kind = GOOD if _is_good(tree, label, named) else label
        parts += [
            Part(place.name, place.split, kind, mask) for place, mask in zip(places, named, strict=True)
        ]
    return defect_dataset("defect_folders", tree, parts, group, ())


def _masks(names: Sequence[str]) -> dict[str, str]:
    """Return the mask of each picture that has one: `x.png` beside `x.jpg`, or `x_mask.png` beside either."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_stem[stem_of(name)].append(name)
    found = {}
    for stem, own in by_stem.items():
        pictures = [name for name in own if not is_map(name)] or own
        beside = [name for name in own if is_map(name) and name not in pictures]
        beside += [name for name in by_stem.get(f"{stem}{_ENDING}", ()) if is_map(name)]
        if beside:
            found[pictures[0]] = beside[-1]
    return found


def _is_good(tree: Tree, label: str, masks: Sequence[str]) -> bool:
    """Return whether a folder holds good parts: no mask marks anything, or its name says so without any."""
    if all(masks):
        return not any(marked(tree, mask).any() for mask in masks)
    return called_good(label) and not any(marked(tree, mask).any() for mask in masks if mask)


defect_folders = Format(
    looks_for="[train|val|test/]<kind>/<picture>, with <name>.png or <name>_mask.png beside it as its mask",
    lacks=lambda tree: lacks(tree, is_picture, "picture"),
    read=_read,
    tasks=("defect",),
    on_request=True,
)
