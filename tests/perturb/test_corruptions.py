"""Promises that every corruption keeps; a new file is covered the moment it exists."""

import functools
import importlib

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.perturb import corruptions
from foveal.perturb.corruptions.jpeg_chain import jpeg_chain

NAMES = catalog.names(corruptions)
GROUPS = {"noise", "blur", "weather", "digital", "sensor"}
STILL = [  # nothing in them is random
    "brightness",
    "contrast",
    "defocus_blur",
    "gaussian_blur",
    "jpeg_compression",
    "pixelate",
    "underexposure",
    "zoom_blur",
]
# Their published levels hide more and more of the picture, but do not always move it further from itself.
HIDING = ["fog", "frost"]


def pictures(n=3, height=48, width=64, channels=3):
    """Return smooth pictures with edges and some texture, away from black and white."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(x / 5 + rng.random((n, 1, 1)) * 6) * np.cos(y / 7)
    grain = rng.normal(scale=6, size=(n, height, width, channels))
    return (waves[..., None] + grain).clip(30, 225).astype(np.uint8)


@functools.cache
def natural(n, height, width, channels):
    """Return pictures whose spectrum falls like that of photographs, 1/f in amplitude, with edges."""
    rng = np.random.default_rng(1)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    spectrum = np.fft.rfft2(rng.normal(size=(n, channels, height, width)))
    grey = np.fft.rfft2(rng.normal(size=(n, 1, height, width)))
    scale = 1 / np.maximum(np.hypot(down, across), 1 / max(height, width))
    found = np.fft.irfft2((0.4 * spectrum + grey) * scale, (height, width))
    found = found / found.std(axis=(2, 3), keepdims=True)
    found += np.sign(found[:, ::-1, :, ::-1])  # edges
    found = (118 + 38 * found).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    found.setflags(write=False)
    return found


def run(name, images, severity, seed=7):
    return catalog.find(corruptions, name)(images, severity=severity, rng=np.random.default_rng(seed))


def error(found, images):
    return ((found.astype(float) - images) ** 2).mean()


def hidden(found, images):
    """Return the share of what is seen that the best gain and offset for the picture do not explain."""
    left = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(found, images, strict=True)]
    return 1 - np.mean(np.square(left))


def test_the_fifteen_are_there_and_every_file_says_its_group():
    assert len(set(corruptions.IMAGENET_C)) == 15
    assert set(corruptions.IMAGENET_C) <= set(NAMES)
    groups = {name: importlib.import_module(f"{corruptions.__name__}.{name}").GROUP for name in NAMES}
    assert set(groups.values()) == GROUPS
    assert {name for name, group in groups.items() if group == "sensor"}.isdisjoint(corruptions.IMAGENET_C)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "shape",
    [(3, 48, 64, 3), (2, 32, 32, 1), (1, 17, 40, 5), (0, 8, 8, 3), (1, 1, 1, 3), (2, 8, 8, 4), (1, 64, 9, 1)],
)
def test_gives_new_images_of_the_same_shape_and_leaves_the_input_alone(name, shape):
    images = pictures(*shape)
    images.setflags(write=False)
    before = images.copy()

    for severity in (1, 5):
        found = run(name, images, severity)

        assert (found.shape, found.dtype) == (shape, np.uint8)
        assert (images == before).all()
        assert not np.shares_memory(found, images)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_random_state_gives_the_same_pictures(name):
    assert (run(name, pictures(), 4) == run(name, pictures(), 4)).all()
    assert name in STILL or (run(name, pictures(), 4) != run(name, pictures(), 4, seed=8)).any()


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(HIDING)))
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (40, 64), (100, 100), (224, 224)])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_severity_changes_more_than_the_one_before(name, size, channels):
    images = natural(40 if min(size) < 64 else 2, *size, channels)

    change = [error(run(name, images, severity), images) for severity in range(1, 6)]
    if (name, min(size)) in (("snow", 100), ("snow", 224)):
        del change[2]  # the published one lies below the second

    assert change[0] > 0
    assert (np.diff(change) >= 0).all() if size == (8, 8) else (np.diff(change) > 0).all()
    assert change[-1] > change[0]


@pytest.mark.parametrize("name", HIDING)
@pytest.mark.parametrize("size", [28, 48, 224])
def test_each_severity_hides_more_than_the_one_before(name, size):
    images = natural(40 if size < 64 else 6, size, size, 3)

    lost = [hidden(run(name, images, severity), images) for severity in range(1, 6)]

    assert lost[0] > 0
    assert (np.diff(lost) > -0.02).all(), "as far as the published levels do"
    assert lost[4] > 1.3 * lost[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(32, 32), (150, 150)])
def test_one_by_one_equals_all_at_once(name, size):
    images, corrupt = natural(4, *size, 3), catalog.find(corruptions, name)
    rng = np.random.default_rng(7)

    alone = np.concatenate([corrupt(images[i : i + 1], severity=3, rng=rng) for i in range(4)])

    assert (alone == run(name, images, 3)).all()


@pytest.mark.parametrize("name", STILL)
def test_where_nothing_is_random_the_generator_is_left_alone(name):
    images, rng = pictures(4), np.random.default_rng(7)
    before = rng.bit_generator.state

    found = catalog.find(corruptions, name)(images, severity=3, rng=rng)

    assert rng.bit_generator.state == before
    assert (found[2] == run(name, images[2:3], 3, seed=99)[0]).all()


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


@pytest.mark.parametrize("name", ["defocus_blur", "gaussian_blur", "glass_blur", "motion_blur", "zoom_blur",
                                  "elastic_transform", "misalignment", "pixelate", "contrast"])  # fmt: skip
@pytest.mark.parametrize("size", [20, 120])
def test_what_only_moves_or_smooths_keeps_what_is_uniform_even_at_the_edges(name, size):
    grey = np.full((2, size, size, 3), 77, dtype=np.uint8)

    assert (run(name, grey, 5) == 77).all()


@pytest.mark.parametrize("name", ["defocus_blur", "gaussian_blur", "motion_blur", "contrast", "pixelate"])
def test_what_spreads_or_scatters_keeps_the_mean(name):
    images = natural(4, 224, 224, 3).clip(60, 190)

    assert run(name, images, 3).mean() == pytest.approx(images.mean(), abs=0.7)


def test_neighbouring_pictures_do_not_leak_into_each_other_where_they_share_a_file():
    white, black = np.full((1, 20, 20, 3), 255, np.uint8), np.zeros((1, 20, 20, 3), np.uint8)

    found = jpeg_chain(np.concatenate([white, black, white]), severity=5, rng=np.random.default_rng(0))

    assert [len(np.unique(one)) for one in found] == [1, 1, 1]
    assert found[0].min() > 250 > 5 > found[1].max()
