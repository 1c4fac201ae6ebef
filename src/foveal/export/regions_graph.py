"""From a segmenter to an ONNX graph: pixels in, the class of each pixel out."""

import onnx
import torch

from foveal.export.graph import Pixels, quiet_exporter, strip
from foveal.export.regions_ending import write_regions
from foveal.tasks.recognizer import Recognizer

_LOGITS = "pixel_logits"


def regions_graph(recognizer: Recognizer) -> bytes:
    """Return the ONNX file of a segmenter.

    Input `images` uint8 (N, H, W, C) with any N; output `regions`, uint8 (N, H, W).

    Args:
        recognizer: A segmenter; it is exported in eval mode.
    """
    preprocess = recognizer.preprocess
    with quiet_exporter():
        program = torch.onnx.export(
            Pixels(recognizer.network, preprocess).eval(),
            (torch.zeros(2, *preprocess.shape, dtype=torch.uint8),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            input_names=["images"],
            output_names=[_LOGITS],
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    strip(model)
    write_regions(model, _LOGITS, preprocess.sides)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
