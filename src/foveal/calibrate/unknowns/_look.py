"""What a picture looks like, whatever it shows: light, colour and detail, in a handful of numbers.

A recognizer looks past these on purpose; a picture of another camera, of another kind of thing or of nothing
differs in them first. Colours are the opponents of Hasler & Süsstrunk, "Measuring Colourfulness in Natural
Images", 2003, eq. 1 and 2; that simple statistics tell data sets apart where networks do not: Ahmadian &
Lindsten, "Likelihood-free Out-of-Distribution Detection with Invertible Generative Models", 2021.

Pictures are averaged to cells of 1/32 of their side, and to twice that. At both scales: the spread of
brightness, of red - green and of blue - yellow (pictures of three channels), and of the differences to the
right and downwards; beside them the means of the former. Spreads are logarithms of variances: half as much
contrast is as far as twice as much. The same is computed by `look` in numpy and by `NODES` in a graph.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.unknowns._bf16 import in_bf16
from foveal.calibrate.unknowns._score import Float32, Node, Parameters

UInt8 = NDArray[np.uint8]
LEAST_SIDE = 8  # pixels: below that twice a cell holds no picture
_CELLS = 32
_DARK = np.float32(1 / 255**2)  # variance of less than a grey level is none
_OPPONENTS = ((1 / 3, 1 / 3, 1 / 3), (1.0, -1.0, 0.0), (-0.5, -0.5, 1.0))


def look(images: UInt8, *, rounded: bool = False) -> Float32:
    """Return the numbers of each picture, float32 (N, 13); of pictures without three channels (N, 7).

    Args:
        images: uint8 (N, H, W, C) at model size, H and W ≥ 8.
        rounded: As an engine finds them that keeps every value between two operators in bf16. The numbers
            themselves are not rounded here: a graph has taken their middle off by then, and what is small
            loses next to nothing.
    """
    keep = in_bf16 if rounded else _as_it_is
    kernel, cell = keep(_kernel(images.shape[3]) / np.float32(255)), _cell(images.shape[1])
    means, spreads = [], []
    for side in (cell, 2 * cell):
        moved = keep(_convolved(keep(_cells(images, side)), kernel))
        mean = moved.mean(axis=(1, 2))
        variance = (keep(moved - mean[:, None, None]) ** 2).mean(axis=(1, 2))
        means.append(mean)
        spreads.append(np.log(variance + _DARK))
    colours = len(kernel) - 2
    found: Float32 = np.concatenate([*spreads, means[0][:, :colours]], axis=1).astype(np.float32)
    return found


def _as_it_is(values: Float32) -> Float32:
    return values


def parameters(shape: tuple[int, int, int], middle: Float32) -> Parameters:
    """Return the constants that `nodes` read.

    Args:
        shape: Height, width and channels of pictures at model size.
        middle: What is taken off each number, float32 (L,). It is taken off inside of the logarithm, so that
            engines that round to few digits have none to lose.
    """
    height, width, channels = shape
    cell, kernel = _cell(height), _kernel(channels)
    counts = [(height // side - 1) * (width // side - 1) for side in (cell, 2 * cell)]
    usual = np.exp(-middle[: 2 * len(kernel)].astype(np.float64))
    shares = usual / np.repeat(counts, len(kernel))
    return {
        "look_kernel": kernel.transpose(0, 3, 1, 2) / np.float32(255),
        "look_share": shares[None].astype(np.float32),
        "look_dark": (usual * _DARK)[None].astype(np.float32),
        "look_light": middle[None, 2 * len(kernel) :].astype(np.float32),
        "look_plane": np.array([2, 3], np.int64),
        "look_from": np.array([0], np.int64),
        "look_colours": np.array([len(kernel) - 2], np.int64),
        "look_flat": np.array([0, -1], np.int64),
    }


def nodes(shape: tuple[int, int, int]) -> tuple[Node, ...]:
    """Return the operators from `images` to `look` less its middle, for height, width and channels."""
    cell = _cell(shape[0])
    made: list[Node] = [
        Node("Cast", ("images",), ("look_float",), {"to": 1}),
        Node("Transpose", ("look_float",), ("look_planes",), {"perm": [0, 3, 1, 2]}),
    ]
    for name, side in (("fine", cell), ("coarse", 2 * cell)):
        read = "look_planes"
        if side > 1:
            pool = {"kernel_shape": [side, side], "strides": [side, side]}
            made.append(Node("AveragePool", ("look_planes",), (f"look_{name}_cells",), pool))
            read = f"look_{name}_cells"
        moved = f"look_{name}_moved"
        made += [
            Node("Conv", (read, "look_kernel"), (moved,)),
            Node("ReduceMean", (moved, "look_plane"), (f"look_{name}_mean",), {"keepdims": 1}),
            Node("Sub", (moved, f"look_{name}_mean"), (f"look_{name}_apart",)),
            Node(
                "ReduceSumSquare",
                (f"look_{name}_apart", "look_plane"),
                (f"look_{name}_squares",),
                {"keepdims": 0},
            ),
        ]
    return (*made, *_JOINED)


_JOINED = (
    Node("Concat", ("look_fine_squares", "look_coarse_squares"), ("look_squares",), {"axis": 1}),
    Node("Mul", ("look_squares", "look_share"), ("look_variance",)),
    Node("Add", ("look_variance", "look_dark"), ("look_lit",)),
    Node("Log", ("look_lit",), ("look_spreads",)),
    Node("Reshape", ("look_fine_mean", "look_flat"), ("look_means",)),
    Node("Slice", ("look_means", "look_from", "look_colours", "axis"), ("look_colour",)),
    Node("Sub", ("look_colour", "look_light"), ("look_colours_apart",)),
    Node("Concat", ("look_spreads", "look_colours_apart"), ("look",), {"axis": 1}),
)


def _cell(side: int) -> int:
    return max(1, side // _CELLS)


def _kernel(channels: int) -> Float32:
    """Return brightness, colours and differences as kernels, float32 (5 or 3, 2, 2, C)."""
    colours = np.array(_OPPONENTS) if channels == 3 else np.full((1, channels), 1 / channels)
    kernel = np.zeros((len(colours) + 2, 2, 2, channels), np.float32)
    kernel[:-2, 0, 0] = colours
    kernel[-2, 0, 1], kernel[-1, 1, 0] = colours[0], colours[0]
    kernel[-2:, 0, 0] = -colours[0]
    return kernel


def _cells(images: UInt8, side: int) -> Float32:
    """Return the means of squares of that side, 0 to 255; what is left at the border is not looked at."""
    count, height, width, channels = images.shape
    rows, columns = height // side, width // side
    cut = images[:, : rows * side, : columns * side].astype(np.float32)
    found: Float32 = cut.reshape(count, rows, side, columns, side, channels).mean(axis=(2, 4))
    return found


def _convolved(cells: Float32, kernel: Float32) -> Float32:
    """Return what the kernels find at each cell with a right and a lower neighbour, float32 (N, h, w, 5)."""
    height, width = cells.shape[1] - 1, cells.shape[2] - 1
    found = np.zeros((len(cells), height, width, len(kernel)), np.float32)
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        found += cells[:, top : top + height, left : left + width] @ kernel[:, top, left].T
    return found
