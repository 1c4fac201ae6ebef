"""evaluate.paired: every pair once, verdicts that account for their number, dependent pictures count once."""

import numpy as np
import pytest

from foveal.evaluate.paired import independent, joined, paired
from foveal.metrics.mcnemar import mcnemar


def answers(shares: list[float], n: int = 400, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random(n) < share for share in shares]


def test_every_two_are_compared_and_the_counts_add_up() -> None:
    right = answers([0.9, 0.6, 0.62])

    found = paired(right)

    assert [(pair.a, pair.b) for pair in found] == [(0, 1), (0, 2), (1, 2)]
    for pair in found:
        assert pair.only_a + pair.only_b + pair.both + pair.neither == pair.n == 400
        assert pair.p_value == mcnemar(right[pair.a], right[pair.b]).p_value
        assert pair.difference.value == pytest.approx(right[pair.a].mean() - right[pair.b].mean())


def test_verdict_names_the_better_one_or_none() -> None:
    clear, reverse, none = paired(answers([0.9, 0.6, 0.88]))[0:3]

    assert clear.verdict == "a_better"
    assert paired(answers([0.6, 0.9]))[0].verdict == "b_better"
    assert reverse.verdict in ("a_better", "no_difference_shown")
    assert none.verdict == "b_better"


def test_more_comparisons_need_more_proof() -> None:
    rng = np.random.default_rng(3)
    base = rng.random(300) < 0.7
    better = base.copy()
    better[np.flatnonzero(~base)[:6]] = True  # 6 to 0: p = 0.031 alone
    noise = [rng.random(300) < 0.7 for _ in range(4)]

    alone = paired([better, base])[0]
    among = paired([better, base, *noise])[0]

    assert alone.verdict == "a_better"
    assert among.p_value == alone.p_value
    assert among.verdict == "no_difference_shown"


def test_of_pictures_that_belong_together_one_counts_drawn_by_seed() -> None:
    units = np.array([0, 0, 0, 3, 4, 4, 6])

    found = [independent(units, 7, seed=seed) for seed in range(20)]

    assert all(sorted(units[rows]) == [0, 3, 4, 6] for rows in found)
    assert len({tuple(rows) for rows in found}) > 1
    assert np.array_equal(independent(units, 7, seed=5), independent(units, 7, seed=5))
    assert independent(None, 3, seed=0).tolist() == [0, 1, 2]


def test_units_are_joined_over_all_columns_in_any_order() -> None:
    first, second = np.array([0, 0, 1, 2, 3, 4]), np.array([5, 6, 6, 7, 7, 8])

    for columns in ([first, second], [second, first]):
        found = joined(columns)
        assert found is not None
        same = found[:, None] == found[None]
        assert same.sum(axis=0).tolist() == [3, 3, 3, 2, 2, 1]
        assert same[0, 2]
    assert joined([]) is None


def test_joining_is_what_following_links_one_by_one_gives() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        columns = [rng.integers(0, 12, 20) for _ in range(3)]
        left, expected = set(range(20)), []
        while left:
            unit, front = set(), [min(left)]
            while front:
                place = front.pop()
                if place not in unit:
                    unit.add(place)
                    front += [i for c in columns for i in np.flatnonzero(c == c[place]).tolist()]
            expected.append(unit)
            left -= unit

        found = joined(columns)

        assert found is not None
        made = [set(np.flatnonzero(found == number).tolist()) for number in np.unique(found)]
        assert sorted(made, key=min) == expected
