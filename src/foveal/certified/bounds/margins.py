"""The least margin by which a class can lead, over all pictures in a box.

Every operation widens its box by more than a float32 engine can err: the result of n products, added up in
any order, with or without fused operations, is off by at most γ = n u / (1 - n u) times the sum of the
absolute products, u = 2⁻²⁴ (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.1). Eight
more roundings are allowed for each, for constants that were folded into filters. So bounds hold for the
float32 graph that ships, not only for real numbers; they do not for bf16, int8 or Winograd convolutions. The
bounds themselves are computed in float64, whose errors are 2⁻²⁹ of what is allowed for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from foveal.certified.bounds.box import Box
from foveal.certified.bounds.graph import Graph, traced
from foveal.certified.bounds.rules import Affine, Kind, Monotone, Sum, kind, pulled
from foveal.core.errors import UsageError

Method = Literal["interval", "crown"]
FLOAT32 = 2.0**-24  # unit roundoff
_FOLDED = 8  # roundings on top of those of the sum itself
_UNDERFLOW = 1e-30  # far above what flushing small numbers to zero can lose


@dataclass(frozen=True, eq=False)
class Reached:
    """What boxes of pictures become on their way through a network.

    Attributes:
        graph: The network.
        kinds: Of its steps.
        boxes: Of all places.
        slack: By how much the box of each step was widened for rounding; None: not at all.
    """

    graph: Graph
    kinds: tuple[Kind, ...]
    boxes: tuple[Box, ...]
    slack: tuple[Tensor | None, ...]


def lower_margins(
    network: nn.Module, low: Tensor, high: Tensor, labels: Tensor, *, method: Method = "interval"
) -> Tensor:
    """Return what the logit of the label exceeds each other one by, at least, float64 (N, K); 0 at the label.

    Args:
        network: Normalized images (N, C, H, W) to logits (N, K); bounded as it is in eval mode.
        low: Lower corners of the boxes, normalized, (N, C, H, W).
        high: Upper corners, nowhere below.
        labels: int64 (N,), in [0, K).
        method: `interval`: boxes layer by layer, the last linear layers merged with the differences of
            classes (Gowal et al. 2018, §3). `crown`: the larger of that and of linear bounds taken from the
            logits back to the picture, through lines around each ReLU and maximum whose ranges are those
            boxes (CROWN-IBP; Zhang et al., "Towards Stable and Efficient Training of Verifiably Robust
            Neural Networks", 2020, §3.2); about K times as much work.

    Raises:
        UsageError: A box is empty, or `no_bounds`: an operation of the network has no rule.
    """
    if low.shape != high.shape or not bool((low <= high).all()):
        raise UsageError("a box needs low ≤ high everywhere, both of one shape")
    graph = traced(network, tuple(low.shape[1:]))
    with torch.no_grad():
        weights = graph.weights(network, torch.float64)
        reached = propagated(graph, weights, Box(low.double(), high.double()), unit=FLOAT32)
        found = margins(reached, labels)
        return found if method == "interval" else found.maximum(margins(reached, labels, method=method))


def propagated(graph: Graph, weights: Mapping[str, Tensor], box: Box, *, unit: float = 0.0) -> Reached:
    """Return the box of every map.

    Args:
        graph: The network.
        weights: Of `graph.weights`, in the precision of the box.
        box: Of pictures.
        unit: Largest relative error of one rounding that is allowed for; 0: none.
    """
    kinds: list[Kind] = []
    boxes = [box]
    slack: list[Tensor | None] = []
    for step in graph.steps:
        what = kind(step, weights)
        passed, widened = _passed(what, [boxes[index] for index in step.inputs], unit)
        kinds.append(what)
        boxes.append(passed)
        slack.append(widened)
    return Reached(graph, tuple(kinds), tuple(boxes), tuple(slack))


def _passed(what: Kind, inputs: list[Box], unit: float) -> tuple[Box, Tensor | None]:
    """Return the box behind a step, and by how much it was widened."""
    first = inputs[0]
    if isinstance(what, Monotone) or (isinstance(what, Affine) and what.terms == 0):
        return Box(what.value(first.low), what.value(first.high)), None
    if isinstance(what, Affine):
        center, reach, terms = what.value(first.center), what.absolute(first.reach), what.terms
        size = what.absolute(first.largest) + what.shift if unit else None
    else:
        second, factor = inputs[1], what.factor
        center, terms = first.center + factor * second.center, 2
        reach = first.reach + abs(factor) * second.reach
        size = first.largest + abs(factor) * second.largest if unit else None
    if size is None:
        return Box(center - reach, center + reach), None
    share = (terms + _FOLDED) * unit
    widened = share / (1 - share) * size + _UNDERFLOW
    return Box(center - reach - widened, center + reach + widened), widened


def margins(reached: Reached, labels: Tensor, *, method: Method = "interval") -> Tensor:
    """Return lower bounds on the margins of labels, (N, K), with a gradient where the weights have one.

    Linear functions of the logits are rewritten as functions of earlier maps, as far back as the method goes,
    and their least value over the boxes there is taken.

    Args:
        reached: Of `propagated`.
        labels: int64 (N,).
        method: See `lower_margins`; here `crown` is the linear bounds alone.
    """
    graph, logits = reached.graph, reached.boxes[reached.graph.output].low
    identity = torch.eye(logits.shape[1], dtype=logits.dtype)
    pending = {graph.output: identity[labels][:, None] - identity}
    total = torch.zeros_like(logits)
    while pending:
        place = max(pending)
        rows = pending.pop(place)
        what = reached.kinds[place - 1] if place else None
        through = not isinstance(what, Monotone) or (method == "crown" and what.relaxed is not None)
        if what is None or not through:
            total = total + reached.boxes[place].least(rows)
            continue
        inputs = graph.steps[place - 1].inputs
        widened = reached.slack[place - 1]
        if widened is not None:
            total = total - (rows.abs() * widened[:, None]).flatten(2).sum(2)
        entering, constant = _back(what, rows, reached.boxes[inputs[0]])
        total = total + constant
        for index, row in zip(inputs, entering, strict=True):
            pending[index] = pending[index] + row if index in pending else row
    return total


def _back(what: Kind, rows: Tensor, box: Box) -> tuple[list[Tensor], Tensor | float]:
    """Return rows of functions of what enters a step, below the given ones of its result, and constants."""
    if isinstance(what, Sum):
        return [rows, what.factor * rows], 0.0
    if isinstance(what, Affine):
        origin = torch.zeros_like(box.low)
        constant = (rows * what.value(origin[:1])[:, None]).flatten(2).sum(2)
        return [pulled(what.value, origin, rows)], constant
    if what.relaxed is None:
        raise UsageError("no lines are known around this operation", code="no_bounds")
    row, constant = what.relaxed(box, rows)
    return [row], constant
