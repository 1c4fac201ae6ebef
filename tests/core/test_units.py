"""core.units: what people write, and what they are told back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core import units
from foveal.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [("2ms", 0.002), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 3 s ", 3), ("0s", 0)],
)
def test_times(text, value):
    assert units.seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 minutes", "1e3s", "5mm", "nan s", "5M"])
def test_anything_else_is_refused_with_examples(text):
    with pytest.raises(UsageError, match=r"need a time such as 2ms, 90s, 5m or 1h; got"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00123, "1.23 ms"), (1.5, "1.5 s"), (59.99, "1 min 0 s"), (60, "1 min 0 s"), (3599.6, "60 min 0 s")],
)
def test_times_for_people(value, text):
    assert units.show_seconds(value) == text


@given(st.floats(0, 1e15))
def test_sizes_for_people_have_three_digits_and_a_unit(value):
    number, unit = units.show_bytes(value).split()

    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("read", "text", "hint"),
    [
        (units.seconds, "2", "write 2ms, 2s, 2m or 2h"),
        (units.seconds, "5MS", "no unit 'MS'; there are ms, s, m, h"),
        (units.seconds, "2,5ms", "a number with a point"),
        (units.size, "500", "500kB"),
        (units.size, "3mb", "no unit 'mb'"),
        (units.points, "1%", "write 1pt"),
        (units.points, "0.01", "for a share of 0.01, 1pt"),
        (units.points, "-1pt", "one picture in a hundred"),
    ],
)
def test_a_quantity_that_cannot_be_read_comes_with_how_to_write_it(read, text, hint):
    with pytest.raises(UsageError) as refused:
        read(text)

    assert hint in refused.value.hint
