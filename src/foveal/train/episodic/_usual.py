"""How a few-shot method learns where nobody says otherwise, stated in its own file."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Usual:
    """How a method learns where nobody says otherwise.

    Attributes:
        name: What it is called, for people.
        model: Architecture of the backbone.
        way: Classes of a task that is learned from, as far as there are so many; 0: those that are asked for.
        tasks: Tasks of a step.
        query: Query pictures of each class.
        steps: Optimizer steps.
        optimizer, learning_rate: See `models.Settings`.
    """

    name: str
    model: str
    way: int
    tasks: int
    query: int
    steps: int
    optimizer: Literal["muon", "adam"]
    learning_rate: float
