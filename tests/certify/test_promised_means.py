"""certify.promised_means: what is called kept is kept, and a promise that is contradicted is void."""

import numpy as np
import pytest

from foveal.certify.claim import Claim, Promise
from foveal.certify.promised_means import Kept, worst_of
from foveal.certify.verdicts import judge

CLAIM = Claim("promised_recall_90", "share that is found", "guarantee")
NOTHING = Promise(0.9, lambda limit: 1.0)
SURE = Promise(0.9, lambda limit: 0.001 if limit <= 0.9 else 1.0)


def losses(share: float, n: int, seed: int) -> np.ndarray:
    """Return losses of pictures with four objects each, a share of which is missed."""
    return np.random.default_rng(seed).binomial(4, 1 - share, n) / 4


def stated(classes, unproven=None):
    return worst_of(CLAIM, classes, unproven=unproven or {}, note="", details={})


def verdict(statement, limit):
    [one] = judge([statement], {CLAIM.key: limit})
    return one.verdict


@pytest.mark.parametrize("share", [0.85, 0.7])
def test_a_limit_that_is_missed_just_so_is_seldom_called_kept_and_the_reverse(share) -> None:
    found = []
    for seed in range(200):
        classes = {
            "one": Kept(losses(share, 60, seed), NOTHING),
            "two": Kept(losses(0.99, 60, seed + 1000), NOTHING),
        }
        found.append(verdict(stated(classes), share))

    assert found.count("pass") <= 0.05 * len(found)
    assert found.count("fail") <= 0.05 * len(found)


def test_a_share_far_above_a_limit_is_shown_and_one_far_below_is_refuted() -> None:
    good = stated({"one": Kept(losses(0.97, 200, 0), NOTHING)})
    bad = stated({"one": Kept(losses(0.97, 200, 0), NOTHING), "two": Kept(losses(0.6, 200, 1), NOTHING)})

    assert verdict(good, 0.85) == "pass"
    assert verdict(bad, 0.85) == "fail"
    assert bad.details["worst"] == "two"
    assert verdict(good, 1.0) in ("fail", "insufficient")


def test_intervals_hold_the_true_share() -> None:
    missed = 0
    for seed in range(200):
        found = Kept(losses(0.8, 40, seed), NOTHING).measured()
        missed += not found.low <= 0.8 <= found.high

    assert missed <= 0.05 * 200


def test_a_promise_shows_what_few_pictures_cannot() -> None:
    few = losses(0.97, 12, 3)

    assert verdict(stated({"one": Kept(few, NOTHING)}), 0.85) == "insufficient"
    assert verdict(stated({"one": Kept(few, SURE)}), 0.85) == "pass"
    assert verdict(stated({"one": Kept(few, SURE)}), 0.95) == "insufficient"


def test_a_promise_that_the_pictures_contradict_is_void() -> None:
    broken = Kept(losses(0.6, 60, 4), SURE)

    assert broken.evidence(0.3) == Kept(broken.losses, NOTHING).evidence(0.3)
    assert Kept(losses(0.97, 60, 4), SURE).evidence(0.9) != Kept(losses(0.97, 60, 4), NOTHING).evidence(0.9)
    assert verdict(stated({"one": broken}), 0.85) == "fail"


def test_where_a_class_has_no_threshold_nothing_is_shown_to_be_kept() -> None:
    classes = {"one": Kept(np.zeros(500), SURE)}

    assert verdict(stated(classes), 0.85) == "pass"
    told = stated(classes, unproven={"two": "no calibration picture has one"})
    assert verdict(told, 0.85) == "insufficient"
    assert "two: no calibration picture has one" in told.note


def test_all_right_and_all_wrong_have_intervals() -> None:
    right, wrong = Kept(np.zeros(20), NOTHING).measured(), Kept(np.ones(20), NOTHING).measured()

    assert (right.value, right.high) == (1, 1)
    assert 0.7 < right.low < 1
    assert (wrong.value, wrong.low) == (0, 0)
    assert 0 < wrong.high < 0.3
