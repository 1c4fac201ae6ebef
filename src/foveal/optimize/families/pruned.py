"""The original without its least important channels: it remembers much, and has to learn less anew."""

from foveal.core.errors import UsageError
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.families._inherited import without_units
from foveal.optimize.steps.prune import to_parameters

_SHARES = (0.3, 0.5, 0.7, 0.9)  # of the parameters that go


def pruned(start: Start) -> list[Candidate]:
    """Return a candidate for each share of the parameters that can go, the same share of every group.

    Args:
        start: The original is pruned; its pictures say what counts, and set the batch norms anew.
    """
    made = []
    for share in _SHARES:
        try:
            counts = to_parameters(start.original.network, start.units.groups, share)
        except UsageError as error:
            if error.code != "too_small":
                raise
            continue  # the network has not so much to give
        made.append(without_units(start, f"pruned-{100 * share:.0f}", counts))
    return made
