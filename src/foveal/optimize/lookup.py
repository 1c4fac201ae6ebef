"""What each layer costs in the engine that will serve, measured once and remembered: a look-up table.

A layer's time is the difference between a graph with it and the same graph without it, timed in turns, so
that what slows the machine hits both. Source of the idea: Yang et al., "NetAdapt", 2018, arXiv:1804.03230,
§3.3. A sum over layers only ranks networks until it is fitted to whole ones: see `optimize.prediction`.

A library: `foveal optimize` measures no such table. It takes 10 to 47 s and was mostly a worse guide than a
line over multiply-adds through two whole networks (`optimize.foresight`), which takes 1 to 2 s. See
docs/decisions/0021-optimize.md, 12, and docs/benchmarks.md, "Predicted times".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from foveal.bundle.quick_turns import quick_turns
from foveal.bundle.session import Session, UInt8
from foveal.core import random
from foveal.core.errors import DataError, UsageError
from foveal.optimize import micro
from foveal.optimize import shapes as layers
from foveal.optimize.micro import Precision
from foveal.optimize.prediction import Parts
from foveal.optimize.shapes import Shape

Load = Callable[[bytes], Session]

_SCHEMA = "foveal.lookup/1"
_SECONDS = 0.04  # for timing one entry, of a layer half of it without the layer


class Table:
    """Seconds for one picture, in one engine with one number of threads and one precision.

    Attributes:
        precision: "fp32" or "int8".
    """

    def __init__(self, load: Load, precision: Precision) -> None:
        """Start with nothing measured.

        Args:
            load: Opens an ONNX graph in the engine, with the threads that will serve.
            precision: Of the graphs that will be served.
        """
        if precision not in ("fp32", "int8"):
            raise UsageError(f"a table is of fp32 or int8; got {precision!r}")
        self.precision: Precision = precision
        self._load = load
        self._layers: dict[Shape, float] = {}
        self._inputs: dict[tuple[int, int], float] = {}

    def layer(self, shape: Shape) -> float:
        """Return the seconds of a layer, ≥ 0; measured on first use, the same ever after.

        Raises:
            BundleError: The engine does not run it.
        """
        if shape not in self._layers:
            one, other = (
                self._load(micro.micro(shape, self.precision, with_layer=there)) for there in (True, False)
            )
            images = _images(shape.height, shape.width, shape.inputs)
            self._layers[shape] = max(0.0, difference(one, other, images))
        return self._layers[shape]

    def input(self, *, channels: int, size: int) -> float:
        """Return the seconds of a call that normalizes a picture and answers; measured on first use.

        Raises:
            BundleError: The engine does not run it.
        """
        if (channels, size) not in self._inputs:
            session = self._load(micro.entrance(self.precision, channels=channels, size=size))
            images = _images(size, size, channels)
            [self._inputs[channels, size]] = quick_turns([session], images, seconds=_SECONDS)
        return self._inputs[channels, size]

    def parts(self, shapes: Sequence[Shape], *, channels: int, size: int) -> Parts:
        """Return what the table says about a network, measuring what it does not know yet.

        Args:
            shapes: Its layers, each as often as it runs: see `optimize.shapes`.
            channels: Of its input.
            size: Side of its input in pixels.

        Raises:
            BundleError: The engine does not run one of the layers.
        """
        return Parts(
            self.input(channels=channels, size=size), math.fsum(self.layer(shape) for shape in shapes)
        )

    def as_json(self) -> dict[str, Any]:
        """Return all that was measured."""
        return {
            "schema": _SCHEMA,
            "precision": self.precision,
            "inputs": [
                {"channels": channels, "size": size, "seconds": spent}
                for (channels, size), spent in self._inputs.items()
            ],
            "layers": [{"shape": shape.as_json(), "seconds": spent} for shape, spent in self._layers.items()],
        }


def from_json(written: Mapping[str, Any], load: Load) -> Table:
    """Return the table that `as_json` wrote: nothing of it is measured again, and the rest with `load`.

    Whoever stores a table must see to it that engine, threads and machine are the same.

    Raises:
        DataError: It is no such object.
    """
    try:
        if written["schema"] != _SCHEMA:
            raise ValueError(f"its schema is {written['schema']!r}")
        table = Table(load, written["precision"])
        for entry in written["inputs"]:
            table._inputs[int(entry["channels"]), int(entry["size"])] = _seconds(entry)
        for entry in written["layers"]:
            table._layers[layers.from_json(entry["shape"])] = _seconds(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no table of layers: {error}") from error
    return table


def difference(one: Session, other: Session, images: UInt8) -> float:
    """Return by how many seconds one call takes longer in the first session than in the second, in turns.

    Args:
        one: What is slower.
        other: What is faster.
        images: What both are given, uint8 (N, h, w, c).
    """
    first, second = quick_turns((one, other), images, seconds=_SECONDS)
    return first - second


def _images(height: int, width: int, channels: int) -> UInt8:
    return random.stream(0, "lookup").integers(0, 256, (1, height, width, channels), dtype=np.uint8)


def _seconds(entry: Mapping[str, Any]) -> float:
    spent = float(entry["seconds"])
    if not 0 <= spent < math.inf:
        raise ValueError(f"an entry of {spent} seconds")
    return spent
