"""tasks.recognizer: a weights file that lies about itself is refused with an error of ours."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from foveal.core.errors import DataError
from foveal.data.preprocess import Preprocess
from foveal.tasks.recognizer import WEIGHTS, Recognizer, build, load, save

Change = Callable[[dict, bytes], bytes]


def packed(head: dict, data: bytes) -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def first(head: dict) -> str:
    return next(name for name in head if name != "__metadata__" and head[name]["dtype"] == "F32")


def changed(**entries: object) -> Change:
    return lambda head, data: packed({**head, first(head): {**head[first(head)], **entries}}, data)


def without(head: dict, data: bytes) -> bytes:
    return packed({name: entry for name, entry in head.items() if name != first(head)}, data)


def more(head: dict, data: bytes) -> bytes:
    return packed(
        {**head, "more": {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}},
        data + bytes(4),
    )


def overlapping(head: dict, data: bytes) -> bytes:
    names = [name for name in head if name != "__metadata__"]
    same = {name: {**head[name], "data_offsets": head[names[0]]["data_offsets"]} for name in names}
    return packed(same, data)


def twice(head: dict, data: bytes) -> bytes:
    text = json.dumps(head)
    entry = json.dumps(head[first(head)])
    text = f'{{"{first(head)}": {entry}, {text[1:]}'
    return struct.pack("<Q", len(text)) + text.encode() + data


LIES = {
    "empty": lambda head, data: b"",
    "a head that is longer than the file": lambda head, data: struct.pack("<Q", 2**40) + b"{}",
    "a head of 100 MB": lambda head, data: struct.pack("<Q", 10**8 + 1) + b" " * (10**8 + 1),
    "a head that is no JSON": lambda head, data: struct.pack("<Q", 4) + b"{no}" + data,
    "a head that is no UTF-8": lambda head, data: struct.pack("<Q", 4) + b'{"\xff' + data,
    "a length beyond 63 bits": lambda head, data: b"\xff" * 8 + b"{}",
    "another type": changed(dtype="I32"),
    "a type of nobody": changed(dtype="F7"),
    "a shape beyond 64 bits": changed(shape=[2**32, 2**32, 2**32]),
    "a negative shape": changed(shape=[-1]),
    "offsets beyond the file": changed(data_offsets=[0, 2**50]),
    "offsets that go back": changed(data_offsets=[8, 0]),
    "tensors that overlap": overlapping,
    "a hole": lambda head, data: packed(head, data + bytes(64)),
    "cut": lambda head, data: packed(head, data[:-1]),
    "a tensor less": without,
    "a tensor more": more,
    "a pickle": lambda head, data: b"\x80\x04\x95" + bytes(60),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 2, "size": 16, "widths": [4, 4, 4]}
    preprocess = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
    save(Recognizer(build("nano", arguments).eval(), "nano", arguments, preprocess, ("a", "b")), tmp_path)
    return tmp_path


@pytest.mark.parametrize("lie", LIES)
def test_weights_that_lie_are_refused(lie: str, folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    head, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    load(folder)
    (folder / WEIGHTS).write_bytes(LIES[lie](head, data))

    with pytest.raises(DataError, match="no readable model"):
        load(folder)
