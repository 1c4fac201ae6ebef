"""How many pictures an inference request is taken for before it is read."""

import base64
import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foveal.serve import tensors
from foveal.serve.inference import pictures_in
from foveal.serve.problems import HttpError

MOST = 8
KEYS = ("shape", "sh\\u0061pe", "\\u0073hape", "\\u0053hape", "Shape", 'a\\"shape')


@given(
    key=st.sampled_from(KEYS),
    decoys=st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 9)), max_size=2),
    pictures=st.integers(1, MOST + 1),
    space=st.sampled_from(["", " ", "\n\t"]),
)
@example(key="shape", decoys=[("shape", 1)], pictures=MOST, space="")
@example(key="sh\\u0061pe", decoys=[("shape", 1)], pictures=MOST, space="")
def test_no_request_has_more_pictures_than_it_was_taken_for(key, decoys, pictures, space) -> None:
    said = ",".join(f'"{name}":{space}[{number}]' for name, number in dict(decoys).items())
    data = json.dumps([base64.b64encode(b"file").decode()] * pictures)
    body = (
        f'{{"parameters":{{{said}}},"inputs":[{{"name":"images","datatype":"BYTES",'
        f'"{key}"{space}:{space}[{space}{pictures}{space}],"data":{data}}}]}}'
    ).encode()
    try:
        read = len(tensors.question(body, None, shape=(2, 2, 3), most=MOST, known=()).pictures)
    except HttpError:
        read = 0

    assert read <= pictures_in(body, MOST) <= MOST
    if key == "shape" and not said:
        assert pictures_in(body, MOST) == min(pictures, MOST)


@pytest.mark.parametrize("name", ["Größe", "a \\ b", "\U0001f600", "\u0bae"])
def test_a_name_in_any_script_does_not_make_one_picture_many(name) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [0] * 12}
    assert pictures_in(json.dumps({"id": name, "inputs": [tensor]}).encode(), MOST) == 1


def test_bytes_behind_the_json_say_nothing() -> None:
    raw = b'"shape":[1]' * 3
    size = len(raw) + 4
    tensor = {"name": "images", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    body = head + struct.pack("<I", len(raw)) + raw
    assert len(tensors.question(body, len(head), shape=(2, 2, 3), most=MOST, known=()).pictures) == 1
    assert pictures_in(body[: len(head)], MOST) == 1
