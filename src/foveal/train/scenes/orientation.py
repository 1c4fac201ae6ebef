"""Does it matter which way up pictures are? What has no up and down may be turned while it is learned from.

A street has the sky above; blood cells, wafers and tissue look the same however the camera was mounted. If a
linear classifier cannot tell small pictures from themselves turned, turning them teaches nothing wrong.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from foveal.core.random import stream
from foveal.data.preprocess import GREY
from foveal.data.sizing import evenly_spaced
from foveal.metrics.binomial_cdf import binomial_cdf

_SIDE = 12  # pixels that are looked at
_MOST = 400  # pictures
_FEWEST = 24  # below, nothing could be told
_FOLDS = 4
_RIDGE = 10.0
_SURE = 0.01  # how improbable the classifier's success must be by chance before it is believed


@dataclass(frozen=True)
class Orientation:
    """What may be done to pictures, and why.

    Attributes:
        upside_down: Whether they may be mirrored top to bottom.
        turn: Whether they may be turned by 90°.
        reason: For people.
    """

    upside_down: bool
    turn: bool
    reason: str


def orientation(
    images: NDArray[np.uint8], indices: NDArray[np.int64], units: NDArray[np.int64] | None, *, seed: int
) -> Orientation:
    """Return which ways up pictures may be shown; a pure function of its arguments.

    Args:
        images: uint8 (M, H, W, C).
        indices: Those that are learned from, int64 (N,).
        units: For each image a number that it shares with those it belongs together with; None: none do.
        seed: Decides what is asked about together.
    """
    chosen = indices[evenly_spaced(len(indices), at_most=_MOST)]
    if len(chosen) < _FEWEST:
        return Orientation(False, False, f"upright: {len(chosen)} pictures are too few to tell")
    own = chosen if units is None else units[chosen]
    _, groups = np.unique(own, return_inverse=True)
    count = int(groups.max()) + 1
    if count < _FEWEST:  # pictures that belong together all say the same
        return Orientation(False, False, f"upright: {count} independent pictures are too few to tell")
    small = _small(images, chosen)
    folds = stream(seed, "orientation").permutation(count)[groups] % _FOLDS
    told = {
        "upside_down": _told(small - small.flip(1), folds, groups),
        "turn": _told(small - small.rot90(1, (1, 2)), folds, groups),
    }
    chance = {name: 1 - binomial_cdf(right - 1, count, 0.5) for name, right in told.items()}
    free = {name: p > _SURE for name, p in chance.items()}
    shares = " and ".join(f"{told[name] / count:.0%}" for name in told)
    reason = (
        f"mirrored pictures are told from upright ones in {shares} of {count} cases (upside down and "
        f"turned by 90°; by chance 50%): {_said(free)}"
    )
    return Orientation(free["upside_down"], free["turn"] and free["upside_down"], reason)


def _said(free: dict[str, bool]) -> str:
    if not free["upside_down"]:
        return "they stay upright"
    return "any way up will do" if free["turn"] else "upside down will do, turned will not"


def _small(images: NDArray[np.uint8], chosen: NDArray[np.int64]) -> Tensor:
    """Return the middle squares as small pictures, each with mean 0 and deviation 1, (N, S, S, C)."""
    parts = []
    for index in chosen:
        whole = _without_grey(images[index])
        height, width = whole.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = torch.from_numpy(whole[top : top + side, left : left + side].astype(np.float32))
        parts.append(F.adaptive_avg_pool2d(square.permute(2, 0, 1), _SIDE).permute(1, 2, 0))
    small = torch.stack(parts)
    flat = small.flatten(1)
    flat = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True).clamp(min=1e-3)
    return flat.view(small.shape)


def _without_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture, (H, W, C), without what a letterbox filled up: that would tell which way up it is."""
    filled = (image == GREY).all(axis=2)
    rows, columns = np.flatnonzero(~filled.all(axis=1)), np.flatnonzero(~filled.all(axis=0))
    if not len(rows):
        return image
    return image[: rows[-1] + 1, : columns[-1] + 1]


def _told(differences: Tensor, folds: NDArray[np.int64], groups: NDArray[np.int64]) -> int:
    """Return in how many groups a plane, fitted to other ones, tells pictures from themselves changed.

    Of a group, each picture counts for its share.

    The plane w is fitted by ridge regression to w · (picture - changed) = 1.
    """
    rows = differences.flatten(1).double()
    right = np.zeros(len(rows))
    for fold in range(_FOLDS):
        held = torch.from_numpy(folds == fold)
        others, asked = rows[~held], rows[held]
        gram = others @ others.T
        weights = others.T @ torch.linalg.solve(
            gram + _RIDGE * torch.eye(len(others), dtype=gram.dtype),
            torch.ones(len(others), dtype=gram.dtype),
        )
        right[held.numpy()] = (asked @ weights > 0).numpy()
    return int((np.bincount(groups, right) / np.bincount(groups)).sum() + 1e-9)
