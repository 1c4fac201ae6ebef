"""How many pixels two masks have in common, from the pixels or from their runs. Sources: see `box_iou`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.outline import Runs
from foveal.metrics._found import Masks
from foveal.metrics.box_iou import shared

Floats = NDArray[np.float64]


def mask_iou(found: Masks, truth: Masks, *, crowd: NDArray[np.bool_] | None = None) -> Floats:
    """Return intersection over union of each pair of masks, float64 (D, M) in [0, 1]; 0 for empty ones.

    Args:
        found: bool (D, H, W), or D runs.
        truth: bool (M, H, W), or M runs.
        crowd: For which of `truth` the intersection is divided by the area of `found`, bool (M,); None: none.

    Raises:
        UsageError: The masks are not of one size.
    """
    if len(found) == 0 or len(truth) == 0:
        return np.zeros((len(found), len(truth)))
    if len({_size(masks) for masks in (found, truth)}) > 1:
        raise UsageError(f"masks must be of one size; got {_size(found)} and {_size(truth)} pixels")
    if isinstance(found, np.ndarray) and isinstance(truth, np.ndarray):
        common, own, others = _of_pixels(found, truth)
    else:
        common, own, others = _of_runs(_runs(found), _runs(truth))
    whole = own[:, None] + others - common
    return shared(common, whole if crowd is None else np.where(crowd, own[:, None], whole))


def _of_pixels(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return the pixels in common (D, M) and those of each; a product of matrices counts them."""
    one, other = found.reshape(len(found), -1), truth.reshape(len(truth), -1)
    if one.shape[1] < 1 << 24:  # whole numbers are exact in float32 up to there
        common = (one.astype(np.float32) @ other.astype(np.float32).T).astype(np.float64)
    else:
        common = one.astype(np.float64) @ other.astype(np.float64).T
    return common, one.sum(axis=1).astype(np.float64), other.sum(axis=1).astype(np.float64)


def _of_runs(found: Sequence[Runs], truth: Sequence[Runs]) -> tuple[Floats, Floats, Floats]:
    """Return the same from runs: how many pixels of a mask come before a place is linear between edges."""
    edges = [np.concatenate([[0], np.cumsum(runs.counts)]) for runs in found]
    firsts = np.concatenate([edge[1:-1:2] for edge in edges])
    lasts = np.concatenate([edge[2::2] for edge in edges])
    owner = np.repeat(np.arange(len(found)), [len(edge[2::2]) for edge in edges])
    common = np.empty((len(found), len(truth)))
    for column, runs in enumerate(truth):
        places = np.concatenate([[0], np.cumsum(runs.counts)])
        before = np.concatenate([[0], np.cumsum(runs.counts * (np.arange(len(runs.counts)) % 2))])
        inside = np.interp(lasts, places, before) - np.interp(firsts, places, before)
        common[:, column] = np.bincount(owner, weights=inside, minlength=len(found))
    return np.rint(common), _areas(found), _areas(truth)


def _areas(masks: Sequence[Runs]) -> Floats:
    return np.array([runs.counts[1::2].sum() for runs in masks], np.float64)


def _runs(masks: Masks) -> Sequence[Runs]:
    return [Runs.of(mask) for mask in masks] if isinstance(masks, np.ndarray) else masks


def _size(masks: Masks) -> tuple[int, int]:
    """Return height and width of masks, of which there is one at least."""
    if isinstance(masks, np.ndarray):
        return masks.shape[1], masks.shape[2]
    sizes = {(runs.height, runs.width) for runs in masks}
    if len(sizes) > 1:
        raise UsageError(f"masks must be of one size; got {sorted(sizes)} pixels")
    return sizes.pop()
