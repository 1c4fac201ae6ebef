"""What a recipe may set about what is learned, stated in the file of the objective or pretext itself."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from foveal.core import catalog
from foveal.core.errors import RecipeError


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


def filled(known: Mapping[str, Setting], given: Mapping[str, float], *, of: str) -> dict[str, float]:
    """Return all settings, those that were given and the defaults of the rest.

    Args:
        known: What there is, by name.
        given: What the recipe says.
        of: Name of the file that states them.

    Raises:
        RecipeError: It has no such setting, or the value makes no sense.
    """
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            settings = ", ".join(known) if known else "none"
            raise RecipeError(
                f"{catalog.spoken(of)} has no setting {key!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"it has: {settings}",
            )
        setting = known[key]
        if not setting.allows(value):
            number = "a whole number" if setting.whole else "a number"
            raise RecipeError(
                f"settings.{key}: {number} from {setting.least:g} to {setting.most:g}; got {value:g}",
                hint=setting.meaning,
            )
    return {key: float(given.get(key, setting.default)) for key, setting in known.items()}
