"""How a box passes each operation: one rule per operation of ATen.

A rule says what kind of function an operation is. From that follow its interval image (Gowal et al., "On the
Effectiveness of Interval Bound Propagation", 2018, equations 6 and 7) and how a linear function of its result
is bounded by one of what enters it (Zhang et al., "Efficient Neural Network Robustness Certification with
General Activation Functions" (CROWN), 2018, §3.2).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.certified.bounds.box import Box
from foveal.certified.bounds.graph import TRACED_BATCH, Place, Step
from foveal.core.errors import UsageError

_ATEN: Any = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Affine:
    """y = A x + b of one map.

    Attributes:
        value: From x to y, (N, …) to (N, …).
        absolute: From r ≥ 0 to |A| r.
        shift: |b|, and whatever else its rounding errors are a share of; broadcasts to y.
        terms: Numbers that are added up for each of y; 0 where numbers are only moved, which rounds nothing.
    """

    value: Callable[[Tensor], Tensor]
    absolute: Callable[[Tensor], Tensor]
    shift: Tensor | float
    terms: int


@dataclass(frozen=True, eq=False)
class Monotone:
    """y that never falls where x grows, computed without rounding.

    Attributes:
        value: From x to y.
        relaxed: From a box of x and rows (N, M, …) of functions of y to rows of functions of x and constants
            (N, M) that lie below them everywhere in the box; None where no lines are known.
    """

    value: Callable[[Tensor], Tensor]
    relaxed: Callable[[Box, Tensor], tuple[Tensor, Tensor]] | None = None


@dataclass(frozen=True)
class Sum:
    """y = a + factor · b of two maps."""

    factor: float


Kind = Affine | Monotone | Sum
Arguments = Mapping[str, Any]
Rule = Callable[[Step, Arguments], Kind]


def kind(step: Step, weights: Mapping[str, Tensor]) -> Kind:
    """Return what kind of function a step is.

    Raises:
        UsageError: `no_bounds`: nothing is known about the operation, or not as it is used here.
    """
    rule = RULES.get(step.operation)
    if rule is None:
        known = ", ".join(sorted({str(operation) for operation in RULES}))
        raise UsageError(
            f"no bounds are known for {step.operation}", code="no_bounds", hint=f"known are {known}"
        )
    return rule(step, step.given(weights))


def pulled(value: Callable[[Tensor], Tensor], at: Tensor, rows: Tensor) -> Tensor:
    """Return rows of functions of x for rows (N, M, …) of functions of `value(x)`, linear at `at` (N, …)."""
    count = rows.shape[1]
    made, pull = torch.func.vjp(value, at.repeat_interleave(count, dim=0))[:2]
    back: Tensor = pull(rows.flatten(0, 1).to(made))[0]  # autocast may have chosen another precision
    return back.reshape(-1, count, *back.shape[1:])


def _bias(bias: Tensor | None, ndim: int) -> Tensor | float:
    return 0.0 if bias is None else bias.abs().view(-1, *[1] * (ndim - 2))


def _constant(value: Tensor | float) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


def _conv2d(step: Step, given: Arguments) -> Kind:
    weight, bias = given["weight"], given["bias"]
    run = partial(F.conv2d, **{k: given[k] for k in ("stride", "padding", "dilation", "groups")})
    return Affine(
        lambda x: run(x, weight, bias),
        lambda r: run(r, weight.abs()),
        _bias(bias, 4),
        weight[0].numel(),
    )


def _linear(step: Step, given: Arguments) -> Kind:
    weight, bias = given["weight"], given["bias"]
    return Affine(
        lambda x: F.linear(x, weight, bias),
        lambda r: F.linear(r, weight.abs()),
        _bias(bias, 2),
        weight.shape[1],
    )


def _batch_norm(step: Step, given: Arguments) -> Kind:
    """Normalize by the running statistics, as the exported graph does, whether folded into filters or not."""
    mean, variance = given["running_mean"], given["running_var"]
    wide = (-1, *[1] * (len(step.shape) - 1))
    scale = (variance + given["eps"]).rsqrt()
    scale = scale if given["weight"] is None else scale * given["weight"]
    bias = torch.zeros_like(mean) if given["bias"] is None else given["bias"]
    factor, constant = scale.view(wide), (bias - mean * scale).view(wide)
    return Affine(
        lambda x: x * factor + constant,
        lambda r: r * factor.abs(),
        ((mean * scale).abs() + bias.abs()).view(wide),
        2,
    )


def _add(step: Step, given: Arguments, sign: float = 1.0) -> Kind:
    first, second, factor = given["self"], given["other"], sign * given["alpha"]
    if len(step.inputs) == 2:
        return Sum(factor)
    if isinstance(first, Place):
        return _shifted(1.0, _constant(second) * factor)
    return _shifted(factor, _constant(first))


def _subtracted(step: Step, given: Arguments) -> Kind:
    return _shifted(-given["alpha"], _constant(given["other"]))


def _shifted(factor: float, constant: Tensor) -> Kind:
    """Return factor · x + constant."""
    return Affine(
        lambda x: factor * x + constant,
        lambda r: abs(factor) * r + torch.zeros_like(constant),
        constant.abs(),
        2,
    )


def _scaled(step: Step, given: Arguments, divide: bool = False) -> Kind:
    first, second = given["self"], given["other"]
    if len(step.inputs) != 1 or (divide and not isinstance(first, Place)):
        raise UsageError(f"no bounds are known for {step.operation} of two maps", code="no_bounds")
    constant = second if isinstance(first, Place) else first
    factor = 1 / _constant(constant) if divide else _constant(constant)
    return Affine(lambda x: x * factor.to(x), lambda r: r * factor.abs().to(r), 0.0, 1)


def _mean(step: Step, given: Arguments) -> Kind:
    axes = [axis % (len(step.shape) + 1) for axis in given["dim"] or ()]
    if not axes or 0 in axes:
        raise UsageError("no bounds are known for a mean over the batch", code="no_bounds")
    run = partial(torch.mean, dim=axes, keepdim=given["keepdim"])
    return Affine(run, run, 0.0, math.prod(step.shape[axis - 1] for axis in axes))


def _avg_pool(step: Step, given: Arguments) -> Kind:
    kernel = given["kernel_size"]
    run = partial(
        F.avg_pool2d,
        kernel_size=kernel,
        stride=given["stride"] or kernel,
        padding=given["padding"],
        ceil_mode=given["ceil_mode"],
        count_include_pad=given["count_include_pad"],
        divisor_override=given["divisor_override"],
    )
    return Affine(run, run, 0.0, kernel[0] * kernel[-1])


def _adaptive_avg_pool(step: Step, given: Arguments) -> Kind:
    run = partial(F.adaptive_avg_pool2d, output_size=given["output_size"])
    return Affine(run, run, 0.0, step.shape[-1] * step.shape[-2])


def _view(step: Step, given: Arguments) -> Kind:
    batch, *shape = given["size"]
    whole = -1 in shape or math.prod(shape) == math.prod(step.shape)
    if batch not in (TRACED_BATCH, -1) or not whole:
        raise UsageError("no bounds are known for a view that mixes pictures", code="no_bounds")

    def run(x: Tensor) -> Tensor:
        return x.reshape(len(x), *shape)

    return Affine(run, run, 0.0, 0)


def _same(step: Step, given: Arguments) -> Kind:
    return Affine(lambda x: x, lambda r: r, 0.0, 0)


def _relu(step: Step, given: Arguments) -> Kind:
    return Monotone(F.relu, _relu_lines)


def _relu_lines(box: Box, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Bound each ReLU by two lines: above by the chord, below by whichever of 0 and x is nearer."""
    low, high = box.low.clamp(max=0), box.high.clamp(min=0)
    chord = high / (high - low).clamp_min(torch.finfo(low.dtype).tiny)
    below = (high > -low).to(low)
    over = rows.clamp(max=0)
    entering = rows.clamp(min=0) * below[:, None] + over * chord[:, None]
    return entering, (over * (-low * chord)[:, None]).flatten(2).sum(2)


