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
from test_no_torch_no_network import bare

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
        with Image.open(tmp_path / "seen" / f"{path.stem}.drawn.jpg") as made:
            assert made.size == (SIDE, SIDE)


def test_drawing_loses_no_picture_and_no_name(run: Path, voc: Path, tmp_path: Path) -> None:
    content = pictures(voc)[0].read_bytes()
    inputs = [tmp_path / name for name in ("a/x.png", "b/x.png", "b/x-2.png", "b/caf\udce9.png")]
    for path in inputs:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    done = foveal("predict", run, *inputs, "--draw", tmp_path / "b")

    assert done.returncode == 0, done.stderr
    assert "not drawn" not in done.stderr
    assert all(path.read_bytes() == content for path in inputs)
    drawn = {path.name for path in (tmp_path / "b").glob("*.drawn.jpg")}
    assert drawn == {f"{name}.drawn.jpg" for name in ("x", "x-2", "x-2-2", "caf\udce9")}


def test_who_lists_pictures_may_wait_for_an_answer(run: Path, voc: Path) -> None:
    command = [sys.executable, "-m", "foveal", "predict", str(run), "-", "--jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for path in pictures(voc):
            print(path, file=asked.stdin, flush=True)
            assert json.loads(asked.stdout.readline())["source"] == str(path)
        asked.stdin.close()
        assert asked.wait(60) == 0


def test_it_is_said_that_pictures_have_calibrated_the_file(run: Path, voc: Path) -> None:
    assert "they calibrated it" in foveal("evaluate", run, voc, "--split", "calib").stdout
    assert "the test part of the training data" in foveal("evaluate", run, voc).stdout


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
    rounded = document("export", run, "--data", voc, "--out", tmp_path / "int8.foveal", "--variant", "int8")
    assert rounded["variant"] == "int8"
    assert rounded["parity"]["decision_flips"]["value"] <= 0.02
    assert rounded["size_bytes"] < told["size_bytes"]


def test_a_collection_is_answered_row_by_row(run: Path, segmenter: Path, voc: Path, tmp_path: Path) -> None:
    told = document("batch", run, voc / "JPEGImages", "--out", tmp_path / "rows.jsonl", "--workers", "1")

    assert (told["images"], told["done"], told["failed"]) == (48, 48, 0)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    same = document("predict", run, *pictures(voc))["predictions"]
    for said, row in zip(same, rows[-3:], strict=True):
        assert said["counts"] == row["counts"]
        assert said["source"] == row["source"]
    areas = document("batch", segmenter, voc / "JPEGImages", "--out", tmp_path / "areas", "--workers", "1")
    assert areas["done"] == 48


def test_every_engine_is_timed_with_what_is_found(run: Path, segmenter: Path, voc: Path) -> None:
    for model, decided in ((run, "objects"), (segmenter, "pixels")):
        told = document("bench", model, "--data", voc, "--threads", "1", "--time", "300ms")

        assert told["decisions"] == decided
        assert told["chosen"]["p50_ms"] > 0
        assert told["postprocess_ms"]["value"] > 0
        reference = told["engines"][0]
        assert (reference["engine"], reference["decision_flips"]["value"]) == ("onnxruntime", 0)
        assert told["images"]["n"] == 48
        openvino = [row for row in told["engines"] if row["engine"] == "openvino"]
        assert openvino or any(one["engine"] == "openvino" for one in told["skipped"])
        assert all(row["decision_flips"]["value"] <= 0.01 for row in openvino if row["precision"] == "fp32")
    said = foveal("bench", segmenter, "--threads", "1", "--time", "100ms")
    assert "after it" in said.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "{run}", "{segmenter}", "{voc}"),
        ("explain", "{run}", "{picture}"),
        ("batch", "{run}", "{voc}/JPEGImages", "--out", "{out}/answers", "--scores"),
        ("stream", "{run}", "{voc}/JPEGImages", "--monitor"),
        ("stream", "{run}", "{voc}/JPEGImages", "--sink", "rejects:{out}/rejects"),
        ("predict", "{run}", "{picture}", "--monitor"),
    ],
    ids=lambda arguments: " ".join(arguments[::3]),
)
def test_what_is_for_classes_says_so(
    run: Path, segmenter: Path, voc: Path, tmp_path: Path, arguments
) -> None:
    names = {"run": run, "segmenter": segmenter, "voc": voc, "out": tmp_path, "picture": pictures(voc)[0]}

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


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A dark square goes to the right in the upper half, then a light one to the left in the lower half."""
    av = pytest.importorskip("av")
    rng = np.random.default_rng(3)
    path = tmp_path / "squares.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "bgr0"
        for step in range(44):
            picture = rng.normal(scenes.BACKGROUND, 6, (SIDE, SIDE, 3))
            x = 2 + 2 * (step % 22)
            top, left, level = (6, x, scenes.LEVELS[0]) if step < 22 else (40, 46 - x, scenes.LEVELS[1])
            picture[top : top + 16, left : left + 16] = level + rng.normal(0, 6, (16, 16, 3))
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def lines_of(text: str, key: str) -> list:
    return [json.loads(line) for line in text.splitlines() if key in json.loads(line)]


def test_a_film_tells_who_is_who_and_how_many_crossed(run: Path, film: Path, tmp_path: Path) -> None:
    counting = ("--line", f"gate=32,{SIDE},32,0", "--zone", f"east=32,0,{SIDE},0,{SIDE},{SIDE},32,{SIDE}")
    shown = tmp_path / "shown.mp4"

    done = foveal("stream", run, film, *counting, "--anchor", "middle", "--sink", f"video:{shown}")

    assert done.returncode == 0, done.stderr
    frames = lines_of(done.stdout, "frame")
    assert len(frames) == 44
    names = [
        {one["track"] for line in some for one in line["result"]["objects"] if "track" in one}
        for some in (frames[:22], frames[22:])
    ]
    assert [len(some) for some in names] == [1, 1], "each square keeps one number"
    assert not names[0] & names[1]
    gate, east = frames[-1]["lines"]["gate"], frames[-1]["zones"]["east"]
    assert gate["to_right"]["by_label"] == {"dark": 1}
    assert gate["to_left"]["by_label"] == {"light": 1}
    assert gate["to_right"]["low"] <= 1 <= gate["to_right"]["high"]
    assert east["entered"]["value"] == 2
    assert frames[20]["zones"]["east"]["now"]["value"] == 1
    events = [(one["event"]["what"], one["event"]["label"]) for one in lines_of(done.stdout, "event")]
    # The dark one ends where the light one begins, and a state holds for some frames.
    assert sorted(events) == sorted((what, name) for what in ("enter", "leave") for name in ("dark", "light"))
    assert "followed: 1 dark, 1 light" in done.stderr
    assert "gate: 1 to the right" in done.stderr
    assert shown.stat().st_size > 1000


def test_a_film_that_begins_anew_is_counted_anew_and_nobody_is_taken_for_another(
    run: Path, film: Path
) -> None:
    gate = ("--line", f"gate=32,{SIDE},32,0", "--anchor", "middle")
    once = document("stream", run, film, *gate)
    assert once["followed"] == {"dark": 1, "light": 1}

    again = foveal("stream", run, film, *gate, "--loop", "--time", "4s")

    frames = [line for line in lines_of(again.stdout, "frame") if line["frame"] == 87]
    assert frames, "two rounds are told in the time"
    [last] = frames
    assert last["lines"]["gate"]["to_right"]["value"] == last["lines"]["gate"]["to_left"]["value"] == 2


def test_what_a_film_cannot_be_asked_is_said(run: Path, segmenter: Path, film: Path, voc: Path) -> None:
    for arguments in (
        (run, film, "--line", "gate=1,2,3"),
        (run, film, "--line", "gate=900,0,900,60"),
        (run, film, "--zone", "a=1,1,9,9"),
        (run, film, "--anchor", "top"),
        (segmenter, film, "--line", "1,2,3,4"),
        (segmenter, film, "--watch", "light"),
        (run, voc / "JPEGImages", "--line", "1,2,3,4"),
    ):
        refused = foveal("stream", *arguments, seconds=120)
        assert refused.returncode == 2, (arguments, refused.stderr)
        assert "Traceback" not in refused.stderr


def test_a_segmenter_tells_of_a_film_which_share_each_class_covers(
    segmenter: Path, film: Path, tmp_path: Path
) -> None:
    shown = tmp_path / "shown.mkv"

    done = foveal("stream", segmenter, film, "--sink", f"video:{shown}")

    assert done.returncode == 0, done.stderr
    frames = lines_of(done.stdout, "frame")
    assert len(frames) == 44
    assert all(abs(sum(one["result"]["areas"].values()) - 1) < 1e-6 for one in frames)
    assert not lines_of(done.stdout, "event")
    assert shown.stat().st_size > 1000


def test_without_the_training_side_a_file_is_run_measured_and_drawn(
    run: Path, voc: Path, segmenter: Path, tmp_path: Path
) -> None:
    drawn = bare("predict", str(run), str(pictures(voc)[0]), "--draw", str(tmp_path))
    measured = bare("evaluate", str(run), str(voc), "--json")
    areas = bare("evaluate", str(segmenter), str(segmenter.parent / "areas"), "--json")

    assert drawn.returncode == 0, drawn.stderr
    assert json.loads(measured.stdout)["metrics"]["map50"]["n"] == 12, measured.stderr
    assert json.loads(areas.stdout)["metrics"]["miou"]["value"] > 0, areas.stderr
