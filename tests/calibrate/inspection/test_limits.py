"""calibrate.inspection.limits: normal pictures keep them, and pictures spoiled in each way do not."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from foveal.calibrate.inspection.limits import fit_limits
from foveal.tasks.judging import Quality, quality_faults


def board(seed, channels=1, side=96):
    """Return traces on a ground, softened as a camera does."""
    rng = np.random.default_rng(seed)
    pixels = np.full((side, side), rng.integers(40, 70), np.uint8)
    for _ in range(rng.integers(12, 25)):
        top, left = rng.integers(0, side - 20, 2)
        height, width = rng.integers(4, 20, 2)
        pixels[top : top + height, left : left + width] = rng.integers(170, 220)
    soft = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.6))).astype(int)
    noisy = soft[:, :, None] + rng.integers(-3, 4, (side, side, channels))
    return noisy.clip(0, 255).astype(np.uint8)


def dark(image):
    return (image * 0.3).astype(np.uint8)


def blurred(image):
    planes = [
        Image.fromarray(image[:, :, i].copy()).filter(ImageFilter.GaussianBlur(3))
        for i in range(image.shape[2])
    ]
    return np.stack([np.asarray(one) for one in planes], axis=2)


def pair(seed, channels=1, layers=2):
    part, template = board(seed, channels), board(seed, channels)
    rest = [np.abs(part.astype(int) - template).astype(np.uint8)] * (layers - 2)
    return [part, template, *rest]


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_normal_pictures_pass_and_spoiled_ones_do_not(channels) -> None:
    fitted = fit_limits([board(seed, channels) for seed in range(40)])
    fresh = [board(seed, channels) for seed in range(100, 160)]

    assert sum(bool(quality_faults(image, fitted.limits)) for image in fresh) <= 3
    for image in fresh[:20]:
        assert "too_dark" in quality_faults(dark(image), fitted.limits)
        assert "blurred" in quality_faults(blurred(image), fitted.limits)
    assert fitted.outside == pytest.approx(1 / 41)
    assert {name: share.value for name, share in fitted.caught.items()} == {
        "too_dark": 1,
        "too_bright": pytest.approx(1, abs=0.2),
        "blurred": 1,
    }
    assert fitted.as_json()["n"] == 40


@pytest.mark.parametrize("layers", [2, 3])
def test_pairs_are_limited_by_the_inspected_picture_and_by_how_it_fits_its_template(layers) -> None:
    fitted = fit_limits(
        [np.concatenate(pair(seed, layers=layers), axis=2) for seed in range(30)], layers=layers
    )

    def faults(part, *others):
        return quality_faults(np.concatenate([part, *others], axis=2), fitted.limits)

    for seed in range(100, 115):
        part, template, *rest = pair(seed, layers=layers)
        assert faults(part, template, *rest) == ()
        assert "too_dark" in faults(dark(part), template, *rest)
        assert "blurred" in faults(blurred(part), template, *rest)
        assert "wrong_template" in faults(part, board(seed + 500), *rest)
        assert "misregistered" in faults(part, np.roll(template, (3, 3), axis=(0, 1)), *rest)
        assert faults(part, dark(template), *rest) == ()


def test_where_normal_and_spoiled_overlap_the_normal_ones_win_and_it_is_said() -> None:
    flat = [np.full((32, 32, 1), level, np.uint8) for level in range(20, 220)]
    fitted = fit_limits(flat)

    assert sum(bool(quality_faults(image, fitted.limits)) for image in flat) <= 4
    assert fitted.caught["too_dark"].value < 0.5


def test_without_pictures_nothing_is_limited() -> None:
    fitted = fit_limits([])

    assert (fitted.limits, fitted.caught, fitted.n) == (Quality(), {}, 0)
