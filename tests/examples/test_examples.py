"""Every example runs as it stands, with warnings as errors; those that want data get small ones here."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenes
from boards import write_pairs
from foveal.flows.data_make import Wishes, make
from parts import write_parts

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))
TABLES = sorted((EXAMPLES[0].parent / "annotations").glob("*.csv"))
TRANSFERS = ("count_in_a_film", "pedestrians")
SIDE = 64


def boxes(folder: Path) -> list[object]:
    return [scenes.write_voc(folder / "cells", count=48, side=SIDE), "--epochs", 4]


def counted(folder: Path, count: int) -> Path:
    """Squares as Penn-Fudan has people: a map whose values count them."""
    images, places, _ = scenes.squares(count, side=SIDE)
    for name in ("PNGImages", "PedMasks"):
        (folder / "people" / name).mkdir(parents=True)
    for number, (image, own) in enumerate(zip(images, places, strict=True)):
        values = np.zeros((SIDE, SIDE), np.uint8)
        for value, (left, top, right, bottom) in enumerate(own.astype(int).tolist(), start=1):
            values[top:bottom, left:right] = value
        Image.fromarray(image).save(folder / "people" / "PNGImages" / f"p{number:02d}.png")
        Image.fromarray(values).save(folder / "people" / "PedMasks" / f"p{number:02d}_mask.png")
    return folder / "people"


def streets(folder: Path) -> list[object]:
    return [scenes.write_maps(folder / "streets", count=24, side=SIDE), "--epochs", 1]


def film(folder: Path) -> list[object]:
    """A film of a drawn road, and boxes on every fourth frame of it."""
    make("vehicles", folder / "road.mp4", Wishes(pictures=80, size=160))
    truth = json.loads((folder / "road.json").read_text())
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["frame", "label", "left", "top", "right", "bottom"])
        for number in range(0, 80, 4):
            objects = [[number, one["label"], *one["box"]] for one in truth["frames"][number]]
            table.writerows(objects or [[number, "", "", "", "", ""]])
    return [folder / "road.mp4", folder / "boxes.csv", "--line", truth["line"], "--epochs", 1]


MORE: dict[str, Callable[[Path], list[object]]] = {
    "blood_cells": boxes,
    "count_bottles": lambda _: ["--pictures", 16, "--frames", 40, "--epochs", 1],
    "count_in_a_film": film,
    "inspect_boards": lambda folder: [write_pairs(folder / "boards", pairs=16, good=16), "--epochs", 2],
    "inspect_tiles": lambda folder: [write_parts(folder / "tiles"), "--epochs", 2, "--size", 64],
    "nuclei": lambda folder: [counted(folder, 48), "--epochs", 10],
    "pedestrians": lambda folder: [counted(folder, 24), "--epochs", 1],
    "sort_by_bands": lambda _: ["--pictures", 60, "--epochs", 1, "--size", 32],
    "streets": streets,
    "vehicles": lambda _: ["--pictures", 24, "--frames", 40, "--epochs", 1],
}


def marked(example: Path):
    """Return an example; those that train a network from ImageNet take a minute."""
    return pytest.param(example, marks=[pytest.mark.slow] if example.stem in TRANSFERS else [])


@pytest.mark.parametrize("example", [*map(marked, EXAMPLES)], ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_its_bundles(
    example: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("data")
    more = MORE[example.stem](data) if example.stem in MORE else []
    command = [sys.executable, "-W", "error", example, tmp_path / "out", *more]
    done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("*.foveal"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "it writes nowhere else"


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_boxes_that_were_drawn_by_hand_lie_in_their_film(table: Path, shared: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(shared / "data" / "video_streams" / f"{table.stem}.mp4")) as film:
        stream = film.streams.video[0]
        frames, width, height = stream.frames, stream.width, stream.height

    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 20
    for row in rows:
        assert int(row["frame"]) < frames
        if row["label"]:
            left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height


def test_there_is_an_example() -> None:
    assert "bring_your_own_model" in {path.stem for path in EXAMPLES}
    assert {*MORE, *TRANSFERS} <= {path.stem for path in EXAMPLES}


def test_every_example_is_on_the_page(project: Path) -> None:
    page = (project / "docs" / "examples.md").read_text(encoding="utf-8")

    assert all(f"(../examples/{path.name})" in page for path in EXAMPLES)
