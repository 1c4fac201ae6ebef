"""A number of each class and its mean."""

from dataclasses import dataclass

from foveal.core.types import Measured


@dataclass(frozen=True)
class ByClass:
    """What was measured.

    Attributes:
        mean: Over the classes that are there.
        per_class: In class order; None for a class that is not there.
    """

    mean: Measured
    per_class: tuple[Measured | None, ...]
