"""How much an answer loses when a part of the picture is hidden."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.explain import grid
from foveal.explain.backdrop import backdrop
from foveal.explain.scores import Float32, UInt8, check_picture, log_odds, probabilities

UNIT = "nats"  # of log-odds
COARSE_ANSWERS = 49  # of large patches, at any size of the picture from 16 pixels on
_COARSE, _STRIDE = 4, 2  # cells: patches of a quarter of the side, half overlapping
_FINE = 2  # cells: patches of an eighth, one cell apart, only where hiding a large patch cost most
_REFINED = 1 / 8  # share of the cells that is looked at closely

_Patch = tuple[int, int, int, int]  # top, left, bottom, right, in cells


def occlusion(runs: Runs, image: UInt8, index: int, *, seed: int = 0) -> Float32:
    """Return by how much the log-odds of a class fall where a cell is hidden, float32 (16, 16), in nats.

    Patches of a quarter of the side, hidden one at a time, give each cell the mean fall over the patches that
    hide it. Where that is largest, patches of an eighth look again, and their mean is added: some 80 answers.

    Source: Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2014, §4.2; with a
    blurred picture behind instead of grey (`explain.backdrop`), and from coarse to fine.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        index: The class.
        seed: Not used; nothing here is random.

    Raises:
        UsageError: The picture is not such.
    """
    found: Float32 = occlusion_maps(runs, image, [index])[0]
    return found


def occlusion_maps(runs: Runs, image: UInt8, indices: Sequence[int], *, fine: bool = True) -> Float32:
    """Return the occlusion maps of several classes from the same answers, float32 (M, 16, 16), in nats.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        indices: M classes.
        fine: Look again where it matters; without, it takes 49 answers.

    Raises:
        UsageError: The picture is not such.
    """
    check_picture(image)
    cuts = grid.edges(len(image))
    behind, cells = backdrop(image), len(cuts) - 1
    whole = log_odds(probabilities(runs, [image]), list(indices))

    def falls(patches: Sequence[_Patch]) -> NDArray[np.float64]:
        answers = probabilities(runs, _hidden(image, behind, cuts, patches))
        return (whole - log_odds(answers, list(indices))).T

    coarse = _coarse(cells)
    found = _spread(falls(coarse), coarse, cells)
    if fine:
        patches = _fine(found, cells)
        found += _spread(falls(patches), patches, cells)
    return found.astype(np.float32)


def _coarse(cells: int) -> list[_Patch]:
    side = min(_COARSE, cells)
    starts = range(0, cells - side + 1, _STRIDE)
    return [(top, left, top + side, left + side) for top in starts for left in starts]


def _fine(found: NDArray[np.float64], cells: int) -> list[_Patch]:
    """Return the small patches around the cells that matter most to any of the classes."""
    most = max(1, round(_REFINED * cells * cells))
    tops: set[int] = set()
    for one in found:
        tops.update(np.argsort(-one, axis=None, kind="stable")[:most].tolist())
    side = min(_FINE, cells)
    last = cells - side
    places = {(min(place // cells, last), min(place % cells, last)) for place in tops}
    return [(top, left, top + side, left + side) for top, left in sorted(places)]


def _hidden(
    image: UInt8, behind: UInt8, cuts: NDArray[np.int64], patches: Sequence[_Patch]
) -> Iterator[UInt8]:
    for patch in patches:
        top, left, bottom, right = (int(cuts[cell]) for cell in patch)
        altered = image.copy()
        altered[top:bottom, left:right] = behind[top:bottom, left:right]
        yield altered


def _spread(falls: NDArray[np.float64], patches: Sequence[_Patch], cells: int) -> NDArray[np.float64]:
    """Return for each class and cell the mean fall over the patches that hide it, 0 where none does."""
    total, times = np.zeros((len(falls), cells, cells)), np.zeros((cells, cells))
    for fall, (top, left, bottom, right) in zip(falls.T, patches, strict=True):
        total[:, top:bottom, left:right] += fall[:, None, None]
        times[top:bottom, left:right] += 1
    return total / np.maximum(times, 1)
