"""The original on smaller pictures: every weight stays, and multiply-adds fall with the area."""

from dataclasses import replace
from functools import partial

from foveal import models
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.families._inherited import inherited
from foveal.optimize.steps.at_size import at_size, taking
from foveal.tasks.recognizer import Recognizer

_SHARES = (0.75, 0.625, 0.5)  # of the side; 0.875 of it would save less than a quarter
_ROUND_TO = 8  # pixels, so that maps are halved without a rest
_SMALLEST = 16  # pixels


def smaller_pictures(start: Start) -> list[Candidate]:
    """Return a candidate for each size; none where the pictures are of one size.

    Args:
        start: The original's network; its pictures at other sizes set the batch norms anew.

    Raises:
        UsageError: `no_family`: the network takes one size only.
    """
    outlines, sizes = {}, _sizes(start.original)
    for size in sizes:
        try:
            outlines[size] = taking(start.original, size)
        except UsageError as error:
            if error.code != "fixed_size":
                raise
    if sizes and not outlines:
        name, side = catalog.spoken(start.original.architecture), start.original.preprocess.size
        raise UsageError(f"{name} was made for {side} pixels and takes no other size", code="no_family")
    shown = start.at_sizes(list(outlines)) if outlines else {}
    made = []
    for size, pictures in shown.items():
        found = inherited(start, f"pixels-{size}", outlines[size], kind="on smaller pictures")
        made.append(replace(found, make=partial(at_size, start.original, size, pictures)))
    return made


def _sizes(original: Recognizer) -> list[int]:
    """Return sides below the original's, the largest first."""
    side, name = original.preprocess.size, original.architecture
    smallest = models.card(name).smallest_size if models.is_known(name) else _SMALLEST
    rounded = {_ROUND_TO * round(share * side / _ROUND_TO) for share in _SHARES}
    return sorted((size for size in rounded if max(_SMALLEST, smallest) <= size < side), reverse=True)
