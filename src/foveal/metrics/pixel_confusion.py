"""Which class is taken for which, pixel by pixel."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.scene import VOID

UInt8 = NDArray[np.uint8]


def pixel_confusion(found: UInt8, truth: UInt8, *, classes: int) -> NDArray[np.int64]:
    """Return how many pixels of each class were given each class, int64 (K, K), rows are the truth.

    Pixels of which nothing is said (255 in `truth`) are in no count.

    Args:
        found: Class of each pixel of one picture, uint8 (H, W), below K.
        truth: Alike, or 255.
        classes: How many there are, K ≤ 255.

    Raises:
        UsageError: The maps are not such.
    """
    check_maps(found, truth, classes=classes)
    said = truth != VOID
    cells = truth[said].astype(np.int64) * classes + found[said]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def check_maps(found: UInt8, truth: UInt8, *, classes: int) -> None:
    """Refuse anything but two maps of one size whose classes exist; 255 may be in `truth` alone.

    Raises:
        UsageError: The message says what was needed and what was got.
    """
    if not 1 <= classes <= VOID:
        raise UsageError(f"a map of bytes has 1 to {VOID} classes; got {classes}")
    if found.ndim != 2 or found.shape != truth.shape or not found.dtype == truth.dtype == np.uint8:
        raise UsageError(
            f"need two maps of classes, uint8 (H, W); got {found.dtype} {found.shape} "
            f"and {truth.dtype} {truth.shape}"
        )
    said = truth != VOID
    highest = max(found[said].max(initial=0), truth[said].max(initial=0))
    if highest >= classes:
        raise UsageError(f"classes must be in [0, {classes}); got {highest}")
