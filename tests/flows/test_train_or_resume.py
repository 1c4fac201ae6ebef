"""One call that trains, or goes on with the run of the same recipe, and never takes another run for it."""

import shutil
from pathlib import Path

import pytest

from foveal.core.errors import UsageError
from foveal.flows.train import TrainResult, train_or_resume
from foveal.train.recipe import Recipe


def test_what_was_learned_is_not_learned_twice(trained: TrainResult, colors: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))

    again = train_or_resume(colors, recipe=Recipe(epochs=6, size=16, precision="fp32"), out=run)

    assert again.document["resumed_from"] == trained.document["plan"]["steps"] > 0
    assert again.document["digest"] == trained.document["digest"]


@pytest.mark.parametrize("changes", [{"seed": 5}, {"epochs": 7.0}, {"model": "resnet20"}, {"size": 32}])
def test_a_run_of_another_recipe_is_left_alone(
    trained: TrainResult, colors: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    recipe = Recipe(epochs=6, size=16, precision="fp32").changed(**changes)

    with pytest.raises(UsageError, match="started with another recipe") as caught:
        train_or_resume(colors, recipe=recipe, out=run)

    assert caught.value.code == "other_recipe"
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Recipe(), Recipe(model="cnn_gru")),
        (Recipe(transfer=True), Recipe(transfer=True, model="efficientnet_lite0", threads=1)),
        (Recipe(transfer=True), Recipe(transfer=True, model="cnn_gru", backbone="efficientnet_lite0")),
        (Recipe(model="nano", threads=4), Recipe(model="nano", threads=1)),
    ],
)
def test_what_the_data_complete_is_the_same_recipe(wanted: Recipe, kept: Recipe) -> None:
    assert kept.stems_from(wanted)
    assert not kept.stems_from(wanted.changed(seed=9))
    assert not kept.stems_from(wanted.changed(model="alexnet"))
