"""Pictures of parts, good ones and ones with a kind of defect, and masks that say where it is."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError
from foveal.data.dataset import Dataset, UInt8
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import bad, stored
from foveal.data.formats._exposures import exposures
from foveal.data.formats._maps import Pair, check_size, values_in
from foveal.data.formats._scenes import Stated, scene_dataset
from foveal.data.good import GOOD
from foveal.data.scene import VOID, Objects, Scenes
from foveal.data.tree import Tree

_GOOD_WORDS = frozenset({"good", "ok", "free", "normal"})
_NOT = frozenset({"not", "no", "non"})


class Part(NamedTuple):
    """One picture: its name below the root, its split, its kind, and the mask that says where, or ""."""

    picture: str
    split: str
    kind: str
    mask: str


def called_good(folder: str) -> bool:
    """Return whether a folder's name says that what lies in it is good.

    >>> called_good("MT_Free"), called_good("not good"), called_good("scratch")
    (True, False, False)
    """
    words = set(re.split(r"[^a-z]+", folder.lower()))
    return not words.isdisjoint(_GOOD_WORDS) and words.isdisjoint(_NOT)


def marked(tree: Tree, mask: str) -> NDArray[np.bool_]:
    """Return which pixels a mask marks, bool (H, W): those above half of what its pixels can be.

    What holds nothing but 0 and 1 marks with 1; of a mask in colours the brightest channel counts.

    Raises:
        DataError: `bad_annotation`: it cannot be read.
    """
    values = values_in(tree, mask)
    flat = values.max(axis=2) if values.ndim == 3 else values
    most = int(flat.max())
    white = 1 if most == 1 else 255 if most <= 255 else 65535
    return np.asarray(flat > white // 2, np.bool_)


def defect_dataset(
    layout: str, tree: Tree, parts: Sequence[Part], group: str | None, files: Sequence[str]
) -> Dataset:
    """Return the data set of parts; class 0 is `good`, the kinds of defects follow by name.

    Of what is called good every pixel is; of a defective picture without mask, or whose mask marks nothing,
    it is not known where the defect is.

    Args:
        layout: Name of its reader.
        tree: Where it lies.
        parts: Every picture, each once, in any order.
        group: What must not be torn apart, as a reader is told.
        files: Other files that the layout knows.
    """
    parts = sorted(parts)
    classes = (GOOD, *sorted({part.kind for part in parts} - {GOOD}))
    index = {name: label for label, name in enumerate(classes)}
    labels = np.array([index[part.kind] for part in parts], np.int64)

    def regions(i: int) -> UInt8:
        return _region(tree, parts[i], int(labels[i]))

    def said(i: int) -> str:
        return hashlib.sha256(f"{parts[i].kind}\0".encode() + _content(tree, parts[i].mask)).hexdigest()

    scenes = Scenes("defect", ("defect",), lambda i: Objects.none(), said, regions)
    masks = sorted({part.mask for part in parts if part.mask})
    stated = Stated(classes, scenes, labels, (*masks, *files))
    found = scene_dataset(layout, tree, [(part.picture, part.split) for part in parts], stated, group)
    if group is None and found.groups is None:
        return replace(found, groups=exposures([part.picture for part in parts]))
    return found


def _content(tree: Tree, mask: str) -> bytes:
    if not mask:
        return b""
    try:
        return tree.read(mask, at_most=LIMITS.content_bytes)
    except ImageError as error:
        raise bad(tree, mask, None, error.message) from error


def _region(tree: Tree, part: Part, label: int) -> UInt8:
    """Return the class of each pixel, uint8 (H, W).

    Raises:
        DataError: `bad_annotation`: the mask cannot be read, has another size, or marks something on what is
            called good.
        ImageError: The picture cannot be read.
    """
    if not part.mask:
        header = stored(tree, part.picture).header()
        return np.full((header.height, header.width), VOID if label else 0, np.uint8)
    found = marked(tree, part.mask)
    check_size(tree, Pair(part.picture, part.mask, part.split), found)
    if label and not found.any():
        return np.full(found.shape, VOID, np.uint8)
    if found.any() and not label:
        raise bad(
            tree, part.mask, None, f"it marks a defect, and {part.picture} lies among what is good",
            hint="move the picture to the defects, or clear its mask",
        )  # fmt: skip
    return np.where(found, label, 0).astype(np.uint8)
