"""export.regions_graph: the file of a segmenter gives each pixel the class that the network gives it."""

import numpy as np
import pytest
import torch

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.data.preprocess import Preprocess
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
