"""metrics.holm: the step-down rule itself, never below the raw value, order of the input kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.metrics.holm import holm

SHARES = st.lists(st.floats(0, 1), max_size=8)


@given(SHARES, st.floats(0.001, 0.2))
def test_rejects_what_the_step_down_rule_rejects(p_values: list[float], level: float) -> None:
    rejected = set()
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] * (len(p_values) - place) > level:
            break
        rejected.add(int(index))

    assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


@given(SHARES)
def test_never_below_the_raw_value_nor_above_one(p_values: list[float]) -> None:
    assert all(p <= q <= 1 for p, q in zip(p_values, holm(p_values), strict=True))


def test_a_single_comparison_is_left_as_it_is() -> None:
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(UsageError, match="p-values"):
        holm([0.5, 1.5])
