"""Pictures of many bands from files to the file that ships, and what answers for them, however they come."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bands
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.core.errors import ImageError
from foveal.core.progress import silent
from foveal.data import opening, ranges
from foveal.evaluate.band_importance import band_importance, measured_bands
from foveal.flows import _prepare
from foveal.flows._prepare import Wishes, prepare
from foveal.flows.check import check
from foveal.flows.evaluate import evaluate, write_page
from foveal.flows.train import TrainResult, train
from foveal.train.recipe import Recipe
from job_rows import rows
from live import Server, running

EPOCHS = 40
WISHES = Wishes(size=None, seed=0, strict=False, threads=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bands.write_folders(tmp_path_factory.mktemp("data") / "fields")


@pytest.fixture(scope="module")
def learned(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    recipe = Recipe(epochs=EPOCHS, size=16, threads=1, precision="fp32", baseline=False)
    return train(data, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "fields")


@pytest.fixture(scope="module")
def predictor(learned: TrainResult) -> Predictor:
    assert learned.bundle is not None
    return Predictor.open(learned.bundle, threads=1)


def held_out(count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return bands.stacks(count, seed=99)


def test_the_class_that_one_band_shows_is_learned_and_shipped(learned: TrainResult) -> None:
    assert learned.document["ok"]
    assert learned.document["metrics"]["test"]["accuracy"]["value"] > 0.9
    plan = learned.document["plan"]
    assert {"band_gain", "band_noise"} <= set(plan["augmentation"])
    assert "5 bands" in plan["reasons"]["bands"]
    assert {"bands"} <= {finding["code"] for finding in learned.document["findings"]}


def test_the_ranges_come_from_the_pictures_that_are_learned_from(predictor: Predictor, data: Path) -> None:
    found = predictor.preprocess.bands
    read = opening.open(data)

    assert found == ranges.fitted(read, np.flatnonzero(np.array(read.splits) == "train"))
    assert found is not None
    assert found.names == bands.NAMES


def test_bright_test_pictures_change_nothing(data: Path, tmp_path: Path) -> None:
    brighter = tmp_path / "brighter"
    shutil.copytree(data, brighter)
    for path in (brighter / "test").glob("*/*.tif"):
        path.write_bytes(bands.tiff(bands.stacks(1, seed=5)[0][0] * np.uint16(4)))

    made = [
        prepare(opening.open(one), tmp_path / one.name, WISHES, progress=silent) for one in (data, brighter)
    ]

    assert made[0].preprocess.bands == made[1].preprocess.bands
    assert made[1].store.images[made[1].split.test].max() == 255


def test_a_run_that_goes_on_finds_the_same_ranges_and_pixels(data: Path, tmp_path: Path) -> None:
    first = prepare(opening.open(data), tmp_path / "run", WISHES, progress=silent)
    before = np.array(first.store.images)
    again = prepare(opening.open(data), tmp_path / "run", WISHES, progress=silent)
    shutil.rmtree(tmp_path / "run" / _prepare.STORE)
    anew = prepare(opening.open(data), tmp_path / "run", WISHES, progress=silent)

    assert first.preprocess == again.preprocess == anew.preprocess
    assert np.array_equal(before, anew.store.images)


def test_weights_of_the_same_bands_keep_their_ranges(
    data: Path, predictor: Predictor, tmp_path: Path
) -> None:
    own = predictor.preprocess
    assert own.bands is not None
    shifted = own.model_copy(update={"bands": own.bands.model_copy(update={"low": (0.0,) * 5})})

    made = prepare(
        opening.open(data), tmp_path / "run", dataclasses.replace(WISHES, like=shifted), progress=silent
    )

    assert made.preprocess.bands == shifted.bands


def test_file_bytes_and_array_are_answered_alike(predictor: Predictor, tmp_path: Path) -> None:
    values, labels = held_out()
    files = [tmp_path / f"{i}.tif" for i in range(len(values))]
    for file, one in zip(files, values, strict=True):
        file.write_bytes(bands.tiff(one, compression="zlib"))

    ways = [
        files,
        [file.read_bytes() for file in files],
        [bands.npy(one) for one in values],
        list(values),
    ]
    answers = [[(one.label, one.scores) for one in predictor.predict(way)] for way in ways]

    assert all(one == answers[0] for one in answers[1:])
    assert [label for label, _ in answers[0]] == [bands.CLASSES[label] for label in labels]
    image = predictor.preprocess.from_bytes(files[0].read_bytes())
    assert (image.dtype, image.shape) == (np.uint8, (16, 16, 5))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (bands.tiff(held_out(1)[0][0][..., :4]), "other_bands"),
        (held_out(1)[0][0].astype(np.uint8), "other_bands"),
        (held_out(1)[0][0].astype(np.float32), "other_bands"),
        (bands.npy(held_out(1)[0][0].astype(np.int16)), "other_bands"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "not_image"),
        (bands.tiff(held_out(1)[0][0])[:900], "truncated"),
    ],
)
def test_what_is_no_such_stack_is_refused(predictor: Predictor, wrong: object, code: str) -> None:
    [answer] = predictor.predict_each([wrong])

    assert isinstance(answer, Unreadable)
    assert answer.error.code == code


def test_evaluated_alone_the_file_is_worth_what_the_run_says(learned: TrainResult, data: Path) -> None:
    found = evaluate(learned.run, data)

    assert learned.evaluation is not None
    assert found.report.as_json()["metrics"] == learned.evaluation["metrics"]
    assert found.report.as_json()["bands"] == learned.evaluation["bands"]


def test_the_report_says_which_band_the_answers_rest_on(
    learned: TrainResult, data: Path, tmp_path: Path
) -> None:
    assert learned.evaluation is not None
    worth = {row["band"]: row for row in learned.evaluation["bands"]}

    assert tuple(worth) == bands.NAMES
    assert worth["infrared"]["drop"]["low"] > 0
    assert worth["infrared"]["accuracy"]["value"] < 0.8
    assert all(worth[name]["drop"]["low"] <= 0 for name in bands.NAMES if name != "infrared")
    assert all(row["drop"]["n"] == bands.SPLITS["test"] for row in worth.values())
    write_page(evaluate(learned.run, data), tmp_path / "report.html", threads=1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What each band is worth" in page
    assert "infrared" in page


def test_a_band_comes_from_each_other_picture_once() -> None:
    """With a recognizer whose answer is one band, the drop is what a derangement of its values leaves."""

    class Reader:
        preprocess = type("P", (), {"bands": None, "channels": 4, "clip": None, "pair": None})
        seen: list[np.ndarray] = []  # noqa: RUF012 - of this test alone

        def run(self, images: np.ndarray):
            self.seen.append(np.array(images))
            tall = (images[:, 0, 0, 2] > 100).astype(np.float32)
            return type("O", (), {"probabilities": np.stack([1 - tall, tall], axis=1)})

    images = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1).repeat(4, axis=3)
    labels = np.arange(40) % 2
    images[..., 2] = 90 + 20 * labels[:, None, None]
    reader = Reader()

    worth = band_importance(reader, images, labels)  # type: ignore[arg-type]

    assert measured_bands(reader.preprocess) == ("band 1", "band 2", "band 3", "band 4")
    assert [one.accuracy.value for one in worth if one.band != "band 3"] == [1.0] * 3
    third = next(one for one in worth if one.band == "band 3")
    assert third.drop.value == 1 - third.accuracy.value > 0.2
    asked = np.concatenate(reader.seen)
    shuffled = asked[40:80, 0, 0, 0]
    assert sorted(shuffled.tolist()) == list(range(40))
    assert (shuffled != np.arange(40)).all()


def test_check_counts_them_as_pictures(data: Path) -> None:
    found = check(opening.open(data), fast=True)

    assert found.ok
    assert found.inventory.readable.all()
    assert "infrared" in next(one.message for one in found.findings if one.code == "bands")


def test_predict_and_batch_answer_for_files(learned: TrainResult, data: Path, tmp_path: Path) -> None:
    folder = data / "test" / "wet"

    def told(*words: object) -> dict:
        command = [sys.executable, "-m", "foveal", *map(str, words), "--json", "-q"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    predicted = told("predict", learned.bundle, folder)["predictions"]
    told("batch", learned.bundle, folder, "--out", "job")

    written = rows(tmp_path / "job" / "parts")
    assert {row["source"]: row["label"] for row in written} == {
        one["source"]: one["label"] for one in predicted
    }
    assert len(written) == bands.SPLITS["test"] // 2


@pytest.fixture(scope="module")
def server(learned: TrainResult):
    with running([learned.bundle], workers=1) as shared:
        yield shared


def infer(server: Server, **tensor: object):
    body = json.dumps({"inputs": [{"name": "images", **tensor}]}).encode()
    return server.ask("/v2/models/fields/infer", body, content_type="application/json")


def test_a_server_takes_files_and_values(server: Server, predictor: Predictor) -> None:
    values, _ = held_out(2)
    expected = predictor.predict(list(values))

    for place, one in enumerate(values):
        for content in (bands.tiff(one), bands.npy(one)):
            [said] = server.ask("/v1/predict", content, content_type="image/tiff").json["predictions"]
            assert said == {**expected[place].as_json(), "source": "#0"}
    answer = infer(server, datatype="UINT16", shape=list(values.shape), data=values.ravel().tolist()).json
    found = {one["name"]: one for one in answer["outputs"]}
    assert found["labels"]["data"] == [one.label for one in expected]
    pixels = np.stack([predictor.preprocess(predictor.preprocess.bands.mapped(one)) for one in values])
    same = infer(server, datatype="UINT8", shape=list(pixels.shape), data=pixels.ravel().tolist()).json
    assert same["outputs"] == answer["outputs"]


@pytest.mark.parametrize(
    "tensor",
    [
        {"datatype": "UINT16", "shape": [1, 2, 2, 5], "data": [70_000] * 20},
        {"datatype": "UINT16", "shape": [1, 2, 2, 5], "data": [-1] * 20},
        {"datatype": "UINT16", "shape": [1, 2, 2, 5], "data": [0.5] * 20},
        {"datatype": "UINT16", "shape": [1, 2, 2, 5], "data": [1] * 19},
        {"datatype": "UINT16", "shape": [1, 2, 2, 4], "data": [1] * 16},
        {"datatype": "INT16", "shape": [1, 2, 2, 5], "data": [1] * 20},
        {"datatype": "FP32", "shape": [1, 2, 2, 5], "data": [1.0] * 20},
    ],
)
def test_values_that_are_none_are_refused(server: Server, tensor: dict) -> None:
    answer = infer(server, **tensor)

    assert answer.status == 400
    assert answer.json["code"] == "bad_tensor"


def test_bad_stacks_are_answered_with_a_reason(server: Server) -> None:
    whole = bands.tiff(held_out(1)[0][0])
    for content in (whole[:900], bands.npy(np.zeros((4, 4, 3), np.uint16)), b"II*\0" + bytes(99)):
        answer = server.ask("/v1/predict", content, content_type="image/tiff")
        assert 400 <= answer.status < 500
    wide = bands.npy(np.zeros((8000, 8000, 1), np.uint8))
    assert 400 <= server.ask("/v1/predict", wide[:200], content_type="image/tiff").status < 500


def test_a_recognizer_of_pictures_takes_no_stack() -> None:
    from foveal.data.preprocess import Preprocess

    plain = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)

    with pytest.raises(ImageError) as caught:
        plain.from_bytes(bands.tiff(np.zeros((16, 16, 3), np.uint8)))

    assert caught.value.code == "format_not_allowed"
