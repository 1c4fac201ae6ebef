"""Pictures that a recognizer has not learned from, with the truth, as its model wants them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError, UsageError
from foveal.data.clip import still
from foveal.data.dataset import Dataset, UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced


@dataclass(frozen=True)
class HeldOut:
    """N pictures with labels; nothing is decoded before it is asked for.

    Attributes:
        labels: Indices into the model's classes, int64 (N,).
        sources: N names.
        read: Returns the model's input for a picture 0 to N - 1, uint8 (size, size, channels), from any
            thread; raises ImageError where it cannot be used.
        split: Which part of the data these are.
        fingerprint: The data they are from, where known.
        split_seed: What the part was drawn with, where it was drawn.
        units: A number for each picture, equal for those that belong together, int64 (N,); None: not known.
    """

    labels: NDArray[np.int64] = field(repr=False)
    sources: Sequence[str] = field(repr=False)
    read: Callable[[int], UInt8] = field(repr=False)
    split: str = "test"
    fingerprint: str | None = None
    split_seed: int | None = None
    units: NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def __post_init__(self) -> None:
        if len(self.labels) == 0 or len(self.sources) != len(self.labels):
            raise UsageError(
                f"need at least one picture, and a source for each of {len(self.labels)}; "
                f"got {len(self.sources)}",
                code="empty",
            )

    @classmethod
    def of_dataset(
        cls, dataset: Dataset, indices: NDArray[np.int64], preprocess: Preprocess, classes: Sequence[str]
    ) -> Self:
        """Return some pictures of a data set, decoded and preprocessed as the served model does.

        Args:
            dataset: Where they are.
            indices: Which, int64 (N,).
            preprocess: The model's.
            classes: The model's names in the order of its outputs; every class of the data is one of them.

        Raises:
            UsageError: `other_task`: the model takes clips and these are pictures, or the reverse; or the
                data say what is where on pictures, which then have no class.
        """
        if dataset.scenes is not None:
            raise UsageError(
                f"the pictures of {dataset.path} have no class each: it says where something is",
                code="other_task",
                path=dataset.path,
            )
        dataset = preprocess.seeing(dataset)
        order = {name: k for k, name in enumerate(classes)}
        to_model = np.array([order[name] for name in dataset.classes], dtype=np.int64)

        def read(position: int) -> UInt8:
            return preprocess(dataset.read(int(indices[position])).decode(preprocess.channels))

        return cls(to_model[dataset.labels[indices]], [dataset.sources[i] for i in indices], read)

    @classmethod
    def of_images(
        cls, images: UInt8, labels: NDArray[np.int64], sources: Sequence[str], indices: NDArray[np.int64]
    ) -> Self:
        """Return some rows of images that the same preprocessing has already brought to model size.

        Args:
            images: uint8 (M, size, size, channels), for example of a store.
            labels: Indices into the model's classes, int64 (M,).
            sources: M names.
            indices: Which rows, int64 (N,).
        """

        def read(position: int) -> UInt8:
            return np.asarray(images[indices[position]])

        return cls(labels[indices], [sources[i] for i in indices], read)

    def pictures(self, sources: Sequence[str]) -> dict[str, UInt8]:
        """Return some pictures, of clips the middle frames, by their source, for people.

        One that is gone since it was measured is left out.
        """
        places = {source: place for place, source in enumerate(self.sources)}
        found = {}
        for source in dict.fromkeys(sources):
            with suppress(ImageError):
                found[source] = still(self.read(places[source]))
        return found

    def only(self, positions: NDArray[np.int64]) -> Self:
        """Return some of the pictures, in the order of `positions`, int64 (M,)."""
        read, chosen = self.read, positions.tolist()
        return replace(
            self,
            labels=self.labels[positions],
            sources=[self.sources[position] for position in chosen],
            read=lambda position: read(chosen[position]),
            units=None if self.units is None else self.units[positions],
        )


def sample(
    held_out: HeldOut, positions: NDArray[np.int64], *, at_most: int
) -> tuple[UInt8, NDArray[np.int64]]:
    """Return some of the pictures, evenly spaced, uint8 (M, size, size, C), and their labels, int64 (M,).

    Args:
        held_out: The pictures.
        positions: Which of them may be taken, rising, int64 (N,).
        at_most: How many to take; those that cannot be read any more are left out.

    Raises:
        UsageError: Not one can be read.
    """
    return at_size(held_out, positions[evenly_spaced(len(positions), at_most=at_most)].tolist())


def at_size(held_out: HeldOut, positions: Sequence[int]) -> tuple[UInt8, NDArray[np.int64]]:
    """Return these pictures, uint8 (M, size, size, C), and their labels, int64 (M,); see `sample`."""
    images, found, _ = readable(held_out, positions)
    if not images:
        raise UsageError("need at least one readable picture", code="empty")
    return np.stack(images), held_out.labels[found]


def readable(held_out: HeldOut, positions: Sequence[int]) -> tuple[list[UInt8], list[int], list[ImageError]]:
    """Return the pictures that can be used, their positions, and what is wrong with the others."""
    images: list[UInt8] = []
    found: list[int] = []
    errors: list[ImageError] = []
    for position in positions:
        try:
            images.append(held_out.read(position))
            found.append(position)
        except ImageError as error:
            error.path = held_out.sources[position]
            errors.append(error.with_traceback(None))  # a traceback would keep the picture alive
    return images, found, errors
