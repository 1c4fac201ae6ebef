"""The Open Inference Protocol: tensors in and out, and everything that is malformed."""

import base64
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import foveal
from foveal.serve import tensors
from foveal.serve.problems import HttpError

SHAPE = (2, 2, 3)
PIXELS = list(range(24))
KNOWN = ("probabilities", "logits", "labels")


def request(**changes: object) -> dict[str, object]:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 2, 2, 3], "data": PIXELS}
    return {"inputs": [{**tensor, **changes}]}


def read(document: object, **named: object) -> tensors.Question:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return tensors.question(body, named.get("head"), shape=SHAPE, most=4, known=KNOWN)  # type: ignore[arg-type]


def test_flat_and_nested_data_are_the_same_pixels() -> None:
    pixels = np.array(PIXELS, np.uint8).reshape(2, *SHAPE)

    for data in (PIXELS, pixels.tolist()):
        np.testing.assert_array_equal(read(request(data=data)).pictures, pixels)


def test_bytes_behind_the_json_are_the_same_pixels_and_files() -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 2, 2, 3]}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": 24}}]}).encode()
    found = read(head + bytes(PIXELS), head=len(head)).pictures
    np.testing.assert_array_equal(found, np.array(PIXELS, np.uint8).reshape(2, *SHAPE))

    raw = b"".join(struct.pack("<I", len(file)) + file for file in (b"abc", b"", b"de"))
    files = {
        "name": "images",
        "datatype": "BYTES",
        "shape": [3],
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [files]}).encode()
    assert read(head + raw, head=len(head)).pictures == [b"abc", b"", b"de"]
    cut = head.replace(str(len(raw)).encode(), str(len(raw) - 1).encode())
    with pytest.raises(HttpError, match="cut off"):
        read(cut + raw[:-1], head=len(cut))


DEEP = b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"[]", "bad_json"),
        (b"{} {}", "bad_json"),
        (b'\xef\xbb\xbf{"inputs": []}', "bad_json"),
        ('{"inputs": []}'.encode("utf-16"), "bad_json"),
        (b'{"inputs": [], "inputs": []}', "bad_json"),
        (b'{"id": "\\ud800", "inputs": []}', "bad_json"),
        (b'{"inputs": NaN}', "bad_json"),
        (b'{"inputs": ' + b"9" * 10_000 + b"}", "bad_json"),
        (DEEP, "bad_json"),
        ({}, "bad_tensor"),
        ({"inputs": []}, "bad_tensor"),
        ({"inputs": request()["inputs"] * 2}, "bad_tensor"),  # type: ignore[operator]
        ({**request(), "extra": 1}, "bad_tensor"),
        ({**request(), "id": 3}, "bad_tensor"),
        ({**request(), "parameters": []}, "bad_tensor"),
        ({**request(), "outputs": [{"name": "other"}]}, "bad_tensor"),
        ({**request(), "outputs": [{"name": "labels"}] * 2}, "bad_tensor"),
        (request(name="input"), "bad_tensor"),
        (request(datatype="FP32"), "bad_tensor"),
        (request(shape=[-2, 2, 2, 3]), "bad_tensor"),
        (request(shape=[0, 2, 2, 3]), "bad_tensor"),
        (request(shape=[True, 2, 2, 3]), "bad_tensor"),
        (request(shape=[2**62, 2**62, 4, 1]), "bad_tensor"),
        (request(shape=[2, 2, 2]), "bad_tensor"),
        (request(shape=[1, 2, 2, 3]), "bad_tensor"),
        (request(shape=[5, 2, 2, 3]), "too_many_pictures"),
        (request(data=PIXELS[:-1]), "bad_tensor"),
        (request(data=[*PIXELS[:-1], 256]), "bad_tensor"),
        (request(data=[*PIXELS[:-1], -1]), "bad_tensor"),
        (request(data=[*PIXELS[:-1], 1.5]), "bad_tensor"),
        (request(data=[*PIXELS[:-1], True]), "bad_tensor"),
        (request(data=[*PIXELS[:-1], None]), "bad_tensor"),
        (request(data=[[[[1, 2, 3]]]]), "bad_tensor"),
        (request(data=None), "bad_tensor"),
        (request(parameters={"binary_data_size": 24}), "bad_tensor"),
        (request(datatype="BYTES", shape=[1], data=["a b="]), "bad_tensor"),
        (request(datatype="BYTES", shape=[1], data=["YWI"]), "bad_tensor"),
        (request(datatype="BYTES", shape=[1], data=["_-__"]), "bad_tensor"),
        (request(datatype="BYTES", shape=[1], data=["data:image/png;base64,YWI="]), "bad_tensor"),
        (request(datatype="BYTES", shape=[2], data=["YWI="]), "bad_tensor"),
        (request(datatype="BYTES", shape=[1], data=[3]), "bad_tensor"),
    ],
)
def test_what_is_malformed_is_told_apart(body: object, code: str) -> None:
    with pytest.raises(HttpError) as caught:
        read(body)
    assert (caught.value.code, caught.value.status) == (code, 400)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "data"]), inner),
    max_leaves=8,
)


