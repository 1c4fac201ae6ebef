"""What is said of single objects beside their class, such as a colour: which of it can be learned."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from foveal.core.errors import UsageError
from foveal.data.scene import Objects

FEWEST_OBJECTS = 10  # of a value below which it is not learned
MOST_VALUES = 20  # of an attribute that nobody asked for; more are names, numbers or notes
UNSURE = "unknown"  # what is told of an object that nothing sure is known of; written down it says nothing
UNSAID, OTHER = -1, -2  # in place of the number of a value: none is said, or one that is not learned
_MOST_NAMED = 1000
_LONGEST = 1000  # characters of a name or a value
_NOTHING = ("", UNSURE)
_Name = Annotated[str, Field(min_length=1, max_length=_LONGEST)]


class Attribute(BaseModel):
    """One thing that is said of objects.

    Attributes:
        name: Such as `colour`.
        values: What it may be, at least two, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: _Name
    values: tuple[_Name, ...] = Field(min_length=2, max_length=_MOST_NAMED)


def attributes_of(scenes: Iterable[Objects], wanted: Sequence[str] | None = None) -> tuple[Attribute, ...]:
    """Return what can be learned of what is said of objects, by name.

    Values that fewer than ten objects have, or of over 1,000 characters, are left out; an attribute needs two
    others, and has no more than 1,000.

    Args:
        scenes: The objects of each picture that is learned from.
        wanted: Names of attributes; None: all that have at most twenty values.

    Raises:
        UsageError: `no_attribute`: one of those that are wanted is not there, or has no two values.
    """
    counts: dict[str, Counter[str]] = {}
    for objects in scenes:
        for said in objects.attributes:
            for name, value in said.items():
                counts.setdefault(name, Counter())[value] += value not in _NOTHING
    found = []
    for name in sorted(counts):
        common = [value for value, count in counts[name].items() if count >= FEWEST_OBJECTS]
        values = tuple(sorted(value for value in common if len(value) <= _LONGEST))
        wieldy = 1 <= len(name) <= _LONGEST and 2 <= len(values) <= _MOST_NAMED
        if wieldy and (wanted is not None or len(counts[name]) <= MOST_VALUES):
            found.append(Attribute(name=name, values=values))
    if wanted is None:
        return tuple(found)
    lacking = sorted(set(wanted) - {one.name for one in found})
    if lacking:
        raise UsageError(
            f"nothing learns {', '.join(lacking)}: no two values, or more than {_MOST_NAMED}, are said of "
            f"{FEWEST_OBJECTS} objects each among those that are learned from",
            code="no_attribute",
            hint=f"said of objects is {', '.join(sorted(counts)) or 'nothing'}",
        )
    return tuple(one for one in found if one.name in wanted)


def numbered(objects: Objects, attributes: Sequence[Attribute]) -> NDArray[np.int64]:
    """Return the number of each attribute's value for each object, int64 (M, A), or `UNSAID` or `OTHER`."""
    numbers = [{value: place for place, value in enumerate(one.values)} for one in attributes]
    for known in numbers:
        known.update(dict.fromkeys(_NOTHING, UNSAID))
    said = objects.attributes or ({},) * len(objects)
    rows = [
        [known.get(row.get(one.name, ""), OTHER) for one, known in zip(attributes, numbers, strict=True)]
        for row in said
    ]
    return np.array(rows, np.int64).reshape(len(objects), len(attributes))
