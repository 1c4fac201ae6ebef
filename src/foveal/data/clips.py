"""Data sets of clips: stored films, and the same data seen otherwise."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError, UsageError
from foveal.data import video
from foveal.data.clip import Clip
from foveal.data.dataset import Dataset, Header, Picture, UInt8
from foveal.data.sizing import evenly_spaced

_SAMPLED = 200


@dataclass(frozen=True, slots=True)
class FileClip:
    """A film as a file's bytes, seen as so many frames, whole or each brought to a size."""

    content: bytes = field(repr=False)
    frames: int
    sized: video.Sizing | None = None

    def header(self) -> Header:
        """Return codec, size and pixel format without decoding."""
        return video.header(self.content)

    def decode(self, channels: int) -> UInt8:
        """Return the frames, uint8 (frames, H, W, channels)."""
        return video.sampled(self.content, self.frames, channels, sized=self.sized)

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and frames."""
        return self.header(), self.decode(channels)


@dataclass(frozen=True, slots=True)
class Still:
    """The middle frame of a film as a picture; the stored bytes are those of the film."""

    content: bytes = field(repr=False)

    def header(self) -> Header:
        """Return codec, size and pixel format without decoding."""
        return video.header(self.content)

    def decode(self, channels: int) -> UInt8:
        """Return the pixels, uint8 (H, W, channels)."""
        return np.asarray(video.sampled(self.content, 1, channels)[0])

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels."""
        return self.header(), self.decode(channels)


def showing(dataset: Dataset, clip: Clip | None, *, sized: video.Sizing | None = None) -> Dataset:
    """Return a data set as a recognizer sees it: pictures as they are, clips with its number of frames.

    Args:
        dataset: Of pictures or clips.
        clip: Of the recognizer's `Preprocess`; None: it takes pictures.
        sized: Brings the frames of clips to size, as `Preprocess.frame` does; whole frames, which None gives,
            take memory by the size of the film.

    Raises:
        UsageError: `other_task`: it takes clips and these are pictures, or the reverse.
    """
    if (dataset.clip is None) != (clip is None):
        takes, are = ("pictures", "clips") if clip is None else ("clips", "pictures")
        raise UsageError(
            f"this recognizer takes {takes}, and {dataset.path} holds {are}",
            code="other_task",
            path=dataset.path,
        )
    if clip is None:
        return dataset
    return replace(dataset, clip=clip, read=lambda i: FileClip(dataset.read(i).content, clip.frames, sized))


def stills(dataset: Dataset) -> Dataset:
    """Return the middle frames of clips as a data set of pictures; one of pictures as it is.

    Names, labels, groups and contents, and so the fingerprint, are those of the clips.
    """
    if dataset.clip is None:
        return dataset
    return replace(dataset, clip=None, read=lambda i: _still(dataset.read(i)))


def _still(picture: Picture) -> Picture:
    return Still(picture.content)


def spacing_s(dataset: Dataset, indices: NDArray[np.int64]) -> float | None:
    """Return the median time between two frames of a clip, in seconds; None where nothing can be read.

    Args:
        dataset: Of clips.
        indices: Those that count, int64 (N,); at most 200 evenly spaced ones are read.
    """
    assert dataset.clip is not None
    found = []
    for place in evenly_spaced(len(indices), at_most=_SAMPLED):
        try:
            seconds = video.timing(dataset.read(int(indices[place])).content).seconds
        except ImageError:  # the inventory reports it
            continue
        found.append(seconds / dataset.clip.frames)
    return round(float(np.median(found)), 6) if found else None
