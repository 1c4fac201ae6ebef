"""What a predictor answers for held-out pictures, in order, on all processors."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.bundle.predictor import Predictor
from foveal.core.batches import in_parts
from foveal.core.errors import DataError, ImageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.evaluate.held_out import HeldOut, readable

_REPORT_SECONDS = 0.25
_NAME = "foveal-evaluate"  # of the threads
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """Answers in the order of the pictures.

    Attributes:
        probabilities: float32 (M, K).
        positions: Which held-out picture each row is, int64 (M,), rising.
        unreadable: Why the others could not be used; each error's path is the picture's source.
        seconds: From the first byte read to the last answer.
    """

    probabilities: Float32 = field(repr=False)
    positions: NDArray[np.int64] = field(repr=False)
    unreadable: tuple[ImageError, ...]
    seconds: float


def probabilities_at_size(predictor: Runs, images: UInt8, *, threads: int = 1) -> Float32:
    """Return what is answered for pictures at model size, float32 (N, K).

    Args:
        predictor: Runs the model.
        images: uint8 (N, size, size, C), N ≥ 1; of clips (N, T, size, size, C).
        threads: So many batches are worked on at once; it changes no digit.
    """
    batches = (images[part.start : part.stop] for part in in_parts(len(images), images.shape[1:]))
    return np.concatenate(
        [run.probabilities for run in in_order(predictor.run, batches, workers=threads, name=_NAME)]
    )


def right_at_size(predictor: Runs, images: UInt8, labels: NDArray[np.int64], *, threads: int = 1) -> int:
    """Return how many pictures are named correctly.

    Args:
        predictor: Runs the model.
        images: At model size, uint8 (N, size, size, C), N ≥ 1.
        labels: The truth, int64 (N,).
        threads: So many batches are worked on at once.
    """
    found = probabilities_at_size(predictor, images, threads=threads)
    return int((found.argmax(axis=1) == labels).sum())


class Part(NamedTuple):
    """Answers for one batch: a row for each of `positions`, and what is wrong with the others."""

    probabilities: Float32 | None
    positions: list[int]
    errors: list[ImageError]


def ask(predictor: Runs, held_out: HeldOut, positions: Sequence[int]) -> Part:
    """Read, preprocess and run one batch."""
    images, found, errors = readable(held_out, positions)
    return Part(predictor.run(np.stack(images)).probabilities if images else None, found, errors)


def joined(parts: Sequence[Part], *, seconds: float) -> Answers:
    """Return the answers of all batches, in the order of the pictures.

    Raises:
        DataError: Not one picture can be used.
    """
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    unreadable = tuple(error for part in parts for error in part.errors)
    if not probabilities:
        raise DataError(
            f"not one of {len(unreadable)} pictures can be used; the first: {unreadable[0].message}",
            code="no_readable_images",
            path=unreadable[0].path,
        )
    positions = np.array([position for part in parts for position in part.positions], dtype=np.int64)
    return Answers(np.concatenate(probabilities), positions, unreadable, seconds)


def answers(predictor: Predictor, held_out: HeldOut, *, threads: int, progress: Progress = silent) -> Answers:
    """Read, preprocess and run every picture.

    Args:
        predictor: Runs the model.
        held_out: The pictures.
        threads: So many batches are worked on at once; it changes no digit.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used.
    """
    started = said = time.monotonic()
    chunks = in_parts(len(held_out), predictor.preprocess.shape)

    def work(chunk: Sequence[int]) -> Part:
        return ask(predictor, held_out, chunk)

    parts = []
    for chunk, part in zip(chunks, in_order(work, chunks, workers=threads, name=_NAME), strict=True):
        parts.append(part)
        if time.monotonic() - said > _REPORT_SECONDS:
            said = time.monotonic()
            progress("measuring", chunk.stop, len(held_out))
    progress("measuring", len(held_out), len(held_out))
    return joined(parts, seconds=time.monotonic() - started)
