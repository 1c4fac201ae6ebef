"""audit.tails: one heap is left alone as often as promised, and what is no part of it lies beyond."""

import numpy as np
import pytest

from foveal.audit.tails import FEWEST, bulk


def beyond(values, heaps=1):
    return bulk(values, heaps=heaps).distances(values)


@pytest.mark.parametrize("n", [FEWEST, 51, 400])
def test_of_a_heap_with_exponential_tails_anything_is_flagged_in_one_of_a_hundred(n):
    rng = np.random.default_rng(n)
    draws = [(np.abs(beyond(rng.laplace(size=n))) > 1).any() for _ in range(1500)]

    assert 2 <= sum(draws) <= 28  # 15 expected at most, and not far fewer: the ends are no wider than needed


@pytest.mark.parametrize("n", [FEWEST, 400])
def test_of_many_normal_or_lopsided_heaps_hardly_anything_is(n):
    rng = np.random.default_rng(n)
    for draw in (rng.normal, rng.uniform, rng.exponential):
        flagged = [(np.abs(beyond(draw(size=n), heaps=10)) > 1).any() for _ in range(300)]
        assert sum(flagged) <= 3


def test_what_is_planted_lies_beyond_on_its_side_and_does_not_widen_the_bulk():
    values = np.random.default_rng(0).normal(size=200)
    alone = beyond(np.r_[values, 15.0])
    many = beyond(np.r_[values, np.full(20, 15.0)])

    assert alone[-1] > 1
    assert (many[-20:] > 1).all()
    assert (np.abs(many[:-20]) < 1).all()
    assert (beyond(-np.r_[values, np.full(20, 15.0)])[-20:] < -1).all()


def test_equal_numbers_lie_in_the_middle():
    assert (beyond(np.full(30, 4.0)) == 0).all()


def test_where_there_is_no_bulk_anything_else_lies_outside():
    assert bulk(np.full(30, 4.0)).distances(np.array([4.0, 5.0, 3.0])).tolist() == [0, np.inf, -np.inf]
