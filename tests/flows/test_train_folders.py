"""flows.train: whose folder it may write into, what it replaces, and what a refused run leaves."""

import shutil
from pathlib import Path

import pytest

from foveal.core.errors import (
    DataError,
    NotFoundError,
    RecipeError,
    UnknownNameError,
    WriteError,
)
from foveal.flows.train import resume, train
from foveal.train.recipe import Recipe

RECIPE = Recipe(epochs=6, size=16, precision="fp32", threads=1, baseline=False)


def test_a_run_is_the_last_from_its_start_and_no_more_once_its_data_are_refused(
    colors, tmp_path, monkeypatch, stopped_at
):
    monkeypatch.chdir(tmp_path)
    damaged = Path(shutil.copytree(colors, tmp_path / "data"))
    (damaged / "red" / "000.png").write_bytes(b"no picture")
    last = tmp_path / "runs" / "last"

    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, progress=stopped_at("reading pictures"))
    assert last.resolve().name == "train-1"
    with pytest.raises(DataError):
        train(damaged, recipe=RECIPE)

    assert last.resolve().name == "train-1"
    assert not (tmp_path / "runs" / "train-2").exists()


def test_a_refused_run_leaves_its_folder_as_it_was(colors, tmp_path):
    damaged = Path(shutil.copytree(colors, tmp_path / "data"))
    (damaged / "red" / "000.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()

    for out in (tmp_path / "new", tmp_path / "empty"):
        with pytest.raises(DataError):
            train(damaged, recipe=RECIPE, out=out)

    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "empty").iterdir())


def test_force_replaces_a_run_only_when_the_new_data_are_accepted(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    (run / ".lock").unlink(missing_ok=True)
    damaged = Path(shutil.copytree(colors, tmp_path / "data"))
    (damaged / "red" / "000.png").write_bytes(b"no picture")
    before = {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}

    with pytest.raises(DataError):
        train(damaged, recipe=RECIPE, out=run, force=True)

    assert {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_was_killed_while_it_replaced_another_can_be_replaced_again(trained, colors, tmp_path):
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    (run / ".replaced").mkdir()
    for path in list(run.iterdir()):  # killed after half of it was set aside: nothing says what to resume
        if path.name in ("recipe.toml", "env.json", "model"):
            path.rename(run / ".replaced" / path.name)

    with pytest.raises(NotFoundError, match="no run that can be resumed"):
        resume(run, colors)
    again = train(colors, recipe=RECIPE, out=run, force=True)

    assert again.document["digest"] == trained.document["digest"]
    assert not (run / ".replaced").exists()


@pytest.mark.parametrize("left", [[".lock"], [".lock", "command.json", "env.json"]])
def test_a_folder_of_a_run_that_was_killed_as_it_began_can_be_used(colors, tmp_path, left):
    (tmp_path / "run").mkdir()
    for name in left:
        (tmp_path / "run" / name).write_text("{}", encoding="utf-8")

    assert train(colors, recipe=RECIPE, out=tmp_path / "run").bundle is not None


def test_force_empties_a_run_and_no_other_folder(trained, colors, tmp_path, stopped_at):
    mine = tmp_path / "mine"
    for name in ("checkpoints/a", "model/b", "c.foveal"):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).touch()

    with pytest.raises(WriteError, match="holds no run"):
        train(colors, recipe=RECIPE, out=mine, force=True)

    assert sorted(p.name for p in mine.rglob("*") if p.is_file()) == ["a", "b", "c.foveal"]
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    (run / "notes.txt").touch()
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=RECIPE, out=run, force=True, progress=stopped_at("reading pictures"))
    left = {path.name for path in run.iterdir()}
    assert {"notes.txt", "recipe.toml", "env.json"} <= left
    assert left.isdisjoint({"colors.foveal", "checkpoints", "model", "report.html"})


def test_the_data_folder_is_never_written_to(colors, tmp_path, monkeypatch):
    data = Path(shutil.copytree(colors, tmp_path / "data"))
    monkeypatch.chdir(data)
    before = sorted(data.rglob("*"))

    for given, out in ((".", None), (data, data / "run"), (data, data), (data, tmp_path)):
        with pytest.raises(WriteError, match="only read"):
            train(given, recipe=RECIPE, out=out, force=True)

    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        (Recipe(model="nanoo"), UnknownNameError),
        (Recipe(size=8), RecipeError),
        (Recipe(augment={"blur": 1.0}), UnknownNameError),
        (Recipe(augment={"shift": 2.0}), RecipeError),
    ],
)
def test_what_is_wrong_whatever_the_data_is_refused_before_a_picture_is_read(colors, tmp_path, recipe, error):
    stages = []

    with pytest.raises(error):
        train(colors, recipe=recipe, out=tmp_path / "run", progress=lambda stage, *_: stages.append(stage))

    assert not stages
    assert not (tmp_path / "run").exists()
