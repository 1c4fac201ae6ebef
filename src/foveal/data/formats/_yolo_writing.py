"""YOLO as it is written: data.yaml, and a text for each picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from foveal.core import files
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.formats._scene_writing import Described, cannot_hold, check_names, described, write_files
from foveal.data.formats._writing import LeftOut, Row, Written
from foveal.data.outline import Polygons


def write_yolo(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write `data.yaml`, `images/[<split>/]` and `labels/[<split>/]`; a picture without objects has no line.

    Shares are written with six decimals. For `instance` a line is an outline, for `detect` a box. Attributes
    have no place there.

    Raises:
        DataError: `cannot_hold`: objects that are ignored, an outline that is a mask or has several rings, or
            a box that lies more than a picture away. `bad_class_names`: one that takes more than a line.
    """
    check_names(dataset)
    left_out: LeftOut = []
    pictures = list(described(dataset, rows, left_out))
    texts = {one.row.index: "".join(_lines(dataset, one)) for one in pictures}
    places = {one.row.index: f"images/{one.row.split}/{one.row.name}".replace("//", "/") for one in pictures}
    left_out += write_files(dataset, places, [one.row for one in pictures], folder, progress)
    gone = {index for index, _ in left_out}
    for one in pictures:
        if one.row.index not in gone:
            text = folder / "labels" / one.row.split / f"{one.row.name.rpartition('.')[0]}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(text, texts[one.row.index])
    splits = list(dict.fromkeys(row.split for row in rows))
    keys = [f"{split}: images/{split}\n" for split in splits] if all(splits) else []
    names = [f"  {k}: '{name.replace(chr(39), 2 * chr(39))}'\n" for k, name in enumerate(dataset.classes)]
    files.write_text(folder / "data.yaml", "".join([*keys, "names:\n", *names]))
    return Written(dataset.classes, left_out)


def _lines(dataset: Dataset, one: Described) -> Iterator[str]:
    objects = one.objects
    if objects.ignored.any():
        raise cannot_hold(dataset, one, "a line of YOLO cannot say that an object is to be ignored")
    sides = np.array([one.width, one.height], dtype=np.float64)
    for place, box in enumerate(objects.boxes.astype(np.float64)):
        corners = box.reshape(2, 2) / sides
        shares = np.concatenate([corners.mean(axis=0), corners[1] - corners[0]])
        if dataset.task == "instance":
            outline = objects.outlines[place]
            if not isinstance(outline, Polygons) or len(outline.rings) != 1:
                raise cannot_hold(dataset, one, "a line of YOLO is one polygon, no mask and not several")
            shares = (outline.rings[0].astype(np.float64) / sides).ravel()
        if (shares < -1).any() or (shares > 2).any():
            raise cannot_hold(dataset, one, "an object lies more than a picture away from it")
        yield f"{objects.labels[place]} {' '.join(f'{share:.6f}' for share in shares)}\n"
