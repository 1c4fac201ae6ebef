"""Pictures as vectors: read, decoded on several threads and encoded as they come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.core import machine, runs
from foveal.core.batches import at_once
from foveal.core.errors import FovealError, ImageError, NotFoundError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.flows._run_folder import RECIPE
from foveal.tasks import image_text
from foveal.tasks.image_text import ImageText

MODEL = "model"

Read = Callable[[int], bytes]


@dataclass(frozen=True)
class Encoded:
    """What became of some pictures.

    Attributes:
        vectors: Unit vectors, float32 (N, D); zeros where a picture cannot be read.
        errors: Why not, by place.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    errors: dict[int, FovealError]

    @property
    def readable(self) -> NDArray[np.int64]:
        """Places of the pictures that could be read, int64."""
        return np.array([i for i in range(len(self.vectors)) if i not in self.errors], dtype=np.int64)


def open_model(run: str | Path) -> tuple[Path, ImageText]:
    """Return a run's folder and what it holds.

    Args:
        run: A folder of `foveal clip train` or `foveal clip convert`, or `runs/last`.

    Raises:
        NotFoundError: No such run, or it is not finished.
        DataError: It is damaged.
    """
    folder = runs.find(run)
    if not (folder / MODEL / image_text.TOKENIZER).is_file():
        begun = (folder / RECIPE).is_file()
        raise NotFoundError(
            f"{run} is no finished run of foveal clip: it has no {MODEL}/{image_text.TOKENIZER}",
            hint=f"foveal clip train DATA --resume {run} finishes it, if it is one"
            if begun
            else "RUN is a folder of foveal clip train or convert",
            path=folder,
        )
    return folder, image_text.load(folder / MODEL)


def encoded(model: ImageText, read: Read, count: int, *, threads: int | None, progress: Progress) -> Encoded:
    """Return the vectors of pictures.

    Args:
        model: Its preprocessing brings them to size.
        read: Returns the bytes of a picture by its place; may raise an ImageError or NotFoundError.
        count: N.
        threads: That decode; None: all processors we may use.
        progress: Told about the pictures.
    """
    errors: dict[int, FovealError] = {}
    vectors = np.zeros((count, model.dimensions), np.float32)
    step = at_once(model.preprocess.shape)

    def decoded(places: range) -> tuple[range, list[UInt8 | FovealError]]:
        return places, [_pixels(model, read, place) for place in places]

    parts = (range(start, min(start + step, count)) for start in range(0, count, step))
    for places, some in in_order(decoded, parts, workers=threads or machine.usable_cpus(), name="encode"):
        good = [place for place, one in zip(places, some, strict=True) if not isinstance(one, FovealError)]
        errors |= {
            place: one for place, one in zip(places, some, strict=True) if isinstance(one, FovealError)
        }
        if good:
            vectors[good] = model.images(np.stack([one for one in some if not isinstance(one, FovealError)]))
        progress("pictures", places.stop, count)
    return Encoded(vectors, errors)


def _pixels(model: ImageText, read: Read, place: int) -> UInt8 | FovealError:
    try:
        return model.preprocess.from_bytes(read(place))
    except (ImageError, NotFoundError) as error:
        return error
