"""A server with what says where something is: what it says is what a predictor says, whoever asks and how."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import chromium
from bad_inputs.http import request
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.core.types import Label, Sighting
from foveal.serve.app import create
from foveal.serve.client import Client
from foveal.serve.served import served
from live import Server, running
from scene_graphs import DARK, LIGHT, box, picture

HOW = {"content_type": "application/json"}
CELLS = ((0, 0, DARK), (3, 2, LIGHT), (1, 3, LIGHT))


def png(*cells: tuple[int, int, int], scale: int = 1) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(*cells, scale=scale)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def server(bundle: Path, finder: Path, shader: Path, outliner: Path, divider: Path) -> Iterator[Server]:
    with running([bundle, finder, shader, outliner, divider], workers=1) as shared:
        yield shared


def test_objects_are_told_in_pixels_of_each_picture(server: Server, finder: Path) -> None:
    content = png(*CELLS, scale=5)

    said = server.ask("/v1/predict?model=finder", content).json

    predictor = Predictor.open(finder, threads=1)
    assert (said["model"], said["digest"]) == ("finder", predictor.digest)
    [one] = said["predictions"]
    [expected] = predictor.see_each([content])
    assert one == {**expected.as_json(), "source": "#0"}
    assert sorted(found["box"] for found in one["objects"]) == sorted(box(r, c, 5) for r, c, _ in CELLS)
    assert one["counts"] == {"dark": 1, "light": 2}


def test_shares_of_a_picture_are_told(server: Server) -> None:
    [one] = server.ask("/v1/predict?model=shader", png(*CELLS, scale=2)).json["predictions"]

    assert (one["width"], one["height"]) == (64, 64)
    assert one["areas"] == {"ground": 13 / 16, "dark": 1 / 16, "light": 2 / 16}
    assert "objects" not in one


def test_the_models_say_what_they_are_for(server: Server) -> None:
    cards = {card["name"]: card for card in server.ask("/v1/models").json["models"]}

    tasks = {name: card["task"] for name, card in cards.items()}
    of_scenes = {"finder": "detect", "shader": "segment", "outliner": "instance", "divider": "panoptic"}
    assert tasks == {"colors": "classify", **of_scenes}
    assert (cards["finder"]["size"], cards["finder"]["width"]) == (32, 32)


@pytest.fixture(scope="module")
def files(finder: Path, shader: Path, outliner: Path, divider: Path) -> dict[str, Path]:
    return {"finder": finder, "shader": shader, "outliner": outliner, "divider": divider}


def test_tensors_are_the_outputs_of_the_graph(server: Server, files: dict[str, Path]) -> None:
    images = np.stack([picture(*CELLS), picture()])
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 32, 32, 3], "data": images.ravel().tolist()}
    kinds = {"FP32": np.float32, "INT64": np.int64, "UINT8": np.uint8}
    for name, path in files.items():
        told = server.ask(f"/v2/models/{name}").json
        answer = server.ask(f"/v2/models/{name}/infer", json.dumps({"inputs": [tensor]}).encode(), **HOW)

        expected = Predictor.open(path, threads=1).ask(images)
        described = {one["name"]: one for one in told["outputs"]}
        found = {one["name"]: one for one in answer.json["outputs"]}
        assert described.keys() == found.keys() == expected.keys()
        for output, values in expected.items():
            assert described[output]["shape"] == [-1, *values.shape[1:]]
            assert found[output]["datatype"] == described[output]["datatype"]
            read = np.array(found[output]["data"], kinds[found[output]["datatype"]])
            np.testing.assert_array_equal(read.reshape(found[output]["shape"]), values)


def test_an_output_of_another_model_is_none_of_this_one(server: Server) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 3072}
    for name, output, status in (
        ("finder", "regions", 400),
        ("shader", "regions", 200),
        ("finder", "boxes", 200),
    ):
        body = json.dumps({"inputs": [tensor], "outputs": [{"name": output}]}).encode()
        assert server.ask(f"/v2/models/{name}/infer", body, **HOW).status == status


def test_a_client_gets_what_a_predictor_gives(server: Server, files: dict[str, Path], tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(png(*CELLS[number:], scale=1 + number))
    for name, file in files.items():
        predictor = Predictor.open(file, threads=1)
        with Client(server.url, model=name) as client:
            answers = client.predict([*paths, tmp_path / "missing.png"])
            tensors = client.infer(np.stack([picture(*CELLS)]))

        assert answers[:3] == list(predictor.see_each(paths)), (
            "but for the class of each pixel, which stays there"
        )
        assert all(isinstance(one, Sighting) for one in answers[:3])
        assert isinstance(answers[3], Unreadable)
        for output, values in predictor.ask(np.stack([picture(*CELLS)])).items():
            np.testing.assert_array_equal(tensors[output], values)
            assert tensors[output].dtype == values.dtype
    with Client(server.url) as client:
        assert [model.task for model in client.models()] == [
            *("classify", "detect", "segment", "instance", "panoptic")
        ]
        [label] = client.predict(png())
        assert isinstance(label, Label)


def test_a_form_with_pictures_of_which_one_is_none(server: Server, tmp_path: Path) -> None:
    with Client(server.url, model="finder") as client:
        answers = client.predict([png(*CELLS), b"no picture", png()])

    assert [type(one).__name__ for one in answers] == ["Sighting", "Unreadable", "Sighting"]
    assert answers[2].objects == ()


def test_objects_are_counted(server: Server, until: Callable[[Callable[[], Any]], Any]) -> None:
    before = server.metric('foveal_objects_total{model="finder"}')
    sure = server.metric('foveal_confidence_count{model="finder"}')

    server.ask("/v1/predict?model=finder", png(*CELLS))

    # what is counted may come after the answer: it is written when that has left
    until(lambda: server.metric('foveal_confidence_count{model="finder"}') - sure == len(CELLS))
    assert server.metric('foveal_objects_total{model="finder"}') - before == len(CELLS)
    assert server.metric('foveal_requests_total{model="finder",outcome="ok"}') >= 1
    assert server.metric('foveal_inference_duration_seconds_count{model="shader"}') >= 0


def test_what_only_a_class_has_is_refused(server: Server) -> None:
    explained = server.ask("/v1/explain?model=finder", png(*CELLS))
    watched = server.ask("/v1/monitor?model=shader")

    assert (explained.status, explained.json["code"]) == (400, "bad_request")
    assert "where things are" in explained.json["detail"]
    assert (watched.status, watched.json["code"]) == (404, "no_monitor")


def test_pictures_of_different_requests_run_together_and_get_their_own(finder: Path) -> None:
    with running([finder], workers=1, max_batch=4) as server:
        for cells in ((), CELLS, CELLS[:1]):
            [one] = server.ask("/v1/predict", png(*cells)).json["predictions"]
            assert len(one["objects"]) == len(cells)
    [model] = served([str(finder)], max_batch=4)
    assert model.outputs["boxes"] == ("FP32", (16, 4))


def test_every_answer_is_one_that_the_description_knows(server: Server, files: dict[str, Path]) -> None:
    schemas = create(served([str(files["finder"])])).openapi()["components"]["schemas"]
    for name in files:
        [one] = server.ask(f"/v1/predict?model={name}", png(*CELLS)).json["predictions"]

        assert one.keys() <= schemas["Scene"]["properties"].keys()
        assert set(schemas["Scene"]["required"]) <= one.keys()
        assert ("areas" in one, "objects" in one) == (name in ("shader", "divider"), name != "shader")
        for found in one.get("objects", ()):
            assert found.keys() <= schemas["FoundObject"]["properties"].keys()
            assert ("mask" in found) is (name != "finder")


def test_an_answer_that_makes_no_sense_is_an_alarm_and_harms_nobody_else(server: Server) -> None:
    nonsense = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), 1, np.uint8)).save(nonsense, "PNG")

    said = server.ask("/v1/predict?model=finder", nonsense.getvalue())

    assert (said.status, said.json["code"]) == (500, "model_output_invalid")
    assert server.metric('foveal_model_output_invalid_total{model="finder"}') == 1
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [1] * 3072}
    inferred = server.ask("/v2/models/finder/infer", json.dumps({"inputs": [tensor]}).encode(), **HOW)
    assert (inferred.status, inferred.json["code"]) == (500, "model_output_invalid")
    assert server.ask("/v1/predict?model=finder", png(*CELLS)).status == 200


@pytest.mark.slow
@pytest.mark.skipif(chromium.PROGRAM is None, reason="needs a Chromium")
def test_boxes_are_drawn_over_the_picture_in_a_real_browser(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "seen.png"
    file.write_bytes(png(*CELLS, scale=4))
    with chromium.Browser() as browser:
        browser.open(server.url + "/")
        browser.until("document.getElementById('model').options.length === 5")
        browser.value("document.getElementById('model').value = 'finder'")
        browser.choose("#file", [file])
        browser.until("document.querySelectorAll('#boxes rect').length === 3")
        assert browser.value("document.getElementById('label').innerText") == "2 light, 1 dark"
        [drawn, shown] = [
            browser.value(
                f"(() => {{ const r = {what}.getBoundingClientRect(); return [r.x, r.y, r.width] }})()"
            )
            for what in (
                "document.querySelector('#boxes rect[x=\"0\"]')",
                "document.getElementById('picture')",
            )
        ]
        np.testing.assert_allclose(drawn[:2], shown[:2], atol=2)
        assert drawn[2] == pytest.approx(shown[2] / 4, abs=4)
        assert not browser.value("document.getElementById('looked').getClientRects().length > 0")
        browser.value("document.getElementById('model').value = 'shader'")
        browser.choose("#file", [file])
        browser.until("document.querySelectorAll('#boxes rect').length === 0")
        assert "Share of the picture" in browser.value("document.getElementById('caption').innerText")
        assert [said for said in browser.complaints() if "favicon" not in said] == []
    assert server.say(request(file.read_bytes())).status == 200
