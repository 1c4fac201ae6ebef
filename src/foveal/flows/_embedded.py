"""Pictures to features and small copies, in one reading, a piece at a time."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from foveal.bundle.embedder import Embedder
from foveal.bundle.session import Float32
from foveal.core.errors import ImageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.data.dataset import Dataset, UInt8

LOOK_SIDE = 96  # longest side of a small copy, in pixels: about 2 kB each
_LOOK_QUALITY = 80
_PIECE = 64  # pictures that are embedded, and kept, together


@dataclass(frozen=True)
class Embedded:
    """What became of some pictures.

    Attributes:
        rows: Those that could be used, in the data set.
        features: Of these, float32 (N, D).
        looks: A small JPEG of each, or none where none was asked for.
        unusable: Row and reason of each of the others.
    """

    rows: tuple[int, ...]
    features: Float32 = field(repr=False)
    looks: tuple[bytes, ...] = field(repr=False)
    unusable: tuple[tuple[int, ImageError], ...]


def embedded(
    dataset: Dataset,
    rows: Sequence[int],
    embedder: Embedder,
    *,
    threads: int | None = None,
    looks: bool = False,
    progress: Progress = silent,
) -> Iterator[Embedded]:
    """Yield what the embedder makes of pictures, up to 64 at a time, in their order.

    Args:
        dataset: Where they are.
        rows: Which of them.
        embedder: Pictures to features.
        threads: Pieces at once; None: all processors we may use. Their number changes no digit.
        looks: Whether small copies are wanted.
        progress: Told about each piece.
    """

    def piece(some: Sequence[int]) -> Embedded:
        return _piece(dataset, some, embedder, looks=looks)

    pieces = (rows[at : at + _PIECE] for at in range(0, len(rows), _PIECE))
    done = 0
    for one in in_order(piece, pieces, workers=threads or usable_cpus(), name="embed"):
        done += len(one.rows) + len(one.unusable)
        progress("embedding pictures", done, len(rows))
        yield one


def features_of(
    dataset: Dataset, embedder: Embedder, *, threads: int | None = None, progress: Progress = silent
) -> Embedded:
    """Return what the embedder makes of all pictures of a data set; see `embedded`."""
    parts = list(embedded(dataset, range(len(dataset)), embedder, threads=threads, progress=progress))
    empty = np.empty((0, embedder.dimensions), np.float32)
    return Embedded(
        tuple(row for part in parts for row in part.rows),
        np.concatenate([empty, *(part.features for part in parts)]),
        (),
        tuple(one for part in parts for one in part.unusable),
    )


def _piece(dataset: Dataset, rows: Sequence[int], embedder: Embedder, *, looks: bool) -> Embedded:
    preprocess = embedder.preprocess
    good, images, small, unusable = [], [], [], []
    for row in rows:
        try:
            pixels = dataset.read(row).decode(preprocess.channels)
        except ImageError as error:
            unusable.append((row, error))
            continue
        good.append(row)
        images.append(preprocess(pixels))
        if looks:
            small.append(look(pixels))
    stacked = np.stack(images) if images else np.empty((0, *preprocess.shape), np.uint8)
    return Embedded(tuple(good), embedder.features(stacked), tuple(small), tuple(unusable))


def look(pixels: UInt8) -> bytes:
    """Return a small JPEG of a picture, uint8 (H, W, C): for people, and to tell near copies."""
    shown = pixels if pixels.shape[2] in (1, 3) else pixels[:, :, :1]
    image = Image.fromarray(shown[:, :, 0] if shown.shape[2] == 1 else np.ascontiguousarray(shown))
    image.thumbnail((LOOK_SIDE, LOOK_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    made = io.BytesIO()
    image.save(made, "JPEG", quality=_LOOK_QUALITY)
    return made.getvalue()
