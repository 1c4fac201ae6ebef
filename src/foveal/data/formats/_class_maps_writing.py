"""Class maps as they are written: a grey PNG for each picture, and what its values mean."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from foveal.core import files
from foveal.core.errors import ImageError
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset
from foveal.data.formats._class_list import CLASSES
from foveal.data.formats._scene_writing import check_names, write_files
from foveal.data.formats._writing import Row, Written, written_rows


def write_class_maps(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write `images/[<split>/]`, `masks/[<split>/]` and `classes.txt`; 255 is where nothing is said.

    Raises:
        DataError: `bad_class_names`: one that takes more than a line; `bad_annotation`: a map of the data
            cannot be used.
    """
    check_names(dataset)
    assert dataset.scenes is not None
    assert dataset.scenes.regions is not None
    places = {row.index: f"images/{row.split}/{row.name}".replace("//", "/") for row in rows}
    left_out = write_files(dataset, places, rows, folder, progress)
    for done, row in enumerate(written_rows(rows, left_out), start=1):
        try:
            regions = dataset.scenes.regions(row.index)
        except ImageError as error:
            left_out.append((row.index, error))
            (folder / places[row.index]).unlink()
            continue
        place = folder / "masks" / row.split / f"{row.name.rpartition('.')[0]}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(regions).save(place, "PNG")
        if done % 100 == 0 or done == len(rows):
            progress("writing maps", done, len(rows))
    files.write_text(folder / CLASSES, "".join(f"{k} {name}\n" for k, name in enumerate(dataset.classes)))
    return Written(dataset.classes, left_out)
