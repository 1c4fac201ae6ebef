"""What a worker does with a shard."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from foveal.batch import job, manifest, reading, shard
from foveal.batch.item import file_item
from foveal.bundle.predictor import Predictor


def test_a_picture_of_which_the_model_says_nonsense_has_its_row(nonsense, tmp_path) -> None:
    folder = tmp_path / "job"
    (folder / job.STAGING).mkdir(parents=True)
    for name, value in (("black", 0), ("grey", 99)):
        Image.new("RGB", (16, 16), (value,) * 3).save(tmp_path / f"{name}.png")
    files = [tmp_path / "black.png", tmp_path / "grey.png"]
    manifest.publish(folder, 1, [file_item(str(file)) for file in files])
    told = {
        "engine": "onnxruntime",
        "precision": "fp32",
        "format": "jsonl",
        "scores": False,
        "once": False,
        "stamps": {},
    }
    digest = Predictor.open(nonsense).digest
    spec = {"bundle": str(nonsense), "digest": digest, "folder": str(folder), "root": str(tmp_path)}
    worker = shard.begin({**told, **spec, "item_timeout_s": 60.0})

    done = shard.run(
        {"shard": 0, "segment": 1, "offset": 0, "items": 2, "epoch": 1, "quarantined": []}, worker
    )

    staged = folder / job.STAGING / done["staged"]
    rows = [json.loads(line) for line in staged.read_text().splitlines()]
    assert rows[0]["error"]["code"] == "model_output_invalid"
    assert rows[1]["label"] == "yes"
    assert done["counted"] == {
        "ok": 1,
        "failed": 1,
        "abstained": 0,
        "codes": {"model_output_invalid": 1},
        "copies": 0,
    }
    assert job.in_hand(folder, 0) is None, "nobody is to blame for what comes after the last picture"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux shows them")
def test_looking_ahead_harms_nothing_whatever_is_there(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "whole.png").write_bytes(b"x")
    (tmp_path / "circle.png").symlink_to("circle.png")
    names = ["pipe.png", "folder.png", "whole.png", "circle.png", "missing.png", "a\0b.png", "x" * 300]
    before = len(list(Path("/proc/self/fd").iterdir()))

    for name in names:
        reading.ahead(file_item(name), tmp_path)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
