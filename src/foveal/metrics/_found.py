"""What was found on a picture and what is there: the arguments of every metric of detection."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.outline import Runs

Masks = NDArray[np.bool_] | Sequence[Runs]
"""Which pixels each of M objects covers: bool (M, H, W), or M runs of one size."""


@dataclass(frozen=True, eq=False)
class Found:
    """The objects that were found on one picture.

    Attributes:
        boxes: Left, top, right and bottom in pixels, float32 (D, 4).
        scores: How sure each is, higher is surer, float32 (D,); in any order.
        labels: Classes, int64 (D,).
        masks: What each covers; None where only boxes are known.
        attributes: Probabilities of what is told beside the class, (D, V); None: nothing is.

    Raises:
        UsageError: The arrays are not such, or a score is NaN.
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    labels: NDArray[np.integer]
    masks: Masks | None = field(default=None, repr=False)
    attributes: NDArray[np.floating] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        count = len(self.scores)
        _check(self.boxes, self.labels, self.masks, count)
        if self.scores.shape != (count,) or np.isnan(self.scores).any():
            raise UsageError(f"scores must be numbers, one per box; got shape {self.scores.shape}, or NaN")

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Truth:
    """The objects that are on one picture.

    Attributes:
        boxes: Left, top, right and bottom in pixels, float32 (M, 4).
        labels: Classes, int64 (M,).
        ignored: Which count neither as found nor as missed, bool (M,): a crowd, a difficult one. What lies on
            one of them is no false alarm.
        masks: What each covers; None where only boxes are known.
        attributes: Number of the value of each attribute, -1 where none is stated, -2 where it is another
            one, int64 (M, A); None: of no attribute.

    Raises:
        UsageError: The arrays are not such.
    """

    boxes: NDArray[np.floating]
    labels: NDArray[np.integer]
    ignored: NDArray[np.bool_]
    masks: Masks | None = field(default=None, repr=False)
    attributes: NDArray[np.int64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        count = len(self.labels)
        _check(self.boxes, self.labels, self.masks, count)
        if self.ignored.shape != (count,) or self.ignored.dtype != np.bool_:
            got = f"{self.ignored.dtype} {self.ignored.shape}"
            raise UsageError(f"ignored must be bool ({count},); got {got}")

    def __len__(self) -> int:
        return len(self.labels)


def some(masks: Masks, rows: NDArray[np.int64]) -> Masks:
    """Return the masks at `rows`, int64 (R,)."""
    return masks[rows] if isinstance(masks, np.ndarray) else [masks[row] for row in rows.tolist()]


def _check(boxes: NDArray[np.floating], labels: NDArray[np.integer], masks: Masks | None, count: int) -> None:
    if boxes.shape != (count, 4) or not np.isfinite(boxes).all():
        raise UsageError(f"boxes must be finite, ({count}, 4); got shape {boxes.shape}")
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise UsageError(f"labels must be integers ({count},); got {labels.dtype} {labels.shape}")
    if masks is not None and len(masks) != count:
        raise UsageError(f"need a mask for each of {count} boxes; got {len(masks)}")
