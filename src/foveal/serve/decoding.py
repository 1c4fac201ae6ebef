"""From the picture files of one request to pictures at model size, no further than anybody waits for them."""

from collections.abc import Callable, Iterator, Sequence

from foveal.bundle.inputs import UInt8, measured
from foveal.core.errors import ImageError
from foveal.data import video
from foveal.data.decode import LIMITS
from foveal.data.pair import is_pair, parted
from foveal.data.pictures import stored
from foveal.data.preprocess import Preprocess
from foveal.serve.problems import HttpError

_COLOURS = 3  # a pixel of a picture that people look at


def decoding(
    contents: Sequence[bytes], preprocess: Preprocess, *, most_pixels: int, check: Callable[[], None]
) -> Iterator[tuple[UInt8, tuple[int, int]] | ImageError]:
    """Yield for each picture file its pixels at model size with its own height and width, or what is wrong.

    Args:
        contents: Of the files.
        preprocess: The model's.
        most_pixels: That all of them may have together, before they are made smaller.
        check: Called before each further picture, and as each frame of a film is decoded; raises where nobody
            waits for the answer.

    Raises:
        HttpError: `request_too_many_pixels`, before any is decoded, or while a film is that has more than its
            header says; or what `check` raises.
    """
    # What cannot be too much needs no second look at its headers.
    films_or_bands = preprocess.clip is not None or preprocess.bands is not None
    if films_or_bands or len(contents) * LIMITS.pixels > most_pixels:
        weigh(contents, most_pixels, header_pixels if preprocess.clip is None else video.weight)
    budget = _Budget(most_pixels, check)
    for index, content in enumerate(contents):
        if index:
            check()
        try:
            yield _at_size(content, preprocess, budget)
        except ImageError as error:
            yield error


class _Budget:
    """What the films of a request may still have decoded: a header may say less than there is."""

    def __init__(self, most: int, check: Callable[[], None]) -> None:
        self._most, self._left, self._check = most, most, check

    def spend(self, pixels: int) -> None:
        """Take the pixels of a frame; raises where nobody waits for it, or there are not so many left."""
        self._check()
        self._left -= pixels
        if self._left < 0:
            raise _too_many(self._most - self._left, self._most)


def _at_size(content: bytes, preprocess: Preprocess, budget: _Budget) -> tuple[UInt8, tuple[int, int]]:
    """Return a picture or film at model size; of a film all frames count, as all are decoded."""
    if preprocess.clip is None:
        return measured(content, preprocess)
    frames, channels = preprocess.clip.frames, preprocess.channels
    seen = video.sampled(content, frames, channels, sized=preprocess.frame, spend=budget.spend)
    return seen, preprocess.sides


def header_pixels(content: bytes) -> int:
    """Return width times height of a picture, as its header says, of a pair those of both.

    Of more than three bands it counts as often as three go into them.

    Raises:
        ImageError: As `header` does.
    """
    if is_pair(content):
        return sum(map(header_pixels, parted(content)))
    found = stored(content).header()
    return found.width * found.height * -(-found.channels // _COLOURS)


def weigh(contents: Sequence[bytes], most: int, pixels_of: Callable[[bytes], int] = header_pixels) -> None:
    """Look at the headers of picture files, or films.

    Args:
        contents: Of the files.
        most: Pixels that they may have together.
        pixels_of: Returns the pixels of one.

    Raises:
        HttpError: `request_too_many_pixels`: all together have more than `most`.
    """
    total = 0
    for content in contents:
        try:
            total += pixels_of(content)
        except ImageError:  # it will not be decoded
            continue
    if total > most:
        raise _too_many(total, most)


def _too_many(total: int, most: int) -> HttpError:
    return HttpError(
        "request_too_many_pixels",
        f"the pictures of this request have {total} pixels; together they may have {most}",
        hint="send fewer pictures in a request, or smaller ones",
    )
