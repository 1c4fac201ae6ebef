"""Exact search: nothing is passed over, however the vectors lie."""

import numpy as np
import pytest

from foveal.bundle.embedder import unit
from foveal.core.errors import UsageError
from foveal.search.bounded import LEAST, Bounded, search_of
from foveal.search.exact import Plain

D = 24


def clusters(rng, n, d):
    centres = rng.standard_normal((20, d))
    return centres[rng.integers(0, 20, n)] + 0.2 * rng.standard_normal((n, d))


def outliers(rng, n, d):
    vectors = rng.standard_normal((n, d)) * 0.01 + 1
    vectors[:5] = -100 * np.eye(d)[:5]  # what a byte is worth: all others share a few values
    return vectors


def equal(rng, n, d):
    return np.repeat(rng.standard_normal((max(1, n // 50), d)), 50, axis=0)[:n]


def one_line(rng, n, d):
    return rng.standard_normal((n, 1)) * np.ones((1, d))


def with_zeros(rng, n, d):
    vectors = rng.standard_normal((n, d))
    vectors[::3] = 0
    return vectors


def nearly_equal(rng, n, d):
    return 1 + 1e-7 * rng.standard_normal((n, d))  # the differences are at the end of float32


def random(rng, n, d):
    return rng.standard_normal((n, d))


KINDS = [random, clusters, outliers, equal, one_line, with_zeros, nearly_equal]


def oracle(vectors, query, top):
    """Brute force in float64, one row at a time."""
    asked = (query / np.linalg.norm(query.astype(np.float64))).astype(np.float32).astype(np.float64)
    scores = np.array([float((row.astype(np.float64) * asked).sum()) for row in vectors])
    order = np.lexsort((np.arange(len(scores)), -scores))[:top]
    return order, scores[order]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("width", [None, 1, 7, D])
@pytest.mark.parametrize("threads", [1, 3])
def test_it_finds_what_brute_force_finds_in_its_order(kind, width, threads) -> None:
    rng = np.random.default_rng(3)
    vectors = unit(kind(rng, 3000, D).astype(np.float32))
    search = Bounded(vectors, width=width, threads=threads)
    asked = [*rng.standard_normal((3, D)), *(vectors[[1, 100]] + 0.05 * rng.standard_normal((2, D)))]

    for query in asked:
        query = query.astype(np.float32)
        for top in (1, 10, 200):
            rows, scores = oracle(vectors, query, top)
            for found in (search(query, top=top), Plain(vectors)(query, top=top)):
                assert found.rows.tolist() == rows.tolist()
                np.testing.assert_array_equal(found.scores, scores.clip(-1, 1))


def test_a_weak_bound_costs_time_and_a_strong_one_saves_it() -> None:
    rng = np.random.default_rng(0)
    tight = unit(clusters(rng, 20_000, 64).astype(np.float32))
    loose = unit(random(rng, 20_000, 64).astype(np.float32))

    few = Bounded(tight)(tight[7] + np.float32(0.01), top=10).looked_at
    all_of_them = Bounded(loose, width=2)(loose[7], top=10).looked_at

    assert few < 2000
    assert all_of_them == 20_000  # two directions of 64 say nothing: every number is read


def test_the_length_of_a_query_and_of_a_vector_says_nothing() -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((500, D)).astype(np.float32) * rng.uniform(0.1, 90, (500, 1)).astype(
        np.float32
    )
    search = Plain(unit(features))

    once, thousandfold = search(features[3], top=5), search(features[3] * 1000, top=5)

    assert once.rows[0] == 3
    assert once.scores[0] == pytest.approx(1, abs=1e-6)
    assert once.rows.tolist() == thousandfold.rows.tolist()
    by_dot_product = np.argsort(-(features @ features[3]))[:5]
    assert by_dot_product.tolist() != once.rows.tolist()


@pytest.mark.parametrize("count", [1, 2, 9, 64, 65])
def test_there_may_be_fewer_vectors_than_are_wanted(count) -> None:
    vectors = unit(np.random.default_rng(count).standard_normal((count, D)).astype(np.float32))

    for search in (Plain(vectors), Bounded(vectors)):
        assert sorted(search(vectors[0], top=100).rows.tolist()) == list(range(count))
        assert len(search(vectors[0], top=1).rows) == 1


def test_many_vectors_get_the_search_that_is_prepared() -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((LEAST, 8)).astype(np.float32))

    assert isinstance(search_of(vectors), Bounded)
    assert isinstance(search_of(vectors[:-1]), Plain)


@pytest.mark.parametrize(
    ("query", "top", "says"),
    [
        (np.zeros(D, np.float32), 1, "are all 0"),
        (np.ones(D + 1, np.float32), 1, "finite numbers"),
        (np.full(D, np.nan, np.float32), 1, "finite numbers"),
        (np.ones(D, np.float32), 0, "top must be at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(query, top, says) -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((100, D)).astype(np.float32))

    for search in (Plain(vectors), Bounded(vectors)):
        with pytest.raises(UsageError, match=says):
            search(query, top=top)
