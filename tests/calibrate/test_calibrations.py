"""calibrate.vector, isotonic, comparison: against scikit-learn and scipy; only what gains is chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from foveal.calibrate.comparison import compare_calibrations
from foveal.calibrate.isotonic import isotonic, pooled
from foveal.calibrate.temperature import calibrated, temperature
from foveal.calibrate.vector import _loss, vector
from foveal.core.errors import UsageError
from foveal.metrics.ece import ece, ece_null
from foveal.metrics.nll import nll, nll_per_image


def drawn(n, *, seed=0, classes=4, shifts=0.0, sharpness=3.0):
    """Return logits that are too sure, off by `shifts` for each class, and labels that the true ones give."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, classes)) * 1.5
    shares = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return (sharpness * true + shifts).astype(np.float32), labels


def test_vector_finds_the_least_loss():
    logits, labels = drawn(300, shifts=np.array([2.0, 0.0, -1.0, 0.5]))
    scores = logits.astype(float) / temperature(logits, labels)
    start = np.r_[np.ones(4), np.zeros(4)]

    found = vector(logits, labels)

    theirs = minimize(lambda x: _loss(x, start, scores, labels), start, method="BFGS", options={"gtol": 1e-8})
    own = np.r_[found.factors * temperature(logits, labels), found.shifts]
    assert own == pytest.approx(theirs.x, abs=1e-4)
    assert _loss(own, start, scores, labels) <= theirs.fun + 1e-12


def test_the_loss_is_the_likelihood_and_the_distance():
    logits, labels = drawn(50)
    start, place = np.r_[np.ones(4), np.zeros(4)], np.arange(8) / 5

    scaled = np.exp(logits.astype(float) * place[:4] + place[4:])
    own = nll(scaled / scaled.sum(axis=1, keepdims=True), labels)

    expected = own + np.square(place - start).sum() / 2 / 50
    assert _loss(place, start, logits.astype(float), labels) == pytest.approx(expected)


def test_vector_undoes_shifts_that_a_temperature_cannot():
    shifts = np.array([3.0, 0.0, -3.0, 1.0])
    logits, labels = drawn(4000, shifts=shifts)
    new, truth = drawn(4000, seed=1, shifts=shifts)

    probabilities = vector(logits, labels).calibrated(new)

    assert probabilities.sum(axis=1) == pytest.approx(np.ones(4000))
    perfect, _ = drawn(4000, seed=1, sharpness=1.0)
    assert nll(probabilities, truth) < nll(calibrated(perfect, 1.0), truth) + 0.01
    assert nll(probabilities, truth) < nll(calibrated(new, temperature(logits, labels)), truth) - 0.05
    assert ece(probabilities, truth) <= 1.2 * ece_null(probabilities)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_vector_of_few_or_perfect_images_stays_finite(n):
    logits, labels = drawn(n)

    found = vector(logits, labels)

    assert np.isfinite([found.factors, found.shifts]).all()
    sure = vector(100 * np.eye(4, dtype=np.float32)[labels], labels)
    assert np.isfinite(sure.calibrated(logits)).all()
    assert np.isfinite(vector(np.zeros((5, 3), np.float32), np.zeros(5, int)).shifts).all()


values = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 5)), min_size=1, max_size=40)


@given(rows=values)
def test_pooling_is_that_of_scikit_learn(rows):
    means, weights = np.array(rows, dtype=float).T

    theirs = IsotonicRegression().fit_transform(np.arange(len(rows)), means, sample_weight=weights)

    assert pooled(means, weights) == pytest.approx(theirs)


def test_the_curve_is_that_of_scikit_learn_with_two_imagined_images():
    logits, labels = drawn(300)
    probabilities = calibrated(logits, 1.0)
    confidence = probabilities.max(axis=1).astype(float)
    right = probabilities.argmax(axis=1) == labels
    x, y = np.r_[confidence, confidence.max(), confidence.min()], np.r_[right, 0, 1].astype(float)

    found = isotonic(probabilities, labels)

    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    asked = np.linspace(0, 1, 400)
    own = np.interp(asked, found.confidence, found.accuracy)
    assert own == pytest.approx(theirs.predict(asked), abs=1e-6)


