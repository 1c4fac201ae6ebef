"""Write pictures with what was found drawn on them, as `foveal predict --draw` does."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from foveal.bundle.inputs import content
from foveal.core import files
from foveal.core.errors import UsageError
from foveal.core.types import Sighting
from foveal.data import decode
from foveal.data.drawn_sighting import drawn_sighting

_QUALITY = 92  # of JPEG


def drawing(folder: Path, classes: Sequence[str]) -> Callable[[Sighting], None]:
    """Return what writes a picture with what was found on it into a folder, under its own name.

    Of a segmentation the class of each pixel is written, too, as a grey PNG beside it. Of two pictures with
    the same name the second gets a number.

    Args:
        folder: Made if missing.
        classes: Names in label order.

    Raises:
        UsageError: A file stands where the folder should be.
        WriteError: It cannot be made.
    """
    if files.is_there(folder) and not files.is_folder(folder):
        raise UsageError(f"{folder} is no folder", hint="--draw takes a folder, which is made if missing")
    files.make_folder(folder)
    taken: dict[str, int] = {}

    def draw(seen: Sighting) -> None:
        path = Path(seen.source)
        number = taken.get(path.stem, 0)
        taken[path.stem] = number + 1
        name = path.stem if number == 0 else f"{path.stem}-{number + 1}"
        pixels = decode.decode(content(path), 3)
        _write(folder / f"{name}.jpg", Image.fromarray(drawn_sighting(seen, pixels, classes)))
        if seen.regions is not None:
            _write(folder / f"{name}.classes.png", Image.fromarray(seen.regions))

    return draw


def _write(path: Path, image: Image.Image) -> None:
    file = io.BytesIO()
    if path.suffix == ".jpg":
        image.save(file, "JPEG", quality=_QUALITY)
    else:
        image.save(file, "PNG")
    files.write_bytes(path, file.getvalue())
