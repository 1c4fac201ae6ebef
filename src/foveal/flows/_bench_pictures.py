"""What `foveal bench` runs: pictures of somebody, or seeded ones, and where the time of one goes."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from foveal.bundle import golden
from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError, FovealError, ImageError
from foveal.core.progress import Progress
from foveal.data import opening
from foveal.data.dataset import Dataset, UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.metrics.quantile import Quantile, quantile

_DATA_IMAGES = 256
_SYNTHETIC_IMAGES = 48
_STAGES = ("read", "decode", "resize", "run")
_POSTPROCESSED = 64  # pictures at most
_REPEATED = 5  # calls for each of them, of which the median counts


@dataclass(frozen=True)
class Stage:
    """One part of the way from a file to an answer, in seconds a picture, one thread."""

    name: str
    seconds: Quantile


@dataclass(frozen=True)
class Pictures:
    """What is run.

    Attributes:
        images: At model size, uint8 (N, height, width, channels).
        sizes: Height and width that each picture has by itself.
        path: The data they are from; None: seeded synthetic ones.
        unreadable: How many pictures of the data were passed over because they cannot be used.
        stages: Where the time of one picture goes; empty without data.
    """

    images: UInt8 = field(repr=False)
    sizes: tuple[tuple[int, int], ...] = field(repr=False)
    path: Path | None = None
    unreadable: int = 0
    stages: tuple[Stage, ...] = ()


def synthetic(predictor: Predictor) -> Pictures:
    """Return seeded pictures, or clips, at model size."""
    preprocess = predictor.preprocess
    pictures = golden.synthetic(preprocess.sides, preprocess.channels, count=_SYNTHETIC_IMAGES)
    return Pictures(golden.moving(pictures, preprocess), (preprocess.sides,) * len(pictures))


def postprocess(predictor: Predictor, pictures: Pictures) -> Quantile:
    """Return how long it takes to say what the graph's answers for a picture mean, in its own pixels."""
    spent = []
    for row in evenly_spaced(len(pictures.images), at_most=_POSTPROCESSED):
        answers = predictor.ask(pictures.images[row : row + 1])
        calls = []
        for _ in range(_REPEATED):
            start = time.perf_counter()
            predictor.tell(answers, sources=[""], sizes=[pictures.sizes[row]])
            calls.append(time.perf_counter() - start)
        spent.append(float(np.median(calls)))
    return quantile(np.array(spent), 0.5)


def real(data: str | Path, predictor: Predictor, progress: Progress) -> Pictures:
    """Return pictures evenly over the data, and how long each part of the way took for each of them.

    Raises:
        NotFoundError, DataError, UsageError: There is none that can be used.
    """
    preprocess = predictor.preprocess
    dataset = preprocess.seeing(opening.open_for(data, preprocess.clip))
    images: list[UInt8] = []
    sizes: list[tuple[int, int]] = []
    rows: list[list[float]] = []
    errors: list[FovealError] = []
    chosen = evenly_spaced(len(dataset), at_most=_DATA_IMAGES)
    for done, index in enumerate(chosen):
        if done % 16 == 0:
            progress("pictures to run", done, len(chosen))
        try:
            image, size, seconds = _one(dataset, int(index), predictor.preprocess)
        except ImageError as error:
            errors.append(error)
            continue
        start = time.perf_counter()
        predictor.ask(image[None])
        rows.append([*seconds, time.perf_counter() - start])
        images.append(image)
        sizes.append(size)
    progress("pictures to run", len(chosen), len(chosen))
    if not images:
        first = f"; the first: {errors[0].message}" if errors else ""
        raise DataError(
            f"{dataset.path} has no picture that can be used{first}",
            code="no_readable_images",
            path=dataset.path,
        )
    columns = np.array(rows).T
    stages = tuple(Stage(name, quantile(column, 0.5)) for name, column in zip(_STAGES, columns, strict=True))
    return Pictures(np.stack(images), tuple(sizes), dataset.path, len(errors), stages)


def _one(
    dataset: Dataset, index: int, preprocess: Preprocess
) -> tuple[UInt8, tuple[int, int], tuple[float, float, float]]:
    """Return a picture at model size, its own, and the seconds of reading, decoding and resizing it."""
    start = time.perf_counter()
    picture = dataset.read(index)
    read = time.perf_counter()
    pixels = picture.decode(preprocess.channels)
    decoded = time.perf_counter()
    image = preprocess(pixels)
    height, width = pixels.shape[-3:-1]
    return image, (height, width), (read - start, decoded - read, time.perf_counter() - decoded)
