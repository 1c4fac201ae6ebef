"""Layers in which queries look at each other and at a map, and what they need to know of places.

Source: Carion et al., "End-to-End Object Detection with Transformers" (DETR), 2020.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WAVES = 8  # frequencies by which a place is described, each with a sine and a cosine
_WIDER = 4  # of the inner layer of a perceptron, as a multiple
_LARGEST = 4.0  # natural logarithm of a change of size


class Place(nn.Module):
    """Describe places or boxes: (…, I) in shares of the picture → (…, D)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(inputs * 2 * _WAVES, width)
        self.waves: Tensor
        self.register_buffer("waves", torch.pi * 2 ** (torch.arange(_WAVES) * 0.75), persistent=False)

    def forward(self, places: Tensor) -> Tensor:
        """Return descriptions."""
        angles = (places[..., None] * self.waves).flatten(-2)
        described: Tensor = self.mix(torch.cat([angles.sin(), angles.cos()], dim=-1))
        return described


class Attention(nn.Module):
    """Each of Q asks all of M, with several questions at once: (N, Q, D), twice (N, M, D) → (N, Q, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.question, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, asking: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return what is answered to each."""
        pairs = ((self.question, asking), (self.key, keys), (self.value, values))
        parts = (layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer, tokens in pairs)
        answers = F.scaled_dot_product_attention(*parts)
        mixed: Tensor = self.out(answers.transpose(1, 2).flatten(2))
        return mixed


class Layer(nn.Module):
    """Queries look at each other, so that of those that mean the same one stays, then at the map."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.others, self.around = Attention(width, heads), Attention(width, heads)
        self.inner = nn.Sequential(
            nn.Linear(width, _WIDER * width), nn.ReLU(inplace=True), nn.Linear(_WIDER * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, queries: Tensor, places: Tensor, memory: Tensor, keys: Tensor) -> Tensor:
        """Return queries that know more, (N, Q, D).

        Args:
            queries: What each knows, (N, Q, D).
            places: Where it is, (N, Q, D).
            memory: The map, (N, M, D).
            keys: The same with where each of its places is.
        """
        known = self.norms[0](queries)
        queries = queries + self.others(known + places, known + places, known)
        queries = queries + self.around(self.norms[1](queries) + places, keys, memory)
        after: Tensor = queries + self.inner(self.norms[2](queries))
        return after


def corrected(boxes: Tensor, changes: Tensor) -> Tensor:
    """Return boxes (…, 4) that are moved by shares of their sides, and whose sides are multiplied.

    Args:
        boxes: Left, top, right, bottom.
        changes: Of the middle in sides, and natural logarithms of factors, (…, 4).
    """
    sides = boxes[..., 2:] - boxes[..., :2]
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2 + changes[..., :2] * sides
    half = sides * changes[..., 2:].clamp(max=_LARGEST).exp() / 2
    return torch.cat([middles - half, middles + half], dim=-1)
