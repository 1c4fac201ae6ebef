"""data.fingerprint: one number for the content, whatever the order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.data.fingerprint import fingerprint

ROWS = st.lists(
    st.tuples(st.text(), st.text(), st.text("0123456789abcdef", max_size=4)), min_size=1, max_size=6
)


@given(rows=ROWS, seed=st.integers())
def test_the_order_does_not_matter(rows: list[tuple[str, str, str]], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))

    assert fingerprint(*zip(*rows, strict=True)) == fingerprint(*zip(*shuffled, strict=True))


@pytest.mark.parametrize("column", [0, 1, 2])
def test_every_column_matters(column: int) -> None:
    row = ["a.png", "cat", "00"]
    other = row.copy()
    other[column] += "x"

    assert fingerprint(*zip(row, strict=True)) != fingerprint(*zip(other, strict=True))


def test_columns_must_be_of_one_length() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        fingerprint(["a"], [], ["00"])


def test_what_is_beside_another_is_not_taken_for_it() -> None:
    assert fingerprint(["ab"], ["c"], ["00"]) != fingerprint(["a"], ["bc"], ["00"])
    assert fingerprint([], [], []) != fingerprint([""], [""], [""])
