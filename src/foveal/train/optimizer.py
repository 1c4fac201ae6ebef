"""Muon for filters and matrices, Nesterov momentum for the rest.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/. A momentum update is replaced by the nearest
semi-orthogonal matrix, so that every direction of a layer learns equally fast.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

# Coefficients of the quintic iteration that pushes all singular values towards 1 (same source).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_STEPS = 3  # five would need more digits than bf16 has in the Gram matrix
_WHOLE = 256  # filters that are orthogonalized together; more of them go in blocks of at most half as many
_TINY = 1e-14  # keeps a gradient of zeros from being divided by zero


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return roughly the nearest semi-orthogonal matrix, by a Newton-Schulz iteration in bf16.

    Each step multiplies the matrix X by a polynomial of its Gram matrix G = X Xᵀ, and all of these commute.
    So the steps run on G, whose side is the shorter one of X, and X is read twice instead of twice a step:
    filters are several times as wide as high. X is never scaled either: its squared norm is the trace of G.

    Args:
        matrix: Float (…, rows, columns), a matrix or a stack of them.

    Returns:
        Same shape, bf16; most singular values of a gradient come near 1, the smallest stay small.
    """
    x = matrix.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    gram = x @ x.mT
    power = gram.diagonal(dim1=-2, dim2=-1).float().sum(-1)[..., None, None] + _TINY
    gram = (gram / power).bfloat16()
    factors = factor = _quintic(gram)
    for _ in range(_STEPS - 1):
        gram = factor @ gram @ factor
        factor = _quintic(gram)
        factors = factor @ factors
    nearest: Tensor = (factors * power.rsqrt()).bfloat16() @ x
    return nearest.mT if tall else nearest


def _quintic(gram: Tensor) -> Tensor:
    """Return a + b G + c G², what one step multiplies X by."""
    a, b, c = _QUINTIC
    fused = torch.addmm if gram.ndim == 2 else torch.baddbmm  # one rounding to bf16 instead of three
    factor: Tensor = fused(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=-2, dim2=-1).add_(a)
    return factor


def orthogonal_filters(filters: Tensor) -> Tensor:
    """Return the filters orthogonalized, all together or, where there are very many, in equal blocks.

    The work on a Gram matrix grows with the cube of its side. Source of the blocks: Khaled et al., "MuonBP:
    Faster Muon via Block-Periodic Orthogonalization", 2025; ours are never joined.

    Args:
        filters: (rows, inputs, …).
    """
    # The order of columns does not matter; this one is that of memory, so nothing is copied.
    columns = filters.movedim(1, -1)
    matrix, rows = columns.flatten(1), len(filters)
    if rows > _WHOLE:
        blocks = -(-2 * rows // _WHOLE)
        missing = -rows % blocks  # rows of zeros stay zeros and change no other row
        matrix = F.pad(matrix, (0, 0, 0, missing)).reshape(blocks, -1, matrix.shape[1])
    turned = orthogonalize(matrix).flatten(0, -2)[:rows]
    return turned.reshape(columns.shape).movedim(-1, 1)


class MuonSgd(Optimizer):
    """One optimizer over two kinds of parameter groups.

    A group with `muon=True` holds filters (rank ≥ 2): each is rescaled so that a row has norm 1 in the mean,
    and moved by an orthogonalized Nesterov update. Other groups take plain Nesterov steps with
    decoupled weight decay. Each group has `lr`, `momentum`, `weight_decay` and `muon`.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {"lr": 0.0, "momentum": 0.9, "weight_decay": 0.0, "muon": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closures here
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            velocity = [self._velocity(p) for p in moved]
            gradients = [p.grad for p in moved]
            if not moved:
                continue
            torch._foreach_mul_(velocity, group["momentum"])
            torch._foreach_add_(velocity, gradients)
            updates = torch._foreach_add(gradients, velocity, alpha=group["momentum"])
            if group["muon"]:
                for p, update in zip(moved, updates, strict=True):
                    p.mul_(len(p) ** 0.5 / p.norm().clamp_min(1e-6))
                    p.add_(orthogonal_filters(update), alpha=-group["lr"])
            else:
                torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(moved, updates, alpha=-group["lr"])

    def _velocity(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter)
        velocity: Tensor = state["velocity"]
        return velocity


def parameter_groups(network: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Sort a classifier's parameters into what `MuonSgd` treats alike.

    Filters and hidden matrices are orthogonalized. The last linear layer is not: its rows are classes,
    not directions; it moves at 2.5 times the rate and is the only one that decays. Vectors (biases, norms)
    move at 0.2 of it. Both factors were measured (docs/decisions/0006-default-training.md).
    Depthwise filters hold one small vector per channel and are treated as vectors.

    Args:
        network: Any module; parameters that need no gradient are left out.
        weight_decay: Of the last linear layer.
    """
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    head = {id(p) for p in linear[-1].parameters()} if linear else set()
    depthwise = {
        id(m.weight) for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1
    }
    filters, rest, last = [], [], []
    for parameter in network.parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in head:
            last.append(parameter)
        elif parameter.ndim > 1 and id(parameter) not in depthwise:
            filters.append(parameter)
        else:
            rest.append(parameter)
    groups = [
        {"params": filters, "muon": True, "momentum": 0.6, "rate": 1.0},
        {"params": last, "momentum": 0.85, "rate": 2.5, "weight_decay": weight_decay},
        {"params": rest, "momentum": 0.85, "rate": 0.2},
    ]
    return [group for group in groups if group["params"]]
