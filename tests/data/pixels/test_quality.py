"""data.pixels.quality: each property answers to what it is about, at any size and number of channels."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from foveal.data.pixels.quality import quality
from foveal.tasks.classify.reference import PROPERTIES


def scene(size=64, seed=0, channels=3):
    """Return smooth shapes with some texture."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(40, 200, (8, 8, 3), dtype=np.uint8)).resize((size, size))
    pixels = np.asarray(small).astype(int) + rng.integers(-12, 13, (size, size, 3))
    return np.clip(pixels, 1, 254).astype(np.uint8)[..., :channels]


def blurred(image):
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1.5)))


def compressed(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=10, subsampling=0)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "brightness": lambda image: (image // 2).astype(np.uint8),
    "contrast": lambda image: (100 + (image.astype(int) - 100) // 3).astype(np.uint8),
    "sharpness": blurred,
    "clipping": lambda image: np.clip(image.astype(int) * 2, 0, 255).astype(np.uint8),
    "blockiness": compressed,
}
RISES = {"clipping", "blockiness"}


@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_changes_with_what_it_is_about(name, size):
    before = [quality(scene(size, seed))[name] for seed in range(5)]
    after = [quality(CHANGES[name](scene(size, seed)))[name] for seed in range(5)]

    if name in RISES:
        assert min(after) > max(before)
    else:
        assert max(after) < min(before)


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 31, 3), (224, 224, 4), (16, 16, 1)])
def test_any_size_and_number_of_channels_gives_finite_numbers(shape):
    images = [
        np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8),
        np.zeros(shape, np.uint8),
        np.full(shape, 255, np.uint8),
    ]
    for image in images:
        before = image.copy()
        found = quality(image)

        assert tuple(found) == PROPERTIES
        assert np.isfinite(list(found.values())).all()
        assert np.array_equal(image, before)


def test_the_numbers_are_in_grey_levels_whatever_the_channels():
    grey = scene(64, channels=1)

    one, three = quality(grey), quality(np.repeat(grey, 3, axis=2))
    for name in PROPERTIES:
        assert one[name] == pytest.approx(three[name], rel=1e-5)
    assert one["brightness"] == pytest.approx(grey[::2].mean(), rel=1e-5)
    assert one["contrast"] == pytest.approx(grey[::2].std(), rel=1e-5)