@given(n=st.integers(1, 60), seed=st.integers(0, 200), sharpness=st.sampled_from([0.1, 3.0, 60.0]))
def test_isotonic_changes_no_answer_and_gives_probabilities(n, seed, sharpness):
    probabilities = calibrated(drawn(n, seed=seed, sharpness=sharpness)[0], 1.0)
    labels = drawn(n, seed=seed)[1]
    new = calibrated(drawn(50, seed=seed + 1, sharpness=sharpness)[0], 1.0)

    found = isotonic(probabilities, labels).calibrated(new)

    rows = np.arange(50)
    assert found.sum(axis=1) == pytest.approx(np.ones(50))
    assert (found >= 0).all()
    assert (found[rows, new.argmax(axis=1)] >= found.max(axis=1) - 1e-12).all()
    assert (found.max(axis=1) < 1).all(), "finitely many images prove no certainty"


def test_isotonic_corrects_what_no_temperature_can():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, size=8000)
    right = rng.random(8000) < np.where(confidence < 0.8, 0.6, 0.95)  # a step
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = (~right).astype(int)

    found = isotonic(probabilities[:4000], labels[:4000]).calibrated(probabilities[4000:])

    assert ece(probabilities[4000:], labels[4000:]) > 3 * ece_null(probabilities[4000:])
    assert ece(found, labels[4000:]) < 1.3 * ece_null(found)


def test_temperature_stays_where_it_is_enough():
    chosen = [compare_calibrations(*drawn(300, seed=seed), seed=seed).chosen for seed in range(12)]

    assert chosen.count("temperature") >= 11


def test_vector_is_chosen_where_it_gains_for_certain():
    found = compare_calibrations(*drawn(800, shifts=np.array([3.0, 0.0, -3.0, 1.0])))

    assert found.chosen == "vector"
    gain = found.gained["vector"]
    assert gain.low > 0
    assert gain.value == pytest.approx(found.nll["temperature"].value - found.nll["vector"].value)
    assert found.nll["none"].value > found.nll["temperature"].value
    assert all(one.low < one.value < one.high and one.n == 800 for one in found.nll.values())


def test_intervals_are_of_95_percent_and_of_units():
    logits, labels = drawn(800, shifts=np.array([3.0, 0.0, -3.0, 1.0]))

    alone = compare_calibrations(logits, labels)
    units = np.repeat(np.arange(200), 4)
    again = np.repeat(np.arange(200), 4) * 4  # four copies of each of 200 images
    together = compare_calibrations(logits[again], labels[again], units=units)

    width = alone.nll["none"].high - alone.nll["none"].low
    spread = nll_per_image(calibrated(logits.astype(np.float32), 1.0), labels).std() / 800**0.5
    assert width == pytest.approx(2 * 1.96 * spread, rel=0.15)
    assert together.nll["none"].high - together.nll["none"].low == pytest.approx(2 * width, rel=0.35)


def test_no_part_is_fitted_on_itself():
    """Where labels are chance, whatever was fitted on them would seem to gain."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(60, 10)).astype(np.float32), rng.integers(10, size=60)

    found = compare_calibrations(logits, labels)

    assert nll(vector(logits, labels).calibrated(logits), labels) < found.nll["vector"].value - 0.05
    assert found.chosen == "temperature"


def test_copies_are_not_taken_for_evidence():
    logits, labels = drawn(60, shifts=np.array([0.6, 0.0, -0.6, 0.0]))
    units = np.repeat(np.arange(60), 30)
    many = np.repeat(logits, 30, axis=0), np.repeat(labels, 30)

    told, untold = compare_calibrations(*many, units=units), compare_calibrations(*many)

    widths = [one.gained["vector"].high - one.gained["vector"].low for one in (told, untold)]
    assert widths[0] > 3 * widths[1]
    assert told.gained["vector"].n == 60


def test_equal_seeds_compare_equally_and_one_image_is_refused():
    assert compare_calibrations(*drawn(100), seed=1) == compare_calibrations(*drawn(100), seed=1)
    with pytest.raises(UsageError, match="two images"):
        compare_calibrations(*drawn(1))
    with pytest.raises(UsageError, match="two images"):
        compare_calibrations(*drawn(9), units=np.zeros(9, int))
