"""Several processes (ranks) that train one network together, each on its part of every batch.

Every rank sees the whole batch and changes the pictures of all of it, from the same numbers, and then
works on its part: so pictures may be mixed across ranks, and everything equals one process up to rounding.
Batch norm takes its statistics over all parts, gradients are added up, and all ranks take the same step.

Nothing here is kept between calls: whether there are other ranks is asked of `torch.distributed`.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from foveal.core import machine
from foveal.core.errors import TemporaryError, UsageError

_STEP = timedelta(minutes=5)  # a rank that is silent for so long within a step is lost
_PATIENCE = timedelta(days=2)  # for reading the pictures, and for the first rank to prove the result


@dataclass(frozen=True)
class Team:
    """The ranks, from the view of one of them.

    Attributes:
        rank: This one, from 0.
        size: How many there are.
        patient: The process group for what may take hours; None: the usual one.
    """

    rank: int = 0
    size: int = 1
    patient: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the rank that reads, writes and talks."""
        return self.rank == 0

    @property
    def threads(self) -> int:
        """This rank's share of the processors."""
        here = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        return max(1, machine.usable_cpus() // here)

    def part(self, count: int) -> slice:
        """Return which of `count` things in a row are this rank's; parts differ by one at most.

        >>> [Team(rank, 3).part(10) for rank in range(3)]
        [slice(0, 3, None), slice(3, 6, None), slice(6, 10, None)]
        """
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def total(self, values: list[float]) -> list[float]:
        """Return the sums over all ranks."""
        if self.size == 1:
            return values
        sums = torch.tensor(values, dtype=torch.float64)
        with self._together():
            dist.all_reduce(sums)
        return [float(value) for value in sums]

    def anyone(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank."""
        return self.total([float(flag)])[0] > 0

    def gather(self, row: Tensor) -> Tensor:
        """Return the rows of all ranks, (size, …)."""
        rows = [torch.empty_like(row) for _ in range(self.size)]
        with self._together():
            dist.all_gather(rows, row)
        return torch.stack(rows)

    def told(self, value: Any) -> Any:
        """Return what the first rank says, which may take it hours.

        Args:
            value: The first rank's, as JSON knows it; of the others it is ignored.
        """
        if self.size == 1:
            return value
        data = json.dumps(value).encode() if self.first else b""
        length = torch.tensor([len(data)])
        with self._together():
            dist.broadcast(length, src=0, group=self.patient)
            text = torch.frombuffer(bytearray(data), dtype=torch.uint8) if self.first else None
            if text is None:
                text = torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(text, src=0, group=self.patient)
        return json.loads(bytes(text.tolist()))

    def meet(self) -> None:
        """Wait for all ranks, which may take them hours."""
        if self.size > 1:
            with self._together():
                dist.barrier(group=self.patient)

    def start_alike(self, module: nn.Module) -> None:
        """Let batch norm see all parts, and begin with the first rank's weights.

        Raises:
            UsageError: The module holds a batch norm whose statistics cannot be shared.
        """
        if self.size == 1:
            return
        _share_statistics(module)
        with torch.no_grad(), self._together():
            for tensor in module.state_dict().values():
                begun = tensor.contiguous()
                dist.broadcast(begun, src=0)
                tensor.copy_(begun)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by the sum over all ranks; one that no rank has stays absent."""
        if self.size == 1:
            return
        learned = [p for p in parameters if p.requires_grad]
        there = torch.tensor([float(p.grad is not None) for p in learned])
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in learned]
        flat = torch.cat([there, *parts])
        with self._together():
            dist.all_reduce(flat)
        there, *parts = torch.split(flat, [len(learned), *(p.numel() for p in learned)])
        for parameter, anywhere, gradient in zip(learned, there, parts, strict=True):
            if anywhere:
                parameter.grad = torch.empty_like(parameter).copy_(gradient.view(parameter.shape))

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise TemporaryError(
                f"rank {self.rank} of {self.size} has lost another rank: {str(error).splitlines()[0]}",
                code="rank_lost",
                hint="the rank that ended first says why; foveal train DATA --resume RUN goes on from the "
                "last checkpoint",
            ) from error


def here() -> Team:
    """Return the team that this process belongs to at the moment."""
    if dist.is_available() and dist.is_initialized():
        return Team(dist.get_rank(), dist.get_world_size())
    return Team()


@contextmanager
def joined() -> Iterator[Team]:
    """Join the ranks that `torchrun` or another launcher started, or stay alone; leave them afterwards.

    A process group that exists already is used and left as it is.

    Raises:
        UsageError: The launcher says that there are ranks, but not where.
        TemporaryError: The others do not come.
    """
    known = dist.is_available() and dist.is_initialized()
    if not known and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team()
        return
    if not known:
        _join()
    team = here()
    try:
        with team._together():
            patient = dist.new_group(backend="gloo", timeout=_PATIENCE)
        yield Team(team.rank, team.size, patient)
    finally:
        if not known:
            dist.destroy_process_group()


def _join() -> None:
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UsageError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but {missing[0]} is not set",
            hint="start the ranks with torchrun, or take WORLD_SIZE out of the environment",
        )
    all_here = os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]
    if all_here and Path("/sys/class/net/lo").exists():  # then nothing needs to leave this machine
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    try:
        dist.init_process_group("gloo", timeout=_STEP)
    except RuntimeError as error:
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TemporaryError(
            f"rank {os.environ['RANK']} finds no other ranks at {address}: {str(error).splitlines()[0]}",
            code="rank_lost",
            hint="are all ranks started, and may they reach that address?",
        ) from error


