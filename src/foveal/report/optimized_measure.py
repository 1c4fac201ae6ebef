"""What a search for a smaller recognizer measures by: accuracy, or agreement where nothing has a label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """How one measure is called.

    Attributes:
        name: Of what is to be high.
        lost: Of what is limited.
        column: The same over a column of numbers in percent or points.
        picture: One of those that prove.
        proof: All of them.
    """

    name: str
    lost: str
    column: str
    picture: str
    proof: str


ACCURACY = Measure("accuracy", "accuracy lost", "points lost", "test picture", "the test pictures")
AGREEMENT = Measure("agreement", "answers changed", "changed, %", "picture", "pictures that chose nothing")


def measure_of(document: Row) -> Measure:
    """Return the measure of a `foveal.optimize/1` document."""
    return AGREEMENT if document["measure"] == AGREEMENT.name else ACCURACY