@given(
    place=st.sampled_from(["name", "shape", "datatype", "parameters", "data", "id", "outputs"]), value=JSON
)
def test_whatever_stands_in_a_place_is_read_or_refused(place: str, value: object) -> None:
    document = {**request(), place: value} if place in ("id", "outputs") else request(**{place: value})
    refused: int | None = None
    try:
        question = read(document)
    except HttpError as error:
        refused = error.status
    if refused is None:
        assert len(question.pictures) == 2
        assert question.id == (document["id"] if place == "id" else None)
    assert refused in (None, 400)


def test_an_answer_as_bytes_holds_the_numbers_of_the_answer_as_json() -> None:
    rows = {"probabilities": [[0.25, 0.75]], "logits": [[-1.5, 2.0]]}
    answers = {name: np.array(values, np.float32) for name, values in rows.items()}

    def told(binary: bool) -> tuple[dict[str, object], bytes]:
        asked = tensors.Question("me", [], dict.fromkeys(tensors.outputs_of(answers), binary))
        length, body = tensors.parts(
            tensors.answer(answers, asked, model="m", version="v", classes=("é", "b"))
        )
        return json.loads(body[:length]), body[length:]

    as_json, nothing = told(False)
    as_bytes, raw = told(True)
    assert nothing == b""
    assert [o["data"] for o in as_json["outputs"]] == [[0.25, 0.75], [-1.5, 2.0], ["b"]]  # type: ignore[attr-defined]
    sizes = [o["parameters"]["binary_data_size"] for o in as_bytes["outputs"]]  # type: ignore[attr-defined]
    assert sizes == [8, 8, 5]
    assert np.frombuffer(raw[:16], "<f4").tolist() == [0.25, 0.75, -1.5, 2.0]
    assert raw[16:] == b"\1\0\0\0b"
    assert as_json["id"] == "me"


def test_the_protocol_on_a_real_server(server, bundle, colored) -> None:
    picture = colored((30, 30, 220))
    [expected] = foveal.load(bundle, threads=1).predict(picture)
    files = {
        "name": "images",
        "datatype": "BYTES",
        "shape": [1],
        "data": [base64.b64encode(picture).decode()],
    }
    body = json.dumps({"id": "7", "inputs": [files]}).encode()

    answer = server.ask("/v2/models/colors/infer", body, content_type="application/json")

    found = {output["name"]: output for output in answer.json["outputs"]}
    assert answer.json["id"] == "7"
    assert found["labels"]["data"] == ["blue"]
    assert found["probabilities"]["data"] == list(expected.scores.values())
    assert found["probabilities"]["shape"] == [1, 3]
    raw = server.ask(
        "/v2/models/colors/infer",
        body[:-1] + b', "parameters": {"binary_data_output": true}}',
        content_type="application/json",
    )
    length = int(raw.headers["inference-header-content-length"])
    np.testing.assert_array_equal(
        np.frombuffer(raw.body[length : length + 12], "<f4"),
        np.array(found["probabilities"]["data"], np.float32),
    )
    assert server.ask("/v2/models/colors").json["inputs"][0]["shape"] == [-1, 16, 16, 3]
    assert server.ask("/v2/models/colors/ready").status == 200
    assert server.ask("/v2/models/none/infer", body, content_type="application/json").status == 404
    bad = server.ask(
        "/v2/models/colors/infer",
        body,
        content_type="application/json",
        inference_header_content_length="9" * 8,
    )
    assert (bad.status, bad.json["code"]) == (400, "bad_tensor")
