"""Places at which objects are counted, and scores measured by what each class needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.stream.following import relative
from foveal.stream.places import Place, Places


def test_places_are_read_with_their_names_or_numbers() -> None:
    read = Places.read(["0,1,2.5,3", "gate=-4,5,6,7"], ["a=b=0,0,9,0,9,9"], anchor="middle")

    first = Place("line 1", ((0.0, 1.0), (2.5, 3.0)))
    assert read.lines == (first, Place("gate", ((-4.0, 5.0), (6.0, 7.0))))
    assert read.zones == (Place("a=b", ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))),)
    assert read.anchor == "middle"
    assert read
    assert not Places()


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "1,2,3,4,5,6", "=1,2,3,4", "a,b,c,d", "1,2,nan,4", "1,2,inf,4", "1,2,1,2", "1e9,0,0,0"],
)
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="line"):
        Places.read([text], [], anchor="bottom")


@pytest.mark.parametrize("text", ["1,2,3,4", "0,0,1,1,0", "0,0,5,5,0,0"])
def test_what_is_no_area_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="zone"):
        Places.read([], [text], anchor="bottom")


def test_two_places_of_a_name_are_refused() -> None:
    with pytest.raises(UsageError, match="names differ"):
        Places.read(["a=0,0,1,1", "a=2,2,3,3"], [], anchor="bottom")
    assert Places.read(["a=0,0,1,1"], ["a=0,0,1,1,0,1"], anchor="bottom")


@pytest.mark.parametrize(("points", "beside"), [("0,0,9,9", False), ("-5,3,5,3", False), ("11,0,11,9", True)])
def test_a_place_beside_the_picture_is_refused(points: str, beside: bool) -> None:
    places = Places.read([points], [], anchor="bottom")
    if not beside:
        places.check(10, 10)
        return
    with pytest.raises(UsageError, match="10 × 10") as refused:
        places.check(10, 10)
    assert refused.value.code == "outside"


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20), st.floats(0, 1, width=32))
def test_scores_keep_their_order_and_the_limit_is_a_half(scores: list[float], limit: float) -> None:
    given_scores = np.sort(np.array(scores, np.float32))
    ranks = relative(given_scores, np.full(len(scores), limit, np.float32))

    assert (np.diff(ranks) >= 0).all()
    assert (ranks >= 0).all()
    assert (ranks <= 1).all()
    assert ((ranks >= 0.5) == (given_scores >= np.float32(limit))).all()
