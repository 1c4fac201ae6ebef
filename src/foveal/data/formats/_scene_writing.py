"""What writers of annotations share: what is to be written of each picture, and what a layout cannot hold."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from foveal.core.errors import DataError, ImageError
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._writing import LeftOut, Row, write_pictures, write_table, written_rows
from foveal.data.scene import Objects


class Described(NamedTuple):
    """A picture to be written, the size of it upright, and the objects on it."""

    row: Row
    width: int
    height: int
    objects: Objects


def described(dataset: Dataset, rows: Sequence[Row], left_out: LeftOut) -> Iterator[Described]:
    """Yield what is to be written; pictures whose size cannot be read are left out.

    Args:
        dataset: With scenes.
        rows: A row for each picture.
        left_out: Gets the index of each picture that is left out, and why.
    """
    assert dataset.scenes is not None
    for row in rows:
        try:
            header = dataset.read(row.index).header()
            objects = dataset.scenes.objects(row.index)
        except ImageError as error:
            left_out.append((row.index, error))
            continue
        yield Described(row, header.width, header.height, objects)


def write_files(
    dataset: Dataset, places: Mapping[int, str], rows: Sequence[Row], folder: Path, progress: Progress
) -> LeftOut:
    """Write pictures, in folders that are made, and `groups.csv` where pictures belong together.

    Args:
        dataset: Gives the pictures.
        places: Names of the files below `folder`, by index.
        rows: Of these pictures.
        folder: Where to.
        progress: Told now and then.
    """
    for home in sorted({place.rpartition("/")[0] for place in places.values()}):
        (folder / home).mkdir(parents=True, exist_ok=True)
    left_out = write_pictures(dataset, places, folder, progress)
    grouped = [(places[row.index], row.group) for row in written_rows(rows, left_out) if row.group]
    if grouped:
        write_table(folder / GROUPS, [("picture", "group"), *grouped])
    return left_out


def check_names(dataset: Dataset) -> None:
    """Refuse names of classes that take more than a line, or begin or end with blanks.

    Raises:
        DataError: `bad_class_names`.
    """
    odd = next((name for name in dataset.classes if not name.isprintable() or name != name.strip()), None)
    if odd is not None:
        raise DataError(
            f"the class {odd!r} cannot be written on a line",
            code="bad_class_names",
            hint="--to coco takes any name",
            path=dataset.path,
        )


def cannot_hold(dataset: Dataset, one: Described, why: str) -> DataError:
    """Return the error that the objects of a picture do not fit into a layout."""
    return DataError(
        f"{dataset.sources[one.row.index]}: {why}",
        code="cannot_hold",
        hint="--to coco holds all that is stated about objects",
        path=dataset.path,
    )


def short(value: float) -> str:
    """Return a number of pixels, to a hundredth.

    >>> short(12.0), short(0.125), short(-0.001)
    ('12', '0.12', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
