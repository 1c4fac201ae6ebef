"""Which pictures no small change of any pixel can turn into another answer."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.certified.bounds.box import Box
from foveal.certified.bounds.graph import Graph, traced
from foveal.certified.bounds.margins import FLOAT32, Method, margins, propagated
from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.tasks.recognizer import Recognizer

APART = 1e-3  # margin in logits below which a softmax in float32 might not tell two classes apart
_NORMALIZED = 4  # roundings of one pixel on its way into the network, and one to spare
_TOGETHER = {"interval": 64, "crown": 8}  # pictures at a time: a bound for each class is carried back


def certified_linf(
    recognizer: Recognizer,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    radius: float,
    method: Method = "interval",
) -> NDArray[np.bool_]:
    """Return which pictures are answered with their label wherever all pixels stay near, bool (N,).

    True is proven for every picture with real-valued pixels in 0 to 255 of which none moved by more than
    `radius`, and for every float32 engine (see `margins`). False proves nothing: the answer may be wrong or
    changeable, or the bounds too wide.

    Args:
        recognizer: Its network as it ships in float32.
        images: uint8 (N, H, W, C) at model size.
        labels: int64 (N,), in [0, K).
        radius: In grey levels, ≥ 0; 2 is the 2/255 of the literature.
        method: See `margins.lower_margins`.

    Raises:
        UsageError: The radius is below 0, or `no_bounds`: an operation of the network has no rule.
    """
    if not radius >= 0:
        raise UsageError(f"a radius is 0 or more grey levels; got {radius}")
    graph = traced(recognizer.network, tuple(recognizer.blank.shape[1:]))
    weights = graph.weights(recognizer.network, torch.float64)
    proven = np.zeros(len(images), bool)
    for start in range(0, len(images), _TOGETHER[method]):
        part = slice(start, start + _TOGETHER[method])
        box = picture_box(images[part], radius, recognizer.preprocess)
        proven[part] = _proven(graph, weights, box, torch.from_numpy(labels[part]), method)
    return proven


@torch.no_grad()
def _proven(
    graph: Graph, weights: dict[str, Tensor], box: Box, labels: Tensor, method: Method
) -> NDArray[np.bool_]:
    reached = propagated(graph, weights, box, unit=FLOAT32)
    others = torch.arange(reached.boxes[graph.output].low.shape[1]) != labels[:, None]

    def wins(method: Method) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (
            ((margins(reached, labels, method=method) > APART) | ~others).all(1).numpy()
        )
        return found

    found = wins("interval")
    return found if method == "interval" or found.all() else found | wins("crown")


def picture_box(images: UInt8, radius: float | Tensor, preprocess: Preprocess) -> Box:
    """Return all that the network may see if no pixel moves by more than `radius`, float64 (N, C, H, W).

    Args:
        images: uint8 (N, H, W, C).
        radius: In grey levels, one for all or (N, 1, 1, 1); no pixel leaves 0 to 255.
        preprocess: Gives the normalization, whose rounding in float32 is allowed for.
    """
    mean = (torch.tensor(preprocess.mean) * 255.0).double()
    scale = (1.0 / (torch.tensor(preprocess.std) * 255.0)).double()
    pixels = torch.from_numpy(images).double()

    def seen(levels: Tensor, sign: int) -> Tensor:
        moved = (levels.clamp(0, 255) - mean) * scale
        slack = _NORMALIZED * FLOAT32 * (levels.clamp(0, 255).abs() + mean.abs()) * scale
        return (moved + sign * slack).permute(0, 3, 1, 2)

    return Box(seen(pixels - radius, -1), seen(pixels + radius, 1))
