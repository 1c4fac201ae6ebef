"""Limits of pictures: what normal ones keep, and dark, bright, blurred or badly paired ones do not.

Nobody has spoiled pictures of his parts at hand, so they are made of normal ones. A limit lies halfway
between the normal and the spoiled; where they overlap, the normal ones win, and it is said how many of the
spoiled pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.judging import Quality, properties

OUTSIDE = 0.01
_ENOUGH = 0.9  # share of spoiled pictures stopped below which it is said
MOST_LOOKED_AT = 200
DARK, BRIGHT, BLUR, BESIDE = 0.3, 1.7, 2.0, 3  # factors of the levels, a radius and pixels at model size

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedLimits:
    """Limits of pictures, and what is to be said of them.

    Attributes:
        limits: None each where no picture was there.
        outside: Of normal pictures at most this share is outside of each limit, on average over draws.
        caught: Share of the pictures spoiled on purpose that each limit stops, by the name of the fault.
        n: Normal pictures that were looked at.
    """

    limits: Quality
    outside: float
    caught: dict[str, Measured]
    n: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Which spoiled pictures are not stopped: normal ones look like them."""
        return tuple(
            f"of pictures that were made {fault.replace('_', ' ')} on purpose {share.value:.0%} are stopped"
            for fault, share in self.caught.items()
            if share.value < _ENOUGH
        )

    def as_json(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        caught = {name: share.as_json() for name, share in self.caught.items()}
        return {"limits": self.limits.model_dump(), "outside": self.outside, "caught": caught, "n": self.n}


@dataclass(frozen=True)
class _Limit:
    """How one limit is found.

    Attributes:
        fault: What is the matter beyond it.
        entry: Of `Quality`.
        measured: Of `properties`.
        side: -1 where the lowest normal values decide, 1 where the highest do.
        layer: Which layer of the channels is spoiled.
        spoil: Makes a spoiled one of a normal one, uint8 (H, W, C).
    """

    fault: str
    entry: str
    measured: str
    side: int
    layer: int
    spoil: Callable[[UInt8], UInt8]


def _scaled(image: UInt8, factor: float) -> UInt8:
    scaled: UInt8 = np.clip(image * np.float32(factor), 0, 255).astype(np.uint8)
    return scaled


def _blurred(image: UInt8) -> UInt8:
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, i])) for i in range(image.shape[2])]
    return np.stack([np.asarray(one.filter(ImageFilter.GaussianBlur(BLUR))) for one in planes], axis=2)


def _moved(template: UInt8, down: int, right: int) -> UInt8:
    return np.roll(template, (down, right), axis=(0, 1))


_OF_ALL = (
    _Limit("too_dark", "light_from", "light", -1, 0, lambda image: _scaled(image, DARK)),
    _Limit("too_bright", "brightness_to", "brightness", 1, 0, lambda image: _scaled(image, BRIGHT)),
    _Limit("blurred", "crispness_from", "crispness", -1, 0, _blurred),
)
# Another template is one that lies a third of the side away: it needs no second board.
_OF_PAIRS = (
    _Limit(
        "wrong_template",
        "correlation_from",
        "correlation",
        -1,
        1,
        lambda template: _moved(template, template.shape[0] // 3, template.shape[1] // 3),
    ),
    _Limit("misregistered", "shift_to", "shift", 1, 1, lambda template: _moved(template, BESIDE, BESIDE)),
)


def fit_limits(images: Sequence[UInt8], *, layers: int = 1, outside: float = OUTSIDE) -> FittedLimits:
    """Return limits that normal pictures keep.

    Args:
        images: Of parts that nothing was learned from, good or defective, as they come: uint8 (H, W, L C) at
            model size, H and W ≥ 8; the first 200 are looked at.
        layers: L: 1 for pictures alone; of pairs how many layers there are, the inspected picture first and
            the template second.
        outside: Share of normal pictures that may be outside of each limit. With fewer than 1 / outside
            pictures it is one of their number and one.
    """
    images = images[:MOST_LOOKED_AT]
    if not len(images):
        return FittedLimits(Quality(), outside, {}, 0)
    normal = [properties(image, layers) for image in images]
    entries: dict[str, float] = {}
    caught: dict[str, Measured] = {}
    for one in (*_OF_ALL, *(_OF_PAIRS if layers > 1 else ())):
        usual = np.array([seen[one.measured] for seen in normal])
        spoiled = np.array([_spoiled(image, layers, one) for image in images])
        limit = one.side * _halfway(one.side * usual, one.side * spoiled, outside)
        entries[one.entry] = limit
        stopped = int((one.side * (spoiled - limit) > 0).sum())
        caught[one.fault] = clopper_pearson(stopped, len(images))
    promised = max(outside, 1 / (len(images) + 1))
    return FittedLimits(Quality(layers=layers, **entries), promised, caught, len(images))


def _spoiled(image: UInt8, layers: int, limit: _Limit) -> float:
    """Return what a limit measures, of a picture that was spoiled."""
    parts = np.split(image, layers, axis=2)
    parts[limit.layer] = limit.spoil(parts[limit.layer])
    return properties(np.concatenate(parts, axis=2), layers)[limit.measured]


def _halfway(normal: Floats, spoiled: Floats, outside: float) -> float:
    """Return a limit that normal values are below and spoiled ones above, as far as that is possible.

    The k-th largest of n normal values has at most a share of k / (n + 1) above it, on average over draws.
    """
    rank = max(1, int(outside * (len(normal) + 1)))
    usual = float(np.sort(normal)[-rank])
    least = float(np.quantile(spoiled, outside))
    return (usual + least) / 2 if least > usual else usual
