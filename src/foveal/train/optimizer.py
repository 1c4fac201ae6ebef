"""Muon for filters and matrices, Nesterov momentum for the rest; Adam for networks from elsewhere.

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
_SQUARES = 0.99  # how slowly Adam forgets squared gradients: runs are short
_EPSILON = 1e-8


def orthogonalize(matrix: Tensor, *, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Return roughly the nearest semi-orthogonal matrix, by a Newton-Schulz iteration.

    Each step multiplies the matrix X by a polynomial of its Gram matrix G = X Xᵀ, and all of these commute.
    So the steps run on G, whose side is the shorter one of X, and X is read twice instead of twice a step:
    filters are several times as wide as high. X is never scaled either: its squared norm is the trace of G.

    Args:
        matrix: Float (…, rows, columns), a matrix or a stack of them.
        dtype: To work in.

    Returns:
        Same shape, `dtype`; most singular values of a gradient come near 1, the smallest stay small.
    """
    x = matrix.to(dtype)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    gram = x @ x.mT
    wide = torch.promote_types(dtype, torch.float32)
    power = gram.diagonal(dim1=-2, dim2=-1).sum(-1, dtype=wide)[..., None, None] + _TINY
    gram = (gram / power).to(dtype)
    factors = factor = _quintic(gram)
    for _ in range(_STEPS - 1):
        gram = factor @ gram @ factor
        factor = _quintic(gram)
        factors = factor @ factors
    nearest: Tensor = (factors * power.rsqrt()).to(dtype) @ x
    return nearest.mT if tall else nearest


def _quintic(gram: Tensor) -> Tensor:
    """Return a + b G + c G², what one step multiplies X by."""
    a, b, c = _QUINTIC
    fused = torch.addmm if gram.ndim == 2 else torch.baddbmm  # one rounding to bf16 instead of three
    factor: Tensor = fused(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=-2, dim2=-1).add_(a)
    return factor


def orthogonal_filters(filters: Tensor, *, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Return the filters orthogonalized, all together or, where there are very many, in equal blocks.

    The work on a Gram matrix grows with the cube of its side. Source of the blocks: Khaled et al., "MuonBP:
    Faster Muon via Block-Periodic Orthogonalization", 2025; ours are never joined.

    Args:
        filters: (rows, inputs, …).
        dtype: To work in.
    """
    # The order of columns does not matter; this one is that of memory, so nothing is copied.
    columns = filters.movedim(1, -1)
    matrix, rows = columns.flatten(1), len(filters)
    if rows > _WHOLE:
        blocks = -(-2 * rows // _WHOLE)
        missing = -rows % blocks  # rows of zeros stay zeros and change no other row
        matrix = F.pad(matrix, (0, 0, 0, missing)).reshape(blocks, -1, matrix.shape[1])
    turned = orthogonalize(matrix, dtype=dtype).flatten(0, -2)[:rows]
    return turned.reshape(columns.shape).movedim(-1, 1)


class MuonSgd(Optimizer):
    """One optimizer over the kinds of parameter groups that `parameter_groups` makes.

    A group's `kind` says how it moves:

    - `filters` (rank ≥ 2): each is rescaled so that a row has norm 1 in the mean, and moved by an
      orthogonalized Nesterov update.
    - `plain`: Nesterov steps with decoupled weight decay.
    - `adam`: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.

    Filters are orthogonalized in `dtype`. Each group also has `lr`, `momentum`, `weight_decay`, and `adam`
    needs `step`, 1 in the first one.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, dtype: torch.dtype = torch.bfloat16) -> None:
        self.dtype = dtype
        super().__init__(groups, {"lr": 0.0, "momentum": 0.9, "weight_decay": 0.0, "kind": "plain"})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closures here
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in moved]
            if not moved:
                continue
            if group["kind"] == "adam":
                self._adam(group, moved, gradients)
                continue
            velocity = self._kept("velocity", moved)
            torch._foreach_mul_(velocity, group["momentum"])
            torch._foreach_add_(velocity, gradients)
            updates = torch._foreach_add(gradients, velocity, alpha=group["momentum"])
            if group["kind"] == "plain":
                torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(moved, updates, alpha=-group["lr"])
                continue
            for p, update in zip(moved, updates, strict=True):
                p.mul_(len(p) ** 0.5 / p.norm().clamp_min(1e-6))
                p.add_(orthogonal_filters(update, dtype=self.dtype), alpha=-group["lr"])

    def _adam(self, group: dict[str, Any], moved: list[Tensor], gradients: list[Tensor]) -> None:
        mean, square = self._kept("velocity", moved), self._kept("square", moved)
        torch._foreach_lerp_(mean, gradients, 1 - group["momentum"])
        torch._foreach_mul_(square, _SQUARES)
        torch._foreach_addcmul_(square, gradients, gradients, 1 - _SQUARES)
        size = torch._foreach_sqrt(square)
        torch._foreach_div_(size, (1 - _SQUARES ** group["step"]) ** 0.5)
        torch._foreach_add_(size, _EPSILON)
        torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])
        rate = group["lr"] / (1 - group["momentum"] ** group["step"])
        torch._foreach_addcdiv_(moved, mean, size, -rate)

    def _kept(self, name: str, parameters: list[Tensor]) -> list[Tensor]:
        """Return what is remembered under a name for each parameter; at first zeros."""
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[parameter][name] for parameter in parameters]


def parameter_groups(
    network: nn.Module, *, weight_decay: float, optimizer: str = "muon", head_rate: float = 2.5
) -> list[dict[str, Any]]:
    """Sort a classifier's parameters into what `MuonSgd` treats alike.

    With `muon`, filters and hidden matrices are orthogonalized. The last linear layer is not: its rows are
    classes, not directions; it has a rate of its own and is the only one that decays. Vectors (biases, norms)
    move at 0.2 of the rate, which was measured (docs/decisions/0006-default-training.md). Depthwise filters
    hold one small vector per channel and are treated as vectors: each brought to norm 1 by itself, they learn
    more slowly (docs/decisions/0017-settings-per-model.md). With `adam` all move at one rate, and all but
    vectors decay.

    Args:
        network: Any module; parameters that need no gradient are left out.
        weight_decay: Per unit of learning rate.
        optimizer: `muon` or `adam`.
        head_rate: Of the last linear layer with `muon`, as a multiple of that of the filters.
    """
    learned = [p for p in network.parameters() if p.requires_grad]
    if optimizer == "adam":
        matrices, vectors = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "kind": "adam", "momentum": 0.9, "rate": 1.0, "weight_decay": weight_decay},
            {"params": vectors, "kind": "adam", "momentum": 0.9, "rate": 1.0},
        ]
        return [group for group in groups if group["params"]]
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    head = {id(p) for p in linear[-1].parameters()} if linear else set()
    depthwise = {
        id(m.weight) for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1
    }
    inside = [p for p in learned if id(p) not in head]
    matrices = [p for p in inside if p.ndim > 1 and id(p) not in depthwise]
    chosen = {id(p) for p in matrices}
    groups = [
        {"params": matrices, "kind": "filters", "momentum": 0.6, "rate": 1.0},
        {
            "params": [p for p in learned if id(p) in head],
            "momentum": 0.85,
            "rate": head_rate,
            "weight_decay": weight_decay,
        },
        {"params": [p for p in inside if id(p) not in chosen], "momentum": 0.85, "rate": 0.2},
    ]
    return [group for group in groups if group["params"]]
