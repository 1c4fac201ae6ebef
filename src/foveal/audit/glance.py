"""What one look at a picture leaves: a small grey copy and a few numbers, while it is decoded anyway."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.data.dataset import UInt8

SIDE = 32  # of a thumbnail, in pixels
_LOOKED_AT = 128  # longest side at which sharpness is measured: a photo and its smaller copy score alike
_LEVELS = np.arange(256)
_BLACK, _WHITE = 4, 251  # grey levels up to and from which a sensor shows nothing


@dataclass(frozen=True)
class Glances:
    """One row per picture, in the order of the data set; zeros where a picture is unreadable.

    Attributes:
        thumbnails: The whole picture in grey, its sides brought to 32 pixels each, uint8 (N, 32, 32).
        brightness: Mean grey level in [0, 1], float32 (N,).
        contrast: Standard deviation of the grey levels in [0, 0.5], float32 (N,).
        sharpness: Variance of the Laplacian divided by the variance of the grey levels, ≥ 0, float32 (N,);
            NaN where a picture, brought to at most 128 pixels, is narrower than 3: it has no inner pixels.
        clipped: Share of pixels that are as good as black or white, float32 (N,).
    """

    thumbnails: UInt8 = field(repr=False)
    brightness: NDArray[np.float32] = field(repr=False)
    contrast: NDArray[np.float32] = field(repr=False)
    sharpness: NDArray[np.float32] = field(repr=False)
    clipped: NDArray[np.float32] = field(repr=False)

    @classmethod
    def of(cls, count: int) -> "Glances":
        """Return rows for `count` pictures that nobody has looked at yet."""
        columns = (np.zeros(count, dtype=np.float32) for _ in range(4))
        return cls(np.zeros((count, SIDE, SIDE), dtype=np.uint8), *columns)

    def look(self, index: int, pixels: UInt8) -> None:
        """Fill the row of a picture; any thread may.

        Args:
            index: Its row.
            pixels: uint8 (H, W, C).
        """
        grey = _grey(pixels)
        shares = np.array(grey.histogram()) / (grey.width * grey.height)
        mean = float(shares @ _LEVELS)
        variance = float(shares @ (_LEVELS - mean) ** 2)
        small = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        self.thumbnails[index] = np.asarray(small)
        self.brightness[index] = mean / 255
        self.contrast[index] = variance**0.5 / 255
        self.clipped[index] = shares[: _BLACK + 1].sum() + shares[_WHITE:].sum()
        self.sharpness[index] = _sharpness(grey)


def _grey(pixels: UInt8) -> Image.Image:
    if pixels.shape[2] == 3:
        return Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    return Image.fromarray(pixels.mean(axis=2).astype(np.uint8))


def _sharpness(grey: Image.Image) -> float:
    """Return how much of a picture's variance lies in its finest detail.

    Source of the variance of the Laplacian: Pech-Pacheco et al., "Diatom autofocusing in brightfield
    microscopy", 2000; divided by the variance it does not depend on the contrast.
    """
    grey.thumbnail((_LOOKED_AT, _LOOKED_AT), Image.Resampling.BILINEAR)
    levels = np.asarray(grey, dtype=np.float32)
    inner = levels[1:-1, 1:-1]
    if not inner.size:
        return float("nan")
    variance = float(levels.var())
    if variance < 1:
        return 0.0
    laplacian = 4 * inner - levels[:-2, 1:-1] - levels[2:, 1:-1] - levels[1:-1, :-2] - levels[1:-1, 2:]
    return float(laplacian.var()) / variance
