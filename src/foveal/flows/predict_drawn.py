"""Write pictures with what was found drawn on them, as `foveal predict --draw` does."""

import io
import itertools
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


def drawing(folder: Path, classes: Sequence[str]) -> Callable[[Sighting, str], None]:
    """Return what writes a picture with what was found on it into a folder, as NAME.drawn.jpg.

    Of a segmentation the class of each pixel is written, too, as a grey PNG beside it, NAME.classes.png. Of
    two pictures with the same name the second gets a number. What is there under these names is replaced, and
    nothing else: pictures may be drawn into the folder that they are in.

    Args:
        folder: Made if missing.
        classes: Names in label order.

    Returns:
        To be called with what was found and the path of the picture; raises `ImageError` or `NotFoundError`
        where it cannot be read any more, and `WriteError`.

    Raises:
        UsageError: A file stands where the folder should be.
        WriteError: It cannot be made.
    """
    if files.is_there(folder) and not files.is_folder(folder):
        raise UsageError(f"{folder} is no folder", hint="--draw takes a folder, which is made if missing")
    files.make_folder(folder)
    taken: set[str] = set()

    def draw(seen: Sighting, path: str) -> None:
        name = _free(Path(path).stem, taken)
        taken.add(name)
        pixels = decode.decode(content(Path(path)), 3)
        _write(folder / f"{name}.drawn.jpg", Image.fromarray(drawn_sighting(seen, pixels, classes)))
        if seen.regions is not None:
            _write(folder / f"{name}.classes.png", Image.fromarray(seen.regions))

    return draw


def _free(stem: str, taken: set[str]) -> str:
    numbers = itertools.count(2)
    name = stem
    while name in taken:
        name = f"{stem}-{next(numbers)}"
    return name


def _write(path: Path, image: Image.Image) -> None:
    file = io.BytesIO()
    if path.suffix == ".jpg":
        image.save(file, "JPEG", quality=_QUALITY)
    else:
        image.save(file, "PNG")
    files.write_bytes(path, file.getvalue())
