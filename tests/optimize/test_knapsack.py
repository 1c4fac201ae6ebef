"""optimize.knapsack: brute force agrees; never above the budget, monotone in it, None if infeasible."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.optimize import knapsack
from foveal.optimize.knapsack import Option, cost_of, damage_of

# Whole costs up to 15 in at most 5 groups: a 4096th of the range is below 1/50, so rounding hides nothing.
WHOLE = st.builds(Option, damage=st.integers(0, 20), cost=st.integers(0, 15))
ANY = st.builds(Option, damage=st.floats(0, 1e3), cost=st.floats(0, 1e3))


def groups(option):
    return st.lists(st.lists(option, min_size=1, max_size=4), max_size=5)


def brute(options, fits) -> list:
    """Every choice whose cost fits."""
    return [choice for choice in itertools.product(*map(range, map(len, options))) if fits(choice)]


def exact(options, choice) -> Fraction:
    return sum(
        (Fraction(group[index].cost) for group, index in zip(options, choice, strict=True)), Fraction()
    )


@given(groups(WHOLE), st.integers(-2, 80))
def test_brute_force_finds_nothing_better(options, budget) -> None:
    found = knapsack.solve(options, budget=budget + 0.5)

    feasible = brute(options, lambda choice: cost_of(options, choice) <= budget + 0.5)
    assert (found is None) == (not feasible)
    if found is not None:
        assert damage_of(options, found) == min(damage_of(options, choice) for choice in feasible)


@given(groups(ANY), st.floats(0, 5e3))
def test_never_above_the_budget_and_none_exactly_when_nothing_fits(options, budget) -> None:
    found = knapsack.solve(options, budget=budget)

    least = exact(options, [min(range(len(g)), key=lambda i, g=g: g[i].cost) for g in options])
    assert (found is None) == (least > Fraction(budget))
    assert found is None or cost_of(options, found) <= budget


@given(groups(ANY), st.floats(0, 5e3), st.floats(0, 5e3))
def test_a_larger_budget_never_brings_more_damage(options, one, other) -> None:
    small, large = (knapsack.solve(options, budget=budget) for budget in sorted((one, other)))

    if small is not None:
        assert damage_of(options, large) <= damage_of(options, small) * (1 + 1e-12)


@given(groups(ANY))
def test_with_all_the_budget_each_group_takes_its_least_damage(options) -> None:
    found = knapsack.solve(options, budget=1e9)

    assert damage_of(options, found) == pytest.approx(sum(min(o.damage for o in group) for group in options))


@given(groups(ANY), st.floats(0, 5e3))
def test_a_choice_that_leaves_the_promised_steps_unused_is_never_missed(options, budget) -> None:
    unit = sum(max(o.cost for o in group) - min(o.cost for o in group) for group in options) / 4096
    found = knapsack.solve(options, budget=budget)

    margin = len(options) * unit * (1 + 1e-9)
    for choice in brute(options, lambda choice: cost_of(options, choice) + margin < budget):
        assert damage_of(options, found) <= damage_of(options, choice) * (1 + 1e-12)


def test_of_equal_damage_the_cheaper_is_taken() -> None:
    assert knapsack.solve([[Option(1, 5), Option(1, 2), Option(1, 3)]], budget=9) == (1,)


def test_seeds_are_the_different_choices_in_the_order_of_the_budgets() -> None:
    options = [[Option(0, 4), Option(1, 2), Option(5, 1)]]

    assert knapsack.seeds(options, [0.5, 1.1, 2.5, 2.6, 9]) == ((2,), (1,), (0,))


@given(groups(WHOLE), st.integers(0, 80), st.integers(0, 30), st.data())
def test_refined_choices_meet_the_true_cost_and_cannot_be_bettered_by_one_change(
    options, budget, coupling, data
) -> None:
    def cost(choice) -> float:
        """Neighbouring groups multiply, as the input and output width of a layer do."""
        own = [group[index].cost for group, index in zip(options, choice, strict=True)]
        return sum(own) + coupling / 100 * sum(a * b for a, b in itertools.pairwise(own))

    start = tuple(data.draw(st.integers(0, len(group) - 1)) for group in options)
    found = knapsack.refine(options, start, cost=cost, budget=budget)

    if found is None:  # this cost grows in every group, so the cheapest of each is the cheapest of all
        assert min(map(cost, brute(options, lambda _: True))) > budget
        return
    assert cost(found) <= budget
    for place, group in enumerate(options):
        for index in range(len(group)):
            near = (*found[:place], index, *found[place + 1 :])
            assert cost(near) > budget or damage_of(options, near) >= damage_of(options, found)


def test_refinement_saves_where_it_does_least_damage_for_what_it_saves() -> None:
    options = [[Option(0, 10), Option(3, 4)], [Option(0, 1), Option(1, 0)], [Option(0, 4), Option(2.5, 0)]]

    def cost(choice) -> float:
        return cost_of(options, choice)

    # 3 for 6 saved is less than 1 for 1 saved or 2.5 for 4 saved, though each of these does less damage.
    assert knapsack.refine(options, (0, 0, 0), cost=cost, budget=10) == (1, 0, 0)


def test_refinement_asks_for_each_cost_once() -> None:
    asked: list = []
    options = [[Option(i, 3 - i) for i in range(4)] for _ in range(3)]

    def cost(choice) -> float:
        asked.append(choice)
        return cost_of(options, choice)

    knapsack.refine(options, (0, 0, 0), cost=cost, budget=4)

    assert len(asked) == len(set(asked))


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one option"):
        knapsack.solve([[]], budget=1)
    with pytest.raises(UsageError, match="must be a number"):
        knapsack.solve([[Option(0, 0)]], budget=float("nan"))
    with pytest.raises(UsageError, match="at least 0"):
        Option(-1, 0)
    with pytest.raises(UsageError, match="one index"):
        knapsack.refine([[Option(0, 0)]], (1,), cost=lambda _: 0, budget=1)
