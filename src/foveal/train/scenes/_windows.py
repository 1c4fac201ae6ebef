"""Windows around proposals as they are learned from: each turned, mirrored, zoomed and moved by itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.models.detectors.candidates import SCALES, SIDE, smaller
from foveal.train.scenes.annotations import Boxes
from foveal.train.scenes.objectives.points import unasked

_NEAR = 4.0  # pixels that a proposal may lie outside of a box and still mean it
_MOVED = 6.0  # pixels that a window is moved at most, along each side
_MISPLACED = 2.0  # pixels that the template is moved at most against the picture
_STILL = 0.5  # share of the windows whose template stays where it is


@dataclass(frozen=True)
class Meant:
    """What M proposals mean.

    Attributes:
        boxes: In pixels from the middle of the window, (M, 4); 0 where nothing is meant.
        labels: int64 (M,); -1 where nothing is meant.
        asked: Which classes are asked about, bool (M, K): none of those that an ignored object there has.
    """

    boxes: Tensor
    labels: Tensor
    asked: Tensor

    def rows(self, chosen: Tensor) -> "Meant":
        """Return those of some proposals."""
        return Meant(self.boxes[chosen], self.labels[chosen], self.asked[chosen])


def meant(middles: Tensor, truth: Boxes, classes: int) -> Meant:
    """Return which defect each proposal means: the one in whose box it lies, of several the nearest.

    Args:
        middles: In pixels, (N, P, 2).
        truth: The defects of N pictures.
        classes: How many kinds there are.
    """
    points, low, high = middles[:, :, None], truth.boxes[:, None, :, :2], truth.boxes[:, None, :, 2:]
    inside = ((points > low - _NEAR) & (points < high + _NEAR)).all(-1) & (truth.weights > 0)[:, None]
    away = ((points - (low + high) / 2) / (high - low).clamp(min=1.0)).square().sum(-1)
    nearest = away.masked_fill(~inside, torch.inf).argmin(2)
    there = inside.any(2)
    boxes = truth.boxes.gather(1, nearest[..., None].expand(-1, -1, 4)) - middles.repeat(1, 1, 2)
    labels = truth.labels.gather(1, nearest).masked_fill(~there, -1)
    asked = ~unasked(truth, middles, classes).transpose(1, 2) | there[..., None]
    return Meant((boxes * there[..., None]).flatten(0, 1), labels.flatten(), asked.flatten(0, 1))


@dataclass(frozen=True)
class Changes:
    """How each of M windows is changed: at its place p it shows the picture's middle + shift + A p.

    Attributes:
        matrix: A, (M, 2, 2).
        shift: In pixels, (M, 2).
        misplaced: By how many pixels the template is moved against the picture, (M, 2).
    """

    matrix: Tensor
    shift: Tensor
    misplaced: Tensor

    @classmethod
    def drawn(cls, count: int, strengths: Mapping[str, float], generator: torch.Generator) -> "Changes":
        """Draw how windows are changed.

        Args:
            count: M.
            strengths: `flip`, `upside_down` and `turn`: the share of the windows that may be mirrored so, or
                turned by 90°; `zoom`: the natural logarithm of the largest change of size. Without any, the
                windows stay as they are.
            generator: The source of all draws.
        """
        draws = torch.rand(9, count, generator=generator)
        mirrored = [1 - 2 * (draws[k] < strengths[name] / 2).float() for k, name in enumerate(_MIRRORS)]
        turned = draws[2] < strengths["turn"] / 2
        size = torch.exp((2 * draws[3] - 1) * strengths["zoom"])
        matrix = torch.zeros(count, 2, 2)
        matrix[:, 0, 0], matrix[:, 1, 1] = mirrored[0] * size, mirrored[1] * size
        matrix[turned] = matrix[turned].flip(1)
        active = float(any(strengths[name] for name in (*_MIRRORS, "turn", "zoom")))
        shift = (2 * draws[4:6].T - 1) * _MOVED * active
        misplaced = (2 * draws[6:8].T - 1) * _MISPLACED * active
        return cls(matrix, shift, misplaced * (draws[8] > _STILL)[:, None])

    def targets(self, before: Meant) -> Meant:
        """Return what changed windows mean."""
        back = torch.linalg.inv(self.matrix)
        corners = before.boxes.reshape(-1, 2, 2) - self.shift[:, None]
        moved = corners @ back.mT
        boxes = torch.cat([moved.amin(1), moved.amax(1)], dim=1)
        return Meant(boxes * (before.labels >= 0)[:, None], before.labels, before.asked)


_MIRRORS = ("flip", "upside_down")


def sampled(images: Tensor, middles: Tensor, matrix: Tensor) -> Tensor:
    """Return windows at all scales, (N · P, S, C, 48, 48), bilinear; outside of the picture is 0.

    Args:
        images: (N, C, H, W).
        middles: Of the windows in pixels, (N · P, 2), those of a picture one after the other.
        matrix: From a place of the window to one of the picture, (N · P, 2, 2).
    """
    size = torch.tensor([images.shape[3], images.shape[2]])
    places = torch.arange(SIDE) + 0.5 - SIDE / 2
    square = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=2).reshape(-1, 2)
    scales = zip(SCALES, smaller(images), strict=True)
    parts = [_read(some, (middles[:, None] + square @ matrix.mT * factor) / size) for factor, some in scales]
    return torch.stack(parts, dim=1)


def _read(images: Tensor, at: Tensor) -> Tensor:
    """Return windows (N · P, C, 48, 48) of pictures at places (N · P, 48², 2) in shares of their sides."""
    count, channels = images.shape[:2]
    found = F.grid_sample(images, (2 * at - 1).reshape(count, -1, SIDE, 2), align_corners=False)
    parts = found.reshape(count, channels, -1, SIDE, SIDE).transpose(1, 2)
    return parts.reshape(-1, channels, SIDE, SIDE)
