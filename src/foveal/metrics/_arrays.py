"""What every metric demands of its arrays, said once."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

ROW_SUM_TOLERANCE = 1e-3  # generous for reduced precision, still far from logits or percentages


def check(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    """Refuse anything but N ≥ 1 rows of K ≥ 2 probabilities with N labels.

    Raises:
        UsageError: The message says what was needed and what was got.
    """
    check_rows(probabilities, labels, name="probabilities")
    low, high = probabilities.min(), probabilities.max()
    if low < 0 or high > 1 + ROW_SUM_TOLERANCE:
        raise UsageError(f"probabilities lie between 0 and 1; got {low:g} to {high:g}", hint="apply softmax")
    off = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max()
    if off > ROW_SUM_TOLERANCE:
        raise UsageError(f"each row of probabilities must sum to 1; one is off by {off:g}")


def check_rows(rows: NDArray[np.floating], labels: NDArray[np.integer], *, name: str) -> None:
    """Refuse anything but N ≥ 1 finite rows of K ≥ 2 numbers, called `name`, with N labels in [0, K).

    Raises:
        UsageError: The message says what was needed and what was got.
    """
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating):
        raise UsageError(f"{name} must be float (N, K); got {rows.dtype} {rows.shape}")
    if labels.shape != rows.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise UsageError(
            f"labels must be integers ({len(rows)},), one per row of {name}; "
            f"got {labels.dtype} {labels.shape}"
        )
    count, classes = rows.shape
    if count == 0 or classes < 2:
        raise UsageError(
            f"{name} need at least 1 image and 2 classes; got {count} and {classes}", code="empty"
        )
    if not np.isfinite(rows).all():
        raise UsageError(f"{name} must be finite; got NaN or infinity")
    if labels.min() < 0 or labels.max() >= classes:
        raise UsageError(f"labels must be in [0, {classes}); got {labels.min()} to {labels.max()}")
