"""Thresholds of a detector: the promises over repetitions, against the truth of all pictures there are."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.calibrate.precision_thresholds import precision_candidates, precision_thresholds
from foveal.calibrate.recall_thresholds import recall_thresholds
from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.hoeffding_bentkus import hoeffding_bentkus
from foveal.metrics.match import Matches

DELTA = 0.1
REPETITIONS = 500
SLACK = 3 * (DELTA * (1 - DELTA) / REPETITIONS) ** 0.5


def draw(rng, pictures, clusters=True):
    """Draw matches of one class: pictures are hard or easy, so what is on one of them belongs together."""
    hard = rng.random(pictures) < 0.2 if clusters else np.zeros(pictures, bool)
    truths = rng.integers(0, 6, pictures)
    objects = np.repeat(np.arange(pictures), truths)
    detected = rng.random(len(objects)) < np.where(hard[objects], 0.9, 0.995)
    hits = objects[detected]
    alarms = np.repeat(np.arange(pictures), rng.poisson(np.where(hard, 1.5, 0.4)))
    sure = rng.normal(np.where(hard[hits], 1.0, 2.5), 1)
    unsure = rng.normal(np.where(hard[alarms], 0.0, -1.5), 1)
    scores = 1 / (1 + np.exp(-np.concatenate([sure, unsure])))
    order = np.argsort(-scores)
    images = np.concatenate([hits, alarms])[order]
    right = (np.arange(len(order)) < len(hits))[order]
    none = np.zeros((1, len(order)), bool)
    labels = np.zeros(len(order), int)
    return Matches(np.array([0.5]), scores[order], labels, images, right[None], none, truths[:, None])


POPULATION = draw(np.random.default_rng(99), 40_000)


def true_loss(threshold, *, missed, loss):
    """Return the mean loss of all pictures there are."""
    shown = POPULATION.scores >= threshold
    right, images = POPULATION.right[0], POPULATION.images
    truths = POPULATION.truths[:, 0]
    hits = np.bincount(images[shown & right], minlength=len(truths))
    found = np.bincount(images[shown], minlength=len(truths))
    bad, everything = (truths - hits, truths) if missed else (found - hits, found)
    there = everything > 0
    each = bad[there] / everything[there]
    return float((each > 0).mean() if loss == "any" else each.mean())


def proven_recall(rng, pictures, limit, loss):
    return recall_thresholds(draw(rng, pictures), recall=1 - limit, delta=DELTA, loss=loss)[0]


def proven_precision(rng, pictures, limit, loss):
    asked = {"precision": 1 - limit, "delta": DELTA, "loss": loss}
    candidates = precision_candidates(draw(rng, pictures // 2), pictures=pictures, **asked)
    return precision_thresholds(draw(rng, pictures), candidates, **asked)[0]


@pytest.mark.parametrize("prove", [proven_recall, proven_precision])
@pytest.mark.parametrize(("loss", "limit"), [("share", 0.1), ("any", 0.25)])
def test_the_promise_is_broken_no_more_often_than_allowed(prove, loss, limit):
    rng = np.random.default_rng(0)
    missed = prove is proven_recall

    found = [prove(rng, 200, limit, loss).threshold for _ in range(REPETITIONS)]

    losses = np.array([0.0 if t is None else true_loss(t, missed=missed, loss=loss) for t in found])
    assert (losses > limit).mean() <= DELTA + SLACK
    assert np.mean([t is not None for t in found]) > 0.8, "it is proven nearly always"
    assert np.median(losses) > limit / 3, "and not by giving everything away"


def naive_recall(rng, limit):
    """Choose the highest threshold whose observed loss is within the limit."""
    matches = draw(rng, 200)
    truths = matches.truths[:, 0]
    for threshold in np.unique(matches.scores)[::-1]:
        shown = (matches.scores >= threshold) & matches.right[0]
        hits = np.bincount(matches.images[shown], minlength=len(truths))
        if ((truths - hits)[truths > 0] / truths[truths > 0]).mean() <= limit:
            return threshold
    raise AssertionError


def test_a_threshold_whose_observed_loss_is_within_the_limit_breaks_it():
    rng = np.random.default_rng(0)

    losses = [true_loss(naive_recall(rng, 0.1), missed=True, loss="share") for _ in range(60)]

    assert np.mean(np.array(losses) > 0.1) > 2.5 * DELTA, "the control"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", ["share", "any"])
def test_no_higher_threshold_has_a_proof(seed, loss):
    matches = draw(np.random.default_rng(seed), 150)
    limit = {"share": 0.1, "any": 0.3}[loss]

    (found,) = recall_thresholds(matches, recall=1 - limit, delta=DELTA, loss=loss)

    truths = matches.truths[:, 0]

    def p(threshold):
        shown = (matches.scores >= threshold) & matches.right[0]
        missed = truths - np.bincount(matches.images[shown], minlength=150)
        each = missed[truths > 0] / truths[truths > 0]
        if loss == "any":
            return binomial_cdf(int((each > 0).sum()), len(each), limit)
        return hoeffding_bentkus(each.mean(), len(each), limit)

    assert p(found.threshold) <= DELTA
    above = np.unique(matches.scores[matches.scores > found.threshold])
    assert p(above[0]) <= DELTA, "it lies just below a score"
    assert all(p(one + 1e-12) > DELTA for one in above)
    assert np.abs(matches.scores - found.threshold).min() > 0
    assert (found.n, found.needed) == ((truths > 0).sum(), None)


def test_candidates_are_tested_from_strict_to_loose_until_one_fails():
    matches = draw(np.random.default_rng(3), 300)
    order = np.array([0.9, 0.8, 0.7, 0.5, 0.2])

    def alone(threshold):
        (one,) = precision_thresholds(matches, [np.array([threshold])], precision=0.9, delta=DELTA)
        return one

    (found,) = precision_thresholds(matches, [order], precision=0.9, delta=DELTA)

    passed = [alone(one).threshold is not None for one in order]
    assert passed[0]
    assert not passed[-1]
    assert found == alone(order[passed.index(False) - 1])


def few(pictures, found=True):
    """Return matches with one object on each picture, found without error."""
    count = pictures if found else 0
    scores, zeros = np.linspace(0.9, 0.5, count), np.zeros(count, int)
    right, none = np.ones((1, count), bool), np.zeros((1, count), bool)
    return Matches(np.array([0.5]), scores, zeros, np.arange(count), right, none, np.ones((pictures, 1), int))


@pytest.mark.parametrize("loss", ["share", "any"])
def test_too_few_pictures_prove_nothing_and_it_says_how_many_would(loss):
    (short,), (enough,) = (recall_thresholds(few(n), loss=loss) for n in (58, 59))

    assert (short.threshold, short.n, short.observed, short.needed) == (None, 58, 0, 59)
    assert enough.threshold == pytest.approx((0.5 + 0) / 2), "the 59 objects are all needed"
    everything = [np.array([0.0])]
    (short,), (enough,) = (precision_thresholds(few(n), everything, loss=loss) for n in (58, 59))
    assert (short.threshold, short.needed) == (None, 59)
    assert (enough.threshold, enough.n, enough.observed) == (0, 59, 0)


def test_what_no_number_of_pictures_proves_and_what_was_never_seen():
    (hopeless,) = recall_thresholds(few(100, found=False))
    (nothing,) = precision_thresholds(few(100, found=False), [np.array([0.5])])
    matches = draw(np.random.default_rng(0), 30)
    (nearly,) = recall_thresholds(matches, recall=0.95)

    assert (hopeless.threshold, hopeless.observed, hopeless.needed) == (None, 1, None)
    assert (nothing.threshold, nothing.n, nothing.observed, nothing.needed) == (None, 0, None, 59)
    assert nearly.threshold is None
    assert 0 < nearly.observed < 0.05
    assert nearly.needed > 59
    more = few(nearly.needed)
    assert hoeffding_bentkus(nearly.observed, len(more.truths), 0.05) <= 0.05


def test_pictures_that_belong_together_are_one():
    matches = draw(np.random.default_rng(1), 400)

    (alone,), (grouped,) = (
        recall_thresholds(matches, recall=0.85, units=units) for units in (None, np.arange(400) // 4)
    )

    assert (alone.n, grouped.n) == ((matches.truths > 0).sum(), 100)
    assert grouped.threshold < alone.threshold


def test_each_class_has_its_own():
    one, other = draw(np.random.default_rng(1), 300), draw(np.random.default_rng(2), 300)
    order = np.argsort(-np.concatenate([one.scores, other.scores]), kind="stable")

    def joined(name, axis=0):
        return np.take(
            np.concatenate([getattr(one, name), getattr(other, name)], axis=axis), order, axis=axis
        )

    labels = np.repeat([0, 1], [len(one.scores), len(other.scores)])[order]
    ignored = np.zeros((1, len(order)), bool)
    truths = np.concatenate([one.truths, other.truths], axis=1)
    both = Matches(one.ious, joined("scores"), labels, joined("images"), joined("right", 1), ignored, truths)

    assert recall_thresholds(both, recall=0.9) == tuple(
        recall_thresholds(x, recall=0.9)[0] for x in (one, other)
    )
    candidates = precision_candidates(both, pictures=300, precision=0.9)
    assert [c.tolist() for c in candidates] == [
        precision_candidates(x, pictures=300, precision=0.9)[0].tolist() for x in (one, other)
    ]
    found = precision_thresholds(both, candidates, precision=0.9)
    assert found[1] == precision_thresholds(other, candidates[1:], precision=0.9)[0]


@pytest.mark.parametrize("limit", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("n", [5, 60, 700])
def test_the_bound_is_one_for_shares_too_and_not_below_the_exact_test(n, limit):
    for losses in range(0, n + 1, max(1, n // 20)):
        value = hoeffding_bentkus(losses / n, n, limit)
        assert value >= binomial_cdf(losses, n, limit) * (1 - 1e-9)
        assert hoeffding_bentkus(min(1.0, losses / n + 1e-3), n, limit) >= value
    assert hoeffding_bentkus(0.0, n, limit) == pytest.approx((1 - limit) ** n)
    assert hoeffding_bentkus(1.0, n, limit) == 1


def test_arguments_that_make_no_sense_are_refused():
    matches = few(70)
    several = replace(matches, ious=np.array([0.5, 0.6]))

    for broken in ({"recall": 1.0}, {"delta": 0.0}, {"recall": 0.0}):
        with pytest.raises(UsageError, match="promises and delta"):
            recall_thresholds(matches, **broken)
    with pytest.raises(UsageError, match="'share' or 'any'"):
        recall_thresholds(matches, loss="all")
    with pytest.raises(UsageError, match="one IoU"):
        recall_thresholds(several)
    with pytest.raises(UsageError, match="one unit for each of 70"):
        recall_thresholds(matches, units=np.zeros(3, int))
    with pytest.raises(UsageError, match="fall strictly"):
        precision_thresholds(matches, [np.array([0.2, 0.5])])
    with pytest.raises(UsageError, match="fall strictly"):
        precision_thresholds(matches, [])
    with pytest.raises(UsageError, match=r"a mean in \[0, 1\]"):
        hoeffding_bentkus(1.5, 3, 0.1)
