"""data.good: kinds that are none, all kinds as one, and data as a recognizer is asked about them."""

from pathlib import Path

import numpy as np
import pytest

import parts
from foveal.core.errors import UsageError
from foveal.data import opening
from foveal.data.good import as_known, one_kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parts.write_parts(tmp_path_factory.mktemp("parts") / "set", good=3, each=2, side=16)


def test_all_kinds_are_one(folder: Path) -> None:
    dataset = opening.open(folder, task="defect")

    joined = one_kind(dataset)

    assert joined.classes == ("good", "defect")
    assert joined.labels.tolist() == (dataset.labels > 0).astype(int).tolist()
    for i in range(len(dataset)):
        before, after = dataset.scenes.regions(i), joined.scenes.regions(i)
        np.testing.assert_array_equal(after, np.where((before > 0) & (before < 255), 1, before))
    with pytest.raises(UsageError, match="says nothing of defects"):
        one_kind(opening.open(folder))


def test_what_learned_no_kinds_is_asked_about_defects_alone(folder: Path) -> None:
    dataset = opening.open(folder, task="defect")

    assert as_known(dataset, ("good", "defect"), ()).classes == ("good", "defect")
    assert as_known(dataset, ("good", "hole", "scratch"), ("gone",)).classes == dataset.classes
    assert as_known(dataset, ("good", "scratch"), ("hole",)).classes == ("good", "scratch")
