"""Promises that every corruption keeps; a new file is covered the moment it exists."""

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.perturb import corruptions

NAMES = catalog.names(corruptions)


def pictures(n=3, height=48, width=64, channels=3):
    """Return smooth pictures with edges and some texture, away from black and white."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(x / 5 + rng.random((n, 1, 1)) * 6) * np.cos(y / 7)
    grain = rng.normal(scale=6, size=(n, height, width, channels))
    return (waves[..., None] + grain).clip(30, 225).astype(np.uint8)


def run(name, images, severity, seed=7):
    return catalog.find(corruptions, name)(images, severity=severity, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "shape", [(3, 48, 64, 3), (2, 32, 32, 1), (1, 17, 40, 5), (0, 8, 8, 3), (1, 1, 1, 3)]
)
def test_gives_new_images_of_the_same_shape_and_leaves_the_input_alone(name, shape):
    images = pictures(*shape)
    images.setflags(write=False)
    before = images.copy()

    found = run(name, images, 3)

    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert (images == before).all()
    assert not np.shares_memory(found, images)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_random_state_gives_the_same_pictures(name):
    assert (run(name, pictures(), 4) == run(name, pictures(), 4)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(28, 28), (48, 64), (224, 224)])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_severity_changes_more_than_the_one_before(name, size, channels):
    images = pictures(2, *size, channels)

    change = [np.abs(run(name, images, severity).astype(float) - images).mean() for severity in range(1, 6)]

    assert change[0] > 0
    assert (np.diff(change) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_by_one_equals_all_at_once(name):
    images, corrupt = pictures(4), catalog.find(corruptions, name)
    rng = np.random.default_rng(7)

    alone = np.concatenate([corrupt(images[i : i + 1], severity=3, rng=rng) for i in range(4)])

    assert (alone == run(name, images, 3)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("severity", [0, 6, -1, 2.5, 3.0, "3", True, None])
def test_other_severities_are_refused(name, severity):
    with pytest.raises(UsageError, match="severity must be 1, 2, 3, 4 or 5; got"):
        run(name, pictures(), severity)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("images", [pictures()[0], pictures().astype(np.float32), pictures()[..., 0]])
def test_other_arrays_are_refused(name, images):
    with pytest.raises(UsageError, match=r"needs uint8 images \(N, H, W, C\); got"):
        run(name, images, 3)


def test_noise_has_the_stated_deviation_and_no_drift():
    grey = np.full((4, 64, 64, 3), 128, dtype=np.uint8)

    noise = run("gaussian_noise", grey, 3).astype(float) - 128

    assert noise.std() == pytest.approx(0.08 * 255, rel=0.02)
    assert abs(noise.mean()) < 0.5


def test_noise_stops_at_black_and_white():
    assert run("gaussian_noise", np.full((1, 64, 64, 1), 250, dtype=np.uint8), 5).min() > 20
    assert run("gaussian_noise", np.full((1, 64, 64, 1), 5, dtype=np.uint8), 5).max() < 235


def test_blur_equals_pillows_gaussian():
    from PIL import Image, ImageFilter

    images = pictures(1, 96, 96)
    oracle = Image.fromarray(images[0]).filter(ImageFilter.GaussianBlur(0.022 * 96))

    difference = run("gaussian_blur", images, 3)[0].astype(float) - np.asarray(oracle)

    assert np.abs(difference[8:-8, 8:-8]).mean() < 1.5, "Pillow's is made of boxes"


def test_blur_keeps_what_is_uniform_even_at_the_edges():
    grey = np.full((1, 40, 40, 1), 77, dtype=np.uint8)

    assert (run("gaussian_blur", grey, 5) == 77).all()


def test_darkness_scales_and_keeps_black():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)

    assert run("brightness", ramp, 3).ravel()[[0, 100, 255]].tolist() == [0, 50, 128]
