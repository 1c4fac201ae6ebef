"""data.attributes: what is said of objects beside their class, and which of it can be learned."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.data.attributes import FEWEST_OBJECTS, OTHER, UNSAID, Attribute, attributes_of, numbered
from foveal.data.scene import Objects


def objects(*said: dict[str, str]) -> Objects:
    count = len(said)
    boxes = np.tile(np.array([0, 0, 5, 5], np.float32), (count, 1))
    return Objects(boxes, np.zeros(count, np.int64), np.zeros(count, bool), (), said)


def test_values_that_few_objects_have_are_left_out_and_one_value_alone_says_nothing() -> None:
    many = [{"colour": colour, "always": "yes"} for colour in ("red", "blue")] * FEWEST_OBJECTS
    rare = [{"colour": "green"}] * (FEWEST_OBJECTS - 1)

    [found] = attributes_of([objects(*many), objects(*rare)])

    assert found == Attribute(name="colour", values=("blue", "red"))


def test_that_something_is_unknown_is_no_value_of_it() -> None:
    said = [{"colour": colour} for colour in ("red", "blue", "unknown", "")] * FEWEST_OBJECTS

    assert attributes_of([objects(*said)])[0].values == ("blue", "red")
    assert attributes_of([objects(*said[1:2], *said[2::4])]) == ()


def test_what_has_many_values_is_learned_only_when_asked_for() -> None:
    names = [{"name": f"number {i}"} for i in range(30)] * FEWEST_OBJECTS

    assert attributes_of([objects(*names)]) == ()
    [found] = attributes_of([objects(*names)], ["name"])
    assert len(found.values) == 30


def test_what_is_asked_for_and_not_there_is_an_error_that_says_what_is() -> None:
    said = [{"colour": "red"}, {"colour": "blue"}] * FEWEST_OBJECTS

    with pytest.raises(UsageError, match="type") as caught:
        attributes_of([objects(*said)], ["colour", "type"])
    assert caught.value.code == "no_attribute"
    assert "colour" in caught.value.hint
    assert attributes_of([objects(*said)], ["colour"])[0].values == ("blue", "red")


def test_objects_are_numbered_by_what_is_said_of_them() -> None:
    attributes = [Attribute(name="a", values=("x", "y")), Attribute(name="b", values=("u", "v"))]

    found = numbered(objects({"a": "y"}, {"b": "u", "a": "z"}, {}, {"a": "unknown", "b": ""}), attributes)

    assert found.tolist() == [[1, UNSAID], [OTHER, 0], [UNSAID, UNSAID], [UNSAID, UNSAID]]
    nothing = Objects(np.zeros((2, 4), np.float32), np.zeros(2, np.int64), np.zeros(2, bool))
    assert numbered(nothing, attributes).tolist() == [[-1, -1]] * 2
    assert numbered(nothing.only(np.zeros(2, bool)), attributes).shape == (0, 2)


def test_what_no_file_could_hold_is_left_out_and_refused_where_it_is_asked_for() -> None:
    long, values = "x" * 1001, [f"{number:04}" for number in range(1001)]
    notes = [{"note": value, "name": name} for value in (long, "a", "b") for name in ("c", "d")] * 10
    numbers = [{"number": value} for value in values] * FEWEST_OBJECTS

    assert [one.values for one in attributes_of([objects(*notes)])] == [("c", "d"), ("a", "b")]
    with pytest.raises(UsageError, match="or more than 1000") as caught:
        attributes_of([objects(*numbers)], ["number"])
    assert caught.value.code == "no_attribute"
    assert attributes_of([objects(*[{long: value} for value in "ab"] * 10)]) == ()
