"""What a search for a smaller recognizer measures by: accuracy, precision of boxes, overlap of areas.

Or agreement, where nothing is stated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """How one measure is called.

    Attributes:
        name: Of what is to be high.
        title: The same where a sentence begins.
        lost: Of what is limited.
        column: The same over a column of numbers in percent or points.
        proof: Pictures that prove what was chosen on others.
    """

    name: str
    title: str
    lost: str
    column: str
    proof: str


ACCURACY = Measure("accuracy", "Accuracy", "accuracy lost", "points lost", "the test pictures")
_TEST = ACCURACY.proof
# Of what says where something is; keys are those of `evaluate`.
_SCENES = {
    "map50": Measure("mAP50", "mAP50", "mAP50 lost", "points lost", _TEST),
    "mask_map50": Measure("mask mAP50", "Mask mAP50", "mask mAP50 lost", "points lost", _TEST),
    "pq": Measure("PQ", "PQ", "PQ lost", "points lost", _TEST),
    "miou": Measure("mean IoU", "Mean IoU", "mean IoU lost", "points lost", _TEST),
}
AGREEMENT = Measure("agreement", "Agreement", "answers changed", "changed, %", "pictures that chose nothing")


def measure_of(document: Row) -> Measure:
    """Return the measure of a `foveal.optimize/1` document."""
    name = document["measure"]
    return AGREEMENT if name == AGREEMENT.name else _SCENES.get(name, ACCURACY)
