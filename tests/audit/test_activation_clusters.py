"""audit.activation_clusters: a planted cluster is found, and one heap is not cut into two."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from foveal.audit.activation_clusters import activation_clusters, silhouette, two_means


def heap(seed: int, *, draw: str = "normal", n: int = 120, features: int = 16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return getattr(rng, draw)(size=(n, features)) * rng.uniform(0.1, 2.0, size=features)


def with_cluster(seed: int, count: int, distance: float) -> np.ndarray:
    points = heap(seed)
    direction = np.random.default_rng(seed + 1).normal(size=points.shape[1])
    points[:count] += distance * direction / np.linalg.norm(direction)
    return points


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform"])
def test_one_heap_is_left_alone(draw):
    labels = np.zeros(120, dtype=np.int64)

    assert not any(activation_clusters(heap(seed, draw=draw), labels)[0].flagged for seed in range(100))


def test_a_long_tail_that_2_means_cuts_off_is_no_cluster():
    for seed in range(20):
        [found] = activation_clusters(
            heap(seed, draw="exponential", features=1), np.zeros(120, dtype=np.int64)
        )

        assert found.silhouette > 0.5
        assert not found.flagged


def test_clusters_as_wide_as_they_are_far_apart_are_none():
    points = np.random.default_rng(0).normal(size=(120, 4)) * [0.1, 8, 8, 8]
    points[:20, 0] += 30
    [found] = activation_clusters(points, np.zeros(120, dtype=np.int64))

    assert len(found.rows) == 20
    assert found.distance > 1
    assert not found.flagged


@pytest.mark.parametrize("count", [6, 12, 36])
def test_a_small_cluster_apart_is_found_with_its_share(count):
    for seed in range(5):
        [found] = activation_clusters(with_cluster(seed, count, 60), np.zeros(120, dtype=np.int64))

        assert found.rows.tolist() == list(range(count))
        assert found.share == count / 120
        assert found.silhouette > 0.5
        assert found.flagged


def test_halves_and_single_pictures_are_no_poison():
    for count in (1, 2, 55):
        [found] = activation_clusters(with_cluster(0, count, 60), np.zeros(120, dtype=np.int64))
        assert len(found.rows) == count
        assert not found.flagged


def test_the_split_and_its_silhouette_are_those_of_scikit_learn():
    points = with_cluster(3, 30, 12)
    small = two_means(points)
    theirs = KMeans(2, n_init=20, random_state=0).fit_predict(points) == 1

    assert np.array_equal(small, theirs if theirs.mean() <= 0.5 else ~theirs)
    assert silhouette(points, small) == pytest.approx(silhouette_score(points, small), abs=1e-9)
    odd = np.arange(len(points)) == 7
    assert silhouette(points, odd) == pytest.approx(silhouette_score(points, odd), abs=1e-9)


def test_a_backdoor_that_a_network_has_learned_is_found(planted):
    [one] = [each for each in activation_clusters(planted.features, planted.labels) if each.flagged]

    assert one.label == 0
    assert np.isin(planted.poisoned, one.rows).mean() >= 0.9
    assert np.isin(one.rows, planted.poisoned).mean() >= 0.9


def test_without_a_backdoor_the_same_network_is_left_alone(unplanted):
    found = activation_clusters(unplanted.features, unplanted.labels)

    assert [cluster.label for cluster in found] == [0, 1, 2]
    assert not any(cluster.flagged for cluster in found)


def test_pictures_that_are_all_alike_have_no_clusters():
    assert activation_clusters(np.ones((30, 8)), np.zeros(30, dtype=np.int64)) == []
