"""What every corruption asks of its arguments."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

UInt8 = NDArray[np.uint8]


def at(levels: tuple[float, ...], severity: int) -> float:
    """Return the level for `severity` 1 to 5.

    Raises:
        UsageError: Anything else; index -1 would quietly mean the strongest level.
    """
    if isinstance(severity, bool | float) or severity not in range(1, 6):
        raise UsageError(f"severity must be 1, 2, 3, 4 or 5; got {severity!r}")
    return levels[severity - 1]


def check(images: UInt8) -> None:
    """Refuse anything but uint8 (N, H, W, C).

    Raises:
        UsageError: The message says what was got.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UsageError(f"a corruption needs uint8 images (N, H, W, C); got {images.dtype} {images.shape}")
