"""explain.neighbours: exact, and a picture is never its own neighbour."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.explain.neighbours import nearest


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 8), st.integers(1, 6), st.integers(0, 999))
def test_the_nearest_are_those_of_brute_force(queries, known, dimensions, count, seed):
    rng = np.random.default_rng(seed)
    asked, rows = rng.normal(size=(queries, dimensions)), rng.normal(size=(known, dimensions))

    found = nearest(asked, rows, count=count)

    for one, near in zip(asked, found, strict=True):
        cosines = [float(one @ row / np.linalg.norm(one) / np.linalg.norm(row)) for row in rows]
        best = sorted(range(known), key=lambda k: -round(cosines[k], 12))[:count]
        assert [n.similarity for n in near] == pytest.approx([cosines[k] for k in best], abs=1e-9)
        assert len({n.index for n in near}) == min(count, known)


def test_a_picture_is_never_its_own_neighbour():
    rows = np.random.default_rng(0).normal(size=(12, 4))

    found = nearest(rows, rows, count=3, itself=[frozenset({k}) for k in range(12)])

    assert all(k not in {n.index for n in near} for k, near in enumerate(found))
    assert all(near[0].similarity < 1 - 1e-9 for near in found)
    assert all(near[0].index == k for k, near in enumerate(nearest(rows, rows, count=1)))


def test_where_all_are_the_picture_itself_there_is_no_neighbour():
    assert nearest(np.ones((1, 2)), np.ones((2, 2)), count=3, itself=[frozenset({0, 1})]) == [()]


def test_length_does_not_count_and_nothing_is_like_nothing():
    [near] = nearest(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [100.0, 1.0]]), count=2)

    assert [one.index for one in near] == [1, 0]
    assert near[1].similarity == 0


def test_features_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match=r"need features \(M, D\) and \(N, D\)"):
        nearest(np.ones((1, 2)), np.ones((1, 3)), count=1)
    with pytest.raises(UsageError, match="one set of rows per query"):
        nearest(np.ones((2, 2)), np.ones((1, 2)), count=1, itself=[frozenset()])
