"""`foveal data show` of annotations: what is counted, and what is drawn on the page."""

import json
from pathlib import Path

import numpy as np
import pytest

from bad_inputs.made import encoded, photo
from foveal.cli._main import run
from foveal.data import opening
from foveal.flows.data_show import show


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    root.mkdir()
    lines = ["path,label,xmin,ymin,xmax,ymax,split"]
    for k in range(30):
        split = "train" if k < 20 else "test"
        lines += [f"{k:02}.png,cat,2,3,20,20,{split}", f"{k:02}.png,cat,5,5,30,22,{split}"]
        lines += [f"{k:02}.png,<i>rare</i>,1,1,9,9,{split}"] if k in (7, 25) else []
        (root / f"{k:02}.png").write_bytes(encoded(photo(30, 40, seed=k)))
    (root / "boxes.csv").write_text("\n".join(lines))
    return root


def test_objects_are_counted_and_drawn_the_rare_ones_too(boxes: Path) -> None:
    shown = show(opening.open(boxes))

    assert shown.document["task"] == "detect"
    assert shown.document["per_class"] == [
        {"class": "<i>rare</i>", "images": 2, "splits": {"train": 1, "test": 1}, "objects": 2},
        {"class": "cat", "images": 30, "splits": {"train": 20, "test": 10}, "objects": 60},
    ]
    assert {"07.png", "25.png"} <= {source for source, _ in shown.drawn}
    assert 10 <= len(shown.drawn) <= 24
    assert shown.pictures == ()
    assert all(pixels.shape == (480, 640, 3) for _, pixels in shown.drawn)
    assert shown.document["shown"]["width"] == {"min": 40, "median": 40, "max": 40}


def test_the_page_and_the_table(boxes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"

    assert run(["data", "show", str(boxes), "--out", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "objects" in printed
    assert "60" in printed
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure>") >= 10
    assert "&lt;i&gt;rare" in text
    assert "<i>rare" not in text


def test_class_maps_are_drawn_too_and_one_that_cannot_be_used_is_shown_as_it_is(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for k, name in enumerate("ab"):
        (tmp_path / f"images/{name}.png").write_bytes(encoded(photo(30, 40, seed=k)))
        (tmp_path / f"masks/{name}.png").write_bytes(encoded(np.full((30, 40 + k), 1, np.uint8)))
    (tmp_path / "classes.txt").write_text("sky\nroad\ntree\n")

    shown = show(opening.open(tmp_path))

    assert [row["pixels"] for row in shown.document["per_class"]] == [0, 1200, 0]
    assert [source for source, _ in shown.drawn] == ["images/a.png"]


def test_of_panoptic_data_only_things_are_counted_and_both_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    grey, regions = np.full((64, 64), 90, np.uint8), np.zeros((64, 64), np.uint8)
    regions[8:24, 8:24], regions[32:, :] = 1, 2
    (tmp_path / "images/a.png").write_bytes(encoded(grey))
    (tmp_path / "masks/a.png").write_bytes(encoded(regions))
    (tmp_path / "classes.txt").write_text("sky\ncar\nroad\n")

    shown = show(opening.open(tmp_path, task="panoptic", things=["car"]))

    told = [(row["class"], row["images"], row["objects"]) for row in shown.document["per_class"]]
    assert told == [("sky", 1, None), ("car", 1, 1), ("road", 1, None)]
    [(_, pixels)] = shown.drawn
    sky, car, road = pixels[100, 500], pixels[200, 120], pixels[600, 100]
    assert len({tuple(colour.tolist()) for colour in (sky, car, road, np.array([90] * 3))}) == 4


def test_real_cells(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "show", str(shared / "data/bccd"), "--json", "-q"]) == 0

    rows = json.loads(capsys.readouterr().out)["per_class"]
    assert {row["class"]: row["objects"] for row in rows} == {"RBC": 3350, "WBC": 301, "Platelets": 292}
