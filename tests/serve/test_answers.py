"""POST /v1/predict on a real server."""

import base64
import io
import json
import threading
from functools import cache

import pytest
from PIL import Image

import foveal


def form(*contents: bytes, name: str = "image") -> tuple[bytes, str]:
    parts = [
        b'--frontier\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n'
        % (name.encode(), content)
        for content in contents
    ]
    return b"".join([*parts, b"--frontier--\r\n"]), "multipart/form-data; boundary=frontier"


def test_a_picture_gets_the_answer_that_predict_gives(server, bundle, colored) -> None:
    picture = colored((30, 220, 30))

    answer = server.ask("/v1/predict", picture, content_type="image/png")

    [expected] = foveal.load(bundle, threads=1).predict(picture)
    assert answer.status == 200
    assert answer.json["predictions"] == [json.loads(json.dumps(expected.as_json()))]
    assert answer.json["model"] == "colors"
    assert answer.json["digest"] == foveal.load(bundle).digest


def test_a_form_gives_one_answer_a_picture_and_a_bad_one_harms_no_other(server, colored) -> None:
    good, other = colored((220, 30, 30)), colored((30, 30, 220))
    body, kind = form(good, b"no picture", other)

    answers = server.ask("/v1/predict", body, content_type=kind).json["predictions"]

    assert [a.get("label") or a["error"]["code"] for a in answers] == ["red", "not_image", "blue"]
    assert [a["source"] for a in answers] == ["#0", "#1", "#2"]
    alone = server.ask("/v1/predict", other).json["predictions"][0]
    assert answers[2] == {**alone, "source": "#2"}


def test_the_only_picture_being_bad_is_a_problem(server, colored) -> None:
    for content, status, code in (
        (b"", 422, "empty"),
        (b"hello", 422, "not_image"),
        (colored()[:-30], 422, "truncated"),
        (b"%PDF-1.7 ", 415, "format_not_allowed"),
    ):
        answer = server.ask("/v1/predict", content)

        assert (answer.status, answer.json["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["request_id"] == answer.headers["x-request-id"]


def test_what_is_no_picture_by_its_kind_is_not_read(server, colored) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/html", "application/json"):
        answer = server.ask("/v1/predict", colored(), content_type=kind)
        assert (answer.status, answer.json["code"]) == (415, "type_not_allowed")
    answer = server.ask("/v1/predict", colored(), content_encoding="gzip")
    assert (answer.status, answer.json["code"]) == (415, "encoding_not_allowed")


def test_forms_that_are_none_are_refused(server, colored) -> None:
    body, kind = form(colored())
    for content, content_type in (
        (body[:-20], kind),
        (b"--frontier", kind),
        (b"", kind),
        (body, "multipart/form-data"),
        (body, "multipart/form-data; boundary=" + "x" * 71),
        form(colored(), name="picture"),
        form(*[b"x"] * 65, name="other"),
        (body.replace(b'"x"', b'"' + b"x" * 5000 + b'"'), kind),
    ):
        answer = server.ask("/v1/predict", content, content_type=content_type)
        assert (answer.status, answer.json["code"]) == (400, "bad_multipart"), content_type
    answer = server.ask("/v1/predict", *form(*[colored()] * 33)[:1], content_type=kind)
    assert (answer.status, answer.json["code"]) == (400, "too_many_pictures")


def test_answers_belong_to_their_pictures_however_many_ask_at_once(serve, bundle, colored) -> None:
    server = serve("--workers", "2", "--max-batch", "8", "--max-latency", "10s")
    predictor = foveal.load(bundle, threads=1)
    wrong: list[object] = []

    def ask(seed: int) -> None:
        connection = server.connect()
        for step in range(40):
            color = ((seed * 31 + step * 7) % 256, (seed * 17) % 256, (step * 13) % 256)
            picture = colored(color)
            found = server.ask_on(connection, "/v1/predict", picture).json["predictions"][0]["scores"]
            [expected] = predictor.predict(picture)
            if max(abs(found[name] - p) for name, p in expected.scores.items()) > 1e-6:
                wrong.append((color, found, expected.scores))
        connection.close()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert server.metric('foveal_requests_total{model="colors",outcome="ok"}') == 480


def test_a_body_that_is_too_long_is_refused_before_it_is_kept(serve, colored) -> None:
    server = serve("--workers", "1", "--max-body", "100kB")
    assert server.ask("/v1/predict", bytes(100_001)).json["code"] == "body_too_large"

    def pieces():
        for _ in range(100_000):
            yield b"abcdef"

    connection = server.connect()
    connection.request("POST", "/v1/predict", pieces(), {"content-type": "image/png"}, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "body_too_large")
    connection.close()
    assert server.ask("/v1/predict", colored()).status == 200


def test_several_models_answer_by_name_and_the_first_by_default(serve, corner_bundle, colored) -> None:
    server = serve(f"corner={corner_bundle}", "--workers", "1")
    dark = colored((5, 5, 5))

    assert server.ask("/v1/predict", dark).json["model"] == "colors"
    named = server.ask("/v1/predict?model=corner", dark).json
    assert (named["model"], named["predictions"][0]["label"]) == ("corner", "dark")
    assert server.ask("/v1/predict?model=other", dark).json["code"] == "unknown_model"
    assert [m["name"] for m in server.ask("/v1/models").json["models"]] == ["colors", "corner"]


@cache
def black(side: int = 7000) -> bytes:
    """Make a file of 143 kB that takes a large part of a second to decode."""
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("path", ["/v1/predict", "/v2/models/colors/infer"])
def test_more_pixels_than_a_request_may_have_are_refused_before_any_is_decoded(serve, colored, path) -> None:
    server = serve("--workers", "1", "--max-pixels", "3000")
    files = [colored(), colored((30, 220, 30)), colored()]  # of 1200 pixels each

    def ask(count: int):
        if path == "/v1/predict":
            body, kind = form(*files[:count])
            return server.ask(path, body, content_type=kind)
        texts = [base64.b64encode(file).decode() for file in files[:count]]
        tensor = {"name": "images", "shape": [count], "datatype": "BYTES", "data": texts}
        return server.ask(path, json.dumps({"inputs": [tensor]}).encode(), content_type="application/json")

    assert ask(2).status == 200
    refused = ask(3)
    assert (refused.status, refused.json["code"]) == (413, "request_too_many_pixels")
    assert "3600" in refused.json["detail"]
    assert "3000" in refused.json["detail"]


def test_a_form_of_bombs_is_refused_by_default_and_ordinary_photographs_are_not(serve, colored) -> None:
    server = serve("--workers", "1")
    body, kind = form(*[black()] * 32)
    assert server.ask("/v1/predict", body, content_type=kind).json["code"] == "request_too_many_pixels"
    body, kind = form(*[black(3464)] * 32)  # 12 megapixels each
    answer = server.ask("/v1/predict", body, content_type=kind)
    assert answer.status == 200 or answer.json["code"] == "timed_out", "a slow machine"
    assert server.ask("/v1/predict", colored()).status == 200


def test_the_worker_is_free_again_soon_after_the_time_of_a_large_request(serve, until, colored) -> None:
    server = serve("--workers", "1", "--timeout", "100ms", "--max-pixels", "2000000000")
    body, kind = form(*[black()] * 32)

    assert server.ask("/v1/predict", body, content_type=kind).json["code"] == "timed_out"

    def answers_again() -> bool:
        assert server.ready(), "the worker never seems to hang"
        return server.ask("/v1/predict", colored()).status == 200

    until(answers_again)
    assert server.metric('foveal_batch_size_sum{model="colors"}') == 1, "of the large request nothing"
