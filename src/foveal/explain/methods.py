"""How maps can be made: the files of `black_box` and `white_box`, with what each says about itself."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foveal.bundle.answering import Runs
from foveal.core import catalog
from foveal.core.errors import UnknownNameError, UsageError
from foveal.explain import black_box, white_box
from foveal.explain.scores import Float32, Map, UInt8

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

AUTO = "auto"
_DEFAULT = "occlusion"  # needs nothing but answers, and explains the file that ships


@dataclass(frozen=True)
class Method:
    """A way to make maps, with its settings.

    Attributes:
        name: A file of `explain/black_box` or `explain/white_box`.
        unit: Of the values of its maps.
        needs_network: Whether it looks into the network; else answers are enough.
        function: What the file defines.
        settings: What it is called with beside the recognizer, the picture and the class.
    """

    name: str
    unit: str
    needs_network: bool
    function: Callable[..., Float32] = field(repr=False)
    settings: Mapping[str, object]

    def of(self, recognizer: "Runs | Recognizer") -> Map:
        """Return what makes the maps of a recognizer: of its network where the method needs it."""

        def draw(image: UInt8, index: int) -> Float32:
            return self.function(recognizer, image, index, **self.settings)

        return draw


def names() -> list[str]:
    """List all methods, those that only need answers first."""
    return [*catalog.names(black_box), *catalog.names(white_box)]


def full_name(name: str) -> str:
    """Return the file's name of a method; `auto` is occlusion, which works for all.

    Raises:
        UnknownNameError: No such method.
    """
    found = _DEFAULT if name == AUTO else catalog.written(name)
    if found not in names():
        raise UnknownNameError("explain", name, [AUTO, *names()], hint="--method takes one of these")
    return found


def needs_network(name: str) -> bool:
    """Return whether a method looks into the network; nothing is imported to find that out.

    Raises:
        UnknownNameError: No such method.
    """
    return full_name(name) in catalog.names(white_box)


def method(name: str = AUTO, *, layer: str | None = None, seed: int = 0) -> Method:
    """Return a method with its settings.

    Args:
        name: Of the method.
        layer: Where to look, for a method that looks at one layer; None leaves it to the method.
        seed: Of random masks.

    Raises:
        UnknownNameError: No such method.
        UsageError: A layer is named for a method that looks at none.
    """
    name = full_name(name)
    folder = white_box if needs_network(name) else black_box
    function = catalog.find(folder, name)
    unit = importlib.import_module(f"{folder.__name__}.{name}").UNIT
    given = {"layer": layer, "seed": seed}
    taken = {key: value for key, value in given.items() if key in inspect.signature(function).parameters}
    if layer is not None and "layer" not in taken:
        raise UsageError(f"{name} looks at no one layer: leave --layer out")
    return Method(name, unit, needs_network(name), function, taken)
