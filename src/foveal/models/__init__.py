"""Architectures, one per file: `models/<name>.py` defines the builder `<name>`.

A builder takes `channels`, `classes` and `size` (side of the square input in pixels) plus its own
arguments, all plain values, and returns a module from normalized images (N, C, H, W) to logits (N, K).
`CARD` in the same file says what it is. A module with a method `learn_from(images)` is shown some
training images before the first step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class LearnsFromImages(Protocol):
    """A network that wants to see training images before the first step."""

    def learn_from(self, images: "Tensor") -> None:
        """Set whatever follows from normalized training images (N, C, H, W)."""


@dataclass(frozen=True)
class Card:
    """What `foveal models` says about an architecture.

    Attributes:
        family: Name of the family.
        kind: A network that is trained step by step, or a classical baseline.
        source: The paper or the idea.
        summary: One sentence: when to choose it.
        smallest_size: Side of the smallest input it can take, in pixels.
        fitted_by: Of a baseline: name of the file in `train/classical` that fits it.
        grows: Whether the number of its parameters follows from the training images.
    """

    family: str
    kind: Literal["network", "baseline"]
    source: str
    summary: str
    smallest_size: int = 32
    fitted_by: str | None = None
    grows: bool = False
