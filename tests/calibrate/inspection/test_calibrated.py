"""calibrate.inspection.calibrated: from pictures to a sealed rule that judges as it promised."""

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.bundle.inspecting import inspect, rule_of
from foveal.bundle.predictor import load
from foveal.calibrate.inspection.calibrated import Asked, calibrated_inspection, scores_of
from foveal.calibrate.inspection.fit import Demands
from foveal.core.errors import UsageError
from foveal.export.ruled import with_rule
from foveal.tasks.judging import Costs
from foveal.train.examples import Examples
from scene_graphs import picture

DEMANDS = Demands(miss=0.05, false_call=0.05, costs=Costs(miss=100, false_call=10, review=1))


def parts(n=160, seed=0):
    """Return pictures of a noisy ground, the second half of them with a cell that is more or less dark."""
    rng = np.random.default_rng(seed)
    images = np.stack([picture() for _ in range(n)]).astype(int)
    for number in range(n // 2, n):
        row, column = rng.integers(0, 4, 2) * 8
        images[number, row : row + 8, column : column + 8] = rng.integers(30, 66)
    noisy = (images + rng.integers(-4, 5, images.shape)).clip(2, 255).astype(np.uint8)
    return Examples(noisy, np.zeros(n, np.int64), np.arange(n)), np.arange(n) >= n // 2


@pytest.fixture(scope="module")
def sealed(finder, tmp_path_factory):
    predictor = load(finder, threads=1)
    asked = Asked(predictor.ask, "detect", predictor.classes)
    found = calibrated_inspection(asked, *parts(), DEMANDS)
    path = tmp_path_factory.mktemp("ruled") / "station.foveal"
    with_rule(archive.read(finder), found.rule, path)
    return load(path, threads=1), found


def test_the_sealed_rule_judges_new_parts_as_promised(sealed) -> None:
    station, found = sealed
    examples, defective = parts(seed=1)

    assert rule_of(station) == found.rule
    assert (found.rule.miss.n, found.rule.false_call.n) == (80, 80)
    told = [inspect(station, image, rule=rule_of(station)).judgement for image in examples.images]
    wrong = [one.verdict == ("accept" if bad else "reject") for one, bad in zip(told, defective, strict=True)]
    assert np.mean(wrong) <= 0.05
    assert np.mean([one.verdict == "review" for one in told]) < 0.2
    dark = [
        inspect(station, (image * 0.3).astype(np.uint8), rule=found.rule) for image in examples.images[:20]
    ]
    assert all("too_dark" in one.judgement.reasons for one in dark)


def test_scores_are_those_of_the_file_in_the_order_of_the_parts(sealed) -> None:
    station, _ = sealed
    examples, _ = parts(20)
    order = Examples(examples.images, examples.labels, np.arange(20)[::-1])
    asked = Asked(station.ask, "detect", station.classes)

    assert scores_of(asked, order).tolist() == pytest.approx(scores_of(asked, examples)[::-1].tolist())
    assert len(scores_of(asked, Examples(examples.images, examples.labels, np.arange(0)))) == 0


def test_what_belongs_together_counts_once(finder) -> None:
    predictor = load(finder, threads=1)
    examples, defective = parts()
    grouped = Examples(examples.images, examples.labels, examples.indices, units=np.arange(160) // 2)
    found = calibrated_inspection(Asked(predictor.ask, "detect", predictor.classes), grouped, defective)

    assert found.rule.accept_below is None
    assert "needs n ≥ 299 defective groups, has 40" in found.fitted.notes[0]
    assert found.as_json()["limits"]["n"] == 160


def test_a_truth_is_needed_for_each_part(finder) -> None:
    predictor = load(finder, threads=1)
    examples, defective = parts(20)
    with pytest.raises(UsageError, match="one truth for each of 20 parts"):
        calibrated_inspection(Asked(predictor.ask, "detect", predictor.classes), examples, defective[:5])
