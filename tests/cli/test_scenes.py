"""The command line on data that say where something is: what a user types, sees and is told."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenes

SIDE = 64


def foveal(*arguments, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foveal", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)


def document(*arguments, code: int = 0):
    done = foveal(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.write_voc(tmp_path_factory.mktemp("data") / "squares", count=48, side=SIDE)


@pytest.fixture(scope="module")
def run(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "detector"
    trained = document("train", voc, "--epochs", "20", "--threads", "1", "--out", out)
    assert set(trained["metrics"]["test"]) >= {"map50", "map", "map75", "f1", "counting_mae"}
    return out


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("areas")
    data = scenes.write_maps(folder / "areas", count=32, side=SIDE)
    trained = document("train", data, "--epochs", "6", "--threads", "1", "--out", folder / "run")
    assert set(trained["metrics"]["test"]) >= {"miou", "pixel_accuracy"}
    return folder / "run"


def pictures(voc: Path, count: int = 3) -> list[Path]:
    return sorted((voc / "JPEGImages").iterdir())[-count:]


def test_predictions_tell_boxes_and_counts(run: Path, voc: Path) -> None:
    told = document("predict", run, *pictures(voc))

    assert told["schema"] == "foveal.predict/1"
    assert len(told["predictions"]) == 3
    for one in told["predictions"]:
        assert (one["width"], one["height"]) == (SIDE, SIDE)
        assert sum(one["counts"].values()) == len(one["objects"])
        for found in one["objects"]:
            assert set(found) == {"label", "confidence", "box"}
            left, top, right, bottom = found["box"]
            assert 0 <= left < right <= SIDE
            assert 0 <= top < bottom <= SIDE


def test_a_table_has_a_row_for_each_object(run: Path, voc: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    Image.fromarray(np.full((SIDE, SIDE, 3), scenes.BACKGROUND, np.uint8)).save(empty)

    done = foveal("predict", run, *pictures(voc), empty, tmp_path / "nowhere.png", "--csv")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    told = document("predict", run, *pictures(voc))
    assert len([row for row in rows if row["label"]]) >= sum(len(p["objects"]) for p in told["predictions"])
    assert rows[-1]["error"] == "not_found"


def test_lines_come_one_by_one(run: Path, voc: Path) -> None:
    done = foveal("predict", run, voc / "JPEGImages", "--jsonl")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 48
    assert all("objects" in line for line in lines)


def test_pictures_are_drawn_under_their_names(run: Path, voc: Path, tmp_path: Path) -> None:
    told = document("predict", run, *pictures(voc), "--draw", tmp_path / "seen")

    assert told["drawn"] == str(tmp_path / "seen")
    for path in pictures(voc):
        with Image.open(tmp_path / "seen" / f"{path.stem}.jpg") as made:
            assert made.size == (SIDE, SIDE)


def test_areas_are_told_and_drawn(segmenter: Path, voc: Path, tmp_path: Path) -> None:
    told = document("predict", segmenter, *pictures(voc), "--draw", tmp_path / "seen")

    for one, path in zip(told["predictions"], pictures(voc), strict=True):
        assert sum(one["areas"].values()) == pytest.approx(1)
        with Image.open(tmp_path / "seen" / f"{path.stem}.classes.png") as file:
            classes = np.asarray(file)
        assert classes.shape == (SIDE, SIDE)
        assert (classes == 0).mean() == pytest.approx(one["areas"]["ground"])


def test_evaluation_tells_every_class(run: Path, voc: Path, tmp_path: Path) -> None:
    told = document("evaluate", run, voc, "--split", "val", "--report", tmp_path / "page.html")

    assert told["task"] == "detect"
    assert told["split"] == "calib"
    assert {row["class"] for row in told["metrics"]["per_class"]} == set(scenes.CLASSES)
    assert "data:image" in (tmp_path / "page.html").read_text(encoding="utf-8")
    said = foveal("evaluate", run, voc)
    assert "mAP50" in said.stdout
    assert said.returncode == 0


def test_the_manifest_says_what_it_is(run: Path, segmenter: Path) -> None:
    told = document("info", run)

    assert told["task"] == "detect"
    assert told["decision"]["kind"] == "objects"
    assert "answers from" in foveal("info", run).stdout
    assert "a class for each pixel" in foveal("info", segmenter).stdout


def test_a_run_is_exported_again(run: Path, voc: Path, tmp_path: Path) -> None:
    told = document("export", run, "--data", voc, "--out", tmp_path / "again.foveal")

    first = document("info", run)
    assert told["digest"] == first["digest"]
    refused = document(
        "export", run, "--data", voc, "--out", tmp_path / "int8.foveal", "--variant", "int8", code=2
    )
    assert refused["error"]["code"] == "other_task"


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench", "{run}"),
        ("compare", "{run}", "{run}", "{voc}"),
        ("certify", "{run}", "{voc}", "--out", "{out}/certificate.json"),
        ("optimize", "{run}", "{voc}", "--out", "{out}/smaller"),
        ("explain", "{run}", "{picture}"),
        ("batch", "{run}", "{voc}/JPEGImages", "--out", "{out}/answers"),
        ("stream", "{run}", "{voc}/JPEGImages"),
        ("serve", "{run}", "--port", "0"),
        ("predict", "{run}", "{picture}", "--monitor"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_for_classes_says_so(run: Path, voc: Path, tmp_path: Path, arguments) -> None:
    names = {"run": run, "voc": voc, "out": tmp_path, "picture": pictures(voc)[0]}

    done = foveal(*(str(one).format(**names) for one in arguments), seconds=60)

    assert done.returncode in (2, 65), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert any(word in done.stderr for word in ("class", "other_task", "where something is", "detect"))


def test_a_mistake_in_an_annotation_is_named_by_file_and_line(voc: Path, tmp_path: Path) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(voc, data)
    broken = data / "Annotations" / "picture005.xml"
    text = broken.read_text().replace("<xmin>", "<xmin>x", 1)
    broken.write_text(text)

    for command in (("train", data, "--out", tmp_path / "run"), ("check", data)):
        told = document(*command, code=65)
        assert told["error"]["code"] == "bad_annotation"
        assert "picture005.xml, line " in told["error"]["message"]
    assert not (tmp_path / "run").exists()
