"""One folder of films per class, with or without a folder per split around them."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from foveal.core.text import printable
from foveal.data.clip import FRAMES, Clip
from foveal.data.clips import FileClip
from foveal.data.dataset import Dataset
from foveal.data.formats._class_folders import Place, class_folders, lacks, rows_of, split_folders
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import Grouped, by_name
from foveal.data.formats._groups import GROUPS, has_groups
from foveal.data.formats._splits import ORDER
from foveal.data.suffixes import is_clip, is_picture
from foveal.data.tree import Tree
from foveal.data.video import VIDEO_LIMITS

STEM = "stem"  # the user's word for: films whose names differ in their last number only are of one source
_OTHERS = 0.1  # share of the classes that may have several sources where numbers count films
_LAST_NUMBER = re.compile(r"[ ._-]+(?:clip|c|part|p|segment|seg|scene|shot|s)?\d+$", re.IGNORECASE)


def _lacks(tree: Tree) -> str | None:
    if any(map(is_picture, tree.files)):
        return "there are pictures, too, and those count (--task video leaves them out)"
    return lacks(tree, is_clip, "film")


def _read(tree: Tree, group: str | None) -> Dataset:
    splits = split_folders(tree, is_clip)
    folders = class_folders(tree, splits)
    rank = {split: place for place, split in enumerate((*ORDER, ""))}
    rows = sorted(rows_of(tree, splits, is_clip), key=lambda row: (rank[row.split], row.label, row.name))
    classes = tuple(sorted({name for names in folders.values() for name in names}))
    index = {name: label for label, name in enumerate(classes)}
    names = [row.name for row in rows]
    grouped = _grouped(tree, rows, group)
    taken = {*names, GROUPS}
    clip = Clip(frames=FRAMES)
    return Dataset(
        format="clip_folder",
        path=tree.path,
        classes=classes,
        sources=tuple(map(printable, names)),
        labels=np.array([index[row.label] for row in rows], dtype=np.int64),
        splits=tuple(row.split for row in rows),
        read=lambda i: FileClip(tree.read(names[i], at_most=VIDEO_LIMITS.content_bytes), clip.frames),
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders=folders,
        ignored=tuple(printable(name) for name in (*tree.files, *tree.passed_over) if name not in taken),
        clip=clip,
    )


def _grouped(tree: Tree, rows: Sequence[Place], asked: str | None) -> Grouped:
    """Return which films are cut from one source: whoever asks is obeyed, then `groups.csv`, then names."""
    names = [row.name for row in rows]
    if asked not in (None, STEM) or (asked is None and has_groups(tree)):
        return by_name(tree, names, asked)
    return by_stem(names, [row.label for row in rows], insisted=asked == STEM)


def by_stem(names: Sequence[str], labels: Sequence[str], *, insisted: bool = False) -> Grouped:
    """Return which films are cut from one source, as their names say it.

    Films whose names differ in their last number only, behind a separator, are of one source, as
    `v_Archery_g01_c02.avi` is of `v_Archery_g01`. Where that leaves nearly every class with a single source,
    as `walk_1.avi` and `walk_2.avi` do, the numbers count films and not pieces, and each stands alone. One
    class of few does not say so: the split tells what it lacks.

    Args:
        names: Of N films.
        labels: Of each the class, or the folder where no classes are known.
        insisted: Whether somebody says that the numbers count pieces.
    """
    stems = [stem(name) for name in names]
    if not insisted:
        if max(Counter(stems).values(), default=0) < 2:
            return Grouped(None)
        sources = defaultdict(set)
        for label, source in zip(labels, stems, strict=True):
            sources[label].add(source)
        if sum(len(found) > 1 for found in sources.values()) <= _OTHERS * len(sources):
            return Grouped(None, (), (STEM,))
    return Grouped(tuple(f"group {source}" for source in stems), (STEM,))


def stem(name: str) -> str:
    """Return what the pieces of one source share in their names: all before the last number.

    >>> stem("train/Archery/v_Archery_g01_c02.avi"), stem("walk/person12 part 3.mp4"), stem("walk/fi002.mp4")
    ('v_Archery_g01', 'person12 part', 'fi002')
    """
    return _LAST_NUMBER.sub("", name.rpartition("/")[2].rpartition(".")[0])


clip_folder = Format(
    looks_for="[train|val|test/]<class>/<film>, as a folder, zip or tar",
    lacks=_lacks,
    read=_read,
    tasks=("video",),
)
