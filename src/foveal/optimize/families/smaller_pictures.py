"""The original on smaller pictures: every weight stays, and multiply-adds fall with the area."""

from dataclasses import replace
from functools import partial

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.families._inherited import inherited
from foveal.optimize.steps.at_size import at_size, smaller_sizes, taking


def smaller_pictures(start: Start) -> list[Candidate]:
    """Return a candidate for each size; none where the pictures are of one size.

    Args:
        start: The original's network; its pictures at other sizes set the batch norms anew.

    Raises:
        UsageError: `no_family`: the network takes one size only.
    """
    outlines, sizes = {}, smaller_sizes(start.original)
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
