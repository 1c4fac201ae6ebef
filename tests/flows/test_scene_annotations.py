"""flows._scenes: what is stated about pictures as it is learned, at model size."""

from pathlib import Path

import numpy as np

import scenes
from foveal.core.progress import silent
from foveal.data import opening
from foveal.flows._prepare import Wishes, prepare
from foveal.flows._scenes import annotations


def test_what_is_ignored_comes_after_what_is_learned(tmp_path: Path) -> None:
    voc = scenes.write_voc(tmp_path / "voc", count=24)
    for path in sorted((voc / "Annotations").glob("*.xml")):  # the first object of each picture
        path.write_text(path.read_text().replace("<difficult>0", "<difficult>1", 1))
    dataset = opening.open(voc)
    prepared = prepare(dataset, tmp_path / "run", Wishes(32, 0, False, 1), progress=silent)

    found = annotations(prepared)

    assert dataset.scenes is not None
    for row, index in enumerate(prepared.split.fit.tolist()):
        stated = dataset.scenes.objects(index)
        count = len(stated)
        assert stated.ignored.tolist() == [True] + [False] * (count - 1)
        assert found.weights[row].tolist() == [1.0] * (count - 1) + [-1.0] + [0.0] * (found.most - count)
        whole = np.roll(stated.boxes, -1, axis=0) / 2  # pictures of 64 pixels at 32
        np.testing.assert_allclose(found.boxes[row, :count].numpy(), whole, atol=1e-4)
        assert found.labels[row, :count].tolist() == np.roll(stated.labels, -1).tolist()
