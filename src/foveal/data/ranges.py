"""Which range of values each band has, measured on pictures of a data set.

A percentile, not the extremes: one reflection or one dead pixel would else leave few levels for all the rest.
"""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import extras
from foveal.core.errors import DataError, ImageError
from foveal.core.random import stream
from foveal.data.bands import KINDS, Bands, Kind, usual_names
from foveal.data.dataset import Dataset
from foveal.data.pictures import RawPicture, StackPicture, with_ranges
from foveal.data.sizing import evenly_spaced, headers, stacked

_PICTURES, _PIXELS = 200, 4096  # that are looked at, and of each
_TIFF = (".tif", ".tiff")
_SHARE = 0.001  # of the values that lie below the range, and as many above


def ranged(dataset: Dataset, bands: Bands | None) -> Dataset:
    """Return a data set as a recognizer with these bands sees it; None: of pictures, as they are."""
    if bands is None:
        return dataset
    return replace(dataset, read=lambda i: with_ranges(dataset.read(i), bands))


def fitted(dataset: Dataset, indices: NDArray[np.int64] | None = None) -> Bands | None:
    """Return the bands of a data set with the range of each.

    Bytes keep theirs, 0 to 255. Of other types the range leaves out one value in a thousand on either side.

    Args:
        dataset: Most of its pictures are stacks of bands; else the answer is None.
        indices: Pictures whose values count, those that are learned from, int64 (N,); None: all.

    Raises:
        MissingExtraError: They are TIFF files, and the extra `bands` is not installed.
        DataError: `no_bands`: not one can be read; `band_names`: not as many names as bands.
    """
    found = _stored(dataset)
    if found is None:
        return None
    kind, names = found
    if kind == "uint8":
        return Bands(kind=kind, names=names, low=(0.0,) * len(names), high=(255.0,) * len(names))
    values = sampled(dataset, kind, len(names), indices)
    if not len(values):
        raise DataError(
            f"no picture of {dataset.path} has {len(names)} bands of {kind} that can be read",
            code="no_bands",
            path=dataset.path,
        )
    low, high = np.quantile(values.astype(np.float64), (_SHARE, 1 - _SHARE), axis=0)
    both = zip(low.tolist(), high.tolist(), strict=True)
    ranges = [_rounded(below, above, whole=kind != "float32") for below, above in both]
    return Bands(kind=kind, names=names, low=tuple(a for a, _ in ranges), high=tuple(b for _, b in ranges))


def sampled(
    dataset: Dataset, kind: Kind, count: int, indices: NDArray[np.int64] | None = None
) -> NDArray[Any]:
    """Return the values of at most 4096 pixels of each of at most 200 pictures, (M, bands).

    Which ones does not change from call to call; what cannot be read, or has other bands, is passed over.

    Args:
        dataset: Stacks of bands.
        kind: Their type.
        count: How many bands there are.
        indices: Pictures that count, int64 (N,); None: all.
    """
    chosen = np.arange(len(dataset)) if indices is None else indices
    found = [np.empty((0, count), np.dtype(kind))]
    for place in evenly_spaced(len(chosen), at_most=_PICTURES):
        try:
            picture = dataset.read(int(chosen[place]))
            values = picture.values() if isinstance(picture, StackPicture | RawPicture) else None
        except ImageError:  # the inventory reports it
            continue
        if values is None or values.dtype.name != kind or values.shape[2] != count:
            continue
        flat = values.reshape(-1, count)
        pixels = stream(0, "bands", place).choice(len(flat), min(_PIXELS, len(flat)), replace=False)
        found.append(flat[np.sort(pixels)])
    return np.concatenate(found)


def _stored(dataset: Dataset) -> tuple[Kind, tuple[str, ...]] | None:
    """Return the type and the names of the bands that most pictures have; None where they are no stacks."""
    if _holds_tiff(dataset):
        extras.need("bands", what="a TIFF")
    kinds = stacked(headers(dataset))
    if not kinds:
        return None
    (name, count), _ = Counter((one.values, one.channels) for one in kinds).most_common(1)[0]
    [kind] = [one for one in KINDS if one == name]
    return kind, _names(dataset, count)


def _holds_tiff(dataset: Dataset) -> bool:
    return sum(name.lower().endswith(_TIFF) for name in dataset.sources) > len(dataset) / 2


def _names(dataset: Dataset, count: int) -> tuple[str, ...]:
    names = dataset.band_names or usual_names(count)
    if len(names) != count:
        raise DataError(
            f"{dataset.path} names {len(names)} bands, and its pictures have {count}",
            code="band_names",
            hint="one name for each band, in their order",
            path=dataset.path,
        )
    return names


def _rounded(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Return a range in whole numbers, or with seven digits; one of no width, as of a dead band, gets one."""
    if whole:
        below, above = float(math.floor(low)), float(math.ceil(high))
        return below, max(above, below + 1)
    below, above = float(f"{low:.7g}"), float(f"{high:.7g}")
    return (below, above) if above > below else (below, below + max(1e-6, 1e-3 * abs(below)))
