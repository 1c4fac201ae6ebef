"""core.random: streams are functions of their purpose and independent of each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.random import seed_for, stream


@given(seed=st.integers(0, 2**40), step=st.integers(0, 2**40))
def test_a_seed_fits_every_generator(seed, step):
    assert 0 <= seed_for(seed, "x", step) < 2**63


def test_every_part_of_the_purpose_matters():
    seeds = {seed_for(s, name, step) for s in range(5) for name in ("a", "b") for step in range(50)}

    assert len(seeds) == 500


def test_equal_purposes_give_equal_numbers_and_others_unrelated_ones():
    first, again, other = (stream(0, "a", step).standard_normal(2000) for step in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_the_numbers_are_the_same_on_every_machine():
    assert seed_for(0, "augment", 1) == 8557311236174590203
