"""What one answer of a network costs: multiply-adds, weights, and the memory that its maps pass through.

Nothing is computed: the network runs on torch's meta device, where tensors have shapes and no content. What
is counted is the graph as an engine runs it, layer by layer: batch norm and functions of single values (ReLU,
sums of two maps) change the result of the layer before them in place, where nobody else needs it, and cost
only what they read besides.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from foveal import models
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.data.clip import FRAMES
from foveal.models import Architecture, Builder
from foveal.models._outline import outlined
from foveal.models._trace import KINDS, UNCOUNTED, Step, peak_bytes, trace


@dataclass(frozen=True)
class KindCost:
    """The share of one kind of layer.

    Attributes:
        kind: `convolution` (dense or grouped, larger than 1×1), `pointwise` (1×1), `depthwise`, `linear` (any
            other product of matrices), `other`.
        macs: Multiply-adds.
        weight_bytes: As below.
        activation_bytes: As below.
    """

    kind: str
    macs: int
    weight_bytes: int
    activation_bytes: int


@dataclass(frozen=True)
class Cost:
    """What one answer for one picture, or for one clip, costs.

    Attributes:
        name: Architecture.
        size: Side of the input in pixels.
        channels: Of the input.
        classes: Outputs.
        parameters: How many.
        macs: Multiply-adds of convolutions and products of matrices, by the definition: an engine that uses
            Winograd's algorithm needs fewer (Lavin & Gray, 2016).
        weight_bytes: Of all parameters and constants that are read, each once, in the network's own type.
        activation_bytes: What all layers read and write, weights aside.
        peak_activation_bytes: What must be there at once, at the layer where that is most, weights aside.
        layers: The kinds of layer that there are; their numbers add up to those above.
        steps: The layers themselves, in order.
    """

    name: str
    size: int
    channels: int
    classes: int
    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int
    peak_activation_bytes: int
    layers: tuple[KindCost, ...]
    steps: tuple[Step, ...] = field(repr=False)

    @property
    def macs_per_byte(self) -> float:
        """Multiply-adds for each byte that the layers read or write: the intensity of the roofline."""
        return self.macs / (self.weight_bytes + self.activation_bytes)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object; single steps are not in it."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "steps"}
        layers = [asdict(layer) for layer in self.layers]
        return {**found, "name": catalog.spoken(self.name), "layers": layers}


def cost(
    architecture: str | Builder | Architecture, *, size: int, channels: int = 3, classes: int = 10
) -> Cost:
    """Return what one answer of an architecture costs; nothing is computed or allocated, whatever the size.

    Args:
        architecture: Name of a file in `models/`, or a builder of your own that torch's meta device can run.
        size: Side of the input in pixels.
        channels: Of the input.
        classes: Outputs.

    Raises:
        UnknownNameError: No such architecture.
        UsageError: `too_small`: it cannot take pictures of this size. `grows`: what it costs follows from the
            pictures that it is fitted on.
    """
    found = models.architecture(architecture)
    if not found.is_own and models.card(found.name).grows:
        raise UsageError(
            f"what {catalog.spoken(found.name)} costs follows from the pictures that it is fitted on",
            code="grows",
            hint="fit it, and look at its bundle with foveal info and foveal bench",
        )
    if size < found.smallest_size:
        raise UsageError(
            f"{found.name} takes pictures of {found.smallest_size} pixels or more; got {size}",
            code="too_small",
        )
    with outlined():
        network = found(channels=channels, classes=classes, size=size)
        picture = torch.empty(1, channels, size, size)
        if found.task == "video":
            picture = torch.empty(1, FRAMES, channels, size, size)
    return cost_of(network, picture, name=found.name, classes=classes)


def cost_of(network: nn.Module, picture: Tensor, *, name: str, classes: int) -> Cost:
    """Return what one answer of a network costs, in eval mode.

    Args:
        network: On any device; on the meta device nothing is computed.
        picture: One normalized picture (1, C, size, size), or clip (1, T, C, size, size), on the same device.
        name: What to call it.
        classes: K.
    """
    was_training = network.training
    steps = trace(network.eval(), picture)
    network.train(was_training)
    layers = tuple(_kind(kind, steps) for kind in KINDS if any(step.kind == kind for step in steps))
    return Cost(
        name=name,
        size=picture.shape[-1],
        channels=picture.shape[-3],
        classes=classes,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=sum(layer.macs for layer in layers),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        peak_activation_bytes=peak_bytes(steps),
        layers=layers,
        steps=tuple(steps),
    )


def macs(network: nn.Module, picture: Tensor) -> int:
    """Return the multiply-adds of a real forward pass; nothing is kept of it, so large networks fit, too.

    Args:
        network: In the mode in which it is to be counted.
        picture: Normalized (N, C, H, W), or clips.
    """
    counter = FlopCounterMode(display=False, custom_mapping=UNCOUNTED)
    # Fused attention is not counted; as two products and a softmax it is.
    with sdpa_kernel(SDPBackend.MATH), counter, torch.no_grad():
        network(picture)
    return int(counter.get_total_flops()) // 2


def _kind(kind: str, steps: list[Step]) -> KindCost:
    chosen = [step for step in steps if step.kind == kind]
    return KindCost(
        kind,
        macs=sum(step.macs for step in chosen),
        weight_bytes=sum(step.weight_bytes for step in chosen),
        activation_bytes=sum(step.read_bytes + step.written_bytes for step in chosen),
    )
