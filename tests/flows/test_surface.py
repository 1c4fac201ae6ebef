"""Supervised defects, and made-up ones, from files to the file that ships."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import parts
from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.flows.evaluate import evaluate, write_page
from foveal.flows.train import TrainResult, resume, train
from foveal.train.recipe import Recipe


def recipe(epochs: float, **changes) -> Recipe:
    return Recipe(task="defect", epochs=epochs, threads=1, precision="fp32", batch_size=8, size=64, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parts.write_parts(tmp_path_factory.mktemp("parts") / "set")


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(folder, recipe=recipe(20), out=tmp_path_factory.mktemp("surface") / "run")


def test_defects_are_found_by_the_file_that_ships(trained: TrainResult) -> None:
    document = trained.document
    metrics = document["metrics"]["test"]

    assert (document["ok"], document["task"], document["model"]) == (True, "defect", "surface")
    assert archive.read(trained.bundle).manifest.classes == ("good", "hole", "scratch")
    assert metrics["image_auroc"]["value"] >= 0.9
    assert metrics["miou"]["value"] >= 0.4
    assert metrics["false_call_at_99_recall"]["n"] == 4
    assert [row["images"] for row in metrics["per_class"]] == [4, 2, 2]
    assert metrics["per_class"][0]["auroc"] is None
    assert all(row["auroc"]["value"] > 0.5 for row in metrics["per_class"][1:])


def test_evaluated_alone_the_file_is_worth_what_the_run_says(
    trained: TrainResult, folder: Path, tmp_path: Path
) -> None:
    found = evaluate(trained.run, folder)

    assert found.report.as_json()["metrics"] == trained.evaluation["metrics"]
    write_page(found, tmp_path / "page.html")
    assert "places shown" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "places shown" in trained.report.read_text(encoding="utf-8")


def test_where_it_is_lies_in_the_pixels_of_the_picture_given(trained: TrainResult, tmp_path: Path) -> None:
    pixels, marked = parts.part("hole", rng=np.random.default_rng(7))
    larger = Image.fromarray(pixels).resize((pixels.shape[1] * 3, pixels.shape[0] * 3))
    larger.save(tmp_path / "large.png")

    [seen] = Predictor.open(trained.bundle).see_each(tmp_path / "large.png")

    assert seen.heat.shape == (larger.height, larger.width)
    down, across = np.unravel_index(seen.heat.argmax(), seen.heat.shape)
    assert marked[down // 3, across // 3]


def test_a_stopped_training_goes_on_to_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(folder, recipe=recipe(4), out=tmp_path / "whole")
    shown = []

    def stop(what: str, done: int, of: int, note: str = "") -> None:
        shown.append(what)
        if what == "train" and done == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr("foveal.train.loop._CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(folder, recipe=recipe(4), out=tmp_path / "cut", progress=stop)
    again = resume(tmp_path / "cut", folder)

    assert again.document["resumed_from"] in (8, 9)
    weights = [(run.run / "model/weights.safetensors").read_bytes() for run in (whole, again)]
    assert weights[0] == weights[1], "how defective good pictures looked is in the checkpoint"


def test_made_up_defects_teach_without_any_that_is_stated(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.mktemp("made") / "run"

    made = train(folder, recipe=recipe(40, objective="synthetic"), out=run)

    assert archive.read(made.bundle).manifest.classes == ("good", "defect")
    assert made.document["metrics"]["test"]["image_auroc"]["value"] >= 0.8
    found = evaluate(run, folder).report.as_json()
    assert found["metrics"] == made.evaluation["metrics"]
    assert json.dumps(found)
