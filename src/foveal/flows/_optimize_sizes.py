"""The pictures of a run at other sizes: read again from their files, with the same roles and order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from foveal.core.progress import Progress
from foveal.data import inventory as inventories
from foveal.data.dataset import Dataset, UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.flows._prepare import Prepared, passes, resized
from foveal.optimize.workshop import Roles

_TIMED = 256  # pictures, read to foresee how long all will take


@dataclass(frozen=True)
class Sizes:
    """Data that are prepared at one size, and how they are at others.

    Attributes:
        prepared: At the size of the original.
        folder: That they were prepared in.
        roles_of: Gives prepared pictures their roles: by labels, units and seed, never by pixels.
        threads: For decoding.
    """

    prepared: Prepared
    folder: Path
    roles_of: Callable[[Prepared], Roles] = field(repr=False)
    threads: int
    _made: dict[int, Prepared] = field(default_factory=dict, repr=False)

    def at(self, sizes: Sequence[int], progress: Progress) -> dict[int, Prepared]:
        """Return the data at sizes, by the side in pixels; what is new is read in one pass.

        Raises:
            DataError: The data have changed since.
            WriteError: The folder cannot be written.
        """
        own = self.prepared.preprocess.size
        known = {own: self.prepared, **self._made}
        missing = [size for size in sizes if size not in known]
        if missing:
            self._made.update(
                resized(self.prepared, missing, self.folder, threads=self.threads, progress=progress)
            )
        return {size: known[size] if size in known else self._made[size] for size in sizes}

    def roles(self, sizes: Sequence[int], progress: Progress) -> dict[int, Roles]:
        """Return the roles at sizes; see `optimize.workshop.Resizing`."""
        return {size: self.roles_of(prepared) for size, prepared in self.at(sizes, progress).items()}

    def seconds(self, sizes: Sequence[int]) -> float:
        """Return how long reading all is foreseen to take, from some; see `optimize.workshop.Resizing`."""
        own = self.prepared.preprocess
        missing = [own.sized(size) for size in sizes if size != own.size and size not in self._made]
        if not missing:
            return 0.0
        few = _some(self.prepared.dataset)
        began = time.monotonic()
        for some in passes(missing):
            shown = some[0].seeing(few)
            inventories.take(shown, look=_thrown_away(some), threads=self.threads)
        return (time.monotonic() - began) * len(self.prepared.dataset) / len(few)


def _some(dataset: Dataset) -> Dataset:
    """Return up to 256 pictures of a data set, evenly spaced."""
    places = evenly_spaced(len(dataset), at_most=_TIMED)
    return replace(
        dataset,
        sources=tuple(dataset.sources[place] for place in places),
        labels=dataset.labels[places],
        splits=tuple(dataset.splits[place] for place in places),
        read=lambda index: dataset.read(int(places[index])),
        groups=None,
    )


def _thrown_away(preprocesses: Sequence[Preprocess]) -> Callable[[int, UInt8], None]:
    def look(_: int, pixels: UInt8) -> None:
        for preprocess in preprocesses:
            preprocess(pixels)

    return look
