"""evaluate.HeldOut: the served preprocessing, labels in the model's order, rows of stored images."""

from pathlib import Path

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.data.dataset import Dataset
from foveal.data.pictures import RawPicture
from foveal.data.preprocess import Preprocess
from foveal.evaluate.held_out import HeldOut

PREPROCESS = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.fixture
def dataset():
    pixels = np.random.default_rng(0).integers(256, size=(6, 20, 30, 3), dtype=np.uint8)
    return Dataset(
        format="array",
        path=Path("pictures"),
        classes=("a", "b", "c"),
        sources=tuple(f"{i}.png" for i in range(6)),
        labels=np.array([0, 0, 1, 1, 2, 2]),
        splits=("",) * 6,
        read=lambda index: RawPicture(pixels[index]),
    )


def test_pictures_of_a_data_set_go_through_the_served_preprocessing(dataset):
    held_out = HeldOut.of_dataset(dataset, np.array([5, 2]), PREPROCESS, ("c", "x", "b", "a"))

    assert len(held_out) == 2
    assert held_out.labels.tolist() == [0, 2], "in the order of the model's classes"
    assert held_out.sources == ["5.png", "2.png"]
    assert (held_out.read(0) == PREPROCESS(dataset.read(5).decode(3))).all()


def test_rows_of_stored_images_are_taken_as_they_are(dataset):
    images = np.random.default_rng(0).integers(256, size=(6, 16, 16, 3), dtype=np.uint8)

    held_out = HeldOut.of_images(images, dataset.labels, dataset.sources, np.array([4, 0]))

    assert held_out.labels.tolist() == [2, 0]
    assert held_out.sources == ["4.png", "0.png"]
    assert (held_out.read(1) == images[0]).all()


@pytest.mark.parametrize(("labels", "sources"), [([], []), ([0, 1], ["one"])])
def test_nothing_and_missing_names_are_refused(labels, sources):
    with pytest.raises(UsageError, match="need at least one picture, and a source for each"):
        HeldOut(np.array(labels, dtype=np.int64), sources, lambda i: np.zeros(0, np.uint8))
