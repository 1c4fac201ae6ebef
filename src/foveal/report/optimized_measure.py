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
        proof: Pictures that prove what was chosen on others.
    """

    name: str
    lost: str
    column: str
    proof: str


ACCURACY = Measure("accuracy", "accuracy lost", "points lost", "the test pictures")
AGREEMENT = Measure("agreement", "answers changed", "changed, %", "pictures that chose nothing")


def measure_of(document: Row) -> Measure:
    """Return the measure of a `foveal.optimize/1` document."""
    return AGREEMENT if document["measure"] == AGREEMENT.name else ACCURACY
