"""Transfer to clips: what looks at the frames is from elsewhere, what reads them is learned."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import films
from foveal import models
from foveal.bundle.predictor import Predictor
from foveal.bundle.rolling import Rolling
from foveal.core.errors import FovealError, RecipeError, UsageError
from foveal.core.progress import Progress
from foveal.data.preprocess import Preprocess
from foveal.flows._transfer import origin_of, with_model
from foveal.flows.evaluate import evaluate
from foveal.flows.train import TrainResult, resume, train
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.planning import check_recipe
from foveal.train.recipe import Recipe

pytest.importorskip("av")

SIDE, FRAMES, BACKBONE = 32, 3, "resnet20"
MEAN, STD = (0.41, 0.42, 0.43), (0.21, 0.22, 0.23)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty films of a color each: 5 of each class to test, others to learn from."""
    folder = tmp_path_factory.mktemp("films") / "colors"
    for number in range(40):
        label, part = ("warm", "cold")[number % 2], "test" if number < 10 else "train"
        frames = np.random.default_rng(number).integers(0, 90, (6, SIDE, SIDE, 3), dtype=np.uint8)
        frames[..., 0 if label == "warm" else 2] += 120
        films.write(folder / part / label / f"film{'abcd'[number % 4]}{number:02}x.mkv", frames, rate=6)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned pictures, with batch norms that have seen some; 32 pixels, a normalization."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 5, "size": SIDE}
    network = models.architecture(BACKBONE).build(**arguments)
    network(torch.randn(16, 3, SIDE, SIDE))  # in training mode: the norms see something
    preprocess = Preprocess(size=SIDE, channels=3, mean=MEAN, std=STD)
    run = tmp_path_factory.mktemp("source") / "run"
    names = tuple("abcde")
    recognizers.save(Recognizer(network.eval(), BACKBONE, arguments, preprocess, names), run / "model")
    return run


@pytest.fixture(scope="module")
def recipe(source: Path) -> Recipe:
    return Recipe(model="cnn_gru", weights=str(source), frames=FRAMES, threads=1, scratch=False, seed=3)


@pytest.fixture(scope="module")
def frozen(clips: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(clips, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "frozen")


def states(source: Path, run: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the state of the source and, under its names, that of the backbone."""
    before = recognizers.load(source / "model").network.state_dict()
    after = recognizers.load(run / "model").network.state_dict()
    mine = {name.removeprefix("backbone."): t for name, t in after.items() if name.startswith("backbone.")}
    return before, mine


def test_a_frozen_backbone_ships_bit_for_bit(frozen: TrainResult, source: Path) -> None:
    before, after = states(source, frozen.run)

    assert any(name.endswith("running_var") for name in after)
    assert set(before) - set(after) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def test_the_frames_are_made_as_the_weights_want_them(frozen: TrainResult) -> None:
    predictor = Predictor.open(frozen.bundle, engine="onnxruntime", threads=1)
    preprocess = predictor.preprocess

    assert (preprocess.mean, preprocess.std) == (MEAN, STD)
    assert (preprocess.size, preprocess.clip.frames) == (SIDE, FRAMES)
    assert preprocess.clip.spacing_s == pytest.approx(1 / FRAMES, abs=0.01)
    assert preprocess.decoder.startswith("pyav")
