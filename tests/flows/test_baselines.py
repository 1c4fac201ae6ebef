"""Baselines through the commands of any recognizer, and the baseline beside a network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import foveal
from foveal.core.errors import RecipeError
from foveal.flows import _yardstick
from foveal.flows.evaluate import evaluate
from foveal.flows.train import resume, train
from foveal.train.fitting import fit_baseline
from foveal.train.recipe import Recipe, read_recipe

BASELINES = ["knn", "logistic", "svm_hog", "svm_pixels"]
NETWORK = Recipe(epochs=2, size=16, precision="fp32", threads=1)


def read(path: Path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def fitted(colors, tmp_path_factory):
    return train(
        colors,
        recipe=Recipe(model="svm-pixels", size=16, threads=1),
        out=tmp_path_factory.mktemp("runs") / "svm",
    )


@pytest.mark.parametrize("model", BASELINES)
def test_a_baseline_becomes_a_bundle_like_any_recognizer(model, colors, tmp_path):
    result = train(colors, recipe=Recipe(model=model, size=16, threads=1), out=tmp_path / "run")

    document = result.document
    assert document["ok"] is True
    assert document["model"] == model.replace("_", "-")
    assert document["epochs"] is None
    assert document["parity"]["max_abs_difference"] <= 1e-4
    assert document["baseline"]["name"] == "majority class", "it is not measured beside itself"
    if model != "svm_hog":  # it is blind to colour
        assert document["metrics"]["test"]["accuracy"]["value"] > 0.6
    again = evaluate(result.run, colors).report.as_json()
    assert again["metrics"]["accuracy"] == document["metrics"]["test"]["accuracy"]
    (answer,) = foveal.load(result.bundle).predict([next(colors.rglob("*.png"))])
    assert answer.label in ("blue", "green", "red")
    page = result.report.read_text()
    assert "How its settings were chosen" in page
    assert "How it learned" not in page


def test_what_is_fitted_is_not_fitted_again(fitted, colors, tmp_path, monkeypatch):
    run = Path(shutil.copytree(fitted.run, tmp_path / "run"))
    weights = (run / "model" / "weights.safetensors").read_bytes()
    monkeypatch.setattr("foveal.train.fitting.features", None)

    again = resume(run, colors)

    assert again.document["digest"] == fitted.document["digest"]
    assert (run / "model" / "weights.safetensors").read_bytes() == weights


def test_the_history_is_what_cross_validation_found(fitted):
    rows = [json.loads(line) for line in (fitted.run / "history.jsonl").read_text().splitlines()]

    (chosen,) = [row for row in rows if row["chosen"]]
    assert chosen["cv_accuracy"] == max(row["cv_accuracy"] for row in rows)
    assert {row["cv_images"] for row in rows} == {len(read(fitted.run / "split.json")["fit"])}
    assert {(row["width"], row["cost"]) for row in rows} >= {(0.5, 1.0), (2.0, 30.0)}
    assert (fitted.run / "figures" / "cross_validation.csv").is_file()


@pytest.mark.parametrize("stage", ["features", "fit", "export"])
def test_a_fit_that_was_stopped_ends_in_the_same_bundle(stage, fitted, colors, tmp_path, stopped_at):
    recipe = Recipe(model="svm-pixels", size=16, threads=1)
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=recipe, out=tmp_path / "run", progress=stopped_at(stage, 0.5))
    plan = read(tmp_path / "run" / "plan.json")

    resumed = resume(tmp_path / "run", colors)

    assert read(resumed.run / "plan.json") == plan
    assert resumed.document["digest"] == fitted.document["digest"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"epochs": 3.0}, "svm-hog is fitted in one go; it has no epochs"),
        ({"batch_size": 8, "learning_rate": 0.1}, "it has no batch_size, learning_rate"),
        ({"augment": {"flip": 1.0}}, "it has no augment"),
        ({"precision": "bf16"}, "it has no precision"),
        ({"size": 12}, "svm-hog needs inputs of at least 16 pixels; got 12"),
    ],
)
def test_settings_without_a_meaning_are_refused_before_a_picture_is_read(fields, told, colors, tmp_path):
    with pytest.raises(RecipeError, match=told):
        train(colors, recipe=Recipe(model="svm-hog", **fields), out=tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_settings_that_change_nothing_are_no_mistake(colors, tmp_path, stopped_at):
    recipe = Recipe(model="knn", augment="none", precision="fp32", size=16)

    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=recipe, out=tmp_path / "run", progress=stopped_at("plan"))

    assert read_recipe(tmp_path / "run" / "recipe.toml").model == "knn"


def test_a_budget_below_a_few_images_is_refused_with_the_time_it_takes(colors, tmp_path):
    with pytest.raises(RecipeError, match="fitting svm-hog to a few images of each class takes") as caught:
        train(colors, recipe=Recipe(model="svm-hog", size=16, time_seconds=1), out=tmp_path / "run")

    assert caught.value.code == "budget_too_small"


@pytest.fixture(scope="module")
def beside(colors, tmp_path_factory):
    return train(colors, recipe=NETWORK, out=tmp_path_factory.mktemp("runs") / "network")


def test_the_strongest_baseline_stands_beside_a_network_on_the_same_images(beside):
    baseline = beside.document["baseline"]
    test = beside.document["metrics"]["test"]

    assert baseline["name"] in ("knn", "logistic", "svm-hog", "svm-pixels")
    assert baseline["accuracy"]["n"] == test["accuracy"]["n"]
    paired = baseline["paired"]
    assert (
        sum(paired[key] for key in ("both", "only_network", "only_baseline", "neither"))
        == test["accuracy"]["n"]
    )
    right = paired["both"] + paired["only_network"]
    assert right / test["accuracy"]["n"] == pytest.approx(test["accuracy"]["value"])
    right = paired["both"] + paired["only_baseline"]
    assert right / test["accuracy"]["n"] == pytest.approx(baseline["accuracy"]["value"])
    compared = [one["calib_accuracy"] for one in baseline["candidates"]]
    calib = read(beside.run / "split.json")["calib"]
    assert {one["n"] for one in compared} == {len(calib)}, "all on the same pictures"
    assert baseline["calib_accuracy"]["value"] == max(one["value"] for one in compared)
    assert paired["verdict"] in ("network_better", "baseline_better", "no_difference_shown")
    assert baseline["majority"] == test["majority"]
    assert f"The strongest cheap baseline, {baseline['name']} fitted to" in beside.report.read_text()
    assert str(beside.run) not in (beside.run / "baseline.json").read_text()


def test_a_resumed_run_keeps_its_baseline(beside, colors):
    facts = (beside.run / "baseline.json").read_text()
    weights = (beside.run / "baseline" / "weights.safetensors").read_bytes()

    again = resume(beside.run, colors)

    assert (beside.run / "baseline.json").read_text() == facts
    assert (beside.run / "baseline" / "weights.safetensors").read_bytes() == weights
    assert again.document["baseline"] == beside.document["baseline"]


def test_a_baseline_that_was_cut_off_is_fitted_to_the_same_images(colors, tmp_path, stopped_at):
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=NETWORK, out=tmp_path / "run", progress=stopped_at("baseline", 0.6))
    assert not (tmp_path / "run" / "baseline.json").exists()
    plan = read(tmp_path / "run" / "baseline" / "plan-knn.json")

    document = resume(tmp_path / "run", colors).document

    made = {one["name"]: one["n_fit"] for one in document["baseline"]["candidates"]}
    assert made["knn"] == plan["images"]


def test_without_a_baseline_there_is_the_majority_class(colors, tmp_path):
    result = train(colors, recipe=NETWORK.changed(baseline=False), out=tmp_path / "run")

    baseline = result.document["baseline"]
    assert baseline["name"] == "majority class"
    assert baseline["accuracy"] == baseline["majority"]["accuracy"]
    assert not (result.run / "baseline.json").exists()


def test_labels_of_other_pictures_are_not_learned_by_a_baseline(colors, tmp_path, monkeypatch, stopped_at):
    with pytest.raises(KeyboardInterrupt):
        train(colors, recipe=NETWORK, out=tmp_path / "one", progress=stopped_at("train"))
    spoiled = []

    def fit_to_spoiled(plan, examples, preprocess, *, progress):
        labels = examples.labels.copy()
        others = np.setdiff1d(np.arange(len(labels)), examples.indices)
        labels[others] = np.random.default_rng(0).permutation(labels[others])
        spoiled.append(len(others))
        changed = examples.__class__(examples.images, labels, examples.indices, examples.units)
        return fit_baseline(plan, changed, preprocess, progress=progress)

    monkeypatch.setattr(_yardstick, "fit_baseline", fit_to_spoiled)
    run = Path(shutil.copytree(tmp_path / "one", tmp_path / "two"))
    (run / "baseline.json").unlink()  # its plans stay: the same images
    with pytest.raises(KeyboardInterrupt):
        resume(run, colors, progress=stopped_at("train"))

    assert min(spoiled) > 30
    weights = [
        safetensors.numpy.load((tmp_path / name / "baseline" / "weights.safetensors").read_bytes())
        for name in ("one", "two")
    ]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    one, two = (read(tmp_path / name / "baseline.json")["candidates"] for name in ("one", "two"))
    assert [row["calib_accuracy"] for row in one] == [row["calib_accuracy"] for row in two]
