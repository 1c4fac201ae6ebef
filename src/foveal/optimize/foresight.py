"""How long candidates will take, foreseen before they are made, from whole networks that were measured.

    seconds = seconds of the original · (intercept + slope · multiply-adds)

Networks of one kind lie on a line over their multiply-adds, and two of them give it: the original, where it
is of that kind, or the largest candidate; and the smallest one. Its weights need no lesson, for time does not
depend on them. Measured against tables of layers: docs/benchmarks.md, "Predicted times".
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from foveal.bundle.quick_turns import quick_turns
from foveal.bundle.session import UInt8
from foveal.bundle.ways import Way
from foveal.core.errors import BundleError, DataError
from foveal.export.graph import graph
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.steps.quantize import quantize
from foveal.optimize.workshop import Workshop

_TIMING_SECONDS = 0.5  # of one network beside the original
_CALIBRATION = 64  # pictures that show int8 its ranges: enough for times


@dataclass(frozen=True)
class Yardstick:
    """A file of the original that candidates of the same precision are timed beside.

    Attributes:
        model: Its graph.
        way: The fastest to run it.
        seconds: Of one picture, as measured.
    """

    model: bytes
    way: Way
    seconds: float


@dataclass(frozen=True)
class Line:
    """Time over multiply-adds.

    Attributes:
        small, large: Multiply-adds of a network, and its time as a share of the original's.
    """

    small: tuple[int, float]
    large: tuple[int, float]

    def share(self, macs: int) -> float:
        """Return the time of a network as a share of the original's; more multiply-adds never take less."""
        (few, fast), (many, slow) = self.small, self.large
        if many == few:
            return slow
        slope = max(0.0, slow - fast) / (many - few)
        return max(0.0, slow + slope * (macs - many))


def foresee(
    start: Start, found: Sequence[Candidate], yardsticks: Mapping[str, Yardstick], *, seconds: float
) -> list[Candidate]:
    """Return the candidates with `predicted`; of kinds that there is no time for without.

    Args:
        start: What they come from.
        found: Candidates.
        yardsticks: By precision of a graph: see `yardsticks_of`.
        seconds: For measuring; a network that was begun is finished.
    """
    until = time.monotonic() + seconds
    lines: dict[tuple[str, str], Line] = {}
    for kind, anchors in _anchors(start, found).items():
        if time.monotonic() >= until:
            break
        measured = [(one.macs, _shares(start, one, yardsticks)) for one in anchors]
        if kind == start.original.architecture:
            measured.append((start.macs, {"fp32": 1.0, "int8": 1.0}))
        for precision in yardsticks:
            points = [(macs, shares[precision]) for macs, shares in measured if precision in shares]
            if len(points) == len(measured):
                lines[kind, precision] = Line(points[0], points[-1])
    return [replace(one, predicted=_predicted(one, lines, yardsticks)) for one in found]


def yardsticks_of(shop: Workshop) -> dict[str, Yardstick]:
    """Return the original's files that were measured in this search, by the precision of their graphs."""
    names = {"fp32": "original-engine", "int8": "original-int8"}
    base = shop.variant("original").speed.p50
    return {
        precision: Yardstick(
            shop.read(shop.path(variant)).model, variant.speed.way, variant.speed.ratio * base
        )
        for precision, name in names.items()
        if shop.has(name)
        for variant in (shop.variant(name),)
        if shop.read(shop.path(variant)).manifest.model.precision == precision
    }


def _anchors(start: Start, found: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Return what is measured of each kind, the smallest first; kinds of the original first."""
    kinds = sorted({one.kind for one in found}, key=lambda kind: (kind != start.original.architecture, kind))
    anchors = {}
    for kind in kinds:
        alike = sorted((one for one in found if one.kind == kind), key=lambda one: one.macs)
        own = kind == start.original.architecture
        anchors[kind] = alike[:1] if own or len(alike) == 1 else [alike[0], alike[-1]]
    return anchors


def _shares(start: Start, one: Candidate, yardsticks: Mapping[str, Yardstick]) -> dict[str, float]:
    """Return the time of a candidate as a share of the original's, by the precisions in which it runs."""
    network = one.make()
    made, shown = graph(network), start.shown_at(network.preprocess.size)
    found = {}
    for precision, yardstick in yardsticks.items():
        try:
            model = quantize(made, shown[:_CALIBRATION]) if precision == "int8" else made
            found[precision] = _share(model, yardstick, shown[:1], start.shown[:1])
        except (DataError, BundleError):  # the search will say so of the file, if it comes to that
            continue
    return found


def _share(model: bytes, yardstick: Yardstick, images: UInt8, originals: UInt8) -> float:
    """Return the time of a graph as a share of the original's, each on pictures of its own size."""
    sessions = [yardstick.way.load(each) for each in (model, yardstick.model)]
    candidate, original = quick_turns(sessions, [images, originals], seconds=_TIMING_SECONDS)
    return candidate / original


def _predicted(
    one: Candidate, lines: Mapping[tuple[str, str], Line], yardsticks: Mapping[str, Yardstick]
) -> dict[str, float]:
    return {
        precision: lines[one.kind, precision].share(one.macs) * yardstick.seconds
        for precision, yardstick in yardsticks.items()
        if (one.kind, precision) in lines
    }
