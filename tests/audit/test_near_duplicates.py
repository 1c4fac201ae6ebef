"""audit.near_duplicates: copies are found, look-alikes are not, whatever the set is like."""

from collections.abc import Iterator

import numpy as np
import pytest

from foveal.audit._windows import directions, sampler, seen_through, through_all
from foveal.audit.near_duplicates import Pairs, clusters, near_duplicates, without

HOW = ("saved again", "half the size", "twice the size", "cropped", "mirrored", "brighter")
ORIGINALS = 200


@pytest.fixture(scope="module")
def planted(glance, make_scene, change) -> tuple[np.ndarray, dict[tuple[int, int], str]]:
    """Thumbnails of 200 scenes and 60 changed copies, and how each pair came about."""
    scenes = [make_scene(seed) for seed in range(ORIGINALS)]
    pairs = {(3 * i, ORIGINALS + i): HOW[i % len(HOW)] for i in range(60)}
    copies = [change(scenes[original], how) for (original, _), how in pairs.items()]
    return glance(scenes + copies).thumbnails, pairs


def found(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


@pytest.mark.parametrize("how", HOW)
def test_a_copy_is_found(how: str, planted) -> None:
    thumbnails, pairs = planted

    missing = {pair for pair, made in pairs.items() if made == how} - found(near_duplicates(thumbnails))

    assert missing == set()


def test_different_pictures_are_not_paired(planted) -> None:
    thumbnails, pairs = planted

    assert found(near_duplicates(thumbnails)) - set(pairs) == set()


def test_pictures_that_all_look_alike_are_not_paired_but_a_copy_among_them_is(
    glance, make_scene, change
) -> None:
    common = make_scene(0).astype(float)
    alike = [(0.85 * common + 0.15 * make_scene(seed)).astype(np.uint8) for seed in range(1, 150)]
    raw = directions(glance(alike).thumbnails.reshape(len(alike), -1).astype(np.float32))
    assert np.median(raw @ raw.T) > 0.9, "any two are as good as the same by a plain correlation"

    pairs = near_duplicates(glance([*alike, change(alike[7], "saved again")]).thumbnails)

    assert found(pairs) == {(7, 149)}


def test_blank_pictures_are_like_nothing(glance) -> None:
    rng = np.random.default_rng(0)
    blank = [np.full((30, 30, 3), level, dtype=np.uint8) for level in range(0, 250, 5)]
    noisy = [(100 + rng.integers(0, 3, (30, 30, 3))).astype(np.uint8) for _ in range(50)]

    assert len(near_duplicates(glance(blank + noisy).thumbnails)) == 0


def test_noise_is_like_nothing(glance) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(500)]

    assert len(near_duplicates(glance(noise).thumbnails)) == 0


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_pictures_are_no_special_case(count: int, glance, make_scene) -> None:
    assert len(near_duplicates(glance([make_scene(i) for i in range(count)]).thumbnails)) == 0


def test_two_copies_alone_are_a_pair(glance, make_scene, change) -> None:
    pictures = [make_scene(5), change(make_scene(5), "saved again")]

    pairs = near_duplicates(glance(pictures).thumbnails)

    assert found(pairs) == {(0, 1)}
    assert 0.95 < pairs.similarity[0] <= 1


def test_many_copies_of_one_picture_are_one_cluster(glance, make_scene, change) -> None:
    scenes = [make_scene(seed) for seed in range(100)]
    copies = [change(scenes[4], how) for how in HOW] + [change(scenes[4], "saved again")] * 6

    (cluster,) = clusters(near_duplicates(glance(scenes + copies).thumbnails))

    assert cluster.members == (4, *range(100, 112))


def test_rows_in_another_order_give_the_same_pairs(planted) -> None:
    thumbnails, _ = planted
    order = np.random.default_rng(1).permutation(len(thumbnails))

    shuffled = near_duplicates(thumbnails[order])

    back = {tuple(sorted((int(order[a]), int(order[b])))) for a, b in found(shuffled)}
    assert back == found(near_duplicates(thumbnails))


def test_progress_ends_at_the_end(planted) -> None:
    told: list[tuple[str, int, int]] = []

    near_duplicates(
        planted[0], progress=lambda stage, done, total, note="": told.append((stage, done, total))
    )

    last = {stage: (done, total) for stage, done, total in told}
    assert set(last) == {"comparing pictures", "comparing details"}
    assert all(done == total for done, total in last.values())


def test_a_cluster_is_as_alike_as_its_weakest_pair() -> None:
    pairs = Pairs(np.array([0, 4, 1]), np.array([1, 5, 2]), np.array([0.9, 0.97, 0.8], dtype=np.float32))

    assert [(c.members, round(c.similarity, 3)) for c in clusters(pairs)] == [
        ((4, 5), 0.97),
        ((0, 1, 2), 0.8),
    ]


def test_pairs_that_are_known_to_belong_together_can_be_left_out() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([0.9, 0.9], dtype=np.float32))

    assert found(without(pairs, [7, 7, 8])) == {(1, 2)}


# The windows


def test_a_sampler_averages_equal_cells() -> None:
    assert np.allclose(sampler(8), np.kron(np.eye(8), np.full((1, 4), 0.25)))
    assert np.allclose(sampler(5, (0.13, 0.7)).sum(axis=1), 1)


def test_all_windows_at_once_are_each_window_alone() -> None:
    thumbnails = np.random.default_rng(0).random((3, 32, 32), dtype=np.float32)
    scales = (((0.0, 1.0),), ((0.0, 0.9), (0.1, 0.9)))

    together = through_all(thumbnails, scales, cells=16)

    def one_by_one() -> Iterator[np.ndarray]:
        for windows in scales:
            for vertical in windows:
                for horizontal in windows:
                    yield seen_through(thumbnails, sampler(16, vertical), sampler(16, horizontal))

    alone = np.stack([view.reshape(3, -1) for view in one_by_one()], axis=1)
    np.testing.assert_allclose(together, alone, atol=1e-5)
