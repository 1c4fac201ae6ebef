"""data.pixels.quality: each property answers to what it is about, at any size and number of channels."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from foveal.data.pixels.quality import exposure, quality
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


@pytest.mark.parametrize("edges", [4, 40])
@pytest.mark.parametrize("height", [40, 200])
def test_crispness_is_about_the_width_of_edges_not_about_their_number_or_height(edges, height) -> None:
    stripes = np.zeros((320, 320, 1), np.uint8)
    for at in np.linspace(0, 310, edges).astype(int):
        stripes[:, at : at + 4] = height
    stripes = np.maximum(stripes, stripes.transpose(1, 0, 2))
    crisp = exposure(stripes)["crispness"]
    soft = exposure(blurred(stripes[:, :, 0])[:, :, None])["crispness"]

    assert soft < 0.75 * crisp


def test_light_falls_with_the_light_and_not_with_dark_ground() -> None:
    ground = np.full((100, 100, 3), 20, np.uint8)
    ground[:40, :40] = 240
    all_light = np.full_like(ground, 240)

    assert exposure(ground)["light"] == exposure(all_light)["light"] == 240
    assert exposure((ground * 0.3).astype(np.uint8))["light"] == 72
    spot = np.full_like(ground, 20)
    spot[:5, :5] = 255  # a reflection is no light
    assert exposure(spot)["light"] == 20


def test_exposure_is_the_same_for_any_number_of_equal_channels() -> None:
    one = scene(channels=1)
    assert exposure(np.repeat(one, 5, axis=2)) == pytest.approx(exposure(one))
