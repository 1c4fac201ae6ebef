"""audit.outliers: unusual pictures are named with the reason, ordinary ones are left alone."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from foveal.audit import outliers as module
from foveal.audit.outliers import neighbour_distances, outliers, robust_scores


def reasons(pictures: list[np.ndarray], glance, features: np.ndarray | None = None) -> dict[int, str]:
    seen = glance(pictures)
    if features is None:
        features = np.random.default_rng(0).normal(size=(len(pictures), 8)).astype(np.float32)
    return {one.row: one.reason for one in outliers(seen, features, np.arange(len(pictures)))}


@pytest.fixture(scope="module")
def ordinary(make_scene) -> list[np.ndarray]:
    return [make_scene(seed) for seed in range(120)]


def test_ordinary_pictures_are_left_alone(ordinary, glance) -> None:
    assert reasons(ordinary, glance) == {}


def test_each_fault_is_named(ordinary, glance) -> None:
    burnt = np.full((48, 48, 3), 255, dtype=np.uint8)
    burnt[:3] = 120
    soft = ordinary[0].astype(float)
    for axis in (0, 1):
        soft = sum(np.roll(soft, shift, axis) for shift in range(-6, 7)) / 13

    found = reasons(
        [*ordinary, np.full((48, 48, 3), 77, dtype=np.uint8), burnt, soft.astype(np.uint8)], glance
    )

    assert found == {120: "blank", 121: "clipped", 122: "blurred"}


def test_what_has_no_sharpness_is_not_blurred(ordinary, glance) -> None:
    slivers = [ordinary[i][:, :2] for i in range(3)]

    assert reasons([*ordinary, *slivers], glance) == {}
    assert reasons([one[:, :2] for one in ordinary], glance) == {}


def test_black_and_white_drawings_are_not_clipped_where_all_are(glance) -> None:
    rng = np.random.default_rng(0)
    drawings = [
        np.repeat(255 * rng.integers(0, 2, (24, 24, 1), dtype=np.uint8), 3, axis=2) for _ in range(80)
    ]

    assert "clipped" not in reasons(drawings, glance).values()


def test_what_lies_far_from_all_others_is_unlike_them(ordinary, glance) -> None:
    features = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
    features[33] += 1000

    assert reasons(ordinary, glance, features) == {33: "unlike_others"}


def test_of_few_pictures_only_blank_ones_are_unusual(ordinary, glance) -> None:
    features = np.zeros((11, 2), dtype=np.float32)
    features[3] = 1e6

    assert reasons([*ordinary[:10], np.zeros((9, 9, 3), dtype=np.uint8)], glance, features) == {10: "blank"}


def test_unreadable_pictures_are_not_looked_at(ordinary, glance) -> None:
    seen = glance([*ordinary[:3], np.zeros((9, 9, 3), dtype=np.uint8)])

    assert outliers(seen, np.zeros((3, 2), dtype=np.float32), np.arange(3)) == []


def test_neighbour_distances_are_those_of_scikit_learn() -> None:
    features = np.random.default_rng(0).normal(size=(2500, 6)).astype(np.float32)

    expected = NearestNeighbors(n_neighbors=10).fit(features).kneighbors()[0].mean(axis=1)

    np.testing.assert_allclose(neighbour_distances(features), expected, rtol=1e-3)


def test_of_very_many_a_sample_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    exact = neighbour_distances(features)
    monkeypatch.setattr(module, "_MOST_COMPARED", 1000)

    sampled = neighbour_distances(features)

    assert (sampled > 0).all()
    assert np.corrcoef(np.log(sampled), np.log(exact))[0, 1] > 0.8


def test_a_robust_score_is_not_moved_by_the_outlier_itself() -> None:
    values = np.random.default_rng(0).normal(5, 2, 10_000)

    assert robust_scores(np.append(values, 1e9))[:-1].std() == pytest.approx(1, abs=0.05)
    assert robust_scores(np.ones(5)).tolist() == [0] * 5


def test_what_is_not_known_has_no_score_and_no_part_in_the_others() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])

    scores = robust_scores(np.append(values, np.nan))

    assert np.isnan(scores[4])
    assert scores[:4].tolist() == robust_scores(values).tolist()
    assert np.isnan(robust_scores(np.full(2, np.nan))).all()
    assert np.isnan(robust_scores(np.array([1.0, 1.0, np.nan]))).tolist() == [False, False, True]
