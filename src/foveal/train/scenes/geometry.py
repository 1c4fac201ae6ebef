"""Move pictures and what is where on them together, by one affine map for each picture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.train.scenes._boxes import area
from foveal.train.scenes.annotations import Boxes

SEEN = 0.25  # share of an object that has to be left for it to count
_PARTS = 4  # pictures that are put together
_SMALLEST = 2.0  # pixels of a side


@dataclass(frozen=True)
class Moves:
    """How each of N pictures is moved: x' = A x + b, in pixels.

    Attributes:
        matrix: A, a permutation of the axes with a factor for each, (N, 2, 2).
        offset: b, (N, 2).
    """

    matrix: Tensor
    offset: Tensor

    def images(self, images: Tensor) -> Tensor:
        """Return moved pictures (N, C, H, W), bilinear; what comes in from outside is 0."""
        return F.grid_sample(images, self._grid(images), align_corners=False)

    def maps(self, maps: Tensor, *, outside: float) -> Tensor:
        """Return moved maps of whole numbers, float32 (N, H, W), nearest; `outside` is what comes in."""
        shifted = maps[:, None] - outside
        seen = F.grid_sample(shifted, self._grid(shifted), mode="nearest", align_corners=False)
        return (seen[:, 0] + outside).round()

    def _grid(self, images: Tensor) -> Tensor:
        """Return where each pixel comes from, (N, H, W, 2), as `grid_sample` counts."""
        height, width = images.shape[2:]
        back = torch.linalg.inv(self.matrix)
        # grid_sample counts from -1 to 1 over the picture: x = (u + 1) W / 2.
        half = torch.tensor([width, height]) / 2
        scaled = back * half[None, None, :] / half[None, :, None]
        shift = ((back @ (half - self.offset)[..., None])[..., 0] - half) / half
        maps = torch.cat([scaled, shift[..., None]], dim=2)
        return F.affine_grid(maps, list(images.shape), align_corners=False)

    def boxes(self, boxes: Tensor) -> Tensor:
        """Return moved boxes (N, M, 4)."""
        first = boxes[..., :2] @ self.matrix.mT + self.offset[:, None]
        second = boxes[..., 2:] @ self.matrix.mT + self.offset[:, None]
        return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=2)


def drawn(
    count: int, size: tuple[int, int], strengths: Mapping[str, float], generator: torch.Generator
) -> Moves:
    """Draw how pictures are moved.

    Args:
        count: N.
        size: Height and width in pixels.
        strengths: `flip` and `upside_down`: 1 mirrors half of them, 0 none; `turn`: 1 turns half of them by
            90°; `zoom`: largest natural logarithm of a change of size, `stretch` of the aspect.
        generator: The source of all draws.
    """
    height, width = size
    draws = torch.rand(7, count, generator=generator)
    flips = 1 - 2 * (draws[:2] < torch.tensor([[strengths["flip"]], [strengths["upside_down"]]]) / 2).float()
    turned = draws[2] < strengths["turn"] / 2
    zoom = (2 * draws[3] - 1) * strengths["zoom"]
    stretch = (2 * draws[4] - 1) * strengths["stretch"]
    fitting = torch.where(turned, min(width / height, height / width), 1.0)
    wide, high = fitting * torch.exp(zoom + stretch), fitting * torch.exp(zoom - stretch)
    matrix = torch.zeros(count, 2, 2)
    across, down = flips[0] * wide, flips[1] * high
    still = ~turned
    matrix[still, 0, 0], matrix[still, 1, 1] = across[still], down[still]
    matrix[turned, 0, 1], matrix[turned, 1, 0] = across[turned], down[turned]
    corners = torch.tensor([[0.0, 0.0], [width, height]]) @ matrix.mT
    low, high_corner = corners.amin(1), corners.amax(1)
    room = torch.tensor([width, height]) - (high_corner - low)  # negative where it is larger than the frame
    offset = room * draws[5:].T - low
    return Moves(matrix, offset)


def clipped(moved: Boxes, frame: Tensor) -> Boxes:
    """Return boxes cut to a frame; those of which too little is left no longer count.

    What is ignored stays so as long as any of it is left: it would be learned as background.

    Args:
        moved: Boxes of N pictures.
        frame: Left, top, right, bottom of each picture's frame in pixels, (N, 4), or one for all, (4,).
    """
    frame = frame.expand(len(moved), 4)[:, None]
    low = torch.maximum(moved.boxes[..., :2], frame[..., :2])
    high = torch.minimum(moved.boxes[..., 2:], frame[..., 2:])
    inner = torch.cat([low, torch.maximum(low, high)], dim=2)
    whole = area(moved.boxes)
    seen = (area(inner) >= SEEN * whole) & ((inner[..., 2:] - inner[..., :2]).amin(2) >= _SMALLEST)
    left = torch.where(moved.weights < 0, area(inner) > 0, seen)
    return replace(moved, boxes=inner, weights=moved.weights * left)


def mosaic(images: Tensor, truth: Boxes, share: float, generator: torch.Generator) -> tuple[Tensor, Boxes]:
    """Replace some pictures by four that meet at a random point, each keeping its place in the frame.

    Maps that lie behind the channels of the pictures come along.

    Source of the idea: Bochkovskiy et al., "YOLOv4", 2020, §3.3.

    Args:
        images: Moved pictures (N, C, H, W).
        truth: Their objects.
        share: Of the pictures that are replaced.
        generator: The source of all draws.
    """
    count, _, height, width = images.shape
    chosen = torch.rand(count, generator=generator) < share * (count >= _PARTS)
    point = (torch.rand(2, count, generator=generator) * 0.5 + 0.25) * torch.tensor([[width], [height]])
    across, down = point.round().long()
    # Four different pictures: of one that is there twice an object would have two parts.
    order = torch.randperm(count, generator=generator)
    others = [torch.empty_like(order).scatter_(0, order, order.roll(k)) for k in range(1, _PARTS)]
    result = images.clone()
    zero, full = torch.zeros(count), torch.ones(count)
    quadrants = [
        (torch.arange(count), zero, zero, across, down),
        (others[0], across, zero, full * width, down),
        (others[1], zero, down, across, full * height),
        (others[2], across, down, full * width, full * height),
    ]
    parts = []
    for number, (source, left, top, right, bottom) in enumerate(quadrants):
        frame = torch.stack([left, top, right, bottom], dim=1).float()
        if number == 0:
            frame[~chosen] = torch.tensor([0.0, 0.0, width, height])
        one = clipped(Boxes(*(part[source] for part in truth.parts)), frame)
        if number:
            one = replace(one, weights=one.weights * chosen[:, None])
            for row in chosen.nonzero()[:, 0].tolist():
                x0, y0, x1, y1 = (int(side) for side in frame[row])
                result[row, :, y0:y1, x0:x1] = images[source[row], :, y0:y1, x0:x1]
        parts.append(one)
    return result, Boxes.joined(parts).compact()
