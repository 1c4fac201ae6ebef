"""data.sizing: the input's size and channels follow from the pictures, and no pixel is decoded for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foveal import data
from foveal.data.dataset import Dataset
from foveal.data.pictures import RawPicture
from foveal.data.sizing import evenly_spaced, suggest_channels, suggest_size

Folder = Callable[..., Path]


def raw(*shapes: tuple[int, int, int]) -> Dataset:
    return Dataset(
        format="test",
        path=Path(),
        classes=("a",),
        sources=tuple(map(str, range(len(shapes)))),
        labels=np.zeros(len(shapes), np.int64),
        splits=("",) * len(shapes),
        read=lambda i: RawPicture(np.zeros(shapes[i], np.uint8)),
    )


@pytest.mark.parametrize(
    ("side", "size"),
    [(8, 32), (28, 32), (32, 32), (43, 64), (64, 64), (96, 128), (170, 128), (171, 224), (348, 224)],
)
def test_the_size_is_the_nearest_that_does_not_lose_much(side: int, size: int) -> None:
    assert suggest_size(raw((side, side * 2, 3))) == size


def test_the_median_decides() -> None:
    assert suggest_size(raw((28, 28, 1), (28, 28, 1), (2000, 2000, 1))) == 32


def test_one_color_picture_is_enough_for_color() -> None:
    assert suggest_channels(raw((8, 8, 1), (8, 8, 1))) == 1
    assert suggest_channels(raw((8, 8, 1), (8, 8, 3))) == 3
    assert suggest_channels(raw((8, 8, 6))) == 6


def test_unreadable_pictures_have_no_say(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 1}, side=100)
    (root / "cat/000.png").write_bytes(b"")

    assert suggest_size(data.open(root)) == 128
    for name in root.rglob("*.png"):
        name.write_bytes(b"")
    assert suggest_size(data.open(root)) == 32
    assert suggest_channels(data.open(root)) == 3


def test_samples_are_spread_over_everything() -> None:
    assert evenly_spaced(0, at_most=5) == []
    assert evenly_spaced(3, at_most=5) == [0, 1, 2]
    sample = evenly_spaced(10_000, at_most=500)
    assert len(set(sample)) == 500
    assert (sample[0], sample[-1]) == (0, 9999)
