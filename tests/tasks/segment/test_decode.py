"""tasks.segment.decode: a class for each pixel of the picture that was given."""

import numpy as np
import pytest

from foveal.core.errors import BundleError
from foveal.data.preprocess import Preprocess
from foveal.data.scene import VOID
from foveal.data.truths import regions_at_size
from foveal.tasks.segment.decode import checked, decode, original

PREPROCESS = Preprocess(size=64, width=96, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)


@pytest.mark.parametrize("size", [(64, 96), (64, 64), (30, 96), (128, 192), (60, 100), (500, 37)])
def test_areas_keep_their_place(size) -> None:
    height, width = size
    regions = np.zeros(size, np.uint8)
    regions[: height // 2, : width // 3] = 2

    there = regions_at_size(regions, PREPROCESS)
    back = original(np.where(there == VOID, 0, there), size, PREPROCESS)

    assert there.shape == (64, 96)
    assert back.shape == size
    assert (back != regions).mean() < 0.05


def test_what_the_letterbox_fills_says_nothing() -> None:
    there = regions_at_size(np.ones((64, 48), np.uint8), PREPROCESS)

    assert (there[:, :48] == 1).all()
    assert (there[:, 48:] == VOID).all()


def test_shares_are_of_the_picture_without_the_grey() -> None:
    regions = np.zeros((1, 64, 96), np.uint8)
    regions[0, :, :24] = 1
    regions[0, :, 48:] = 2  # grey, outside of the picture

    [seen] = decode(regions, classes=("a", "b", "c"), preprocess=PREPROCESS, sources=["x"], sizes=[(128, 96)])

    assert seen.areas == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert seen.as_json()["areas"] == seen.areas
    assert seen.regions.shape == (128, 96)


@pytest.mark.parametrize(
    "wrong", [np.full((1, 4, 4), 3, np.uint8), np.zeros((2, 4, 4), np.uint8), np.zeros((1, 4, 4), np.int64)]
)
def test_what_are_no_classes_is_refused(wrong) -> None:
    with pytest.raises(BundleError, match="no classes of pixels"):
        checked({"regions": wrong}, 1, classes=3)
