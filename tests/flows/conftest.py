"""Small real folders of pictures for the commands that go from files to a bundle."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenes
from foveal.core.progress import Progress
from foveal.flows.train import TrainResult, train
from foveal.train.recipe import Recipe

COLORS = ("blue", "green", "red")


def write_pictures(folder: Path, *, per_class: int, seed: int, side: int = 40) -> Path:
    """Write one folder per colour; each picture is noise with one channel brighter."""
    rng = np.random.default_rng(seed)
    for channel, name in enumerate(reversed(COLORS)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            pixels = rng.integers(0, 150, (side, side + number % 3, 3), dtype=np.uint8)
            pixels[..., channel] += 70
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


@pytest.fixture(scope="session")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 pictures in three class folders; for reading only."""
    return write_pictures(tmp_path_factory.mktemp("pictures") / "colors", per_class=60, seed=0)


@pytest.fixture(scope="session")
def trained(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return a finished run of the coloured pictures; for reading only."""
    recipe = Recipe(epochs=6, size=16, precision="fp32", threads=1)
    return train(colors, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "train")


SIDE = 64  # of the squares


@pytest.fixture(scope="session")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares with boxes; for reading only."""
    return scenes.write_voc(tmp_path_factory.mktemp("data") / "squares", count=64, side=SIDE)


@pytest.fixture(scope="session")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares with class maps; for reading only."""
    return scenes.write_maps(tmp_path_factory.mktemp("data") / "areas", count=48, side=SIDE)


@pytest.fixture(scope="session")
def detector(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return a finished run of the boxes; for reading only."""
    recipe = Recipe(epochs=60, precision="fp32", threads=1)
    return train(voc, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "detector")


@pytest.fixture(scope="session")
def segmenter(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return a finished run of the class maps; for reading only."""
    recipe = Recipe(epochs=30, precision="fp32", threads=1)
    return train(maps, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "segmenter")


@pytest.fixture(scope="session")
def divided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    """Return class maps, some of whose classes are counted, and a finished run of them; for reading only."""
    data = scenes.write_maps(tmp_path_factory.mktemp("data") / "areas", count=64, side=SIDE)
    recipe = Recipe(epochs=40, threads=1, precision="fp32", things=("dark", "light"))
    return data, train(data, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "panoptic")


@pytest.fixture(scope="session")
def stopped_at() -> Callable[..., Progress]:
    """Make a progress that stops the run as Ctrl-C does, at a stage or some way into it."""

    def make(stage: str, share: float = 0.0) -> Progress:
        def stop(now: str, done: int, total: int, note: str = "") -> None:
            if now == stage and done >= share * total:
                signal.raise_signal(signal.SIGINT)

        return stop

    return make
