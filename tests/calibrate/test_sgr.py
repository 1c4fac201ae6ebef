"""calibrate.sgr, guaranteed_coverage: the promise over repetitions, beside `abstain` and a naive choice."""

import numpy as np
import pytest

from foveal.calibrate.abstain import abstain, candidates
from foveal.calibrate.guaranteed_coverage import Scored, guaranteed_coverage
from foveal.calibrate.sgr import sgr
from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson

RISK, DELTA = 0.1, 0.1
REPETITIONS = 600


def improving(confidence):
    """Return the probability of being right: confidence is informative, and too high."""
    return 0.55 + 0.44 * confidence**0.5


def just_above(confidence):
    """Confidence says nothing and the risk is a little above the limit everywhere."""
    return np.full_like(confidence, 1 - RISK - 1e-6)


def true_risk(threshold, chance):
    grid = (np.arange(20_000) + 0.5) / 20_000
    return float(1 - chance(grid[grid >= threshold]).mean())


def draw(n, chance, rng):
    confidence = rng.random(n)
    return confidence, rng.random(n) < chance(confidence)


def proven(bound, chance, rng):
    thresholds = candidates(*draw(150, chance, rng), images=300, risk=RISK, delta=DELTA)
    return bound(*draw(300, chance, rng), thresholds=thresholds, risk=RISK, delta=DELTA).threshold


def chosen_on_the_test(chance, rng):
    """Return the loosest threshold whose observed risk on the very images is within the limit."""
    confidence, correct = draw(300, chance, rng)
    order = np.argsort(-confidence)
    within = np.flatnonzero(np.cumsum(~correct[order]) / np.arange(1, 301) <= RISK)
    return float(confidence[order][within[-1]]) if len(within) else None


def share_broken(choose, chance):
    rng = np.random.default_rng(0)
    found = [choose(chance, rng) for _ in range(REPETITIONS)]
    return np.mean([one is not None and true_risk(one, chance) > RISK for one in found])


@pytest.mark.parametrize("bound", [abstain, sgr])
@pytest.mark.parametrize("chance", [improving, just_above])
def test_the_promise_is_broken_no_more_often_than_allowed(bound, chance):
    broken = share_broken(lambda c, rng: proven(bound, c, rng), chance)

    assert broken <= DELTA + 3 * (DELTA * (1 - DELTA) / REPETITIONS) ** 0.5


def test_a_threshold_that_was_chosen_on_the_test_images_breaks_it():
    assert share_broken(chosen_on_the_test, improving) > 2 * DELTA, "the control"


def test_the_search_is_written_down_as_in_the_paper():
    rng = np.random.default_rng(0)
    for _ in range(30):
        confidence, correct = draw(300, improving, rng)
        thresholds = np.sort(rng.random(rng.integers(1, 80)))[::-1].copy()
        strict, loose, best, steps = 0, len(thresholds) + 1, None, 0
        allowed = DELTA / int(np.ceil(np.log2(len(thresholds) + 1)))
        while loose - strict > 1:
            middle, steps = (strict + loose) // 2, steps + 1
            taken = confidence >= thresholds[middle - 1]
            if binomial_cdf(int((~correct[taken]).sum()), int(taken.sum()), RISK) <= allowed:
                strict, best = middle, float(thresholds[middle - 1])
            else:
                loose = middle

        assert steps <= DELTA / allowed + 1e-9
        assert sgr(confidence, correct, thresholds=thresholds, risk=RISK, delta=DELTA).threshold == best


def test_one_threshold_is_one_test_at_the_whole_delta():
    for n in (298, 299):
        given = np.full(n, 0.9), np.ones(n, bool)
        one = np.array([0.0])
        assert sgr(*given, thresholds=one) == abstain(*given, thresholds=one)


def test_nothing_proven_says_how_many_images_it_takes():
    found = sgr(np.full(50, 0.9), np.ones(50, bool), thresholds=np.array([0.5, 0.0]))

    assert (found.threshold, found.needed, found.n) == (None, 299, 50)
    assert sgr(np.full(50, 0.9), np.ones(50, bool), thresholds=np.empty(0)).threshold is None


def test_thresholds_that_do_not_fall_are_refused():
    with pytest.raises(UsageError, match="fall strictly"):
        sgr(np.ones(3), np.ones(3, bool), thresholds=np.array([0.1, 0.5]))


@pytest.mark.parametrize("bound", [abstain, sgr])
def test_coverage_at_several_risks(bound):
    rng = np.random.default_rng(0)

    def scored(n):
        confidence = rng.random(n)
        return Scored(confidence, rng.random(n) < 1 - 0.1 * (1 - confidence) ** 5)

    tuning, proving, test = scored(2000), scored(4000), scored(1000)

    found = guaranteed_coverage(tuning, proving, test, bound=bound)

    assert [one.abstain.risk for one in found] == [0.005, 0.01, 0.02]
    shares = [one.coverage.value for one in found]
    assert shares == sorted(shares)
    assert shares[0] > 0.2
    for one in found:
        thresholds = candidates(tuning.confidence, tuning.correct, images=4000, risk=one.abstain.risk)
        assert one.abstain == bound(
            proving.confidence, proving.correct, thresholds=thresholds, risk=one.abstain.risk
        )
        answered = test.confidence >= one.abstain.threshold
        assert one.coverage == clopper_pearson(int(answered.sum()), 1000)
        assert one.risk.value == pytest.approx((~test.correct[answered]).mean())


def test_what_cannot_be_proven_has_no_coverage():
    few = Scored(np.full(20, 0.9), np.ones(20, bool))

    (found,) = guaranteed_coverage(few, few, few, risks=(0.01,))

    assert (found.abstain.threshold, found.coverage, found.risk) == (None, None, None)
    with pytest.raises(UsageError, match="at least one test image"):
        guaranteed_coverage(few, few, Scored(np.empty(0), np.empty(0, bool)))


def test_scores_of_probabilities():
    found = Scored.of(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]))

    assert found.confidence.tolist() == [0.7, 0.8]
    assert found.correct.tolist() == [True, False]
