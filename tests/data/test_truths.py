"""data.truths: what is learned from and measured by, at model size; mistakes are left out of it."""

import json
from pathlib import Path

from PIL import Image

from foveal import data
from foveal.data.preprocess import Preprocess
from foveal.data.truths import stated

BOXES = {
    "whole": [10, 10, 20, 10],
    "without width": [30, 5, 0, 10],
    "without height": [30, 5, 10, 0],
    "turned round": [30, 25, -10, 5],
    "outside": [200, 200, 10, 10],
}


def test_boxes_without_area_are_no_objects(tmp_path: Path) -> None:
    Image.new("RGB", (80, 40)).save(tmp_path / "a.png")
    said = {
        "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 40}],
        "categories": [{"id": 1, "name": "bolt"}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 1, "bbox": box}
            for number, box in enumerate(BOXES.values())
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(said))
    preprocess = Preprocess(
        size=64, width=64, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.5,) * 3
    )

    found = stated(data.open(tmp_path), preprocess)(0)

    # What lies outside has an area: `check` names it, and nothing that is found can be it.
    assert found.boxes.tolist() == [[8.0, 8.0, 24.0, 16.0], [160.0, 160.0, 168.0, 168.0]]
