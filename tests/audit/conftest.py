"""Pictures with structure at every scale, and what people do to copies of them."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from foveal.audit.glance import Glances

Scene = Callable[..., np.ndarray]


def scene(seed: int, *, side: int = 48) -> np.ndarray:
    """Return an RGB picture like a photo: noise whose power falls with the square of the frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    falling = 1 / np.maximum(frequency, 1 / side)
    planes = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * falling).real for _ in range(3)]
    planes[1:] = [0.7 * planes[0] + 0.3 * plane for plane in planes[1:]]
    levels = np.stack(planes, axis=2)
    levels = (levels - levels.mean()) / levels.std() * 48 + 128
    return levels.clip(0, 255).astype(np.uint8)


def saved(image: Image.Image, quality: int) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def changed(pixels: np.ndarray, how: str) -> np.ndarray:
    image = Image.fromarray(pixels)
    side = image.width
    match how:
        case "saved again":
            return saved(image, 50)
        case "half the size":
            return saved(image.resize((side // 2, side // 2)), 80)
        case "twice the size":
            return saved(image.resize((2 * side, 2 * side)), 80)
        case "cropped":
            return saved(image.crop((2, 1, side - 2, side - 3)), 85)
        case "mirrored":
            return saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 85)
        case "brighter":
            return saved(image.point(lambda level: min(255, int(0.8 * level) + 40)), 85)
    raise AssertionError(how)


HOW = ("saved again", "half the size", "twice the size", "cropped", "mirrored", "brighter")


@pytest.fixture(scope="session")
def make_scene() -> Scene:
    return scene


@pytest.fixture(scope="session")
def change() -> Callable[[np.ndarray, str], np.ndarray]:
    return changed


@pytest.fixture(scope="session")
def glance() -> Callable[[list[np.ndarray]], Glances]:
    """Return a function that looks at pictures."""

    def look(pictures: list[np.ndarray]) -> Glances:
        glances = Glances.of(len(pictures))
        for index, pixels in enumerate(pictures):
            glances.look(index, pixels)
        return glances

    return look
