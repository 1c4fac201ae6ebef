"""Letters and digits: labels and screens that come before the camera."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_LETTERS = "ABCDEFGHKLMNPRSTUVXYZ abcdefghkmnprstuvxyz 0123456789"
_LINE = 11  # pixels that a line of Pillow's own font takes


def text(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return random words in one random colour on another, uint8 (N, H, W, C).

    They are set in the size of Pillow's own font for pictures up to 64 pixels, else as large in proportion.
    """
    count, height, width, channels = images.shape
    scale = max(1, min(height, width) // 64)
    down, right = -(-height // scale), -(-width // scale)
    colours = rng.integers(0, 256, (count, 2, channels)).astype(np.float64)
    pictures = np.empty(images.shape, np.uint8)
    for picture, (paper, ink) in enumerate(colours):
        drawn = np.kron(_words(down, right, rng), np.ones((scale, scale)))[:height, :width, None]
        pictures[picture] = (paper + (ink - paper) * drawn).round().astype(np.uint8)
    return pictures


def _words(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return where there is ink, from 0 to 1, (height, width)."""
    page = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(page)
    for top in range(int(rng.integers(-4, 3)), height, _LINE):
        line = "".join(rng.choice(list(_LETTERS), size=1 + width // 4))
        draw.text((int(rng.integers(-6, 1)), top), line, fill=255)
    return np.asarray(page, np.float64) / 255
