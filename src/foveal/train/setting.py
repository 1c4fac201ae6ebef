"""What a recipe may set about an objective, stated in the objective's own file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One number of an objective.

    Attributes:
        default: Where the recipe says nothing.
        least: The smallest that makes sense.
        most: The largest.
        meaning: In a few words, with its unit.
        whole: Whether it is a count.
    """

    default: float
    least: float
    most: float
    meaning: str
    whole: bool = False

    def allows(self, value: float) -> bool:
        """Tell whether a value makes sense."""
        return self.least <= value <= self.most and not (self.whole and value != round(value))
