"""What a predictor takes: paths, the bytes of a picture file, or pixels."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError, NotFoundError, UsageError
from foveal.core.text import printable
from foveal.data.clip import places
from foveal.data.pair import joined
from foveal.data.pictures import RawPicture
from foveal.data.preprocess import Preprocess
from foveal.data.stacks import most_bytes
from foveal.data.tree import read_regular
from foveal.data.video import VIDEO_LIMITS

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """An inspected picture with the template that it is compared with.

    Attributes:
        inspected: A path, or the content of a picture file.
        template: The same.
    """

    inspected: str | Path | bytes
    template: str | Path | bytes

    @property
    def content(self) -> bytes:
        """The bytes of the pair.

        Raises:
            NotFoundError, ImageError: One of both files cannot be read.
        """
        parts = (
            part if isinstance(part, bytes) else content(Path(part))
            for part in (self.inspected, self.template)
        )
        return joined(*parts)


Input = str | Path | bytes | UInt8 | Pair


def source(item: Input, index: int) -> str:
    """Return what an input is called in its prediction: its path, or `#3` for the fourth one."""
    if isinstance(item, Pair):
        item = item.inspected
    return printable(os.fspath(item)) if isinstance(item, str | Path) else f"#{index}"


def pixels(item: Input, preprocess: Preprocess) -> UInt8:
    """Return the model's input for one picture or clip, uint8 of `preprocess.shape`.

    Args:
        item: A path, the content of a picture or film, or pixels, uint8 (H, W) or (H, W, C); of a clip its
            frames, any number of them, uint8 (F, H, W, C). Where it has a template, a `Pair`. Of bands their
            values, of the type they have.
        preprocess: The model's.

    Raises:
        NotFoundError: There is no such file.
        ImageError: The file or the pixels cannot be used; `code` says why.
        UsageError: It is something else.
    """
    if isinstance(item, np.ndarray) and preprocess.clip is not None:
        chosen = frames(item)[places(len(item), preprocess.clip.frames)]
        return preprocess(np.stack([RawPicture(one).decode(preprocess.channels) for one in chosen]))
    return measured(item, preprocess)[0]


def measured(item: Input, preprocess: Preprocess) -> tuple[UInt8, tuple[int, int]]:
    """Return the model's input for one picture, and height and width of that picture, upright, in pixels.

    Args:
        item: As for `pixels`, but no frames.
        preprocess: The model's.

    Raises:
        NotFoundError, ImageError, UsageError: As `pixels`.
    """
    if isinstance(item, np.ndarray):
        bands = preprocess.bands
        whole = picture(item) if bands is None else shaped(item)
        pixels = RawPicture(whole, bands).decode(preprocess.channels)
        return preprocess(pixels), (whole.shape[0], whole.shape[1])
    if isinstance(item, str | Path):
        item = content(Path(item), most=None if preprocess.clip is None else VIDEO_LIMITS.content_bytes)
    if isinstance(item, Pair):
        item = item.content
    if isinstance(item, bytes):
        return preprocess.measured(item)
    raise UsageError(
        f"an input is a path, the bytes of a picture file or a uint8 array; got {type(item).__name__}",
        hint="numpy.asarray(picture) makes an array of a PIL image",
    )


def picture(array: NDArray[np.generic]) -> UInt8:
    """Return pixels given as an array as uint8 (H, W, C); nothing is guessed.

    Grey and RGB turn into each other later, as they do for files. Any strides will do.

    Raises:
        ImageError: Code `bad_array`; another dtype or shape. The hint says how to convert.
    """
    if array.dtype != np.uint8:
        raise ImageError(
            f"pixels must be uint8 from 0 to 255; got {array.dtype}",
            code="bad_array",
            hint=_CONVERT.get(array.dtype.kind, "give numbers: uint8 from 0 to 255"),
        )
    return np.ascontiguousarray(shaped(array), dtype=np.uint8)


def shaped(array: NDArray[Any]) -> NDArray[Any]:
    """Return values given as an array as (H, W, C), of the type they have.

    Raises:
        ImageError: Code `bad_array`; another shape.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.size == 0:
        raise ImageError(
            f"a picture is (height, width) or (height, width, channels), none of them 0; got {array.shape}",
            code="bad_array",
            hint="give several pictures as a list, or as one array (N, height, width, channels)",
        )
    if array.shape[0] in (1, 3, 4) and array.shape[2] > 4:
        raise ImageError(
            f"a picture has its channels last; got {array.shape}",
            code="bad_array",
            hint="array.transpose(1, 2, 0) moves them there",
        )
    return array


def frames(array: NDArray[np.generic]) -> UInt8:
    """Return the frames of a clip given as an array, uint8 (F, H, W, C); nothing is guessed.

    Raises:
        ImageError: Code `bad_array`; another dtype or shape.
    """
    if array.ndim != 4 or array.size == 0:
        raise ImageError(
            f"a clip is (frames, height, width, channels), none of them 0; got {array.shape}",
            code="bad_array",
            hint="this recognizer answers for clips; give several as a list",
        )
    return np.stack([picture(one) for one in array])


_CONVERT = {
    "f": "from 0..1: (array * 255).round().clip(0, 255).astype('uint8')",
    "u": "from 16 bits: (array >> 8).astype('uint8')",
    "i": "if the values are 0..255: array.astype('uint8')",
    "b": "array.astype('uint8') * 255",
    "O": "an array of objects holds no pixels; give a list of arrays",
}


def content(path: Path, *, most: int | None = None) -> bytes:
    """Return the bytes of a picture file, one more than is allowed at most; nothing is waited for.

    Args:
        path: The file.
        most: Bytes that are allowed; None: as many as a picture file of its name may have.

    Raises:
        NotFoundError: There is no such file.
        ImageError: `not_regular` or `io_error`.
    """
    name = printable(str(path))
    if "\0" in name:
        raise ImageError(f"no file can be called {name!r}", code="io_error")
    try:
        return read_regular(path, (most_bytes(path.name) if most is None else most) + 1)
    except ImageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise NotFoundError(f"there is no {name}", path=name) from None
        raise
