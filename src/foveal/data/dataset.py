"""Pictures with labels, wherever they lie: what every format reader returns."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.core.task import Task

if TYPE_CHECKING:
    from foveal.data.clip import Clip
    from foveal.data.scene import Scenes

UInt8 = NDArray[np.uint8]


class Header(NamedTuple):
    """What a picture says of itself before its pixels are decoded.

    `width` and `height` are those of the upright picture; `mode` is Pillow's name of the stored colours,
    and `channels` how many of them carry information: 1 for grey, 3 for anything coloured. `values` is the
    type of the numbers in a stack of bands, and empty for a picture that people look at.
    """

    format: str
    width: int
    height: int
    mode: str
    channels: int
    values: str = ""


class Picture(Protocol):
    """One stored picture, not yet decoded."""

    @property
    def content(self) -> bytes:
        """The stored bytes: what is hashed to find duplicates and to recognize a training image."""
        ...

    def header(self) -> Header:
        """Return size and colours without decoding.

        Raises:
            ImageError: The picture cannot be used; its code says why.
        """
        ...

    def decode(self, channels: int) -> UInt8:
        """Return the pixels, uint8 (H, W, channels); of a clip its frames, uint8 (T, H, W, channels).

        Raises:
            ImageError: The picture cannot be used; its code says why.
        """
        ...

    def examine(self, channels: int) -> tuple[Header, UInt8]:
        """Return header and pixels at the price of the pixels alone; raises as `decode` does."""
        ...


class Sample(NamedTuple):
    """One picture with its label (an index into the classes) and its name below the root."""

    picture: Picture
    label: int
    source: str


@dataclass(frozen=True)
class Dataset(Sequence[Sample]):
    """Labelled pictures in a fixed order that is the same on every machine.

    It reads pictures and nothing else: no resizing, no augmentation, no tensors.

    Attributes:
        format: Name of the reader in `data/formats` that recognized the layout.
        path: The folder or file it was opened from.
        classes: Class names in label order.
        sources: Name of each picture below `path`.
        labels: Index into `classes` for each picture, int64 (N,). Of scenes it only tells alike pictures: the
            rarest class on each, and the number of classes where nothing is.
        splits: Name of each picture's split (`train`, `val`, `test`), or `""` where the layout has none.
        groups: What must not be torn apart by a split (a track, a person); one name per picture, or
            None where every picture stands alone.
        grouped_by: The keys of the layout that `groups` comes from, as far as it has keys.
        not_grouped_by: Keys of the layout that could say what belongs together, and were not used.
        read: Returns the stored picture of an index.
        folders: Classes that each split has a folder for, whether or not pictures are in it.
        companions: Pictures passed over because each shares its name with one that counts: masks or copies.
        ignored: Names that were passed over because they are no pictures.
        clip: How a film is seen as frames where the data are clips; None: they are pictures.
        scenes: What is where on the pictures; None: each picture as a whole has a class.
        pairs: Whether each picture comes with the template that it is compared with; see `data.pair`.
        band_names: What the bands of the pictures are called; empty: nobody says.
    """

    format: str
    path: Path
    classes: tuple[str, ...]
    sources: tuple[str, ...] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    splits: tuple[str, ...] = field(repr=False)
    read: Callable[[int], Picture] = field(repr=False)
    groups: tuple[str, ...] | None = field(default=None, repr=False)
    grouped_by: tuple[str, ...] = field(default=(), repr=False)
    not_grouped_by: tuple[str, ...] = field(default=(), repr=False)
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    companions: tuple[str, ...] = field(default=(), repr=False)
    ignored: tuple[str, ...] = field(default=(), repr=False)
    clip: "Clip | None" = None
    scenes: "Scenes | None" = None
    pairs: bool = False
    band_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: Any) -> Any:  # an int, as Sequence wants; slices make no sense here
        return Sample(self.read(index), int(self.labels[index]), self.sources[index])

    @property
    def task(self) -> Task:
        """What is to be learned: `classify` pictures, or clips: `video`, or where something is."""
        if self.scenes is not None:
            return self.scenes.task
        return "classify" if self.clip is None else "video"

    @property
    def truths(self) -> list[str]:
        """What is stated about each picture: the name of its class, or a hash of what is where on it."""
        if self.scenes is not None:
            return [self.scenes.said(index) for index in range(len(self))]
        return [self.classes[label] for label in self.labels]

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that the layout brings, in reading order; empty where it brings none."""
        return tuple(dict.fromkeys(name for name in self.splits if name))


def content_hash(content: bytes) -> str:
    """Return the sha256 of a picture's stored bytes, as it is kept in `split.json`."""
    return hashlib.sha256(content).hexdigest()
