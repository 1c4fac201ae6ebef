"""Integers where they change nothing, float where they would: the fewest layers that keep the decisions."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from foveal.bundle.session import UInt8
from foveal.core.progress import Progress, silent
from foveal.optimize.divergence import away_from
from foveal.optimize.graphs.integers import Scheme, units
from foveal.optimize.graphs.ranges import Method
from foveal.optimize.steps.quantize import calibrate, divided, preset

MOST_KL = 1e-3  # nats; a tenth of what one would call a visible change of a probability
LESS = 0.5  # of what int8 alone is away from float

Cost = Callable[[Collection[str]], float]


@dataclass(frozen=True)
class Mixed:
    """What came of it.

    Attributes:
        model: The graph; all integer where that already stays within the limit.
        floats: Names of the nodes that stay in float, the most sensitive one first.
        sensitivities: Name of a node → mean KL in nats where only that one is integer, largest first; empty
            where nothing had to stay in float.
        mean_kl: Of the graph that came out, on the pictures that judged.
    """

    model: bytes
    floats: tuple[str, ...]
    sensitivities: dict[str, float]
    mean_kl: float


def mixed_precision(
    model: bytes,
    pictures: UInt8,
    *,
    most_kl: float | None = None,
    scheme: Scheme | None = None,
    method: Method | Literal["best"] = "best",
    progress: Progress = silent,
) -> Mixed:
    """Return the int8 graph with as few layers in float as its decisions need.

    Nodes are ranked by what rounding them alone does to the answers; the smallest number of the worst ones is
    looked for by halving, and those among them that are not needed become integer after all. None that is
    left can be spared: without it the limit is broken.

    Args:
        model: As `export.graph.graph` makes it.
        pictures: uint8 (M, size, size, C) as served, M ≥ 1; every fourth one judges and does not calibrate.
        most_kl: Largest mean KL(float ‖ result) on the judging pictures, in nats, ≥ 0; see
            `divergence.away_from`. None: 1e-3 or, of graphs that say what is where, half of what int8 costs.
        scheme: Types and bits; None: for this machine.
        method: How spans are found; see `quantize`.
        progress: Told how many nodes were tried alone, and how many of the worst were tried without.

    Raises:
        UsageError: No pictures.
    """
    scheme = scheme or preset()
    _, judging = divided(pictures)
    ready = calibrate(model, pictures, scheme=scheme, method=method)
    away = away_from(ready.model, judging)

    def cost(floats: Collection[str]) -> float:
        return away(ready.rounded(scheme, floats))

    floats = ready.floats  # what int8 leaves in float anyway: the result is never further away than that
    whole = cost(floats)
    if most_kl is None:
        most_kl = LESS * whole if ready.answering else MOST_KL
    table: dict[str, float] = {}
    if whole > most_kl:
        table = _alone([name for name in units(ready.model) if name not in ready.answering], cost, progress)
        floats = _fewest(tuple(table), cost, most_kl, progress)
    return Mixed(ready.rounded(scheme, floats), floats, table, cost(floats))


def _alone(names: Sequence[str], cost: Cost, progress: Progress) -> dict[str, float]:
    """Return what each node costs where it alone is integer, the worst one first."""
    costs = {}
    for done, name in enumerate(names, start=1):
        costs[name] = cost([other for other in names if other != name])
        progress("sensitivity", done, len(names))
    return dict(sorted(costs.items(), key=lambda entry: -entry[1]))


def _fewest(
    ranked: tuple[str, ...], cost: Cost, most_kl: float, progress: Progress = silent
) -> tuple[str, ...]:
    """Return the smallest number of the worst ones that keeps the limit, without those that can be spared."""
    enough, too_few = len(ranked), 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        progress("layers in float", 0, enough)
        if cost(ranked[:middle]) <= most_kl:
            enough = middle
        else:
            too_few = middle
    kept = ranked[:enough]
    for done, name in enumerate(reversed(kept), start=1):
        without = tuple(other for other in kept if other != name)
        if cost(without) <= most_kl:
            kept = without
        progress("layers in float", done, enough)
    return kept
