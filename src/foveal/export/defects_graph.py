"""From what looks for defects to an ONNX graph: pixels in, a score and maps out."""

import onnx
import torch
from torch import Tensor, nn

from foveal.data.preprocess import Preprocess
from foveal.export.graph import quiet_exporter, strip
from foveal.tasks.classify.learn import normalize
from foveal.tasks.defect.decode import OUTPUTS
from foveal.tasks.recognizer import Recognizer


class _Pixels(nn.Module):
    """Normalization and network: uint8 (N, H, W, C) to scores (N,) and maps (N, K, h, w)."""

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores, maps = self.network(normalize(images, self.preprocess))
        return scores, maps


def defects_graph(recognizer: Recognizer) -> bytes:
    """Return the ONNX file of what looks for defects.

    Input `images` uint8 (N, H, W, C) with any N; outputs `scores` float32 (N,) and `maps` float32
    (N, K, h, w).

    Args:
        recognizer: It is exported in eval mode.
    """
    preprocess = recognizer.preprocess
    with quiet_exporter():
        program = torch.onnx.export(
            _Pixels(recognizer.network, preprocess).eval(),
            (torch.zeros(2, *preprocess.shape, dtype=torch.uint8),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            input_names=["images"],
            output_names=list(OUTPUTS),
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
