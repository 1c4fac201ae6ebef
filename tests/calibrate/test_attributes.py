"""calibrate.attributes: probabilities become shares, and what is told is mostly right."""

import numpy as np
import pytest

from foveal.calibrate.attributes import LEAST, RIGHT, fit_attributes
from foveal.calibrate.temperature import calibrated
from foveal.data.attributes import OTHER, UNSAID, Attribute
from foveal.metrics._found import Found, Truth

COLOUR = Attribute(name="colour", values=("red", "green", "blue"))
SIZE = Attribute(name="size", values=("small", "large"))


def told(count: int, *, sharper: float = 3.0, seed: int = 0):
    """Return objects that are all found, with probabilities that are too sure by a factor, and what is so."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, 3))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    values = np.array([rng.choice(3, p=row) for row in honest])
    sure = calibrated((logits * sharper).astype(np.float32), 1.0)
    said = np.concatenate([sure, np.full((count, 2), 0.5, np.float32)], axis=1)
    boxes = np.array([[i * 10, 0, i * 10 + 8, 8] for i in range(count)], np.float32)
    numbers = np.stack([values, np.full(count, -1)], axis=1)
    labels = np.zeros(count, np.int64)
    found = Found(boxes, np.ones(count, np.float32), labels, attributes=said)
    return found, Truth(boxes, labels, np.zeros(count, bool), attributes=numbers), sure, values


def test_too_sure_probabilities_become_those_that_are_right() -> None:
    found, truth, sure, values = told(3000)

    colour, size = fit_attributes([found], [truth], [COLOUR, SIZE])

    assert colour.scale == pytest.approx(1 / 3, rel=0.15)
    shares = calibrated(np.log(sure), 1 / colour.scale)
    kept = shares.max(1) >= colour.threshold
    assert (shares.argmax(1) == values)[kept].mean() >= RIGHT
    assert 0.02 < kept.mean() < 0.9
    lower = shares.max(1) >= colour.threshold - 0.05
    assert (shares.argmax(1) == values)[lower].mean() < RIGHT
    assert (colour.n, size.n) == (3000, 0)
    assert (size.scale, size.threshold) == (1.0, LEAST)


def test_what_has_a_value_that_was_not_learned_is_told_wrongly() -> None:
    found, truth, sure, values = told(3000)
    rare = np.random.default_rng(1).random(3000) < 0.3
    numbers = np.where(rare[:, None], [OTHER, UNSAID], truth.attributes)
    other = Truth(truth.boxes, truth.labels, truth.ignored, attributes=numbers)

    usual, colour = (fit_attributes([found], [one], [COLOUR, SIZE])[0] for one in (truth, other))

    assert colour.n == 3000
    assert colour.scale == pytest.approx(usual.scale, rel=0.1), "which is told of the others alone"
    assert colour.threshold > usual.threshold
    kept = calibrated(np.log(sure), 1 / colour.scale).max(1) >= colour.threshold
    right = (sure.argmax(1) == values) & ~rare
    assert not kept.any() or right[kept].mean() >= RIGHT


def test_few_objects_change_nothing() -> None:
    found, truth, _, _ = told(10)

    colour, _ = fit_attributes([found], [truth], [COLOUR, SIZE])

    assert (colour.scale, colour.threshold, colour.n) == (1.0, LEAST, 10)


def test_objects_that_are_not_found_play_no_part() -> None:
    found, truth, _, _ = told(100)
    away = Found(found.boxes + 500, found.scores, found.labels, attributes=found.attributes)

    colour, _ = fit_attributes([found, away], [truth, truth], [COLOUR, SIZE])

    assert colour == fit_attributes([found], [truth], [COLOUR, SIZE])[0]
    assert colour.n == 100


def test_of_those_that_are_equally_sure_all_are_told_or_none() -> None:
    count = 40
    sure = np.tile(np.array([0.8, 0.1, 0.1, 0.5, 0.5], np.float32), (count, 1))
    sure[:10, :3] = 0.99, 0.005, 0.005
    found, truth, _, _ = told(count)
    found = Found(found.boxes, found.scores, found.labels, attributes=sure)
    values = np.stack([np.repeat([0, 0, 1], [10, 20, 10]), np.full(count, -1)], axis=1)
    truth = Truth(truth.boxes, truth.labels, truth.ignored, attributes=values)

    colour, _ = fit_attributes([found], [truth], [COLOUR, SIZE])

    least, most = (calibrated(np.log(sure[row, None, :3]), 1 / colour.scale).max() for row in (10, 0))
    assert least < colour.threshold <= most + 1e-6
