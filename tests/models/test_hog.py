"""Histograms of oriented gradients: as counted pixel by pixel, and blind to light and contrast."""

import math

import numpy as np
import pytest
import torch

from foveal.models._hog import Hog, cell_side


def counted(image: np.ndarray, size: int) -> np.ndarray:
    """Return the features of one image (C, size, size), one pixel and one vote at a time."""
    cell = cell_side(size)
    cells = size // cell
    histograms = np.zeros((cells, cells, 9))

    def pixel(channel: int, y: int, x: int) -> float:
        return float(image[channel, min(max(y, 0), size - 1), min(max(x, 0), size - 1)])

    for y in range(size):
        for x in range(size):
            gradients = [
                (pixel(c, y, x + 1) - pixel(c, y, x - 1), pixel(c, y + 1, x) - pixel(c, y - 1, x))
                for c in range(len(image))
            ]
            across, down = max(gradients, key=lambda g: g[0] ** 2 + g[1] ** 2)
            strength = math.hypot(across, down)
            place = (
                math.degrees(math.atan2(down, across)) % 180
            ) / 20 - 0.5  # in bins, centres at whole numbers
            for bin_ in (math.floor(place), math.floor(place) + 1):
                share = 1 - abs(place - bin_)
                for row in range(cells):
                    for column in range(cells):
                        apart_y = abs(y + 0.5 - (row + 0.5) * cell) / cell
                        apart_x = abs(x + 0.5 - (column + 0.5) * cell) / cell
                        if apart_y < 1 and apart_x < 1:
                            vote = strength * share * (1 - apart_y) * (1 - apart_x) / cell**2
                            histograms[row, column, bin_ % 9] += vote
    found = []
    for row in range(cells - 1):
        for column in range(cells - 1):
            block = histograms[row : row + 2, column : column + 2].reshape(-1)
            block = np.minimum(block / math.sqrt((block**2).sum() + 1e-4), 0.2)
            found.append(block / math.sqrt((block**2).sum() + 1e-4))
    return np.stack(found, axis=1).reshape(-1)  # as the network lays it out: votes first, then places


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (17, 3), (24, 2)])
def test_features_are_those_counted_pixel_by_pixel(size, channels):
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, channels, size, size))).float()

    found = Hog(size=size)(images)

    np.testing.assert_allclose(found, [counted(one.numpy(), size) for one in images], atol=2e-5)


def test_neither_brightness_nor_contrast_matters():
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 32, 32))).float()
    features = Hog(size=32)

    torch.testing.assert_close(features(image + 0.7), features(image), atol=1e-4, rtol=0)
    torch.testing.assert_close(features(image * 0.4), features(image), atol=2e-3, rtol=0)
    assert (features(image.flip(3)) - features(image)).abs().max() > 0.1, "or it were blind to everything"


def test_an_image_without_contrast_has_no_features():
    assert not Hog(size=16)(torch.full((1, 3, 16, 16), 0.3)).any()


@pytest.mark.parametrize("size", range(16, 49))
def test_every_size_has_as_many_features_as_it_says(size):
    part = Hog(size=size)

    assert part(torch.randn(1, 1, size, size)).shape == (1, part.features)
