"""benchmarks/detection_peer.py: what the peer writes is measured as what is found in pixels is."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import scenes
from foveal.data import opening
from foveal.flows.data_convert import convert


@pytest.fixture(scope="module")
def peer(project: Path) -> ModuleType:
    path = project / "benchmarks" / "detection_peer.py"
    spec = importlib.util.spec_from_file_location("detection_peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lines_become_boxes_in_pixels_with_scores(peer: ModuleType) -> None:
    found = peer.boxes_in("1 0.5 0.25 0.5 0.1 0.9\n0 0.1 0.1 0.2 0.2 0.25\n", 200, 100)

    np.testing.assert_allclose(found.boxes, [[50, 20, 150, 30], [0, 0, 40, 20]], atol=1e-4)
    assert found.labels.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.25])
    assert len(peer.boxes_in("", 200, 100)) == 0


def test_a_peer_that_finds_all_that_is_stated_is_perfect(peer: ModuleType, tmp_path: Path) -> None:
    dataset = opening.open(scenes.write_voc(tmp_path / "voc", count=24))
    convert(dataset, tmp_path / "yolo", to="yolo")
    truths, found = peer.truths_of(dataset), []
    for i in peer.of_val(dataset):
        stem = Path(dataset.sources[i]).stem
        lines = (tmp_path / "yolo" / "labels" / "val" / f"{stem}.txt").read_text().splitlines()
        found.append(peer.boxes_in("".join(f"{line} 1.0\n" for line in lines), 64, 64))

    assert len(found) == 6
    metrics = peer.measured(found, truths, dataset.classes)
    assert metrics["map50"]["value"] == pytest.approx(1)
    assert metrics["map"] == pytest.approx(1)
    other = peer.measured([found[-1], *found[:-1]], truths, dataset.classes)
    assert other["map50"]["value"] < 0.5
