"""Learning: one loop, and what is decided before it starts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.train.examples import Examples as Examples
    from foveal.train.loop import Fitted as Fitted
    from foveal.train.loop import fit as fit
    from foveal.train.plan import Plan as Plan
    from foveal.train.planning import plan_training as plan_training
    from foveal.train.recipe import Recipe as Recipe

_WHERE = {
    "Examples": "examples",
    "Fitted": "loop",
    "Plan": "plan",
    "Recipe": "recipe",
    "fit": "loop",
    "plan_training": "planning",
}

__all__ = ["Examples", "Fitted", "Plan", "Recipe", "fit", "plan_training"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import foveal.train` alone needs no torch."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"foveal.train.{_WHERE[name]}"), name)
