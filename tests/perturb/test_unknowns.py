"""Pictures of nothing: shape, seeds, and what each kind keeps of the known pictures."""

import numpy as np
import pytest

from foveal.core import catalog
from foveal.perturb import unknowns
from foveal.perturb.structure._blocks import cut

KINDS = catalog.names(unknowns)


def photos(count: int = 6, size: int = 32, channels: int = 3) -> np.ndarray:
    ramp = np.arange(count * size * size * channels).reshape(count, size, size, channels)
    return (ramp * 7919 % 251).astype(np.uint8)


def make(name: str, images: np.ndarray, seed: int = 0) -> np.ndarray:
    return catalog.find(unknowns, name)(images, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "shape", [(5, 32, 32, 3), (1, 16, 16, 1), (3, 70, 33, 3), (0, 8, 8, 3), (2, 3, 3, 1)]
)
def test_as_many_pictures_of_the_same_shape_from_one_seed(name: str, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    before = images.copy()

    found = make(name, images)

    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert np.array_equal(found, make(name, images))
    assert np.array_equal(images, before)


@pytest.mark.parametrize("name", KINDS)
def test_they_are_not_the_pictures_they_are_made_from_and_not_all_alike(name: str) -> None:
    images = photos()

    found = make(name, images)

    assert all((found != image).any() for image in images for found in make(name, images))
    assert len({picture.tobytes() for picture in found}) == len(found)
    assert not np.array_equal(found, make(name, images, seed=1))


def test_noise_has_the_known_mean_and_spread() -> None:
    images = np.full((4, 64, 64, 3), 120, np.uint8)
    images[:, ::2] = 140

    found = make("gaussian_noise", images).astype(float)

    np.testing.assert_allclose(found.mean(axis=(1, 2)), 130, atol=1)
    np.testing.assert_allclose(found.std(axis=(1, 2)), 10, atol=0.6)


def test_uniform_noise_uses_all_levels_equally() -> None:
    counts = np.bincount(make("uniform_noise", photos(20, 64)).ravel(), minlength=256)

    expected = counts.sum() / 256
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_smooth_noise_is_smooth_and_gradients_are_ramps() -> None:
    for name, bend in (("smooth_noise", 80), ("gradient", 2)):
        steps = np.diff(make(name, photos()).astype(int), axis=1)
        assert np.abs(np.diff(steps, axis=1)).max() <= bend, name
    assert np.ptp(make("gradient", photos()).astype(int), axis=(1, 2)).max() > 40


def test_a_board_has_two_colours_and_a_wall_one() -> None:
    for name, colours in (("checker", 2), ("solid", 1)):
        for picture in make(name, photos()):
            assert len(np.unique(picture.reshape(-1, 3), axis=0)) == colours


def test_text_is_ink_on_paper_also_on_large_pictures() -> None:
    for size in (32, 224):
        found = make("text", photos(4, size)).astype(float)
        paper = np.median(found, axis=(1, 2), keepdims=True)
        inked = (np.abs(found - paper).max(axis=3) > 5).mean(axis=(1, 2))
        assert ((inked > 0.02) & (inked < 0.6)).all()


def test_a_jigsaw_moves_every_part_and_loses_none() -> None:
    images = photos()

    parts, moved = (
        cut(pictures, 4).reshape(len(images), 16, -1) for pictures in (images, make("jigsaw", images))
    )

    for before, after in zip(parts, moved, strict=True):
        assert (before != after).any(axis=1).all()
        assert sorted(map(bytes, before)) == sorted(map(bytes, after))


def test_scrambling_keeps_every_pixel() -> None:
    images = photos()

    for before, after in zip(images, make("scrambled_pixels", images), strict=True):
        rows = (np.sort(p.reshape(-1, 3).view("u1,u1,u1").ravel()) for p in (before, after))
        assert np.array_equal(*rows)


def test_a_blend_is_half_of_each_of_two_pictures() -> None:
    images = photos(5)

    for place, found in enumerate(make("blend", images).astype(int)):
        partner = 2 * found - images[place]
        near = [
            np.abs(partner - other).max() <= 1 for i, other in enumerate(images.astype(int)) if i != place
        ]
        assert sum(near) == 1
