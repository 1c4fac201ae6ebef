"""Every metric: refuses the same wrong arrays in words, does not depend on order, and knows perfection."""

from dataclasses import astuple, is_dataclass
from functools import partial

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.accuracy import accuracy
from foveal.metrics.balanced_accuracy import balanced_accuracy
from foveal.metrics.brier import brier
from foveal.metrics.confusion import confusion
from foveal.metrics.coverage_at_risk import coverage_at_risk
from foveal.metrics.ece import ece
from foveal.metrics.nll import nll
from foveal.metrics.per_class import per_class
from foveal.metrics.reliability import reliability
from foveal.metrics.risk_coverage import risk_coverage
from foveal.metrics.worst_class import worst_class

METRICS = [
    accuracy,
    balanced_accuracy,
    brier,
    confusion,
    partial(coverage_at_risk, threshold=0.5),
    ece,
    nll,
    per_class,
    reliability,
    risk_coverage,
    worst_class,
]
HALF = np.full((3, 2), 0.5, dtype=np.float32)
ZEROS = np.zeros(3, dtype=np.int64)
WRONG = {
    "probabilities must be float .* got int64": (np.ones((3, 2), dtype=np.int64), ZEROS),
    r"probabilities must be float \(N, K\); got float32 \(3,\)": (HALF[:, 0], ZEROS),
    "labels must be integers .* got float64": (HALF, ZEROS.astype(float)),
    r"labels must be integers \(3,\).* got int64 \(2,\)": (HALF, ZEROS[:2]),
    "labels must be integers .* got bool": (HALF, ZEROS.astype(bool)),
    "at least 1 image and 2 classes; got 0 and 2": (HALF[:0], ZEROS[:0]),
    "at least 1 image and 2 classes; got 3 and 1": (np.ones((3, 1), dtype=np.float32), ZEROS),
    "must be finite; got NaN or infinity": (np.array([[np.nan, 1.0]] * 3), ZEROS),
    "between 0 and 1; got -0.5 to 1.5": (np.array([[1.5, -0.5]] * 3), ZEROS),
    "must sum to 1; one is off by 0.1": (np.array([[0.5, 0.4]] * 3), ZEROS),
    r"labels must be in \[0, 2\); got 0 to 2": (HALF, np.array([0, 1, 2])),
    r"labels must be in \[0, 2\); got -1 to 0": (HALF, np.array([0, 0, -1])),
}


def numbers(value: object) -> list[float]:
    """Flatten what a metric returns."""
    if is_dataclass(value) and not isinstance(value, type):
        value = astuple(value)
    if isinstance(value, tuple | list):
        return [number for one in value for number in numbers(one)]
    if isinstance(value, str) or value is None:
        return []
    return [float(number) for number in np.asarray(value, dtype=float).ravel()]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: getattr(metric, "__name__", "partial"))
@pytest.mark.parametrize(("text", "arrays"), WRONG.items())
def test_wrong_arrays_are_refused_in_words(metric, text, arrays):
    with pytest.raises(UsageError, match=text):
        metric(*arrays)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: getattr(metric, "__name__", "partial"))
def test_the_order_of_the_images_plays_no_part(metric, draw):
    probabilities, labels = draw(300, 5)
    shuffled = np.random.default_rng(1).permutation(300)

    one, other = metric(probabilities, labels), metric(probabilities[shuffled], labels[shuffled])

    np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: getattr(metric, "__name__", "partial"))
def test_one_image_is_enough_and_everything_is_finite(metric):
    found = numbers(metric(np.array([[0.25, 0.75]], dtype=np.float32), np.array([0])))

    assert found
    assert np.isfinite(found).all()


def test_perfect_answers_get_the_best_values():
    labels = np.arange(40) % 4
    probabilities = np.eye(4, dtype=np.float32)[labels]

    assert accuracy(probabilities, labels).value == 1
    assert balanced_accuracy(probabilities, labels).value == 1
    assert worst_class(probabilities, labels).recall.value == 1
    assert nll(probabilities, labels) == brier(probabilities, labels) == ece(probabilities, labels) == 0
    assert risk_coverage(probabilities, labels).aurc == 0


def test_sure_and_always_wrong_answers_get_the_worst_values():
    labels = np.zeros(10, dtype=np.int64)
    probabilities = np.eye(4, dtype=np.float32)[labels + 1]

    assert accuracy(probabilities, labels).value == 0
    assert brier(probabilities, labels) == 2
    assert ece(probabilities, labels) == 1
    assert nll(probabilities, labels) == pytest.approx(87.34, abs=0.01), "bounded, not infinite"
    assert risk_coverage(probabilities, labels).aurc == 1
