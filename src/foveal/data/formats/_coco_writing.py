"""COCO as it is written: a JSON file for each split, with a line for each picture and each object."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.formats import _rle
from foveal.data.formats._scene_writing import Described, described, write_files
from foveal.data.formats._writing import LeftOut, Row, Written
from foveal.data.outline import Outline, Runs
from foveal.data.scene import Objects


def write_coco(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write `annotations/instances_<split>.json`, and the pictures of each split into a folder of its name.

    Without splits it is `annotations/instances.json` and `images/`. Sides are rounded to a hundredth of a
    pixel; masks keep every pixel. A crowd is what is ignored.
    """
    left_out: LeftOut = []
    pictures = list(described(dataset, rows, left_out))
    places = {one.row.index: f"{one.row.split or 'images'}/{one.row.name}" for one in pictures}
    left_out += write_files(dataset, places, [one.row for one in pictures], folder, progress)
    gone = {index for index, _ in left_out}
    (folder / "annotations").mkdir()
    for split in dict.fromkeys(row.split for row in rows):
        mine = [one for one in pictures if one.row.split == split and one.row.index not in gone]
        name = f"instances_{split}.json" if split else "instances.json"
        files.write_text(folder / "annotations" / name, _document(dataset.classes, mine))
    return Written(dataset.classes, left_out)


def _document(classes: Sequence[str], pictures: Sequence[Described]) -> str:
    images = [
        {"id": number, "file_name": one.row.name, "width": one.width, "height": one.height}
        for number, one in enumerate(pictures, start=1)
    ]
    annotations: list[dict[str, Any]] = []
    for number, one in enumerate(pictures, start=1):
        for place in range(len(one.objects)):
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, **_object(one.objects, place)}
            )
    categories = [{"id": k, "name": name, "supercategory": ""} for k, name in enumerate(classes, start=1)]
    parts = {"images": images, "annotations": annotations, "categories": categories}
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_lines(rows)}" for key, rows in parts.items()) + "\n}\n"


def _lines(rows: Iterable[Any]) -> str:
    """Return a list with a line for each entry, so that a mistake in it has a line of its own."""
    inner = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{inner}\n]" if inner else "[]"


def _object(objects: Objects, place: int) -> dict[str, Any]:
    left, top, right, bottom = (round(float(side), 2) for side in objects.boxes[place])
    width, height = round(right - left, 2), round(bottom - top, 2)
    outline = objects.outlines[place] if objects.outlines else None
    row: dict[str, Any] = {
        "category_id": int(objects.labels[place]) + 1,
        "bbox": [left, top, width, height],
        "area": max(0.0, width) * max(0.0, height) if outline is None else _area(outline),
        "iscrowd": int(objects.ignored[place]),
        "segmentation": [] if outline is None else _segmentation(outline),
    }
    if objects.attributes and objects.attributes[place]:
        row["attributes"] = dict(objects.attributes[place])
    row["area"] = round(row["area"], 2)
    return row


def _segmentation(outline: Outline) -> Any:
    if isinstance(outline, Runs):
        return {"size": [outline.height, outline.width], "counts": _rle.encoded(outline.counts)}
    return [[round(float(side), 2) for side in ring.ravel()] for ring in outline.rings]


def _area(outline: Outline) -> float:
    """Return how many pixels an outline covers: of polygons the sum of their areas, as COCO counts."""
    if isinstance(outline, Runs):
        return float(outline.counts[1::2].sum())
    total = 0.0
    for ring in outline.rings:
        x, y = ring.astype(np.float64).T
        total += abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return total
