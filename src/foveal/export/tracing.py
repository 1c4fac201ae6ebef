"""A network as ONNX within a second, by following one batch through it; what does not fit is refused.

The exporter that seals recognizers reads the network's code, which takes fifteen seconds for
EfficientNet-Lite0; this one records what is computed for two pictures. Whatever a network does otherwise for
another number of pictures is lost then, so the graph is asked about another number before it is believed.
"""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from foveal.bundle.embedder import FEATURES
from foveal.core import extras
from foveal.data.preprocess import Preprocess
from foveal.export.graph import Pixels, strip

_OPSET = 20  # as of the other exporter
_ASKED, _CLOSE = 3, 1e-4  # pictures; largest difference as a share of the largest feature


def traced(network: nn.Module, preprocess: Preprocess) -> bytes | None:
    """Return a graph from `images` uint8 (N, H, W, C) to `features` float32 (N, D), or None: it does not fit.

    Args:
        network: Normalized images (N, C, H, W) to features (N, D), in eval mode.
        preprocess: What its pictures are like; of single pictures.
    """
    whole = Pixels(network, preprocess).eval()
    shown, asked = (_noise(count, preprocess) for count in (2, _ASKED))
    return followed(whole, ("images", FEATURES), shown, [asked], free={0: "N"})


def followed(
    whole: nn.Module, names: tuple[str, str], shown: Tensor, asked: Sequence[Tensor], *, free: dict[int, str]
) -> bytes | None:
    """Return the graph of a module that makes vectors (N, D) of one tensor, or None: it does not fit.

    Args:
        whole: In eval mode.
        names: Of input and output.
        shown: What it is followed on.
        asked: What the graph is asked about before it is believed: of other sizes than `shown`.
        free: Axes of the input that may have any size, with a name each.
    """
    given, answer = names
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")  # that it is the older exporter, and what tracing cannot see
            torch.onnx.export(
                whole,
                (shown,),
                Path(folder) / "graph.onnx",
                dynamo=False,
                input_names=[given],
                output_names=[answer],
                dynamic_axes={given: free, answer: {0: free[0]}},
                opset_version=_OPSET,
            )
            model = onnx.load_from_string((Path(folder) / "graph.onnx").read_bytes())
    except (RuntimeError, TypeError, ValueError):  # an operator that it does not know; a torch without it
        return None
    strip(model)
    graph: bytes = model.SerializeToString(deterministic=True)
    return graph if _fits(graph, whole, names, asked) else None


def _fits(graph: bytes, whole: nn.Module, names: tuple[str, str], asked: Sequence[Tensor]) -> bool:
    """Return whether a graph answers as its module does, for other sizes than were traced."""
    given, answer = names
    runtime = extras.onnxruntime()
    for one in asked:
        with torch.no_grad():
            wanted = whole(one).numpy()
        try:
            session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
            [found] = session.run([answer], {given: one.numpy()})
        except Exception:  # the engine's errors have no common class; another exporter has its turn then
            return False
        close = _CLOSE * max(1e-6, float(np.abs(wanted).max()))
        if found.shape != wanted.shape or not np.abs(found - wanted).max() <= close:
            return False
    return True


def _noise(count: int, preprocess: Preprocess) -> Tensor:
    shape: Any = (count, *preprocess.shape)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
