"""calibrate.conformal: coverage follows its exact law; the quantile without its correction does not."""

import numpy as np
import pytest
from scipy import stats

from foveal.calibrate.conformal import lac
from foveal.core.errors import UsageError
from foveal.tasks.classify.decode import Conformal, prediction_sets

REPETITIONS = 2000


def uniform(n, rng):
    """Return two-class answers with uniform scores (1 - probability of the truth): quantile = coverage."""
    share = rng.random(n)
    return np.stack([share, 1 - share], axis=1), np.zeros(n, dtype=np.int64)


def without_correction(probabilities, labels, *, alpha):
    return float(np.quantile(1 - probabilities[np.arange(len(labels)), labels], 1 - alpha))


def coverages(fit, n, alpha):
    rng = np.random.default_rng(0)
    return np.array([fit(*uniform(n, rng), alpha=alpha) for _ in range(REPETITIONS)])


@pytest.mark.parametrize(("n", "alpha"), [(20, 0.1), (50, 0.1), (99, 0.05), (100, 0.01)])
def test_coverage_follows_its_beta_law_and_without_the_correction_it_does_not(n, alpha):
    k = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    law = stats.beta(k, n + 1 - k)
    band = 4 * law.std() / REPETITIONS**0.5

    exact = coverages(lambda p, y, alpha: lac(p, y, alpha=alpha).quantile, n, alpha)
    naive = coverages(without_correction, n, alpha)

    assert abs(exact.mean() - law.mean()) < band
    assert stats.kstest(exact, law.cdf).pvalue > 0.001
    assert naive.mean() < law.mean() - band, "the control: this test notices the usual mistake"
    assert stats.kstest(naive, law.cdf).pvalue < 0.001


def test_served_sets_hold_the_truth_as_often_as_promised():
    rng, held = np.random.default_rng(0), []
    for _ in range(600):
        scores = rng.normal(size=(130, 6))
        labels = (scores + rng.normal(size=(130, 6))).argmax(axis=1)
        probabilities = np.exp(3 * scores) / np.exp(3 * scores).sum(axis=1, keepdims=True)  # too sure
        rule = lac(probabilities[:30], labels[:30], alpha=0.2)
        held.append(prediction_sets(probabilities[30:], rule)[np.arange(100), labels[30:]].mean())

    assert np.mean(held) > 0.8 - 4 * np.std(held) / 600**0.5


@pytest.mark.parametrize(("n", "alpha", "rank"), [(9, 0.1, 9), (10, 0.1, 10), (19, 0.1, 18), (99, 0.01, 99)])
def test_the_quantile_is_the_score_of_the_exact_rank(n, alpha, rank):
    scores = np.arange(1, n + 1) / 128  # exact in binary
    probabilities = np.stack([1 - scores, scores], axis=1)

    rule = lac(probabilities, np.zeros(n, dtype=int), alpha=alpha)

    assert rule.quantile == scores[rank - 1]
    assert (rule.alpha, rule.n, rule.method) == (alpha, n, "lac")


@pytest.mark.parametrize(("n", "alpha"), [(8, 0.1), (98, 0.01), (1, 0.3), (0, 0.1)])
def test_too_few_images_give_all_classes(n, alpha):
    rule = lac(np.full((n, 3), 1 / 3), np.zeros(n, dtype=int), alpha=alpha)

    assert rule.quantile is None
    assert prediction_sets(np.eye(3, dtype=np.float32), rule).all()


def test_the_image_of_the_quantile_itself_is_inside():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), size=50).astype(np.float32)
    labels = rng.integers(4, size=50)

    rule = lac(probabilities, labels, alpha=0.1)

    inside = (1.0 - probabilities.astype(np.float64) <= rule.quantile)[np.arange(50), labels]
    assert inside.sum() == 46, "ceil(51 · 0.9)"
    at_the_edge = Conformal(alpha=0.1, quantile=0.75, n=50)
    assert prediction_sets(np.array([[0.25, 0.75]], dtype=np.float32), at_the_edge).all()


@pytest.mark.parametrize("alpha", [0, 1, -0.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(alpha):
    with pytest.raises(UsageError, match="alpha is a share"):
        lac(np.full((5, 2), 0.5), np.zeros(5, dtype=int), alpha=alpha)


def test_logits_are_refused():
    with pytest.raises(UsageError, match="between 0 and 1"):
        lac(np.array([[3.0, -2.0]]), np.array([0]))
