"""Promises that every view of a picture keeps; a new file is covered the moment it exists."""

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.perturb import structure
from foveal.perturb.structure.block_means import block_means
from foveal.perturb.structure.shuffled_blocks import shuffled_blocks

NAMES = catalog.names(structure)
RNG = np.random.default_rng


def pictures(n: int = 3, side: int = 32, channels: int = 3):
    return RNG(0).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 32, 3), (1, 16, 1), (0, 8, 3), (2, 48, 5)])
def test_gives_pictures_of_the_same_shape_and_leaves_the_input_alone(name: str, shape) -> None:
    images = pictures(*shape)
    images.setflags(write=False)
    before = images.copy()

    view = catalog.find(structure, name)
    found, again = (view(images, blocks=4, rng=RNG(1)) for _ in range(2))

    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert np.array_equal(images, before)
    assert np.array_equal(found, again)


@pytest.mark.parametrize("name", NAMES)
def test_sides_that_are_no_multiple_are_refused(name: str) -> None:
    view = catalog.find(structure, name)
    with pytest.raises(UsageError, match="cannot be cut into 5 × 5"):
        view(pictures(), blocks=5, rng=RNG(0))
    with pytest.raises(UsageError, match="need uint8"):
        view(pictures().astype(float), blocks=4, rng=RNG(0))


def test_shuffling_keeps_every_block_whole_and_loses_none() -> None:
    images = pictures(n=2)

    found = shuffled_blocks(images, blocks=4, rng=RNG(0))

    for before, after in zip(images, found, strict=True):
        blocks = {
            tuple(before[y : y + 8, x : x + 8].ravel()) for y in range(0, 32, 8) for x in range(0, 32, 8)
        }
        kept = {tuple(after[y : y + 8, x : x + 8].ravel()) for y in range(0, 32, 8) for x in range(0, 32, 8)}
        assert blocks == kept
        assert not np.array_equal(before, after)


def test_each_picture_is_shuffled_in_an_order_of_its_own() -> None:
    one = pictures(n=1)

    first, second = shuffled_blocks(np.concatenate([one, one]), blocks=8, rng=RNG(0))

    assert not np.array_equal(first, second)


def test_one_block_leaves_a_picture_as_it_is() -> None:
    assert np.array_equal(shuffled_blocks(pictures(), blocks=1, rng=RNG(0)), pictures())


def test_means_are_those_of_the_blocks_in_their_places() -> None:
    images = pictures(n=2)

    found = block_means(images, blocks=4, rng=RNG(0))

    for y in range(0, 32, 8):
        for x in range(0, 32, 8):
            expected = images[:, y : y + 8, x : x + 8].astype(float).mean(axis=(1, 2))
            assert np.abs(found[:, y : y + 8, x : x + 8] - expected[:, None, None]).max() <= 0.5


def test_as_many_blocks_as_pixels_leave_a_picture_as_it_is() -> None:
    assert np.array_equal(block_means(pictures(), blocks=32, rng=RNG(0)), pictures())
