"""One template from several pictures of good parts: laid on each other, and the median of each pixel."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from foveal.bundle.inputs import content
from foveal.core import files
from foveal.core.errors import DataError, FovealError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.data.decode import decode, header
from foveal.data.pair import layered

SCHEMA = "foveal.inspect-template/1"
FEWEST = 3  # pictures of which a median is not a mean
_MOST_BYTES = 2**31  # of all pictures together
_ROWS = 64  # that are looked at together


@dataclass(frozen=True)
class Template:
    """A template that was made.

    Attributes:
        path: The file.
        document: The `foveal.inspect-template/1` document.
    """

    path: Path
    document: dict[str, Any]


def inspect_template(
    pictures: Sequence[Path], out: Path, *, force: bool = False, progress: Progress = silent
) -> Template:
    """Write the median of pictures of good parts, each laid on the first: what one of them alone has, goes.

    Args:
        pictures: Of one kind of part; a defect may be on fewer than half of them.
        out: The PNG to write.
        force: Replace the file that is there.
        progress: Told about the pictures.

    Raises:
        UsageError: Fewer than three pictures, or all together are too large.
        DataError: One cannot be read, or does not fit on the first (`not_registered`, `other_shape`).
        WriteError: The file is there, or cannot be written.
    """
    if len(pictures) < FEWEST:
        raise UsageError(
            f"a median needs {FEWEST} pictures or more; got {len(pictures)}",
            hint="one good picture is a template by itself: --template FILE",
        )
    if out.suffix.lower() != ".png":
        raise UsageError(f"{out} is no .png: a template keeps every grey level")
    if files.is_there(out) and not force:  # before anything is read
        raise WriteError(f"{out} is there", hint="--force replaces it", path=out)
    stack = _laid(pictures, progress)
    median: UInt8 = np.empty(stack[0].shape, np.uint8)
    for row in range(0, len(median), _ROWS):
        median[row : row + _ROWS] = np.median(stack[:, row : row + _ROWS], axis=0).round()
    image = Image.fromarray(median[:, :, 0] if median.shape[2] == 1 else median)
    held = io.BytesIO()
    image.save(held, "PNG")
    files.write_bytes(out, held.getvalue(), new=not force)
    apart = [float(np.abs(one.astype(np.int16) - median).mean()) for one in stack]
    document = {
        "schema": SCHEMA,
        "ok": True,
        "template": str(out),
        "pictures": len(pictures),
        "width": image.width,
        "height": image.height,
        "difference": [
            {"source": str(path), "mean_grey_levels": round(value, 3)}
            for path, value in zip(pictures, apart, strict=True)
        ],
    }
    return Template(out, document)


def _laid(pictures: Sequence[Path], progress: Progress) -> UInt8:
    """Return all pictures in the places of the first, uint8 (N, H, W, C)."""
    contents = [content(path) for path in pictures]
    about = header(contents[0])
    if len(pictures) * about.width * about.height * about.channels > _MOST_BYTES:
        raise UsageError(
            f"{len(pictures)} pictures of {about.width}×{about.height} pixels are too many to hold at once",
            hint="the median of twenty is as good",
        )
    first = decode(contents[0], about.channels)
    stack = np.empty((len(pictures), *first.shape), np.uint8)
    stack[0] = first
    for place, (path, one) in enumerate(zip(pictures, contents, strict=True)):
        progress("laying pictures on the first", place + 1, len(pictures))
        if place:
            try:
                image = Image.fromarray(np.squeeze(decode(one, about.channels)))
                stack[place] = layered(first, image)[:, :, about.channels : 2 * about.channels]
            except FovealError as error:
                raise DataError(error.message, code=error.code, hint=error.hint, path=path) from error
    return stack
