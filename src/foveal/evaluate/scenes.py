"""Pictures with what is where on them, that a recognizer has not learned from, and its answers for them."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

import foveal
from foveal.bundle.predictor import Predictor
from foveal.core import machine
from foveal.core.batches import in_parts
from foveal.core.errors import DataError, UsageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8

_NAME = "foveal-evaluate"  # of the threads
_REPORT_SECONDS = 0.25

Truth = TypeVar("Truth")  # what is stated about a picture
Answer = TypeVar("Answer")  # what is found on it


@dataclass(frozen=True)
class Scenes(Generic[Truth]):
    """N pictures with what is where on them; nothing is decoded before it is asked for.

    Attributes:
        sources: N names.
        read: Returns the model's input for a picture 0 to N - 1, uint8 (H, W, C), from any thread; raises
            ImageError where it cannot be used.
        truth: Returns what is there, by the model's labels; raises DataError where that cannot be read.
        size: Returns height and width of a picture.
        split: Which part of the data these are.
        fingerprint: The data they are from, where known.
        split_seed: What the part was drawn with, where it was drawn.
        units: A number for each picture, equal for those that belong together, int64 (N,); None: not known.
    """

    sources: Sequence[str] = field(repr=False)
    read: Callable[[int], UInt8] = field(repr=False)
    truth: Callable[[int], Truth] = field(repr=False)
    size: Callable[[int], tuple[int, int]] = field(repr=False)
    split: str = "test"
    fingerprint: str | None = None
    split_seed: int | None = None
    units: NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.sources)

    def units_at(self, positions: Sequence[int]) -> NDArray[np.int64] | None:
        """Return the units of some of the pictures."""
        return None if self.units is None else self.units[list(positions)]


@dataclass(frozen=True)
class Answers(Generic[Answer]):
    """What was found, in the order of the pictures.

    Attributes:
        found: Of each picture that could be used.
        positions: Which pictures these are, rising.
        unreadable: Why the others could not be used, or what is stated about them could not be read; each
            error's path is the picture's source.
        seconds: From the first byte read to the last answer.
    """

    found: list[Answer] = field(repr=False)
    positions: list[int] = field(repr=False)
    unreadable: tuple[DataError, ...]
    seconds: float


def answered(
    scenes: Scenes[Any],
    look: Callable[[UInt8, list[int]], list[Answer]],
    *,
    shape: tuple[int, ...],
    threads: int,
    progress: Progress,
) -> Answers[Answer]:
    """Read, preprocess and look at every picture.

    Args:
        scenes: The pictures.
        look: Returns what is found on a batch, uint8 (M, H, W, C), at these positions; from any thread.
        shape: Of the model's input.
        threads: So many batches are worked on at once; it changes no digit.
        progress: Told a few times a second.

    Raises:
        UsageError: There are no pictures.
        DataError: `no_readable_images`: not one can be used.
    """
    if len(scenes) == 0:
        raise UsageError("need at least one picture", code="empty")
    started = said = time.monotonic()
    chunks = in_parts(len(scenes), shape)

    def work(chunk: range) -> tuple[list[Answer], list[int], list[DataError]]:
        images, kept, errors = _read(scenes, chunk)
        return (look(np.stack(images), kept) if images else []), kept, errors

    found: list[Answer] = []
    positions: list[int] = []
    unreadable: list[DataError] = []
    for chunk, part in zip(chunks, in_order(work, chunks, workers=threads, name=_NAME), strict=True):
        found += part[0]
        positions += part[1]
        unreadable += part[2]
        if time.monotonic() - said > _REPORT_SECONDS:
            said = time.monotonic()
            progress("measuring", chunk.stop, len(scenes))
    progress("measuring", len(scenes), len(scenes))
    if not found:
        raise DataError(
            f"not one of {len(unreadable)} pictures can be used; the first: {unreadable[0].message}",
            code="no_readable_images",
            path=unreadable[0].path,
        )
    return Answers(found, positions, tuple(unreadable), time.monotonic() - started)


def _read(scenes: Scenes[Any], positions: range) -> tuple[list[UInt8], list[int], list[DataError]]:
    """Return the pictures that can be used, where they are, and what is wrong with the others."""
    images: list[UInt8] = []
    kept: list[int] = []
    errors: list[DataError] = []
    for position in positions:
        try:
            image = scenes.read(position)
            scenes.truth(position)  # of which nothing can be said, there is nothing to measure
        except DataError as error:
            error.path = scenes.sources[position]
            errors.append(error.with_traceback(None))  # a traceback would keep the picture alive
            continue
        images.append(image)
        kept.append(position)
    return images, kept, errors


def provenance(
    predictor: Predictor, scenes: Scenes[Any], answers: Answers[Any], *, threads: int, started: float
) -> dict[str, Any]:
    """Return with what, on what and how fast a recognizer was measured; `started` on the monotonic clock."""
    units = scenes.units_at(answers.positions)
    return {
        "foveal": foveal.__version__,
        "engine": predictor.session.engine,
        "precision": predictor.precision,
        "python": platform.python_version(),
        "cpu": machine.cpu_name(),
        "threads": threads,
        "independent_images": None if units is None else len(set(units.tolist())),
        "fingerprint": scenes.fingerprint,
        "split_seed": scenes.split_seed,
        "seconds": time.monotonic() - started,
        "images_per_second": len(scenes) / max(answers.seconds, 1e-9),
    }
