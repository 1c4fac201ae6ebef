"""CVAT for images 1.1: one XML file with boxes, polygons, ellipses and masks of all pictures."""

import re

import numpy as np

from foveal.data.dataset import Dataset
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import PICTURE_FOLDERS, bad, clean, finite, head, split_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._outlines import ellipse
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.formats._splits import SPLITS
from foveal.data.formats._xml import Element, Xml, read_xml
from foveal.data.outline import Outline, Polygons, Runs
from foveal.data.tree import Tree

_HEAD_BYTES = 4096
_OURS = re.compile(rb"<annotations[\s>]")
_MOST_FILES = 50  # more are one for each picture
_PASSED_OVER = ("tag",)  # of the picture as a whole
_LABELLED = ("task", "job", "project")


def _files(tree: Tree) -> list[str]:
    files = [name for name in tree.files if name.lower().endswith(".xml") and name.count("/") <= 1]
    return [name for name in files[:_MOST_FILES] if _OURS.search(head(tree, name, _HEAD_BYTES))]


def _lacks(tree: Tree) -> str | None:
    return None if _files(tree) else "no .xml that begins with <annotations>"


def _read(tree: Tree, group: str | None) -> Dataset:
    shots: dict[str, Shot] = {}
    classes: dict[str, None] = {}
    files = _files(tree)
    for file in files:
        xml = read_xml(tree, file)
        if xml.root.named("track"):
            raise xml.bad(xml.root.named("track")[0], "tracks of a film are not read; export CVAT for images")
        labels = _labels(xml)
        classes |= dict.fromkeys(labels)
        for image in xml.root.named("image"):
            shot = _shot(xml, image, labels)
            if shot.name in shots:
                raise xml.bad(image, f"the picture {shot.name!r} is there twice")
            shots[shot.name] = shot
    if not classes:
        raise bad(tree, files[0], None, "it has neither labels nor objects")
    return object_dataset("cvat", tree, list(shots.values()), list(classes), group, files)


def _labels(xml: Xml) -> list[str]:
    """Return the labels of the task; where the file does not list them, those that objects have."""
    meta = xml.root.child("meta")
    homes = [meta.child(name) for name in _LABELLED] if meta is not None else []
    lists = [home.child("labels") for home in homes if home is not None]
    listed = [class_name(xml.text(label, "name")) for one in lists if one for label in one.named("label")]
    if listed:
        return list(dict.fromkeys(listed))
    shapes = [shape for image in xml.root.named("image") for shape in image.children]
    return sorted({class_name(shape.attributes["label"]) for shape in shapes if "label" in shape.attributes})


def _shot(xml: Xml, image: Element, labels: list[str]) -> Shot:
    raw = xml.attribute(image, "name")
    name = clean(raw)
    if name is None:
        raise xml.bad(image, f"{raw!r} is no path below the data")
    subset = image.attributes.get("subset", "")
    place = _place(xml, name, subset)
    split = SPLITS.get(subset.lower(), "") or split_of(place)
    shapes = [shape for shape in image.children if shape.name not in _PASSED_OVER]
    return Shot(place, split, [_object(xml, image, shape, labels) for shape in shapes])


def _place(xml: Xml, name: str, subset: str) -> str:
    """Return where a picture lies: at the root, in a folder for pictures, or in one of its subset there."""
    here = xml.file.rpartition("/")[0]
    tops = {folder.partition("/")[0] for folder in xml.tree.folders}
    folders = ["", here, *(top for top in sorted(tops) if top.lower() in PICTURE_FOLDERS)]
    places = [f"{folder}/{part}/{name}" for part in (subset, "") for folder in folders]
    cleaned = [re.sub("/+", "/", place).lstrip("/") for place in places]
    return next((place for place in cleaned if place in xml.tree.files), cleaned[-1])


def _object(xml: Xml, image: Element, shape: Element, labels: list[str]) -> One:
    label = class_name(xml.attribute(shape, "label"))
    if label not in labels:
        raise xml.bad(shape, f"there is no label {label!r}")
    if finite(shape.attributes.get("rotation", "0")) != 0:
        raise xml.bad(shape, "rotated boxes are not read")
    attributes = {
        xml.attribute(attribute, "name"): attribute.text.strip() for attribute in shape.named("attribute")
    }
    if shape.name == "box":
        left, top, right, bottom = (xml.size(shape, side) for side in ("xtl", "ytl", "xbr", "ybr"))
        return One((left, top, right, bottom), label, attributes=attributes)
    outline = _outline(xml, image, shape)
    return One(outline.box, label, outline=outline, attributes=attributes)


def _outline(xml: Xml, image: Element, shape: Element) -> Outline:
    if shape.name == "polygon":
        return _polygon(xml, shape)
    if shape.name == "ellipse":
        x, y, across, down = (xml.size(shape, side) for side in ("cx", "cy", "rx", "ry"))
        return ellipse((x, y), (across, down))
    if shape.name == "mask":
        return _mask(xml, image, shape)
    raise xml.bad(shape, f"<{shape.name}> is not read; box, polygon, ellipse and mask are")


def _polygon(xml: Xml, shape: Element) -> Polygons:
    corners = []
    for pair in xml.attribute(shape, "points").split(";"):
        sides = [finite(side) for side in pair.split(",")]
        if len(sides) != 2 or None in sides:
            raise xml.bad(shape, f"{pair!r:.40} of points is no x and y")
        corners.append(sides)
    if len(corners) < 3:
        raise xml.bad(shape, f"a polygon of {len(corners)} points")
    return Polygons((np.array(corners, dtype=np.float32),))


def _mask(xml: Xml, image: Element, shape: Element) -> Runs:
    """Return a mask: runs row by row of the part of the picture that it lies in, the first one outside."""
    left, top, width, height = (round(xml.size(shape, side)) for side in ("left", "top", "width", "height"))
    sides = round(xml.size(image, "height")), round(xml.size(image, "width"))
    inside = 0 <= left <= left + width <= sides[1] and 0 <= top <= top + height <= sides[0]
    if not inside or max(sides) > LIMITS.side or sides[0] * sides[1] > LIMITS.pixels:
        raise xml.bad(shape, "the mask does not lie in the picture")
    texts = xml.attribute(shape, "rle").split(",")
    if not all(text.strip().isdecimal() and len(text.strip()) < 10 for text in texts):
        raise xml.bad(shape, "rle is no list of lengths")
    counts = [int(text) for text in texts]
    if sum(counts) != width * height:
        raise xml.bad(shape, f"the runs of the mask cover {sum(counts)} pixels, not {width} × {height}")
    mask = np.zeros(sides, dtype=bool)
    part = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    mask[top : top + height, left : left + width] = part.reshape(height, width)
    return Runs.of(mask)


cvat = Format(
    looks_for="annotations.xml of CVAT for images 1.1, and the pictures beside it or in images/",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder", "csv_manifest"),
    tasks=("detect", "instance"),
)
