"""metrics.nll and brier: equal to scikit-learn's and to their definitions."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from foveal.metrics.brier import brier, brier_per_image
from foveal.metrics.nll import nll, nll_per_image


@pytest.mark.parametrize("seed", range(3))
def test_nll_equals_scikit_learn(draw, seed):
    probabilities, labels = draw(seed=seed)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)

    assert nll(exact, labels) == pytest.approx(log_loss(labels, exact), rel=1e-9)
    assert nll_per_image(exact, labels).mean() == pytest.approx(nll(exact, labels))


def test_brier_equals_its_definition(draw):
    probabilities, labels = draw()
    truth = np.eye(4)[labels]

    assert brier(probabilities, labels) == pytest.approx(
        ((probabilities - truth) ** 2).sum(axis=1).mean(), rel=1e-6
    )
    assert (brier_per_image(probabilities, labels) >= 0).all()


def test_a_coin_costs_one_bit():
    assert nll(np.full((5, 2), 0.5), np.zeros(5, dtype=int)) == pytest.approx(np.log(2))
    assert brier(np.full((5, 2), 0.5), np.zeros(5, dtype=int)) == pytest.approx(0.5)
