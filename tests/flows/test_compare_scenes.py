"""flows.compare with what says where something is: the same pictures, tests in pairs, refusals."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenes
from foveal.core.errors import DataError, UsageError
from foveal.flows.compare import Terms, compare
from foveal.flows.evaluate import evaluate
from scene_graphs import CELL, CLASSES, DARK, LIGHT, SIDE, picture, seal_finder, seal_shader

ONE = Terms(threads=1)
COUNT = 24


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with one dark and one light cell each."""
    rng = np.random.default_rng(0)
    images, boxes = [], []
    for _ in range(COUNT):
        dark, light = (divmod(int(cell), 4) for cell in rng.choice(16, 2, replace=False))
        images.append(picture((*dark, DARK), (*light, LIGHT)))
        corners = [(CELL * column, CELL * row) for row, column in (dark, light)]
        boxes.append(np.array([(x, y, x + CELL, y + CELL) for x, y in corners], np.float32))
    labels = [np.array([0, 1])] * COUNT
    return scenes.voc_of(tmp_path_factory.mktemp("voc") / "voc", np.stack(images), boxes, labels)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.write_maps(tmp_path_factory.mktemp("maps") / "maps", count=COUNT, side=SIDE)


@pytest.fixture(scope="module")
def blind(draft, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that sees nothing dark."""
    return seal_finder(tmp_path_factory.mktemp("blind") / "blind.foveal", draft, dark_below=-1000)


def test_a_detector_that_misses_a_class_is_shown_to_be_worse(finder: Path, blind: Path, voc: Path) -> None:
    document = compare([finder, blind], voc, ONE).document

    assert (document["schema"], document["ok"], document["measure"]) == ("foveal.compare/1", True, "map50")
    assert (document["images"], document["classes"]) == (COUNT, list(CLASSES))
    whole, half = document["models"]
    assert whole["map50"]["value"] == 1
    for row, path in ((whole, finder), (half, blind)):
        assert row["map50"] == evaluate(path, voc).report.as_json()["metrics"]["map50"]
        assert 0 < row["latency_ms"] <= row["latency_p99_ms"]
        assert row["task"] == "detect"
    [pair] = document["pairs"]
    assert (pair["a"], pair["b"], pair["n"], pair["verdict"]) == ("finder", "blind", COUNT, "a_better")
    assert pair["difference"]["value"] == pytest.approx(1 - half["map50"]["value"])
    assert pair["difference"]["low"] > 0.3
    assert pair["p_value"] == pair["p_adjusted"] < 0.001
    assert set(pair["latency"]) == {"slower", "longer"}
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_whoever_knows_more_classes_is_measured_on_those_of_the_data(
    finder: Path, voc: Path, draft, tmp_path: Path
) -> None:
    more = seal_finder(tmp_path / "more.foveal", draft, classes=("dark", "light", "never"))
    swapped = seal_finder(tmp_path / "swapped.foveal", draft, classes=("light", "dark"))

    document = compare([finder, more, swapped], voc, ONE).document

    assert [row["map50"]["value"] for row in document["models"]] == [1, 1, 0]
    verdicts = {(pair["a"], pair["b"]): pair["verdict"] for pair in document["pairs"]}
    assert verdicts == {
        ("finder", "more"): "no_difference_shown",
        ("finder", "swapped"): "a_better",
        ("more", "swapped"): "a_better",
    }
    assert [pair["confidence"] for pair in document["pairs"]] == [pytest.approx(1 - 0.05 / 3)] * 3
    assert all(pair["p_adjusted"] >= pair["p_value"] for pair in document["pairs"])


@pytest.fixture(scope="module")
def outlined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same squares as polygons in COCO's layout."""
    folder = tmp_path_factory.mktemp("coco") / "coco"
    (folder / "images").mkdir(parents=True)
    rng, told, pictures = np.random.default_rng(1), [], []
    for number in range(12):
        row, column = divmod(int(rng.integers(16)), 4)
        Image.fromarray(picture((row, column, DARK))).save(folder / "images" / f"{number}.png")
        pictures.append({"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE})
        x, y = CELL * column, CELL * row
        polygon = [x, y, x + CELL, y, x + CELL, y + CELL, x, y + CELL]
        one = {"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, CELL, CELL], "iscrowd": 0}
        told.append({**one, "segmentation": [polygon], "area": CELL * CELL})
    names = [{"id": place, "name": name} for place, name in enumerate(CLASSES, 1)]
    content = {"images": pictures, "annotations": told, "categories": names}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def test_outlines_are_compared_by_their_masks_and_beside_a_detector_by_boxes(
    outliner: Path, finder: Path, outlined: Path, draft, tmp_path: Path
) -> None:
    blind = seal_finder(tmp_path / "blind.foveal", draft, dark_below=-1000, task="instance")

    document = compare([outliner, blind], outlined, ONE).document
    boxes = compare([outliner, finder], outlined, ONE).document

    assert document["measure"] == "mask_map50"
    assert [row["mask_map50"]["value"] for row in document["models"]] == [1, 0]
    for row, path in zip(document["models"], (outliner, blind), strict=True):
        assert row["mask_map50"] == evaluate(path, outlined).report.as_json()["metrics"]["mask_map50"]
    assert document["pairs"][0]["verdict"] == "a_better"
    assert boxes["measure"] == "map50"
    assert boxes["pairs"][0]["verdict"] == "no_difference_shown"


def test_areas_are_compared_by_all_pixels_and_what_cannot_be_read_is_told(
    shader: Path, maps: Path, draft, tmp_path: Path
) -> None:
    worse = seal_shader(tmp_path / "worse.foveal", draft, dark_below=-1)
    data = tmp_path / "maps"
    shutil.copytree(maps, data)
    sorted((data / "train" / "masks").iterdir())[0].write_bytes(b"no map")

    document = compare([worse, shader], data, ONE).document

    assert (document["measure"], document["images"]) == ("miou", COUNT - 1)
    assert [one["error"]["code"] for one in document["unreadable"]] == ["bad_annotation"]
    [pair] = document["pairs"]
    assert pair["verdict"] == "b_better"
    assert pair["difference"]["high"] < 0
    for row, path in zip(document["models"], (worse, shader), strict=True):
        assert row["miou"] == evaluate(path, data).report.as_json()["metrics"]["miou"]


def test_what_cannot_be_compared_is_refused_before_anything_is_read(
    finder: Path, blind: Path, shader: Path, bundle: Path, voc: Path, maps: Path
) -> None:
    for models, data, terms in (
        ([finder, shader], voc, ONE),
        ([bundle, finder], voc, ONE),
        ([finder, blind], voc, Terms(curve=(4,))),
        ([finder, blind], voc, Terms(robustness="full")),
    ):
        with pytest.raises(UsageError) as caught:
            compare(models, data, terms)
        assert caught.value.code == "other_task"
    with pytest.raises(DataError):
        compare([finder, blind], maps, ONE)


def foveal(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foveal", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_people_are_told_who_is_better(finder: Path, blind: Path, voc: Path, tmp_path: Path) -> None:
    said = foveal("compare", finder, blind, voc, "-q")
    page = foveal("compare", finder, blind, voc, "--report", tmp_path / "page.html", "--json")

    assert said.returncode == 0, said.stderr
    assert "“finder” is better than “blind” by 50.0 points of mAP50" in said.stdout.replace("\n", " ")
    assert "mAP50" in said.stdout.splitlines()[1]
    assert (page.returncode, json.loads(page.stdout)["error"]["code"]) == (2, "other_task")
    assert not (tmp_path / "page.html").exists()