def _share_statistics(module: nn.Module) -> None:
    """Replace every batch norm in a module by one that takes its statistics over all ranks."""
    replaced: dict[nn.Module, nn.Module] = {}
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
                replaced.setdefault(child, _BatchNorm.of(child))
                setattr(parent, name, replaced[child])
            elif isinstance(child, nn.modules.batchnorm._BatchNorm) and not isinstance(child, _BatchNorm):
                raise UsageError(
                    f"{name} is a {type(child).__name__}, whose statistics several ranks cannot share",
                    code="own_batch_norm",
                    hint="use torch.nn.BatchNorm2d in the network, or train in one process",
                )


class _BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the parts of all ranks; torch's own SyncBatchNorm needs a GPU.

    Source: Ioffe & Szegedy, "Batch Normalization", 2015, algorithm 1, with mean and variance of the whole
    batch (Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979,
    eq. 2.1).
    """

    @classmethod
    def of(cls, norm: Any) -> "_BatchNorm":
        """Return one that shares the parameters and buffers of a batch norm."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared.weight, shared.bias = norm.weight, norm.bias
        shared.running_mean, shared.running_var = norm.running_mean, norm.running_var
        shared.num_batches_tracked = norm.num_batches_tracked
        shared.training = norm.training
        return shared

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002  # torch's name
        """Accept what the replaced norm accepted."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Normalize (N, C, …) over the batches of all ranks; in eval mode as usual."""
        if not self.training:
            evaluated: Tensor = super().forward(input)
            return evaluated
        normalized, mean, variance, count = _Normalize.apply(input, self.eps)
        tracked = self.num_batches_tracked
        if tracked is not None and self.running_mean is not None and self.running_var is not None:
            tracked.add_(1)
            weight = self.momentum if self.momentum is not None else 1 / float(tracked)
            self.running_mean.lerp_(mean, weight)
            self.running_var.lerp_(variance * (count / (count - 1)), weight)
        if self.affine:
            shape = (1, -1, *[1] * (input.ndim - 2))
            normalized = normalized * self.weight.view(shape) + self.bias.view(shape)
        same: Tensor = normalized.to(input.dtype)
        return same


class _Normalize(torch.autograd.Function):
    """Bring (N, C, …) to mean 0 and variance 1 per channel over the batches of all ranks."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return them in float32 or wider, and mean and variance (C,) and how many values they are over."""
        axes, values = _axes(images), images.to(torch.promote_types(images.dtype, torch.float32))
        count = torch.tensor([values.numel() / values.shape[1]], dtype=torch.float64)
        variance, mean = torch.var_mean(values, dim=axes, correction=0)
        rows = here().gather(torch.cat([count, mean.double(), variance.double()]))
        counts, (means, variances) = rows[:, :1], rows[:, 1:].chunk(2, dim=1)
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total
        scale = _wide((variance + eps).rsqrt().to(values.dtype), images)
        normalized = (values - _wide(mean.to(values.dtype), images)) * scale
        ctx.save_for_backward(normalized, scale, total)
        mean, variance = mean.to(values.dtype), variance.to(values.dtype)
        ctx.mark_non_differentiable(mean, variance, total)
        return normalized, mean, variance, total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        """Return the gradient for this rank's images of a loss over all."""
        normalized, scale, total = ctx.saved_tensors
        axes = _axes(normalized)
        sums = torch.stack([gradient.sum(axes), (gradient * normalized).sum(axes)]).double()
        mean, slope = (here().gather(sums).sum(0) / total).to(gradient.dtype)
        inner = gradient - _wide(mean, normalized) - normalized * _wide(slope, normalized)
        return inner * scale, None


def _axes(images: Tensor) -> list[int]:
    return [0, *range(2, images.ndim)]


def _wide(values: Tensor, images: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (images.ndim - 2))
