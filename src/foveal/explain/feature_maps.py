"""Which filters of each depth answer most to a picture, and where."""

from dataclasses import dataclass, field
from typing import Any

import torch

from foveal.explain.layers import Layer, depths, network_input, outputs_of
from foveal.explain.scores import Float32, UInt8, check_picture
from foveal.tasks.recognizer import Recognizer


@dataclass(frozen=True)
class FeatureMaps:
    """The strongest answers of one depth.

    Attributes:
        layer: Where.
        filters: Indices of its channels, the strongest answer first.
        maps: Their answers, float32 (F, h, w); what is negative the next layer does not see, and is 0.
    """

    layer: Layer
    filters: tuple[int, ...]
    maps: Float32 = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return an entry of the document's `features`."""
        return {"layer": self.layer.title, "shape": list(self.layer.shape), "filters": list(self.filters)}


@torch.no_grad()
def feature_maps(recognizer: Recognizer, image: UInt8, *, most: int = 8) -> list[FeatureMaps]:
    """Return for each depth with height and width the filters whose mean answer is largest.

    Args:
        recognizer: The network.
        image: uint8 (size, size, channels) at model size.
        most: Filters of a depth.

    Raises:
        UsageError: The picture is not such.
    """
    check_picture(image)
    shown = [layer for layer in depths(recognizer) if layer.is_spatial]
    with outputs_of(recognizer.network, [layer.name for layer in shown]) as outputs:
        recognizer.network.eval()(network_input(recognizer, image[None]))
    found = []
    for layer in shown:
        answers = outputs[layer.name][0].relu().float()
        order = answers.mean(dim=(1, 2)).argsort(descending=True, stable=True)[:most]
        found.append(FeatureMaps(layer, tuple(order.tolist()), answers[order].numpy()))
    return found
