"""export.regions_graph: the file of a segmenter gives each pixel the class that the network gives it."""

import numpy as np
import onnx
import onnxruntime as runtime
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.data.preprocess import Preprocess
from foveal.export.regions_ending import write_regions
from foveal.export.regions_graph import regions_graph
from foveal.models.segmenters.region import region
from foveal.tasks.recognizer import Recognizer
from foveal.tasks.segment.decode import checked
from foveal.tasks.segment.learn import answers

SMALL = {"widths": [16, 16, 16, 16], "depths": [0, 0, 0, 0], "tower": 16}


def recognizer(sides, classes: int = 4) -> Recognizer:
    torch.manual_seed(0)
    network = region(channels=3, classes=classes, size=list(sides), **SMALL)
    torch.nn.init.normal_(network.answer.weight, std=1.0)
    preprocess = Preprocess(
        size=sides[0], width=sides[1], resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.25,) * 3
    )
    names = tuple(f"class{label}" for label in range(classes))
    return Recognizer(network.eval(), "region", {}, preprocess, names, "segment")


@pytest.mark.parametrize("sides", [(64, 96), (32, 32)])
def test_the_file_sees_what_the_network_sees(sides) -> None:
    made = recognizer(sides)
    session = onnxruntime(regions_graph(made), threads=1)

    for count in (1, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, *sides, 3), dtype=np.uint8)
        found = checked(session.answer(images), count, classes=4)
        wanted, margins = answers(made, images)
        assert len(np.unique(wanted)) > 1
        assert (margins[found != wanted] < 1e-4).all()


def ending(classes: int, places: tuple[int, int], sides: tuple[int, int]) -> bytes:
    """Return a graph that is nothing but the nodes behind a network."""
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes, *places])
    graph = helper.make_graph([], "ending", [logits], [logits])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    write_regions(model, "logits", sides)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def enlarged(logits, sides):
    """Return what torch says, and by how much the highest logit of each pixel is above the next one."""
    whole = F.interpolate(torch.from_numpy(logits), size=sides, mode="bilinear", align_corners=False)
    best = whole.topk(2, dim=1)
    return best.indices[:, 0].numpy(), (best.values[:, 0] - best.values[:, 1]).numpy()


def areas(count: int, classes: int, places, *, smooth: bool):
    rng = np.random.default_rng(count)
    logits = rng.normal(size=(count, classes, *places)).astype(np.float32)
    if smooth:  # as of a network: large areas, and borders between them
        logits = 20 * F.avg_pool2d(torch.from_numpy(logits), 5, 1, 2).numpy()
    return logits


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8, (4, 2), 2.5])
def test_only_where_neighbours_differ_is_interpolated_and_every_class_is_that_of_torch(
    factor, smooth
) -> None:
    places = (10, 14)
    down, across = factor if isinstance(factor, tuple) else (factor, factor)
    sides = int(down * places[0]), int(across * places[1])
    session = runtime.InferenceSession(ending(5, places, sides))

    for count in (1, 3):
        logits = areas(count, 5, places, smooth=smooth)
        [found] = session.run(None, {"logits": logits})
        wanted, margins = enlarged(logits, sides)
        assert found.shape == (count, *sides)
        assert found.dtype == np.uint8
        assert len(np.unique(wanted)) > 1
        assert (margins[found != wanted] < 1e-5).all()


def test_a_picture_of_one_class_has_no_cell_to_interpolate() -> None:
    logits = np.zeros((2, 3, 8, 8), np.float32)
    logits[0, 2] = 1
    logits[1, :, :4], logits[1, 1, 4:] = np.array([1, 0, 0])[:, None, None], 1

    [found] = runtime.InferenceSession(ending(3, (8, 8), (32, 32))).run(None, {"logits": logits})

    assert (found[0] == 2).all()
    assert set(np.unique(found[1])) == {0, 1}
    blank = logits[:1]
    assert (runtime.InferenceSession(ending(3, (8, 8), (32, 32))).run(None, {"logits": blank})[0] == 2).all()


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_openvino_reads_the_same_classes_from_it(precision) -> None:
    openvino = pytest.importorskip("openvino")
    places, sides = (12, 16), (48, 64)
    compiled = openvino.Core().compile_model(
        openvino.Core().read_model(ending(5, places, sides)), "CPU", {"INFERENCE_PRECISION_HINT": precision}
    )
    blank = np.zeros((1, 5, *places), np.float32)
    blank[:, 3] = 1

    for logits in (areas(2, 5, places, smooth=True), blank, areas(1, 5, places, smooth=False)):
        found = compiled(logits)[0]
        wanted, margins = enlarged(logits, sides)
        assert (margins[found != wanted] < (1e-5 if precision == "f32" else 0.1)).all()
