"""From the picture files of one request to pictures at model size, no further than anybody waits for them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from foveal.bundle.inputs import UInt8, pixels
from foveal.core.errors import ImageError
from foveal.data import video
from foveal.data.decode import LIMITS, header
from foveal.data.preprocess import Preprocess
from foveal.data.video import VIDEO_LIMITS
from foveal.serve.problems import HttpError


def decoding(
    contents: Sequence[bytes], preprocess: Preprocess, *, most_pixels: int, check: Callable[[], None]
) -> Iterator[UInt8 | ImageError]:
    """Yield for each picture file its pixels, uint8 (S, S, C), or why it cannot be used.

    Args:
        contents: Of the files.
        preprocess: The model's.
        most_pixels: That all of them may have together, before they are made smaller.
        check: Called before each further picture; raises where nobody waits for the answer.

    Raises:
        HttpError: `request_too_many_pixels`, before any is decoded; or what `check` raises.
    """
    if (
        preprocess.clip is None and len(contents) * LIMITS.pixels > most_pixels
    ):  # else no header needs to be read twice
        weigh(contents, most_pixels)
    for index, content in enumerate(contents):
        if index:
            check()
        try:
            yield _at_size(content, preprocess, most_pixels)
        except ImageError as error:
            yield error


def _at_size(content: bytes, preprocess: Preprocess, most_pixels: int) -> UInt8:
    """Return a picture or film at model size; of a film all frames count, as all are decoded."""
    if preprocess.clip is None:
        return pixels(content, preprocess)
    limits = replace(VIDEO_LIMITS, pixels=most_pixels)
    frames, channels = preprocess.clip.frames, preprocess.channels
    return video.sampled(content, frames, channels, sized=preprocess.frame, limits=limits)


def weigh(contents: Sequence[bytes], most: int) -> None:
    """Look at the headers of picture files.

    Raises:
        HttpError: `request_too_many_pixels`: all together have more than `most`.
    """
    total = 0
    for content in contents:
        try:
            found = header(content)
        except ImageError:  # it will not be decoded
            continue
        total += found.width * found.height
    if total > most:
        raise HttpError(
            "request_too_many_pixels",
            f"the pictures of this request have {total} pixels; together they may have {most}",
            hint="send fewer pictures in a request, or smaller ones",
        )
