"""metrics.clustered_auroc: the value of `auroc`, the interval of whole units."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.auroc import auroc
from foveal.metrics.clustered_auroc import clustered_auroc

RNG = np.random.default_rng(0)
POSITIVE = np.arange(60) % 3 == 0
SCORES = RNG.normal(size=60).round(1) + POSITIVE


def test_the_value_is_that_of_the_plain_one() -> None:
    found = clustered_auroc(SCORES, POSITIVE)

    plain = auroc(SCORES[POSITIVE], SCORES[~POSITIVE])
    assert found.value == pytest.approx(plain.value)
    assert found.n == 60
    assert found.low == pytest.approx(plain.low, abs=0.05)
    assert found.high == pytest.approx(plain.high, abs=0.05)


def test_copies_make_nothing_surer() -> None:
    twice, positive = np.repeat(SCORES, 4), np.repeat(POSITIVE, 4)
    units = np.repeat(np.arange(60), 4)

    once = clustered_auroc(SCORES, POSITIVE)
    copied = clustered_auroc(twice, positive, units=units)
    believed = clustered_auroc(twice, positive)

    assert copied.value == pytest.approx(once.value)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, abs=0.02)
    assert believed.high - believed.low < 0.7 * (copied.high - copied.low)
    assert copied.method.endswith("clustered")


@pytest.mark.parametrize(
    ("scores", "positive"),
    [
        (SCORES, POSITIVE | True),
        (SCORES, POSITIVE & False),
        (SCORES * np.nan, POSITIVE),
        (SCORES, POSITIVE.astype(int)),
        (SCORES[:5], POSITIVE),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores: np.ndarray, positive: np.ndarray) -> None:
    with pytest.raises(UsageError):
        clustered_auroc(scores, positive)
