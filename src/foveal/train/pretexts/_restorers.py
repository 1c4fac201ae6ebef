"""From what a network makes of a picture with hidden patches back to the patches."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from foveal.core.errors import UsageError

_BLOCKS, _WIDTH, _HEADS = 2, 96, 3  # of what restores: it is thrown away, and should not do the work


def sees_patches(network: nn.Module) -> bool:
    """Return whether a network is a transformer over patches, which needs no picture but some of them."""
    from timm.models import VisionTransformer  # here alone: it takes more than a second

    return isinstance(network, VisionTransformer)


class TokenRestorer(nn.Module):
    """Patches from those that a transformer has seen; hidden ones are not among what it computes."""

    def __init__(self, network: nn.Module, *, channels: int) -> None:
        """Look at the network's shape.

        Args:
            network: A vision transformer of timm.
            channels: Of the pictures.
        """
        from timm.models.vision_transformer import Block

        super().__init__()
        transformer = cast(Any, network)
        self.patch = int(transformer.patch_embed.patch_size[0])
        places = int(transformer.patch_embed.num_patches)
        self.enter = nn.Linear(int(transformer.embed_dim), _WIDTH)
        self.unseen = nn.Parameter(torch.zeros(_WIDTH))
        self.places = nn.Parameter(0.02 * torch.randn(places, _WIDTH))
        self.blocks = nn.Sequential(*(Block(_WIDTH, _HEADS) for _ in range(_BLOCKS)))
        self.norm = nn.LayerNorm(_WIDTH)
        self.leave = nn.Linear(_WIDTH, self.patch**2 * channels)

    def forward(self, network: nn.Module, images: Tensor, hidden: Tensor) -> Tensor:
        """Return all patches, (N, L, P), from those that are not hidden.

        Args:
            network: The transformer.
            images: Normalized (N, C, H, W).
            hidden: bool (N, L), equally many in each row.
        """
        seen = (~hidden).nonzero(as_tuple=True)[1].view(len(images), -1)
        tokens = self.enter(seen_tokens(network, images, seen))
        laid = self.unseen.expand(*hidden.shape, -1).to(tokens.dtype)
        laid = laid.scatter(1, seen[..., None].expand_as(tokens), tokens)
        values: Tensor = self.leave(self.norm(self.blocks(laid + self.places)))
        return values


def seen_tokens(network: nn.Module, images: Tensor, seen: Tensor) -> Tensor:
    """Return what a transformer makes of some patches of each picture, (N, S, D).

    Args:
        network: A vision transformer of timm.
        images: Normalized (N, C, H, W).
        seen: Places of the patches, int64 (N, S).
    """
    transformer = cast(Any, network)
    before = transformer.num_prefix_tokens
    tokens = transformer.patch_embed(images) + transformer.pos_embed[:, before:]
    tokens = tokens.gather(1, seen[..., None].expand(-1, -1, tokens.shape[2]))
    prefix = (transformer.cls_token + transformer.pos_embed[:, :before]).expand(len(images), -1, -1)
    tokens = transformer.blocks(transformer.norm_pre(torch.cat([prefix, tokens], dim=1)))
    answers: Tensor = transformer.norm(tokens)[:, before:]
    return answers


class MapRestorer(nn.Module):
    """Patches from the last maps of a network that saw the picture with a learned value in hidden ones."""

    def __init__(self, network: nn.Module, *, channels: int, size: int, patch: int) -> None:
        """Look at the network's last maps.

        Args:
            network: Normalized images (N, C, size, size) to features.
            channels: Of the pictures.
            size: Their side in pixels.
            patch: Side of a patch in pixels; what it does not divide is cut off.

        Raises:
            UsageError: `no_maps`: it has none that say where in the picture.
        """
        super().__init__()
        self.patch, self.across = patch, size // patch
        self.unseen = nn.Parameter(torch.zeros(channels, 1, 1))
        shown = self.across * patch  # what does not divide is not shown, and has no maps either
        self.layer, width, self.cells = _last_maps(network, channels=channels, size=shown)
        per_cell = -(-self.across // self.cells)  # patches across a cell of the maps
        self.per_cell = per_cell
        self.leave = nn.Conv2d(width, per_cell**2 * patch**2 * channels, 1)

    def forward(self, network: nn.Module, images: Tensor, hidden: Tensor) -> Tensor:
        """Return all patches, (N, L, P).

        Args:
            network: As it was looked at.
            images: Normalized (N, C, size, size).
            hidden: bool (N, L).
        """
        grid = hidden.view(-1, 1, self.across, self.across)
        side = self.across * self.patch
        mask = grid.repeat_interleave(self.patch, dim=2).repeat_interleave(self.patch, dim=3)
        shown = images[:, :, :side, :side]
        maps = _output(network, self.layer, torch.where(mask, self.unseen, shown))
        cells = self.leave(maps).unflatten(1, (self.per_cell, self.per_cell, -1))
        laid = cells.permute(0, 4, 1, 5, 2, 3).flatten(3, 4).flatten(1, 2)  # (N, rows, columns, P)
        values: Tensor = laid[:, : self.across, : self.across].flatten(1, 2)
        return values


def _last_maps(network: nn.Module, *, channels: int, size: int) -> tuple[str, int, int]:
    """Return name, channels and cells across of the last maps that say where in the picture."""
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _given: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3] > 1:
                found.pop(name, None)
                found[name] = tuple(output.shape)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in network.named_modules() if name]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, channels, size, size))
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    if not found:
        raise UsageError(
            f"{type(network).__name__} has no maps from which hidden parts could be restored",
            code="no_maps",
            hint="--method simclr takes every network",
        )
    name, shape = list(found.items())[-1]
    return name, shape[1], shape[2]


def _output(network: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Return what one of a network's modules gives."""
    outputs: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda _m, _g, output: outputs.append(output))
    try:
        network(images)
    finally:
        handle.remove()
    return outputs[-1]
