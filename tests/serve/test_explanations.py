"""POST /v1/explain: the map of `foveal explain`, one at a time, behind predictions."""

import base64
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bad_inputs.http import PICTURE, request
from bad_inputs.made import encoded, photo
from bad_inputs.multipart import BOUNDARY, form
from foveal.bundle.predictor import Predictor
from foveal.core.errors import ImageError, UnknownNameError
from foveal.explain.black_box.occlusion import occlusion
from foveal.explain.overlay import overlay
from foveal.serve.heat import heat
from live import PATIENCE, Reply, Server, read_reply, running

KIND = "Content-Type: image/png"


@pytest.fixture(scope="module")
def server(corner_bundle: Path) -> Iterator[Server]:
    with running([corner_bundle], workers=1) as shared:
        yield shared


@pytest.fixture(scope="module")
def predictor(corner_bundle: Path) -> Predictor:
    return Predictor.open(corner_bundle, threads=1)


def white() -> bytes:
    return encoded(np.full((32, 32, 3), 200, np.uint8))


def test_the_map_is_that_of_the_library_drawn_over_the_picture(server: Server, predictor: Predictor) -> None:
    content = encoded(photo(32, 32))
    said = server.say(request(content, KIND, path="/v1/explain")).json
    [image] = [predictor.preprocess.from_bytes(content)]
    [label] = predictor.predict([content])
    expected = occlusion(predictor, image, predictor.classes.index(label.label))

    assert said["model"] == "corner"
    assert said["digest"] == predictor.digest
    assert said["label"] == said["class"] == label.label
    assert said["confidence"] == pytest.approx(label.confidence)
    assert np.allclose(said["map"]["values"], expected, atol=1e-5)
    assert said["map"]["shape"] == [16, 16]
    assert said["strongest"] == pytest.approx(float(expected.max()), abs=1e-5)
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(said["png"]))))
    assert np.array_equal(drawn, overlay(image, expected))


def half_lit() -> bytes:
    """A corner of which only a half is bright, so that hiding it changes it."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16, :8] = 255
    return encoded(pixels)


def test_it_looks_where_the_recognizer_looks(server: Server) -> None:
    values = np.array(server.say(request(half_lit(), KIND, path="/v1/explain")).json["map"]["values"])

    assert np.abs(values[:8, :8]).max() > 0.1
    assert np.abs(values[10:, 10:]).max() == 0


def test_another_class_may_be_asked_about(server: Server) -> None:
    bright, dark = (
        server.say(request(half_lit(), KIND, path=f"/v1/explain?class={name}")).json
        for name in ("bright", "dark")
    )

    assert (bright["class"], dark["class"]) == ("bright", "dark")
    assert bright["label"] == dark["label"]
    assert bright["confidence"] + dark["confidence"] == pytest.approx(1)
    maps = [np.array(said["map"]["values"]) for said in (bright, dark)]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] < -0.9, "for one is against the other"


FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"


def test_a_form_is_taken_as_for_an_answer(server: Server) -> None:
    raw = server.say(request(half_lit(), KIND, path="/v1/explain"))
    assert server.say(request(form(("image", half_lit())), FORM, path="/v1/explain")).body == raw.body


def test_a_picture_has_no_more_pixels_than_for_an_answer(corner_bundle: Path) -> None:
    with running([corner_bundle], workers=1, max_pixels=32 * 32 - 1) as server:
        for path in ("/v1/predict", "/v1/explain"):
            reply = server.say(request(white(), KIND, path=path))
            assert (reply.status, reply.json["code"]) == (413, "request_too_many_pixels")
        reply = server.say(request(encoded(photo(30, 30)), KIND, path="/v1/explain"))
        assert reply.status == 200


@pytest.mark.parametrize(
    ("path", "content", "fields", "status", "code"),
    [
        ("?class=none", white(), (KIND,), 404, "unknown_class"),
        ("?model=none", white(), (KIND,), 404, "unknown_model"),
        ("", white()[:60], (KIND,), 422, "truncated"),
        ("", b"%PDF-1.7" + bytes(60), (KIND,), 415, "format_not_allowed"),
        ("", b"{}", ("Content-Type: application/json",), 415, "type_not_allowed"),
        ("", b"", (KIND,), 422, "empty"),
        ("", form(("picture", white())), (FORM,), 400, "bad_multipart"),
        ("", form(("image", white()), ("image", white())), (FORM,), 400, "too_many_pictures"),
    ],
)
def test_what_cannot_be_explained_is_refused_and_the_next_one_is_not(
    path: str, content: bytes, fields: tuple[str, ...], status: int, code: str, server: Server
) -> None:
    reply = server.say(request(content, *fields, path=f"/v1/explain{path}"))

    assert (reply.status, reply.json["code"]) == (status, code)
    assert server.say(request(white(), KIND, path="/v1/explain")).status == 200


def test_maps_are_drawn_one_at_a_time_and_predictions_go_on(server: Server) -> None:
    good, done = server.say(request(PICTURE)), threading.Event()
    replies: list[Reply] = []

    def explain() -> None:
        while not done.is_set():
            replies.append(server.say(request(white(), KIND, path="/v1/explain")))

    threads = [threading.Thread(target=explain) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        end, asked = time.monotonic() + PATIENCE, 0
        while (asked < 100 or len({r.status for r in replies}) < 2) and time.monotonic() < end:
            assert server.say(request(PICTURE)).body == good.body
            asked += 1
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {reply.status for reply in replies} == {200, 503}
    refused = [reply for reply in replies if reply.status == 503]
    assert {reply.json["code"] for reply in refused} == {"busy"}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    assert server.say(request(white(), KIND, path="/v1/explain")).status == 200


def test_who_sends_slowly_keeps_nobody_from_an_explanation(server: Server) -> None:
    whole = request(white(), KIND, path="/v1/explain")
    with socket.create_connection(server.address, PATIENCE) as slow:
        slow.sendall(whole[:-5])
        for _ in range(5):
            assert server.say(whole).status == 200
        slow.sendall(whole[-5:])
        assert read_reply(slow).status == 200


def test_the_library_refuses_other_classes_and_broken_pictures(predictor: Predictor) -> None:
    with pytest.raises(UnknownNameError, match="classes has no 'none'"):
        heat(predictor, white(), about="none")
    with pytest.raises(ImageError):
        heat(predictor, b"")
