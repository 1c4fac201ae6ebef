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

from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

_TEMPERATURE = "temperature"


class _Pixels(nn.Module):
    """Normalization and network: uint8 (N, H, W, C) to logits (N, K)."""

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(learn.normalize(images, self.preprocess))
        return logits


def graph(recognizer: Recognizer, *, temperature: float = 1.0) -> bytes:
    """Return the ONNX file of a classifier.

    Input `images` uint8 (N, H, W, C) with any N; outputs `probabilities` = softmax(logits / T) and
    `logits`, float32 (N, K). One file without external data, and without the names of source files.

    Args:
        recognizer: In eval mode or not; it is exported in eval mode.
        temperature: T above 0, fitted on the outputs of this very graph.
    """
    preprocess = recognizer.preprocess
    pixels = _Pixels(recognizer.network, preprocess).eval()
    example = torch.zeros(2, preprocess.size, preprocess.size, preprocess.channels, dtype=torch.uint8)
    with _quiet_exporter():
        program = torch.onnx.export(
            pixels,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            input_names=["images"],
            output_names=["logits"],
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    _strip(model)
    _add_probabilities(model, classes=len(recognizer.classes), temperature=temperature)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@contextmanager
def _quiet_exporter() -> Iterator[None]:
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
    logits = model.graph.output[0]
    batch = logits.type.tensor_type.shape.dim[0].dim_param
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, classes])
    del model.graph.output[:]
    model.graph.output.extend([probabilities, logits])


def _scalar(value: float) -> Any:
    return numpy_helper.from_array(np.asarray(value, np.float32), _TEMPERATURE)


def _strip(model: Any) -> None:
    """Drop what the exporter notes about the source code: it holds paths of this machine."""
    del model.metadata_props[:]
    model.producer_name, model.producer_version, model.doc_string = "foveal", "", ""
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (*model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
