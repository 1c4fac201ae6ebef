"""The original's own architecture in its smaller sizes: they have to learn everything anew."""

import inspect
from typing import Any

from foveal import models
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.families._fresh import fresh

_WIDTHS = (0.75, 0.5)  # of the channels of every layer
_COVERED = "nano"  # `narrow` has its widths


def slimmer(start: Start) -> list[Candidate]:
    """Return a candidate for each size that takes fewer multiply-adds; none for somebody's own network.

    Args:
        start: The original gives architecture, arguments, preprocessing and classes.

    Raises:
        UsageError: `no_family`: its frames are looked at by a network of one size.
    """
    name, given = start.original.architecture, start.original.arguments
    if name == _COVERED or not models.is_known(name) or models.card(name).kind != "network":
        return []
    architecture = models.architecture(name)
    backbone = given.get("backbone", _COVERED)
    if start.original.task == "video" and isinstance(backbone, str) and backbone != _COVERED:
        raise UsageError(
            f"{catalog.spoken(backbone)} looks at the frames, and there it is built in one size",
            code="no_family",
        )
    own = {key: value for key, value in given.items() if key not in ("channels", "classes", "size")}
    sizes: list[dict[str, Any]] = [
        dict(size) for size in architecture.variants(start.original.preprocess.size)
    ]
    if "width" in inspect.signature(architecture.build).parameters:
        sizes += [{"width": own.get("width", 1.0) * share} for share in _WIDTHS]
    made = [fresh(start, _called(name, size), name, {**own, **size}) for size in sizes if size]
    return [one for one in made if one.macs < start.macs]


def _called(name: str, size: dict[str, Any]) -> str:
    """Return a name such as mobilenet-v2-width-0.75."""
    return "-".join([catalog.spoken(name), *(f"{catalog.spoken(key)}-{size[key]:g}" for key in sorted(size))])
