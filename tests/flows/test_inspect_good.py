"""flows._inspect_good: good parts alone are learned from, and defective ones measure."""

import json
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError, MissingExtraError, UsageError
from foveal.data import opening
from foveal.flows import _inspect_good as flow
from foveal.flows._inspect_good import PROMISED, train_good
from foveal.flows.evaluate import evaluate
from foveal.train.recipe import Recipe
from parts import write_parts

RECIPE = Recipe(model="gaussian", size=64, threads=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("data") / "parts", good=140, each=8)


@pytest.fixture(scope="module")
def learned(data: Path, tmp_path_factory: pytest.TempPathFactory):
    def missing(recipe):
        if recipe.transfers:
            raise MissingExtraError("transfer learning", "a package", install="pip install it")

    with pytest.MonkeyPatch.context() as patch:  # random filters: no package is needed here
        patch.setattr(flow, "origin_of", missing)
        return train_good(data, RECIPE, out=tmp_path_factory.mktemp("runs") / "good")


def test_no_defective_part_is_learned_from_and_all_of_them_measure(learned, data) -> None:
    split = json.loads((learned.run / "split.json").read_text())
    names = {role: [name for name, _ in split[role]] for role in ("fit", "calib", "test")}

    assert all(name.startswith("ok/") for role in ("fit", "calib") for name in names[role])
    assert sum(not name.startswith("ok/") for name in names["test"]) == 16
    assert sum(map(len, names.values())) == 156
    assert learned.report.images == len(names["test"])


def test_defective_parts_score_higher(learned) -> None:
    metrics = learned.report.metrics

    assert not learned.trained
    assert metrics.image_auroc.value > 0.9
    assert learned.bundle is not None
    assert learned.page.is_file()


def test_the_promise_is_about_the_scores_of_the_file(learned, data) -> None:
    promised = json.loads((learned.run / PROMISED).read_text())
    split = json.loads((learned.run / "split.json").read_text())
    predictor = Predictor.open(learned.bundle, threads=1)
    scores = [one.score for one in predictor.see_each([data / name for name, _ in split["calib"]])]

    assert promised == learned.promised.as_json()
    assert promised["n"] == len(scores) == 21
    assert promised["above"] == sum(np.array(scores) > promised["threshold"] + 1e-6) == 0
    assert promised["threshold"] == pytest.approx(max(scores), rel=1e-5)


def test_the_file_is_measured_again_by_its_run(learned, data) -> None:
    again = evaluate(learned.run, data)

    assert again.report.metrics.image_auroc == learned.report.metrics.image_auroc
    assert again.report.classes == ("good", "defect")


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        (Recipe(model="surface"), "unknown_model"),
        (Recipe(task="segment"), "other_task"),
        (RECIPE.changed(size=100), "usage"),
    ],
)
def test_what_cannot_be_learned_leaves_no_run(recipe, code, data, tmp_path) -> None:
    with pytest.raises(UsageError) as refused:
        train_good(data, recipe, out=tmp_path / "run")

    assert refused.value.code == code
    assert not (tmp_path / "run").exists()


def test_without_a_good_part_nothing_is_learned(data, tmp_path) -> None:
    bad = opening.open(data, task="defect")
    assert bad.classes[0] == "good"
    (tmp_path / "data").mkdir()
    for kind in ("hole", "scratch"):
        (tmp_path / "data" / kind).symlink_to(data / kind)

    with pytest.raises(DataError):
        train_good(tmp_path / "data", RECIPE, out=tmp_path / "run")
