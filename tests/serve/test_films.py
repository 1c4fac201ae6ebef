"""Films in requests: all frames of all films count for what a request may have, whatever headers say."""

import base64
import json

import numpy as np
import pytest

import films
from bad_inputs.multipart import BOUNDARY, form
from foveal.bundle import archive
from foveal.data import video
from foveal.serve.decoding import decoding
from foveal.serve.problems import HttpError

pytest.importorskip("av")


@pytest.fixture(scope="module")
def preprocess(clip_bundle):
    return archive.read(clip_bundle).manifest.preprocess


@pytest.fixture
def film(tmp_path):
    return films.write(tmp_path / "a.mkv", films.counting(8, side=64)).read_bytes()  # 32,768 pixels


def decoded(contents, preprocess, most):
    return list(decoding(contents, preprocess, most_pixels=most, check=lambda: None))


@pytest.mark.parametrize(("count", "most"), [(10, 40_000), (2, 65_535), (1, 32_767)])
def test_films_have_their_pixels_together(film, preprocess, count, most):
    with pytest.raises(HttpError) as caught:
        decoded([film] * count, preprocess, most)

    assert (caught.value.status, caught.value.code) == (413, "request_too_many_pixels")
    assert str(32_768 * count) in caught.value.detail
    assert [one[0].shape for one in decoded([film] * count, preprocess, 32_768 * count)] == count * [
        (4, 16, 16, 3)
    ]


def test_of_a_film_that_has_more_than_its_header_says_what_is_decoded_counts(tmp_path, preprocess):
    small, large = films.counting(2, side=32), films.counting(3, side=160)
    content = films.growing(tmp_path / "a.mkv", small, large)
    there = 2 * 32**2 + 2 * 160**2  # until a large frame is chosen: it has two sizes

    with pytest.raises(HttpError) as caught:
        decoded([content, content], preprocess, 2 * there - 1)
    assert caught.value.code == "request_too_many_pixels"
    assert [one.code for one in decoded([content, content], preprocess, 2 * there)] == 2 * ["mixed_sizes"]


def test_frames_that_are_decoded_twice_count_once(tmp_path, preprocess):
    content = films.hidden(tmp_path / "a.mkv", films.counting(12, side=64))  # and 9 of them are shown
    held = 12 * 64**2

    assert video.weight(content) == held
    assert [one[0].shape for one in decoded([content, content], preprocess, 2 * held)] == 2 * [(4, 16, 16, 3)]
    with pytest.raises(HttpError, match=f"have {2 * held} pixels"):
        decoded([content, content], preprocess, 2 * held - 1)


@pytest.mark.parametrize("frame", [1, 5, 8, 10])
def test_a_film_is_decoded_no_further_than_somebody_waits_for_it(film, preprocess, frame):
    asked, left = [], HttpError("timed_out", "the time for this request is up")

    def check():
        asked.append(len(asked))
        if len(asked) == frame:
            raise left

    with pytest.raises(HttpError) as caught:
        list(decoding([film, film], preprocess, most_pixels=65_536, check=check))

    assert caught.value is left
    assert len(asked) == frame, "of the first film's 8, or between the two, and no further"


def test_each_frame_of_a_film_is_asked_about_once(film, preprocess):
    asked = []

    decoded = list(decoding([film, film], preprocess, most_pixels=65_536, check=lambda: asked.append(1)))

    assert [one[0].shape for one in decoded] == 2 * [(4, 16, 16, 3)]
    assert len(asked) == 8 + 1 + 8


@pytest.mark.slow
def test_a_server_stops_at_a_long_film_whose_time_is_up(serve, clip_bundle, film, tmp_path):
    frames = np.tile(films.counting(1, side=640), (900, 1, 1, 1))  # 369 million pixels
    long = films.write(tmp_path / "long.mkv", frames, codec="mjpeg", pixels="yuvj420p").read_bytes()
    server = serve("--workers", "1", "--timeout", "300ms", model=clip_bundle)

    def ask(content):
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return server.ask("/v1/predict", form(("image", content)), content_type=kind)

    refused, answered = ask(long), ask(film)

    assert (refused.status, refused.json["code"]) == (503, "timed_out")
    assert answered.status == 200, "the lane is free at once"


def test_what_is_no_film_weighs_nothing_and_is_an_error_of_its_own(film, preprocess):
    first, second = decoded([b"no film" * 99, film], preprocess, 32_768)

    assert first.code == "not_video"
    assert second[0].shape == (4, 16, 16, 3)


@pytest.mark.parametrize("path", ["/v1/predict", "/v2/models/clips/infer"])
def test_a_server_refuses_the_request(serve, clip_bundle, film, path):
    server = serve("--workers", "1", "--max-pixels", "70000", model=clip_bundle)

    def ask(count):
        if path == "/v1/predict":
            body = form(*[("image", film)] * count)
            return server.ask(path, body, content_type=f"multipart/form-data; boundary={BOUNDARY}")
        data = [base64.b64encode(film).decode()] * count
        tensor = {"name": "images", "shape": [count], "datatype": "BYTES", "data": data}
        return server.ask(path, json.dumps({"inputs": [tensor]}).encode(), content_type="application/json")

    assert ask(2).status == 200
    refused = ask(3)
    assert (refused.status, refused.json["code"]) == (413, "request_too_many_pixels")
