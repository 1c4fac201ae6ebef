"""From class logits at a part of the side to the class of each pixel: nodes that follow a network.

Between four neighbours a bilinear interpolation weighs their logits with shares that add up to 1. So where
the same class is the highest at all four, it is the highest everywhere between them, and nothing has to be
interpolated. Only the other cells are, along the borders of areas: of a street one in seven. That gives the
very classes that enlarging all logits gives, and takes less than half of the time (docs/benchmarks.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
_FAR = 2**31 - 1  # no index is higher; engines count in 32 bits
REGIONS = "regions"
DENSE_CLASSES = f"{REGIONS}.best"  # what reads the class logits (N, K, h, w) of all places makes this of them


def write_regions(model: Any, logits: str, sides: tuple[int, int]) -> None:
    """Append what chooses a class for each pixel, uint8 (N, H, W), and make it the only output.

    Args:
        model: An `onnx.ModelProto`; it is changed.
        logits: Name of an output (N, K, h, w).
        sides: H and W.
    """
    output = next(value for value in model.graph.output if value.name == logits)
    batch, *shape = output.type.tensor_type.shape.dim
    classes, height, width = (side.dim_value for side in shape)
    ending = _Ending(model, logits, classes, (height, width))
    factor = sides[0] // height
    if sides == (height, width):
        ending.choose(logits)
    elif sides == (factor * height, factor * width) and factor % 2 == 0:
        ending.agree(factor)
    else:
        ending.enlarge(sides)
    del model.graph.output[:]
    made = helper.make_tensor_value_info(REGIONS, TensorProto.UINT8, [batch.dim_param, *sides])
    model.graph.output.append(made)


class _Ending:
    """The nodes, in the order in which they are written."""

    def __init__(self, model: Any, logits: str, classes: int, places: tuple[int, int]) -> None:
        self.model, self.logits, self.classes = model, logits, classes
        self.height, self.width = places

    def choose(self, logits: str) -> None:
        """Take the class with the highest logit at each place."""
        self._node("ArgMax", [logits], ["best"], axis=1, keepdims=0)
        self._node("Cast", ["best"], [REGIONS], to=TensorProto.UINT8)

    def enlarge(self, sides: tuple[int, int]) -> None:
        """Interpolate all logits, whatever the factors."""
        scales = np.array([1, 1, sides[0] / self.height, sides[1] / self.width], np.float32)
        self._constants(scales=scales)
        self._node("Resize", [self.logits, "", "scales"], ["at_full_size"], mode="linear")
        self.choose("at_full_size")

    def agree(self, factor: int) -> None:
        """Fill each cell between four places with their class; interpolate where they have several."""
        cells = self.height + 1, self.width + 1  # around the outermost places there are halves of cells
        self._corners(cells)
        self._between(factor)
        pixels = factor**2
        self._constants(
            flat=np.array([-1], np.int64),
            each_pixel=np.array([pixels, 1], np.int64),
            by_pixel=np.array([pixels, -1, *cells], np.int64),
            framed=np.array([-1, *(factor * side for side in cells)], np.int64),
            first=np.array([factor // 2] * 2, np.int64),
            last=np.array([factor // 2 + factor * side for side in (self.height, self.width)], np.int64),
        )
        self._node("Reshape", ["differs", "flat"], ["differs_flat"])
        self._node("NonZero", ["differs_flat"], ["differing"])
        self._node("Expand", ["differing", "each_pixel"], ["differing_pixels"])
        self._node("Reshape", ["corner_0", "row"], ["cell_classes"])
        self._node("Concat", ["cell_classes"] * pixels, ["agreed"], axis=0)
        self._node("ScatterElements", ["agreed", "differing_pixels", "between"], ["cell_pixels"], axis=1)
        self._node("Reshape", ["cell_pixels", "by_pixel"], ["pixels_first"])
        self._node("Transpose", ["pixels_first"], ["pictures_first"], perm=[1, 0, 2, 3])
        self._node("DepthToSpace", ["pictures_first"], ["whole"], blocksize=factor)
        self._node("Reshape", ["whole", "framed"], ["whole_maps"])
        self._node("Slice", ["whole_maps", "first", "last", "down_and_across"], [REGIONS])

    def _corners(self, cells: tuple[int, int]) -> None:
        """Write the class at each corner of each cell, and whether a cell has several."""
        self._constants(
            frame=np.array([0, 1, 1, 0, 1, 1], np.int64), down_and_across=np.array([1, 2], np.int64)
        )
        self._node("ArgMax", [self.logits], ["best"], axis=1, keepdims=0)
        self._node("Cast", ["best"], ["best_bytes"], to=TensorProto.UINT8)
        self._node("Pad", ["best_bytes", "frame"], ["best_framed"], mode="edge")
        for number, (down, across) in enumerate(_CORNERS):
            ends = np.array([down, across]), np.array([down + cells[0], across + cells[1]])
            names = [f"corner_{number}_{end}" for end in ("start", "end")]
            self._constants(**dict(zip(names, (end.astype(np.int64) for end in ends), strict=True)))
            self._node("Slice", ["best_framed", *names, "down_and_across"], [f"corner_{number}"])
        for number in (1, 2, 3):
            self._node("Equal", ["corner_0", f"corner_{number}"], [f"alike_{number}"])
        self._node("And", ["alike_1", "alike_2"], ["three_alike"])
        self._node("And", ["three_alike", "alike_3"], ["all_alike"])
        self._node("Not", ["all_alike"], ["differs"])

    def _between(self, factor: int) -> None:
        """Write the classes of the pixels of the cells that have several, uint8 (pixels, cells)."""
        self._constants(
            nearest=np.zeros(3, np.int64),
            furthest=np.array([_FAR, self.height - 1, self.width - 1], np.int64),
            row=np.array([1, -1], np.int64),
            by_class=np.array([factor**2, self.classes, -1], np.int64),
            shares=_shares(factor),
        )
        self._node("NonZero", ["differs"], ["differs_axes"])
        self._node("Transpose", ["differs_axes"], ["differs_at"], perm=[1, 0])
        self._node("Transpose", [self.logits], ["logits_last"], perm=[0, 2, 3, 1])
        for number, (down, across) in enumerate(_CORNERS):
            self._constants(**{f"step_{number}": np.array([[0, down - 1, across - 1]], np.int64)})
            self._node("Add", ["differs_at", f"step_{number}"], [f"beside_{number}"])
            self._node("Max", [f"beside_{number}", "nearest"], [f"beyond_{number}"])
            self._node("Min", [f"beyond_{number}", "furthest"], [f"at_{number}"])
            self._node("GatherND", ["logits_last", f"at_{number}"], [f"seen_{number}"])
            self._node("Transpose", [f"seen_{number}"], [f"by_class_{number}"], perm=[1, 0])
            self._node("Reshape", [f"by_class_{number}", "row"], [f"row_{number}"])
        self._node("Concat", [f"row_{number}" for number in range(4)], ["rows"], axis=0)
        self._node("MatMul", ["shares", "rows"], ["weighed"])
        self._node("Reshape", ["weighed", "by_class"], ["weighed_classes"])
        self._node("ArgMax", ["weighed_classes"], ["best_between"], axis=1, keepdims=0)
        self._node("Cast", ["best_between"], ["between"], to=TensorProto.UINT8)

    def _node(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        given, made = ([self._called(name) for name in names] for names in (inputs, outputs))
        name = f"{REGIONS}.{outputs[0]}"
        self.model.graph.node.append(helper.make_node(kind, given, made, name=name, **attributes))

    def _constants(self, **values: NDArray[Any]) -> None:
        tensors = [numpy_helper.from_array(value, self._called(name)) for name, value in values.items()]
        self.model.graph.initializer.extend(tensors)

    def _called(self, name: str) -> str:
        """Return the name of a tensor in the graph: the network's own names may be any."""
        return name if name in ("", self.logits, REGIONS) else f"{REGIONS}.{name}"


def _shares(factor: int) -> NDArray[np.float32]:
    """Return how much each corner counts at each pixel of a cell, float32 (pixels, 4)."""
    along = (np.arange(factor) + 0.5) / factor
    ends = np.stack([1 - along, along], axis=1)
    both = ends[:, None, :, None] * ends[None, :, None, :]
    shares: NDArray[np.float32] = both.reshape(factor**2, len(_CORNERS)).astype(np.float32)
    return shares
