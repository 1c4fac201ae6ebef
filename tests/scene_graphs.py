"""Real ONNX graphs that find dark and light squares by their grey level: what they answer is known exactly.

Pictures are 32 pixels at model size and lie on a grid of 16 cells of 8 pixels. A cell is dark where its mean
level is below 70 and light above 180; a pixel by itself is, too.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle import archive, golden_objects, golden_regions
from foveal.bundle.engines.onnxruntime import onnxruntime

SIDE, CELL = 32, 8
DARK, LIGHT, GROUND = 40, 220, 110
CLASSES = ("dark", "light")
AREAS = ("ground", "dark", "light")
_PREPROCESS = {
    "size": SIDE,
    "channels": 3,
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
    "resize": "letterbox",
}


def picture(*cells: tuple[int, int, int], scale: int = 1) -> np.ndarray:
    """Return a grey picture uint8 (S, S, 3) with (row, column, level) of cells, each side times `scale`."""
    pixels = np.full((SIDE, SIDE, 3), GROUND, np.uint8)
    for row, column, level in cells:
        pixels[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = level
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def box(row: int, column: int, scale: int = 1) -> list[float]:
    """Return left, top, right and bottom of a cell."""
    return [float(scale * CELL * side) for side in (column, row, column + 1, row + 1)]


def _model(nodes, outputs, **arrays) -> bytes:
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIDE, SIDE, 3])
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]
    told = [helper.make_tensor_value_info(name, kind, ["N", *sides]) for name, kind, sides in outputs]
    graph = helper.make_graph(
        [helper.make_node(*one[:3], **one[3]) for one in nodes], "g", [images], told, tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString(deterministic=True)


def finder(dark_below: float = 70) -> bytes:
    """Return a detector of cells: all 16 of them, the surest first.

    Where the brightest pixel has level 1, its labels are no classes.
    """
    places = [box(row, column) for row in range(4) for column in range(4)]
    return _model(
        [
            ("Cast", ["images"], ["float"], {"to": TensorProto.FLOAT}),
            ("Transpose", ["float"], ["planes"], {"perm": [0, 3, 1, 2]}),
            ("AveragePool", ["planes"], ["means"], {"kernel_shape": [CELL] * 2, "strides": [CELL] * 2}),
            ("ReduceMean", ["means", "channels"], ["grey"], {"keepdims": 0}),
            ("Reshape", ["grey", "cells"], ["levels"], {}),
            ("Sub", ["dark_below", "levels"], ["darker"], {}),
            ("Sub", ["levels", "light_above"], ["lighter"], {}),
            ("Max", ["darker", "lighter"], ["clearer"], {}),
            ("Div", ["clearer", "width"], ["logits"], {}),
            ("Sigmoid", ["logits"], ["sure"], {}),
            ("TopK", ["sure", "all"], ["scores", "at"], {"axis": 1}),
            ("Gather", ["places", "at"], ["boxes"], {"axis": 0}),
            ("Greater", ["lighter", "darker"], ["is_light"], {}),
            ("Cast", ["is_light"], ["named"], {"to": TensorProto.INT64}),
            ("ReduceMax", ["float", "everything"], ["brightest"], {"keepdims": 0}),
            ("Equal", ["brightest", "level_one"], ["is_nonsense"], {}),
            ("Cast", ["is_nonsense"], ["nonsense"], {"to": TensorProto.INT64}),
            ("Mul", ["nonsense", "seven"], ["too_much"], {}),
            ("Unsqueeze", ["too_much", "channels"], ["column"], {}),
            ("Add", ["named", "column"], ["names"], {}),
            ("GatherElements", ["names", "at"], ["labels"], {"axis": 1}),
        ],
        [
            ("boxes", TensorProto.FLOAT, [16, 4]),
            ("scores", TensorProto.FLOAT, [16]),
            ("labels", TensorProto.INT64, [16]),
        ],
        channels=np.array([1], np.int64),
        cells=np.array([-1, 16], np.int64),
        all=np.array([16], np.int64),
        everything=np.array([1, 2, 3], np.int64),
        level_one=np.float32(1),
        seven=np.int64(7),
        dark_below=np.float32(dark_below),
        light_above=np.float32(180),
        width=np.float32(8),
        places=np.array(places, np.float32),
    )


def shader(dark_below: float = 70) -> bytes:
    """Return a segmenter: 0 is ground, 1 dark, 2 light."""
    return _model(
        [
            ("Cast", ["images"], ["float"], {"to": TensorProto.FLOAT}),
            ("ReduceMean", ["float", "channels"], ["levels"], {"keepdims": 0}),
            ("Less", ["levels", "dark_below"], ["is_dark"], {}),
            ("Greater", ["levels", "light_above"], ["is_light"], {}),
            ("Where", ["is_light", "two", "nothing"], ["light"], {}),
            ("Where", ["is_dark", "one", "light"], ["regions"], {}),
        ],
        [("regions", TensorProto.UINT8, [SIDE, SIDE])],
        channels=np.array([3], np.int64),
        dark_below=np.float32(dark_below),
        light_above=np.float32(180),
        nothing=np.uint8(0),
        one=np.uint8(1),
        two=np.uint8(2),
    )


def seal_finder(path: Path, draft, *, classes: tuple[str, ...] = CLASSES, dark_below: float = 70) -> Path:
    """Seal the detector; what it shows is surer than one half."""
    thresholds = [0.5] * len(classes)
    decision = {"kind": "objects", "thresholds": thresholds, "objects": 16, "n": 5}
    stated = draft(
        task="detect", classes=list(classes), preprocess=_PREPROCESS, decision=decision, temperature=1.0
    )
    model = finder(dark_below)
    vectors = golden_objects.measure(onnxruntime(model, threads=1), stated.preprocess, classes=len(classes))
    archive.seal(path, stated, model=model, golden=vectors, force=True)
    return path


def seal_shader(path: Path, draft, *, dark_below: float = 70) -> Path:
    """Seal the segmenter."""
    stated = draft(
        task="segment",
        classes=list(AREAS),
        preprocess=_PREPROCESS,
        decision={"kind": "regions"},
        temperature=1.0,
    )
    model = shader(dark_below)
    vectors = golden_regions.measure(onnxruntime(model, threads=1), stated.preprocess, classes=3)
    archive.seal(path, stated, model=model, golden=vectors, force=True)
    return path
