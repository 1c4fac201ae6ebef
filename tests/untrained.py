"""Networks that say where something is, with random weights that answer variously: nobody has to train."""

import numpy as np
import torch

from foveal.data.preprocess import Preprocess
from foveal.models.detectors.point import point
from foveal.models.segmenters.region import region
from foveal.tasks.recognizer import Recognizer

SIDES = (64, 96)
_SMALL = {"widths": [16, 16, 16, 16], "depths": [0, 1, 0, 0], "tower": 16}


def _preprocess(sides) -> Preprocess:
    return Preprocess(
        size=sides[0], width=sides[1], resize="letterbox", channels=3, mean=(0.4,) * 3, std=(0.25,) * 3
    )


def detector(*, sides=SIDES, classes: int = 3) -> Recognizer:
    """Return a detector that finds many things of all classes, some close to each other."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": classes, "size": list(sides), **_SMALL}
    network = point(**arguments)
    torch.nn.init.normal_(network.outputs[0].weight, std=1.5)
    torch.nn.init.constant_(network.outputs[0].bias, -2.0)
    torch.nn.init.normal_(network.outputs[1].weight, std=0.3)
    names = tuple(f"class{label}" for label in range(classes))
    return Recognizer(network.eval(), "point", arguments, _preprocess(sides), names, "detect")


def segmenter(*, sides=SIDES, classes: int = 4) -> Recognizer:
    """Return a segmenter that sees several classes on any picture."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": classes, "size": list(sides), **_SMALL}
    network = region(**arguments)
    torch.nn.init.normal_(network.answer.weight, std=1.0)
    names = tuple(f"class{label}" for label in range(classes))
    return Recognizer(network.eval(), "region", arguments, _preprocess(sides), names, "segment")


def pictures(count: int, *, sides=SIDES, seed: int = 0) -> np.ndarray:
    """Return noise in blocks of 8 pixels, so that there is something to see: uint8 (N, H, W, 3)."""
    blocks = np.random.default_rng(seed).integers(0, 256, (count, sides[0] // 8, sides[1] // 8, 3))
    return blocks.astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)
