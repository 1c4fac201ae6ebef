"""Real ONNX graphs that find dark and light squares by their grey level: what they answer is known exactly.

Pictures are 32 pixels at model size and lie on a grid of 16 cells of 8 pixels. A cell is dark where its mean
level is below 70 and light above 180; a pixel by itself is, too.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from foveal.bundle import archive, golden_defects, golden_objects, golden_regions
from foveal.bundle.engines.onnxruntime import onnxruntime

SIDE, CELL, STEP = 32, 8, 4  # of masks every fourth pixel is told
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


# Grey levels of pixels and cells, and what is dark or light: what all graphs begin with.
_LEVELS = [
    ("Cast", ["images"], ["float"], {"to": TensorProto.FLOAT}),
    ("Transpose", ["float"], ["planes"], {"perm": [0, 3, 1, 2]}),
    ("AveragePool", ["planes"], ["means"], {"kernel_shape": [CELL] * 2, "strides": [CELL] * 2}),
    ("ReduceMean", ["means", "one"], ["grey"], {"keepdims": 0}),
    ("Reshape", ["grey", "cells"], ["levels"], {}),
]
_OBJECTS = [
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
    ("Unsqueeze", ["too_much", "one"], ["column"], {}),
    ("Add", ["named", "column"], ["added"], {}),
    ("Add", ["added", "first_label"], ["names"], {}),
    ("GatherElements", ["names", "at"], ["labels"], {"axis": 1}),
]
_MASKS = [("Gather", ["shapes", "at"], ["masks"], {"axis": 0})]
_REGIONS = [
    ("ReduceMean", ["float", "three"], ["pixels"], {"keepdims": 0}),
    ("Less", ["pixels", "dark_below"], ["pixel_is_dark"], {}),
    ("Greater", ["pixels", "light_above"], ["pixel_is_light"], {}),
    ("Where", ["pixel_is_light", "area_two", "area_none"], ["light"], {}),
    ("Where", ["pixel_is_dark", "area_one", "light"], ["regions"], {}),
]
_DEFECTS = [
    ("Reshape", ["levels", "grid"], ["grid_levels"], {}),
    ("Sub", ["ground", "grid_levels"], ["darkness"], {}),
    ("Neg", ["darkness"], ["lightness"], {}),
    ("Concat", ["darkness", "lightness"], ["maps"], {"axis": 1}),
    ("ReduceMax", ["maps", "everything"], ["scores"], {"keepdims": 0}),
]
_TOLD = {
    "boxes": (TensorProto.FLOAT, [16, 4]),
    "scores": (TensorProto.FLOAT, [16]),
    "labels": (TensorProto.INT64, [16]),
    "masks": (TensorProto.UINT8, [16, SIDE // STEP, SIDE // STEP]),
    "regions": (TensorProto.UINT8, [SIDE, SIDE]),
    "maps": (TensorProto.FLOAT, [2, 4, 4]),
}


def finder(dark_below: float = 70, *, task: str = "detect") -> bytes:
    """Return a detector of cells: all 16 of them, the surest first.

    Where the brightest pixel has level 1, its labels are no classes. For `instance` each has a mask, too, and
    for `panoptic` each pixel a class, of which 0 is ground.
    """
    places = [box(row, column) for row in range(4) for column in range(4)]
    shapes = np.zeros((16, SIDE // STEP, SIDE // STEP), np.uint8)
    for shape, (left, top, right, bottom) in zip(shapes, np.array(places, int) // STEP, strict=True):
        shape[top:bottom, left:right] = 255
    nodes, names = [*_LEVELS, *_OBJECTS], ["boxes", "scores", "labels"]
    if task != "detect":
        nodes, names = [*nodes, *_MASKS], [*names, "masks"]
    if task == "panoptic":
        nodes, names = [*nodes, *_REGIONS], [*names, "regions"]
    first = np.int64(task == "panoptic")
    arrays = {"places": np.array(places, np.float32), "shapes": shapes, "first_label": first}
    return _model(nodes, [(name, *_TOLD[name]) for name in names], **_constants(dark_below), **arrays)


def shader(dark_below: float = 70) -> bytes:
    """Return a segmenter: 0 is ground, 1 dark, 2 light."""
    nodes = [_LEVELS[0], *_REGIONS]
    return _model(nodes, [("regions", *_TOLD["regions"])], **_constants(dark_below))


def suspecter(ground: float = GROUND) -> bytes:
    """Return what looks for defects: by how many levels each cell is darker, or lighter, than the ground."""
    outputs = [("maps", *_TOLD["maps"]), ("scores", TensorProto.FLOAT, [])]
    arrays = {"grid": np.array([-1, 1, 4, 4], np.int64), "ground": np.float32(ground)}
    return _model([*_LEVELS, *_DEFECTS], outputs, **_constants(70), **arrays)


def _constants(dark_below: float) -> dict[str, np.ndarray]:
    return {
        "one": np.array([1], np.int64),
        "three": np.array([3], np.int64),
        "cells": np.array([-1, 16], np.int64),
        "all": np.array([16], np.int64),
        "everything": np.array([1, 2, 3], np.int64),
        "level_one": np.float32(1),
        "seven": np.int64(7),
        "dark_below": np.float32(dark_below),
        "light_above": np.float32(180),
        "width": np.float32(8),
        "area_none": np.uint8(0),
        "area_one": np.uint8(1),
        "area_two": np.uint8(2),
    }


def seal_finder(
    path: Path,
    draft,
    *,
    classes: tuple[str, ...] = CLASSES,
    dark_below: float = 70,
    task: str = "detect",
) -> Path:
    """Seal the detector; what it shows is surer than one half."""
    classes = AREAS if task == "panoptic" else classes
    decision = {"kind": "objects", "thresholds": [0.5] * len(classes), "objects": 16, "n": 5}
    if task == "panoptic":
        decision["things"] = [1, 2]
    stated = draft(
        task=task, classes=list(classes), preprocess=_PREPROCESS, decision=decision, temperature=1.0
    )
    model = finder(dark_below, task=task)
    session = onnxruntime(model, threads=1)
    vectors = golden_objects.measure(session, stated.preprocess, classes=len(classes))
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


def seal_suspecter(path: Path, draft, *, ground: float = GROUND) -> Path:
    """Seal what looks for defects; what is darker or lighter than the ground by 40 levels is shown."""
    stated = draft(
        task="defect",
        classes=["good", "dark", "light"],
        preprocess=_PREPROCESS,
        decision={"kind": "defects", "thresholds": [40, 40], "usual": [0, 0], "n": 5},
        temperature=1.0,
    )
    model = suspecter(ground)
    vectors = golden_defects.measure(onnxruntime(model, threads=1), stated.preprocess, kinds=2)
    archive.seal(path, stated, model=model, golden=vectors, force=True)
    return path
