"""Outlines of objects, and pixels that belong to them, from files to the file that ships."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import films
import scenes
from foveal.bundle import archive, golden_objects
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.predictor import Predictor
from foveal.bundle.tiled import Tiled
from foveal.core.errors import BundleError, DataError, UsageError
from foveal.data.outline import Runs
from foveal.evaluate.panoptic import there
from foveal.flows.compare import compare
from foveal.flows.evaluate import evaluate
from foveal.flows.predict_drawn import drawing
from foveal.flows.train import train
from foveal.metrics._found import Truth
from foveal.metrics.panoptic_quality import panoptic_counts
from foveal.stream.options import SourceOptions
from foveal.stream.plan import Plan
from foveal.stream.run import run
from foveal.stream.shown import Shown
from foveal.train.recipe import Recipe

SIDE = 64


@pytest.fixture(scope="module")
def outlined(tmp_path_factory: pytest.TempPathFactory):
    data = scenes.write_instances(tmp_path_factory.mktemp("data") / "squares", count=64, side=SIDE)
    recipe = Recipe(epochs=50, threads=1, precision="fp32")
    return data, train(data, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "outlines")


def test_outlines_are_found_by_the_file_that_ships(outlined) -> None:
    data, result = outlined

    assert result.document["ok"]
    assert (result.document["task"], result.document["model"]) == ("instance", "outline")
    metrics = result.document["metrics"]["test"]
    assert metrics["mask_map50"]["value"] > 0.6
    assert metrics["mask_map"]["value"] <= metrics["mask_map50"]["value"]
    [row] = metrics["per_class"]
    assert row["mask_ap50"] == pytest.approx(metrics["mask_map50"]["value"])
    assert evaluate(result.run, data).report.as_json()["metrics"] == result.evaluation["metrics"]
    assert "outlines" in result.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("epochs", "least"),
    [(1, 0.0), pytest.param(50, 0.5, marks=pytest.mark.families)],
    ids=["begun", "learned"],
)
def test_masks_inside_boxes_learn_and_ship_by_the_same_command(
    outlined, epochs: float, least: float, tmp_path: Path
) -> None:
    recipe = Recipe(task="instance", model="mask-rcnn", epochs=epochs, threads=1, precision="fp32")
    result = train(outlined[0], recipe=recipe, out=tmp_path / "run")

    assert result.document["ok"]
    assert (result.document["task"], result.document["model"]) == ("instance", "mask-rcnn")
    assert result.document["parity"]["clear_flips"] == 0
    assert result.document["metrics"]["test"]["mask_map50"]["value"] >= least
    answers = Predictor.open(result.bundle).ask(np.zeros((2, SIDE, SIDE, 3), np.uint8))
    assert answers["masks"].shape == (2, 300, SIDE // 4, SIDE // 4)
    assert answers["masks"].dtype == np.uint8


def test_a_mask_lies_in_its_box_and_most_of_it_on_its_object(outlined, tmp_path: Path) -> None:
    _, result = outlined
    images, boxes, _ = scenes.squares(64, side=SIDE)
    Image.fromarray(images[0]).resize((2 * SIDE, 2 * SIDE), Image.Resampling.NEAREST).save(tmp_path / "a.png")

    seen_by = Predictor.open(result.bundle)
    [seen] = seen_by.see_each([tmp_path / "a.png"])

    covered = np.zeros((2 * SIDE, 2 * SIDE), bool)
    for one in seen.objects:
        mask = Runs.from_json(one.outline).mask(2 * SIDE, 2 * SIDE)
        left, top, right, bottom = one.box
        rows, columns = np.nonzero(mask)
        assert rows.min() >= np.floor(top)
        assert rows.max() < np.ceil(bottom)
        assert columns.min() >= np.floor(left)
        assert columns.max() < np.ceil(right)
        covered |= mask
    wanted = np.zeros_like(covered)
    for left, top, right, bottom in (2 * boxes[0]).astype(int).tolist():
        wanted[top:bottom, left:right] = True
    assert (covered & wanted).sum() / (covered | wanted).sum() > 0.6
    drawing(tmp_path / "seen", seen_by.classes)(seen, str(tmp_path / "a.png"))
    with Image.open(tmp_path / "seen" / "a.drawn.jpg") as picture:
        assert picture.size == (2 * SIDE, 2 * SIDE)


def test_a_picture_is_divided_among_objects_and_what_is_only_there(divided) -> None:
    data, result = divided

    document = result.document
    assert (document["task"], document["model"]) == ("panoptic", "panoptic")
    assert archive.read(result.bundle).manifest.things == ("dark", "light")
    metrics = document["metrics"]["test"]
    for name in ("pq", "sq", "rq", "pq_things", "pq_stuff", "miou", "map50", "mask_map50"):
        assert 0 <= metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"] <= 1
    assert metrics["pq_stuff"]["value"] > 0.7
    assert metrics["miou"]["value"] > 0.5
    assert [row["thing"] for row in metrics["per_class"]] == [False, True, True]
    assert evaluate(result.run, data).report.as_json()["metrics"] == result.evaluation["metrics"]
    assert "panoptic quality" in result.report.read_text(encoding="utf-8")


def test_an_answer_has_objects_and_areas(divided, tmp_path: Path) -> None:
    _, result = divided
    images, _, _ = scenes.squares(64, side=SIDE)
    Image.fromarray(images[1]).save(tmp_path / "a.png")

    [seen] = Predictor.open(result.bundle).see_each([tmp_path / "a.png"])

    told = json.loads(json.dumps(seen.as_json()))
    assert {"objects", "counts", "areas"} <= told.keys()
    assert sum(told["areas"].values()) == pytest.approx(1)
    assert {one["label"] for one in told["objects"]} <= {"dark", "light"}


def test_what_is_stated_as_an_answer_is_of_full_quality() -> None:
    _, boxes, labels = scenes.squares(8, side=SIDE)
    regions = scenes.maps_of(boxes, labels, SIDE)
    things = np.array([False, True, True])
    for own, told, areas in zip(boxes, labels, regions, strict=True):
        masks = []
        for left, top, right, bottom in own.astype(int).tolist():
            mask = np.zeros((SIDE, SIDE), bool)
            mask[top:bottom, left:right] = True
            masks.append(Runs.of(mask))
        truth = Truth(own, told + 1, np.zeros(len(own), bool), masks)

        counts = panoptic_counts(there(truth, areas), there(truth, areas), things=things)

        assert counts[:, 0].tolist() == counts[:, 1].tolist()
        assert counts[1:, 1].sum() == len(own)
        assert not counts[:, 2:].any()


def test_no_bundle_says_of_other_tasks_what_is_counted(divided, outlined) -> None:
    manifest = archive.read(divided[1].bundle).manifest
    with pytest.raises(ValueError, match="counted"):
        manifest.draft(decision=manifest.objects.model_copy(update={"things": None}))
    with pytest.raises(ValueError, match="none"):
        manifest.draft(decision=manifest.objects.model_copy(update={"things": (9,)}))
    other = archive.read(outlined[1].bundle).manifest
    with pytest.raises(ValueError, match="counted"):
        other.draft(decision=other.objects.model_copy(update={"things": (0,)}))


def test_golden_vectors_notice_a_mask_that_covers_something_else(divided, tmp_path: Path) -> None:
    bundle = archive.read(divided[1].bundle)
    vectors = bundle.vectors
    assert vectors.covered is not None
    assert vectors.regions is not None
    session = onnxruntime(bundle.model, threads=1)
    golden_objects.verify(session, vectors, classes=3)
    for changed in (
        replace(vectors, covered=vectors.covered + 0.2),
        replace(vectors, regions=2 - vectors.regions),
        replace(vectors, regions=None),
    ):
        with pytest.raises(BundleError) as error:
            golden_objects.verify(session, changed, classes=3)
        assert error.value.code == "golden_mismatch"


def test_data_that_do_not_say_what_is_counted_are_read_as_the_bundle_counts(divided, tmp_path: Path) -> None:
    _, result = divided
    other = scenes.write_maps(tmp_path / "other", count=12, side=SIDE, seed=77)

    report = evaluate(result.bundle, other, split="test").report.as_json()

    assert report["things"] == ["dark", "light"]
    assert report["images"] == 3
    with pytest.raises(DataError) as error:
        train(other, recipe=Recipe(epochs=1, task="panoptic"), out=tmp_path / "run")
    assert error.value.code == "no_things"


def test_tiles_are_of_detectors_alone(outlined) -> None:
    with pytest.raises(UsageError) as error:
        Tiled(Predictor.open(outlined[1].bundle), 64)
    assert error.value.code == "other_task"


def test_panoptic_recognizers_are_compared_on_the_class_maps_that_they_learned_from(
    divided, tmp_path: Path
) -> None:
    data, result = divided
    twin = shutil.copy(result.bundle, tmp_path / "twin.foveal")

    document = compare([result.bundle, twin], data).document

    assert document["measure"] == "pq"
    assert document["images"] == 16
    measured = result.document["metrics"]["test"]["pq"]["value"]
    assert [one["pq"]["value"] for one in document["models"]] == pytest.approx([measured] * 2)


def test_a_film_of_what_is_panoptic_is_divided_frame_by_frame(divided, tmp_path: Path) -> None:
    _, result = divided
    pytest.importorskip("av")
    images, _, _ = scenes.squares(6, side=SIDE)
    film = films.write(tmp_path / "a.mkv", images)
    told = []

    run(
        Predictor.open(result.bundle),
        Plan(SourceOptions(str(film))),
        tell=told.append,
        say=lambda line: None,
        stop=threading.Event(),
    )

    seen = [item.answer for item in told if isinstance(item, Shown)]
    assert len(seen) == 6
    for one in seen:
        assert one.areas is not None
        taken = sum(Runs.from_json(found.outline).mask(SIDE, SIDE).astype(int) for found in one.objects)
        assert np.max(taken) <= 1
