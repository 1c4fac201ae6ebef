"""Networks whose answer grows with time: they can be asked for it at every step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Course:
    """How the answers to N images come about in T steps.

    Attributes:
        evidence: What speaks for each class by the end of each step, (N, T, K); that of the last step orders
            the classes as the network's logits do.
        potentials: Of the output neurons before their reset, (N, T, K).
        spikes: Of the output neurons, 0 or 1, (N, T, K).
        inner_spikes: Spikes inside the network by the end of each step, (N, T).
        operations: Synaptic operations by then, (N, T): each inner spike adds one weight to each neuron that
            it reaches.
        multiply_adds: Of the same layers if their inputs were plain numbers, for one image.
    """

    evidence: "Tensor"
    potentials: "Tensor"
    spikes: "Tensor"
    inner_spikes: "Tensor"
    operations: "Tensor"
    multiply_adds: int


@runtime_checkable
class OverTime(Protocol):
    """A network that decides in time."""

    def over_time(self, images: "Tensor") -> Course:
        """Return how the answers to normalized images (N, C, H, W) come about, in eval mode."""
