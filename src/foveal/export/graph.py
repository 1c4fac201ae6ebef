"""From a recognizer to an ONNX graph: pixels in, logits and calibrated probabilities out."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from foveal.bundle.session import NEXT_WINDOW, WINDOW
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

_TEMPERATURE = "temperature"


class Pixels(nn.Module):
    """Normalization and network: uint8 (N, H, W, C) to logits (N, K)."""

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of pixels."""
        logits: Tensor = self.network(learn.normalize(images, self.preprocess))
        return logits


class _Frames(nn.Module):
    """Normalization and a network for clips, with the features of the frames before as a window.

    The features of the F frames that are new are appended to those of the last T, and the last T of all are
    what the network answers for: after T frames nothing is left of the window that was given first. So a
    whole clip, F = T with any window, and its frames one by one give the same, and no frame is seen twice.
    """

    def __init__(self, network: Any, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, images: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        fresh = self.network.look(learn.normalize(images, self.preprocess))
        kept = torch.cat([window, fresh], dim=1)[:, images.shape[1] :]
        return self.network.answer(kept), kept


def graph(recognizer: Recognizer, *, temperature: float = 1.0) -> bytes:
    """Return the ONNX file of a classifier.

    Input `images` uint8 (N, H, W, C) with any N; outputs `probabilities` = softmax(logits / T) and
    `logits`, float32 (N, K). One file without external data, and without the names of source files. For clips
    the inputs are `images` uint8 (N, F, H, W, C) with any N and F, and `window` float32 (N, T, D); the third
    output is `next_window`, see `_Frames`.

    Args:
        recognizer: In eval mode or not; it is exported in eval mode.
        temperature: T above 0, fitted on the outputs of this very graph.
    """
    with quiet_exporter():
        program = _clips(recognizer) if recognizer.preprocess.clip else _pictures(recognizer)
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    strip(model)
    _add_probabilities(model, classes=len(recognizer.classes), temperature=temperature)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _pictures(recognizer: Recognizer) -> Any:
    preprocess = recognizer.preprocess
    return torch.onnx.export(
        Pixels(recognizer.network, preprocess).eval(),
        (torch.zeros(2, *preprocess.shape, dtype=torch.uint8),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
        input_names=["images"],
        output_names=["logits"],
        external_data=False,
        verbose=False,
    )


def _clips(recognizer: Recognizer) -> Any:
    preprocess = recognizer.preprocess
    network: Any = recognizer.network
    frames, *picture = preprocess.shape
    count, fresh = torch.export.Dim("N", min=1), torch.export.Dim("F", min=1)
    images = torch.zeros(2, 3, *picture, dtype=torch.uint8)
    return torch.onnx.export(
        _Frames(network, preprocess).eval(),
        (images, torch.zeros(2, frames, int(network.features))),
        dynamo=True,
        dynamic_shapes=({0: count, 1: fresh}, {0: count}),
        input_names=["images", WINDOW],
        output_names=["logits", NEXT_WINDOW],
        external_data=False,
        verbose=False,
    )


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep the exporter's own deprecations and remarks from the user; leave the process as it was."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def with_temperature(model: bytes, temperature: float) -> bytes:
    """Return the same graph with another temperature."""
    loaded = onnx.load_from_string(model)
    for initializer in loaded.graph.initializer:
        if initializer.name == _TEMPERATURE:
            initializer.CopyFrom(_scalar(temperature))
    data: bytes = loaded.SerializeToString(deterministic=True)
    return data


def _add_probabilities(model: Any, *, classes: int, temperature: float) -> None:
    nodes = [
        helper.make_node("Div", ["logits", _TEMPERATURE], ["scaled"], name="temperature_scaling"),
        helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1, name="softmax"),
    ]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(_scalar(temperature))
    logits, *others = model.graph.output
    batch = logits.type.tensor_type.shape.dim[0].dim_param
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, classes])
    del model.graph.output[:]
    model.graph.output.extend([probabilities, logits, *others])


def _scalar(value: float) -> Any:
    return numpy_helper.from_array(np.asarray(value, np.float32), _TEMPERATURE)


def strip(model: Any) -> None:
    """Drop what the exporter notes about the source code: it holds paths of this machine."""
    del model.metadata_props[:]
    model.producer_name, model.producer_version, model.doc_string = "foveal", "", ""
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (*model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
