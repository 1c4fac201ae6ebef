"""metrics.auroc, aupr, fpr_at_tpr, oscr: against scikit-learn, by all pairs, and how often intervals hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from foveal.core.errors import UsageError
from foveal.metrics.aupr import aupr
from foveal.metrics.auroc import auroc, delong
from foveal.metrics.fpr_at_tpr import fpr_at_tpr
from foveal.metrics.oscr import oscr

scores = st.lists(st.integers(0, 12), min_size=1, max_size=30).map(lambda x: np.array(x) / 4)


def joined(higher, lower):
    return np.r_[np.ones(len(higher)), np.zeros(len(lower))], np.r_[higher, lower]


@given(higher=scores, lower=scores)
def test_areas_are_those_of_scikit_learn_with_ties(higher, lower):
    assert auroc(higher, lower).value == pytest.approx(roc_auc_score(*joined(higher, lower)))
    assert aupr(higher, lower) == pytest.approx(average_precision_score(*joined(higher, lower)))


@given(higher=scores, lower=scores, share=st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_the_rate_at_a_rate_is_that_of_the_curve(higher, lower, share):
    false, true, _ = roc_curve(*joined(higher, lower), drop_intermediate=False)

    assert fpr_at_tpr(higher, lower, tpr=share).value == pytest.approx(false[true >= share - 1e-12].min())


@given(known=scores, unknown=scores, seed=st.integers(0, 99))
def test_oscr_counts_pairs(known, unknown, seed):
    correct = np.random.default_rng(seed).random(len(known)) < 0.7
    gap = known[:, None] - unknown

    pairs = ((gap > 0) + 0.5 * (gap == 0)) * correct[:, None]

    assert oscr(known, correct, unknown) == pytest.approx(pairs.mean())


def test_oscr_of_known_images_that_all_stand_out_is_the_accuracy():
    correct = np.array([True, True, False, True])

    assert oscr(np.full(4, 0.9), correct, np.array([0.1, 0.2])) == 0.75
    assert oscr(np.full(4, 0.1), correct, np.array([0.9])) == 0


def by_pairs(higher, lower):
    """Return DeLong's variance as the paper writes it: from the placements of all pairs."""
    gap = higher[:, None] - lower
    wins = (gap > 0) + 0.5 * (gap == 0)
    return wins.mean(axis=1).var(ddof=1) / len(higher) + wins.mean(axis=0).var(ddof=1) / len(lower)


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_all_pairs(seed):
    rng = np.random.default_rng(seed)
    higher, lower = rng.integers(0, 9, 40) / 2 + 1, rng.integers(0, 9, 25) / 2

    assert delong(higher, lower)[1] == pytest.approx(by_pairs(higher, lower))


def test_the_variance_is_what_repetitions_show_and_the_interval_holds():
    rng, truth = np.random.default_rng(0), 0.8413447460685429  # P(N(√2, 1) > N(0, 1)) = Φ(1)
    found = [auroc(rng.normal(2**0.5, 1, 60), rng.normal(0, 1, 80)) for _ in range(1000)]
    variances = [delong(rng.normal(2**0.5, 1, 60), rng.normal(0, 1, 80))[1] for _ in range(200)]

    assert np.mean(variances) == pytest.approx(np.var([one.value for one in found]), rel=0.15)
    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.975


def test_perfect_ranking_of_few_is_no_certainty():
    found = auroc(np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0, 0.5, 0.2]))

    assert (found.value, found.high, found.n, found.method) == (1, 1, 7, "independent-pairs")
    assert found.low == pytest.approx(0.025 ** (1 / 3), rel=1e-6), "Clopper and Pearson, 3 of 3"
    assert auroc(np.array([1.0]), np.array([0.0, 2.0])).method == "independent-pairs"


def test_swapping_the_groups_mirrors_the_area():
    rng = np.random.default_rng(0)
    higher, lower = rng.normal(1, 1, 30), rng.normal(0, 1, 50)

    there, back = auroc(higher, lower), auroc(lower, higher)

    assert there.value == pytest.approx(1 - back.value)
    assert there.low == pytest.approx(1 - back.high)


@pytest.mark.parametrize("metric", [auroc, aupr, fpr_at_tpr])
@pytest.mark.parametrize("broken", [np.array([]), np.array([np.nan]), np.ones((2, 2))])
def test_nonsense_is_refused(metric, broken):
    for pair in ((broken, np.ones(3)), (np.ones(3), broken)):
        with pytest.raises(UsageError):
            metric(*pair)


def test_shares_outside_their_range_and_other_shapes_are_refused():
    with pytest.raises(UsageError, match="tpr is a share"):
        fpr_at_tpr(np.ones(3), np.ones(3), tpr=0)
    with pytest.raises(UsageError, match="confidence must be"):
        auroc(np.ones(3), np.ones(3), confidence=1)
    with pytest.raises(UsageError, match="need correct bool"):
        oscr(np.ones(3), np.ones(2, bool), np.ones(3))
