"""How strongly each pixel of a picture shows a defect, laid over the picture."""

import numpy as np
from numpy.typing import NDArray

from foveal.data.dataset import UInt8

_COLOURS = np.array(
    [[240, 228, 66], [213, 94, 0]], np.float32
)  # of PALETTE: yellow, and vermillion from 2 on
_HOTTEST = 2.0  # times what is shown
_COVERS = 0.6  # at most: what is there has to be seen


def heated(pixels: UInt8, heat: NDArray[np.float32]) -> UInt8:
    """Return a picture under its heat, uint8 (H, W, 3); what has none stays as it is.

    Args:
        pixels: uint8 (H, W, C), with C = 1 or 3.
        heat: float32 (H, W): 0 as good pictures are, 1 as strong as has to be to be shown.
    """
    colours = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    strength = np.clip(heat / _HOTTEST, 0, 1)[:, :, None]
    colour = _COLOURS[0] + strength * (_COLOURS[1] - _COLOURS[0])
    share = _COVERS * np.sqrt(strength) * (heat[:, :, None] > 0)
    mixed: UInt8 = (colours + share * (colour - colours)).round().astype(np.uint8)
    return mixed
