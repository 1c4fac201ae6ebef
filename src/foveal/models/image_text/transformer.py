"""Transformer encoders: of token numbers, and of the patches of a picture.

Layers are normalized before they are applied, as in Radford et al., "Learning Transferable Visual Models
From Natural Language Supervision", 2021, §2.4, arXiv:2103.00020; initial weights are those of the authors'
program.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["gelu", "quick_gelu"]
_EPSILON = 1e-5
_STEEP = 1.702  # of the sigmoid that stands for the normal distribution's


class Block(nn.Module):
    """Attention and a layer of each place by itself, (N, L, W) → (N, L, W)."""

    def __init__(self, width: int, heads: int, *, activation: Activation, causal: bool, hidden: int) -> None:
        """Make new weights.

        Args:
            width: W, a multiple of `heads`.
            heads: Of the attention.
            activation: Of the hidden layer.
            causal: Whether a place sees those before it alone.
            hidden: Numbers of the hidden layer of a place.
        """
        super().__init__()
        self.heads, self.activation, self.causal = heads, activation, causal
        self.norm_attention = nn.LayerNorm(width, eps=_EPSILON)
        self.read = nn.Linear(width, 3 * width)  # queries, keys and values
        self.write = nn.Linear(width, width)
        self.norm_hidden = nn.LayerNorm(width, eps=_EPSILON)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, places: Tensor) -> Tensor:
        """Return the places after one layer."""
        count, length, width = places.shape
        parts = self.read(self.norm_attention(places)).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        places = places + self.write(seen.transpose(1, 2).reshape(count, length, width))
        hidden = self.widen(self.norm_hidden(places))
        hidden = F.gelu(hidden) if self.activation == "gelu" else hidden * torch.sigmoid(_STEEP * hidden)
        after: Tensor = places + self.narrow(hidden)
        return after

    def start_small(self, layers: int) -> None:
        """Draw the weights as the authors do: what is added to the places gets smaller with depth."""
        width = self.write.in_features
        nn.init.normal_(self.read.weight, std=width**-0.5)
        nn.init.normal_(self.widen.weight, std=(2 * width) ** -0.5)
        for layer in (self.write, self.narrow):
            nn.init.normal_(layer.weight, std=width**-0.5 * (2 * layers) ** -0.5)
        for layer in (self.read, self.write, self.widen, self.narrow):
            nn.init.zeros_(layer.bias)


class TextTransformer(nn.Module):
    """Token numbers (N, L) → embeddings (N, D), read at the place of the end sign.

    A place sees only those before it, so what comes after the end sign changes nothing.
    """

    def __init__(  # noqa: PLR0913  # as many as the network has measures
        self,
        *,
        vocabulary: int,
        length: int,
        width: int,
        layers: int,
        heads: int,
        dimensions: int,
        end: int,
        activation: Activation = "gelu",
        hidden: int | None = None,
    ) -> None:
        """Make new weights.

        Args:
            vocabulary: Different token numbers.
            length: L at most.
            width: Numbers of a place, a multiple of `heads`.
            layers: How many.
            heads: Of the attention.
            dimensions: D.
            end: The number of the end sign.
            activation: Of the hidden layers.
            hidden: Numbers of the hidden layers; None: four times the width.
        """
        super().__init__()
        self.end = end
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.empty(length, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, activation=activation, causal=True, hidden=hidden or 4 * width)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.project = nn.Linear(width, dimensions, bias=False)
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.places, std=0.01)
        nn.init.normal_(self.project.weight, std=width**-0.5)
        for block in self.blocks:
            block.start_small(layers)  # type: ignore[operator]  # a Block

    def forward(self, tokens: Tensor) -> Tensor:
        """Return embeddings (N, D), not normalized, of token numbers int64 (N, L), each row with an end."""
        length = int(self.ends(tokens).max()) + 1
        return self.whole(tokens[:, :length])

    def ends(self, tokens: Tensor) -> Tensor:
        """Return where each text ends, int64 (N,)."""
        return (tokens == self.end).int().argmax(dim=1)  # the first: some tables are filled up with it

    def whole(self, tokens: Tensor) -> Tensor:
        """Return what `forward` does, and look at what comes after the last end, too."""
        seen = self.words(tokens) + self.places[: tokens.shape[1]]
        for block in self.blocks:
            seen = block(seen)
        last = self.norm(seen[torch.arange(tokens.shape[0], device=tokens.device), self.ends(tokens)])
        embeddings: Tensor = self.project(last)
        return embeddings


class PatchTransformer(nn.Module):
    """Normalized images (N, C, H, W) → embeddings (N, D): the image encoder of published CLIP networks.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, with a norm before the first layer.
    """

    def __init__(  # noqa: PLR0913  # as many as the network has measures
        self,
        *,
        size: int,
        patch: int,
        channels: int,
        width: int,
        layers: int,
        heads: int,
        dimensions: int,
        activation: Activation = "quick_gelu",
        hidden: int | None = None,
    ) -> None:
        """Make new weights.

        Args:
            size: H and W in pixels.
            patch: Side of a patch in pixels; divides `size`.
            channels: C.
            width: Numbers of a patch, a multiple of `heads`.
            layers: How many.
            heads: Of the attention.
            dimensions: D.
            activation: Of the hidden layers.
            hidden: Numbers of the hidden layers; None: four times the width.
        """
        super().__init__()
        self.cut = nn.Conv2d(channels, width, patch, stride=patch, bias=False)
        self.whole = nn.Parameter(torch.randn(width) * width**-0.5)
        self.places = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width) * width**-0.5)
        self.norm_before = nn.LayerNorm(width, eps=_EPSILON)
        self.blocks = nn.ModuleList(
            Block(width, heads, activation=activation, causal=False, hidden=hidden or 4 * width)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.project = nn.Linear(width, dimensions, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings (N, D), not normalized, of normalized images (N, C, H, W)."""
        patches = self.cut(images).flatten(2).transpose(1, 2)
        whole = self.whole.expand(patches.shape[0], 1, -1)
        seen = self.norm_before(torch.cat([whole, patches], dim=1) + self.places)
        for block in self.blocks:
            seen = block(seen)
        embeddings: Tensor = self.project(self.norm(seen[:, 0]))
        return embeddings
