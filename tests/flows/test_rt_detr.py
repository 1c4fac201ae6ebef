"""RT-DETR from a folder of weights to the file that ships, which needs the folder no more."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import rt_detr_folder
import scenes
from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError, UsageError
from foveal.flows import train as flows
from foveal.flows.evaluate import evaluate
from foveal.flows.train import train
from foveal.tasks import recognizer as recognizers
from foveal.tasks.detect.learn import Selection, answers
from foveal.train.recipe import Recipe


def recipe(folder: Path, epochs: float = 4, **changes) -> Recipe:
    given = {"model": "rt-detr", "weights": str(folder), "learning_rate": 2e-3, "precision": "fp32"}
    return Recipe(**{**given, "epochs": epochs, "threads": 1, **changes})


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.write_voc(tmp_path_factory.mktemp("voc") / "squares")


@pytest.fixture(scope="module")
def trained(voc: Path, tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("rt-detr")
    folder = rt_detr_folder.write(place / "folder")
    result = train(voc, recipe=recipe(folder), out=place / "run")
    shutil.rmtree(folder)
    return result


def test_it_ships_and_is_measured_as_every_other_one(trained, voc: Path) -> None:
    assert trained.document["ok"]
    assert trained.document["parity"]["clear_flips"] == 0
    assert trained.document["start"]["source"] == "folder"
    assert trained.document["plan"]["arguments"]["config"]["d_model"] == 32
    assert "does not say" in trained.document["plan"]["reasons"]["normalization"]
    manifest = archive.read(trained.bundle).manifest
    assert (manifest.model.source, manifest.licenses.weights) == ("folder", None)
    assert (manifest.preprocess.mean, manifest.preprocess.std) == ((0,) * 3, (1,) * 3)
    assert manifest.objects.overlap is None
    assert evaluate(trained.run, voc).report.as_json()["metrics"] == trained.evaluation["metrics"]


@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_pictures_is_answered_as_by_the_network(trained, count: int) -> None:
    images, _, _ = scenes.squares(count, seed=5)
    rule = archive.read(trained.bundle).manifest.objects
    selection = Selection(rule.objects, rule.overlap, scale=rule.scale, shift=rule.shift)

    wanted = answers(recognizers.load(trained.run / "model"), images, selection)
    found = Predictor.open(trained.bundle).ask(images)

    np.testing.assert_allclose(found["scores"], wanted.scores, atol=1e-4)
    sure = wanted.scores > 0
    assert sure.any(axis=1).all()
    for row, there in enumerate(sure):
        away = np.abs(found["boxes"][row][there][:, None] - wanted.boxes[row][there]).max(-1)
        assert away.min(axis=1).max() < 0.05  # pixels; places of equal scores may be changed


def test_a_killed_training_goes_on_without_the_folder(voc: Path, tmp_path: Path) -> None:
    folder = rt_detr_folder.write(tmp_path / "folder")
    whole = train(voc, recipe=recipe(folder, 2), out=tmp_path / "whole")

    def stop(name: str, done: int, of: int, note: str = "") -> None:
        if name == "train" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(voc, recipe=recipe(folder, 2), out=tmp_path / "broken", progress=stop)
    shutil.rmtree(folder)
    again = flows.resume(tmp_path / "broken", voc)

    one, other = (recognizers.load(run / "model").network.state_dict() for run in (whole.run, again.run))
    assert [name for name in one if not one[name].equal(other[name])] == []


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"weights": None}, UsageError, "no_weights"),
        ({"weights": None, "transfer": True}, UsageError, "no_weights"),
        ({"backbone": "efficientnet-lite0"}, UsageError, "no_backbone"),
        ({}, DataError, "bad_weights"),
    ],
)
def test_what_cannot_be_started_from_leaves_no_run_behind(
    voc: Path, tmp_path: Path, changes, error, code: str
) -> None:
    pytest.importorskip("transformers", reason="needs the extra `transformers`")
    with pytest.raises(error) as caught:
        train(voc, recipe=recipe(tmp_path, **changes), out=tmp_path / "run")

    assert caught.value.code == code
    assert caught.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_squares_are_found_after_some_hundred_steps(tmp_path: Path) -> None:
    folder = rt_detr_folder.write(tmp_path / "folder")
    data = scenes.write_voc(tmp_path / "data", count=96)

    result = train(data, recipe=recipe(folder, 100), out=tmp_path / "run")

    assert result.evaluation["metrics"]["map50"]["value"] > 0.5
