"""Pascal VOC as it is written: an XML file for each picture, lists of splits, and the list of classes."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from foveal.core import files
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.formats._class_list import CLASSES
from foveal.data.formats._scene_writing import (
    Described,
    cannot_hold,
    check_names,
    described,
    short,
    write_files,
)
from foveal.data.formats._writing import LeftOut, Row, Written


def write_voc(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write `JPEGImages`, `Annotations`, `ImageSets/Main` where there are splits, and `classes.txt`.

    Corners count from 1 and lie inside, to a hundredth of a pixel; what is ignored is difficult. Outlines and
    attributes have no place there.

    Raises:
        DataError: `cannot_hold`: a box that is not wider or higher than a pixel, but is no line either.
            `bad_class_names`: one that takes more than a line.
    """
    check_names(dataset)
    left_out: LeftOut = []
    pictures = list(described(dataset, rows, left_out))
    texts = {one.row.index: _text(dataset, one) for one in pictures}
    places = {one.row.index: f"JPEGImages/{one.row.name}" for one in pictures}
    left_out += write_files(dataset, places, [one.row for one in pictures], folder, progress)
    gone = {index for index, _ in left_out}
    kept = [one for one in pictures if one.row.index not in gone]
    (folder / "Annotations").mkdir()
    for one in kept:
        files.write_text(folder / "Annotations" / f"{_stem(one)}.xml", texts[one.row.index])
    splits = sorted({one.row.split for one in kept if one.row.split})
    if splits:
        (folder / "ImageSets/Main").mkdir(parents=True)
    for split in splits:
        lines = [f"{_stem(one)}\n" for one in kept if one.row.split == split]
        files.write_text(folder / "ImageSets/Main" / f"{split}.txt", "".join(lines))
    files.write_text(folder / CLASSES, "".join(f"{name}\n" for name in dataset.classes))
    return Written(dataset.classes, left_out)


def _stem(one: Described) -> str:
    return one.row.name.rpartition(".")[0]


def _text(dataset: Dataset, one: Described) -> str:
    return "\n".join(
        [
            "<annotation>",
            f"  <folder>JPEGImages</folder><filename>{escape(one.row.name, quote=False)}</filename>",
            f"  <size><width>{one.width}</width><height>{one.height}</height><depth>3</depth></size>",
            *_objects(dataset, one),
            "</annotation>\n",
        ]
    )


def _objects(dataset: Dataset, one: Described) -> Iterator[str]:
    objects = one.objects
    for place, (left, top, right, bottom) in enumerate(objects.boxes.tolist()):
        across, down = _sides(dataset, one, left, right), _sides(dataset, one, top, bottom)
        name = escape(dataset.classes[objects.labels[place]], quote=False)
        yield f"  <object><name>{name}</name><difficult>{int(objects.ignored[place])}</difficult>"
        yield (
            f"    <bndbox><xmin>{across[0]}</xmin><ymin>{down[0]}</ymin>"
            f"<xmax>{across[1]}</xmax><ymax>{down[1]}</ymax></bndbox></object>"
        )


def _sides(dataset: Dataset, one: Described, low: float, high: float) -> tuple[str, str]:
    """Return two sides as VOC counts them; of a line the second lies before the first."""
    first, last = short(low + 1), short(high)
    if high <= low:
        return first, short(low)
    if float(last) <= float(first):
        raise cannot_hold(dataset, one, "a box of at most one pixel would have none in VOC")
    return first, last
