"""What an assigner wants each place of a map to answer."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from foveal.train.scenes.annotations import Boxes


@dataclass(frozen=True)
class Targets:
    """Targets of P places.

    Attributes:
        heat: For each class how much a place should answer with it, in [0, 1], (N, K, P).
        objects: Which object a place answers for, where it does, int64 (N, P).
        boxes: The box that it should answer with, (N, P, 4).
        weights: How much its box counts, 0 where it should answer with none, (N, P).
    """

    heat: Tensor
    objects: Tensor
    boxes: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Places:
    """The places of a map: middles in pixels, (P, 2), in rows of `width`, `stride` pixels apart."""

    middles: Tensor
    width: int
    stride: int


class Assigner(Protocol):
    """Says which places answer for which object, and how answers about classes are judged."""

    def assign(self, logits: Tensor, boxes: Tensor, truth: Boxes, places: Places) -> Targets:
        """Return the targets of all places.

        Args:
            logits: Of classes, (N, K, P), detached.
            boxes: Answered, (N, P, 4), detached.
            truth: The objects.
            places: Where the places are.
        """
        ...

    def class_loss(self, logits: Tensor, targets: Targets, objects: float) -> Tensor:
        """Return the loss of class logits (N, K, P), in float32, for so many objects."""
        ...