def _maximum(run: Callable[[Tensor], Tensor]) -> Monotone:
    """Bound a maximum from below by the number with the largest lower bound, from above by a constant."""

    def lines(box: Box, rows: Tensor) -> tuple[Tensor, Tensor]:
        entering = pulled(run, box.low, rows.clamp(min=0))
        return entering, (rows.clamp(max=0) * run(box.high)[:, None]).flatten(2).sum(2)

    return Monotone(run, lines)


def _max_pool(step: Step, given: Arguments) -> Kind:
    kernel = given["kernel_size"]
    return _maximum(
        partial(
            F.max_pool2d,
            kernel_size=kernel,
            stride=given["stride"] or kernel,
            padding=given["padding"],
            dilation=given["dilation"],
            ceil_mode=given["ceil_mode"],
        )
    )


def _amax(step: Step, given: Arguments) -> Kind:
    axes = [axis % (len(step.shape) + 1) for axis in given["dim"]]
    if not axes or 0 in axes:
        raise UsageError("no bounds are known for a maximum over the batch", code="no_bounds")
    return _maximum(partial(torch.amax, dim=axes, keepdim=given["keepdim"]))


def _clamp(step: Step, given: Arguments, names: tuple[str, str] = ("min", "max")) -> Kind:
    low, high = (given[name] for name in names)
    return Monotone(lambda x: x.clamp(low, high))


def _relu6(step: Step, given: Arguments) -> Kind:
    return Monotone(F.relu6)


RULES: dict[Any, Rule] = {
    _ATEN.conv2d.default: _conv2d,
    _ATEN.conv2d.padding: _conv2d,
    _ATEN.linear.default: _linear,
    _ATEN._native_batch_norm_legit_no_training.default: _batch_norm,
    _ATEN.add.Tensor: _add,
    _ATEN.sub.Tensor: partial(_add, sign=-1.0),
    _ATEN.rsub.Scalar: _subtracted,
    _ATEN.mul.Tensor: _scaled,
    _ATEN.div.Tensor: partial(_scaled, divide=True),
    _ATEN.mean.dim: _mean,
    _ATEN.avg_pool2d.default: _avg_pool,
    _ATEN.adaptive_avg_pool2d.default: _adaptive_avg_pool,
    _ATEN.view.default: _view,
    _ATEN._unsafe_view.default: _view,  # the same, of a map that nothing else reads
    _ATEN.clone.default: _same,
    _ATEN.relu.default: _relu,
    _ATEN.relu6.default: _relu6,
    _ATEN.max_pool2d.default: _max_pool,
    _ATEN.amax.default: _amax,
    _ATEN.hardtanh.default: partial(_clamp, names=("min_val", "max_val")),
    _ATEN.clamp.default: _clamp,
}
