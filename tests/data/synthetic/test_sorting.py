"""Fruit to be sorted: what the class decides is in two infrared bands, and nowhere else."""

import json

import numpy as np
import pytest

from foveal.core.random import stream
from foveal.data import opening
from foveal.data.synthetic._stacks import stacks_dataset
from foveal.data.synthetic.sorting import BRUISED_BANDS, sorting
from foveal.flows.data_make import Wishes, make

BRUISED, SOUND = (sorting.classes.index(name) for name in ("bruised", "sound"))
SIDE = 32


def drawn(seed: int, label: int) -> np.ndarray:
    return sorting.draw(stream(seed, "fruit"), label, SIDE)


@pytest.mark.parametrize("seed", range(12))
def test_every_other_band_is_the_same_with_and_without_a_bruise(seed: int) -> None:
    """What is equal bit for bit for every seed has the same distribution: no recognizer can tell it apart."""
    sound, bruised = drawn(seed, SOUND), drawn(seed, BRUISED)

    differs = [
        band for band in range(len(sorting.bands)) if not np.array_equal(sound[..., band], bruised[..., band])
    ]

    assert differs == sorted(BRUISED_BANDS)
    assert all("infrared" in sorting.bands[band] for band in differs)
    assert (bruised <= sound + 400).all(), "a bruise darkens"


def test_pictures_are_of_16_bits_and_no_two_alike() -> None:
    some = np.stack([drawn(seed, SOUND) for seed in range(20)])

    assert some.dtype == np.uint16
    assert some.max() > 2**15
    assert (some == 65_535).mean() < 0.001
    assert len({one.tobytes() for one in some}) == 20
    assert np.array_equal(drawn(3, SOUND), drawn(3, SOUND))


def test_the_class_says_nothing_of_what_else_is_drawn() -> None:
    """Labels come from a stream of their own: the pictures behind them are the same for every division."""
    data = stacks_dataset("sorting", sorting, 60, side=SIDE, seed=5)

    for split in ("train", "val", "test"):
        held = data.labels[np.array(data.splits) == split]
        assert abs(int((held == SOUND).sum()) - len(held) / 2) <= 0.5
    assert data.read(7).content == data.read(7).content


def test_it_is_written_as_class_folders_of_tiff(tmp_path) -> None:
    told = make("sorting", tmp_path / "fruit", Wishes(pictures=20, size=SIDE, seed=2))

    data = opening.open(tmp_path / "fruit")

    assert (told["task"], told["images"], told["width"]) == ("classify", 20, SIDE)
    assert tuple(json.loads(json.dumps(told))["bands"]) == data.band_names == sorting.bands
    assert data.classes == sorting.classes
    assert set(data.splits) == {"train", "val", "test"}
    index = data.sources.index(
        "train/" + sorting.classes[data.labels[0]] + "/" + data.sources[0].split("/")[-1]
    )
    number = int(data.sources[index].split("-")[-1].split(".")[0])
    expected = sorting.draw(stream(2, "synthetic", "sorting", number), int(data.labels[index]), SIDE)
    assert np.array_equal(data.read(index).values(), expected)
