"""From a segmenter to an ONNX graph: pixels in, the class of each pixel out."""

from typing import Any

import onnx
import torch
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.export.graph import quiet_exporter, strip
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer
from foveal.tasks.segment.learn import classes_of


class _Pixels(nn.Module):
    """Normalization, network and choice: uint8 (N, H, W, C) to classes, uint8 (N, H, W)."""

    def __init__(self, network: Any, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(learn.normalize(images, self.preprocess))
        return classes_of(logits, self.preprocess.sides)


def regions_graph(recognizer: Recognizer) -> bytes:
    """Return the ONNX file of a segmenter.

    Input `images` uint8 (N, H, W, C) with any N; output `regions`, uint8 (N, H, W).

    Args:
        recognizer: A segmenter; it is exported in eval mode.
    """
    preprocess = recognizer.preprocess
    with quiet_exporter():
        program = torch.onnx.export(
            _Pixels(recognizer.network, preprocess).eval(),
            (torch.zeros(2, *preprocess.shape, dtype=torch.uint8),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            input_names=["images"],
            output_names=["regions"],
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
