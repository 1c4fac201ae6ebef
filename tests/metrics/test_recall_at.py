"""metrics.recall_at: equal to counting in a sorted list, chance where all is chance, nothing for nothing."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.flows._clip_measure import chance
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.recall_at import recall_at


@pytest.mark.parametrize("k", [1, 3, 10])
def test_it_counts_what_a_sorted_list_has_at_its_top(k):
    rng = np.random.default_rng(k)
    similarities = rng.normal(size=(60, 25))
    fits = rng.random((60, 25)) < 0.1
    fits[np.arange(60), rng.integers(0, 25, 60)] = True

    found = recall_at(similarities, fits, k=k)

    hits = sum(fits[row, np.argsort(-similarities[row])[:k]].any() for row in range(60))
    assert found == clopper_pearson(hits, 60)


def test_a_ranking_by_lot_finds_what_chance_says():
    rng = np.random.default_rng(0)
    fits = np.zeros((4000, 20), dtype=bool)
    fits[np.arange(4000), rng.integers(0, 20, 4000)] = True
    fits[::2, 0] = True

    for k in (1, 5):
        found = recall_at(rng.normal(size=fits.shape), fits, k=k)
        assert found.low < chance(fits, k) < found.high


def test_finding_everything_alike_finds_nothing():
    fits = np.eye(5, dtype=bool)

    assert recall_at(np.ones((5, 5)), fits, k=1).value == 0
    assert recall_at(np.ones((5, 5)), fits, k=5).value == 1
    assert chance(fits, 5) == 1


def test_questions_that_belong_together_widen_the_interval_and_leave_the_share():
    similarities = np.random.default_rng(0).normal(size=(40, 8))
    fits = np.zeros((40, 8), dtype=bool)
    fits[:, 0] = True

    alone = recall_at(similarities, fits, k=2)
    together = recall_at(similarities, fits, k=2, units=np.arange(40) // 4)

    assert together.value == pytest.approx(alone.value)
    assert (together.n, alone.n) == (10, 40)
    assert together.high - together.low > alone.high - alone.low


def test_nonsense_is_refused():
    for similarities, fits in (
        (np.ones((2, 3)), np.ones((3, 2), dtype=bool)),
        (np.ones((2, 2)), np.array([[True, False], [False, False]])),
        (np.full((1, 2), np.nan), np.ones((1, 2), dtype=bool)),
        (np.ones((0, 2)), np.ones((0, 2), dtype=bool)),
    ):
        with pytest.raises(UsageError):
            recall_at(similarities, fits, k=1)
    with pytest.raises(UsageError):
        recall_at(np.ones((2, 2)), np.eye(2, dtype=bool), k=0)
