"""Candidates: what differs from a template is proposed by morphology, and a small network judges it.

    (N, 3C, H, W) → difference → erosion 3×3 → mean over 8×8 → the P highest peaks → windows around each
    (N, P, 9C, 48, 48) → convolutions → class logits (N, P, K), boxes (N, P, 4)

The windows are three, as an eye sees: 48 pixels as they are, 96 around them at half the size and 192 at a
quarter, because what a defect is may show in a thin line, or only where a trace goes on. Where picture and
template agree, which is nearly everywhere, nothing is asked: a picture costs a fraction of what a map of
answers does, and a few hundred pairs are enough to learn from. Proposals are the difference images of
reference-based inspection: Moganti et al., "Automatic PCB Inspection Algorithms: A Survey", 1996; judging
windows is Girshick et al., "Rich Feature Hierarchies" (R-CNN), 2014, made one graph.
"""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.core.errors import UsageError
from foveal.data.pair import LAYERS
from foveal.models import Card, Settings
from foveal.models._dense import Residual, Unit

CARD = Card(
    family="candidates",
    kind="network",
    source="foveal; after difference images (Moganti et al. 1996) and Girshick et al. 2014 (R-CNN)",
    summary="detects what differs from a template: proposals by morphology, each judged by a small network",
    idea="Where picture and template agree nothing is asked; a window around each difference is judged.",
    smallest_size=64,
    task="detect",
)
LEARNS = "proposals"
SETTINGS = Settings(optimizer="muon", learning_rate=0.1, batch_size=16, warm_up_share=0.03)
SIZES = ({"widths": (24, 48, 64)},)
STEP = 8  # pixels between two places that can be proposed
SIDE = 48  # of a window, in its own pixels
SCALES = (1, 2, 4)  # pixels of the picture for one of the window: the nearer the finer
_PRIOR = 0.1  # share of proposals that are a defect, before anything is known
_APART = 1e-4  # deviations that the first place is rated above the last, all else being equal
_LARGEST = 3.0  # natural logarithm of how much larger or smaller a box may be than usual
USUAL = 32.0  # pixels of a side of a defect; sides are told as multiples of it


class Candidates(nn.Module):
    """See the module; built by `candidates`.

    Attributes:
        count: P, how many places are judged.
        attributes: Nothing is told of objects beside their class.
    """

    attributes: tuple[int, ...] = ()

    def __init__(
        self, *, channels: int, classes: int, widths: Sequence[int], count: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.count = count
        self.compared = channels // LAYERS
        self.body = nn.Sequential(
            Unit(channels * len(SCALES), first, stride=2),
            Unit(first, second, stride=2),
            Residual(second),
            Unit(second, third, stride=2),
            Residual(third),
        )
        self.gather = nn.Sequential(
            nn.Dropout2d(dropout),
            nn.Conv2d(third, hidden, SIDE // 8, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.what, self.where = nn.Linear(hidden, classes), nn.Linear(hidden, 4)
        nn.init.normal_(self.what.weight, std=0.01)
        nn.init.normal_(self.where.weight, std=0.01)
        nn.init.constant_(self.what.bias, -math.log((1 - _PRIOR) / _PRIOR))
        nn.init.zeros_(self.where.bias)

    @property
    def outputs(self) -> tuple[nn.Linear, nn.Linear]:
        """The layers that answer: of classes and of boxes."""
        return self.what, self.where

    def proposed(self, images: Tensor) -> Tensor:
        """Return the middles of the places to judge, x and y in pixels, float32 (N, P, 2).

        Args:
            images: Normalized, (N, 3C, H, W); H and W are multiples of 8.
        """
        difference = images[:, -self.compared :]
        if self.compared > 1:  # an engine would copy a picture to average one channel
            difference = difference.mean(1, keepdim=True)
        # Lines one or two pixels wide are edges that do not lie quite on each other.
        solid = -F.max_pool2d(-difference, 3, stride=1, padding=1)
        strength = F.avg_pool2d(solid, STEP)
        peaks = strength == F.max_pool2d(strength, 3, stride=1, padding=1)
        lowest = strength.amin(dim=(2, 3), keepdim=True)
        rated = torch.where(peaks & (strength > lowest), strength, lowest - 1).flatten(1)
        # Where nothing differs all places are alike, and every engine would take others of them.
        order = torch.arange(rated.shape[1]) * (_APART / rated.shape[1])
        places = (rated - order).topk(self.count, dim=1).indices
        width = strength.shape[3]
        return torch.stack([places % width, places // width], dim=2) * float(STEP) + STEP / 2

    def windows(self, images: Tensor, middles: Tensor) -> Tensor:
        """Return what is around places at all scales, (N · P, 9C, 48, 48); outside the picture is 0."""
        scales = zip(SCALES, smaller(images), strict=True)
        return torch.cat([_around(some, middles / factor) for factor, some in scales], dim=1)

    def judged(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (M, K) and where the box is, (M, 4), of windows (M, 9C, 48, 48)."""
        seen = self.gather(self.body(windows)).flatten(1)
        return self.what(seen), self.where(seen)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return all that ships, for normalized images (N, 3C, H, W)."""
        return self.candidates(images)

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, P, 4), and class logits, (N, P, K)."""
        middles = self.proposed(images)
        what, where = self.judged(self.windows(images, middles))
        boxes = boxes_at(middles.flatten(0, 1), where)
        return boxes.reshape(-1, self.count, 4), what.reshape(-1, self.count, what.shape[1])


def smaller(images: Tensor) -> list[Tensor]:
    """Return pictures (N, C, H, W) at each of the scales, every one made of the one before."""
    found = [images]
    for before, factor in itertools.pairwise(SCALES):
        found.append(F.avg_pool2d(found[-1], factor // before))
    return found


def _around(images: Tensor, middles: Tensor) -> Tensor:
    """Return squares of 48 pixels around places, (N · P, C, 48, 48); both at one scale."""
    count, channels = images.shape[:2]
    small = F.pad(images, (SIDE // 2,) * 4)
    # The upper left corner: half a side is added by the padding, and taken off.
    corner, steps = middles.long(), torch.arange(SIDE)
    rows, columns = corner[:, :, 1, None] + steps, corner[:, :, 0, None] + steps
    at = (rows[:, :, :, None] * small.shape[3] + columns[:, :, None, :]).flatten(1)
    found = small.flatten(2).gather(2, at[:, None].expand(-1, channels, -1))
    parts = found.reshape(count, channels, -1, SIDE, SIDE).transpose(1, 2)
    return parts.reshape(-1, channels, SIDE, SIDE)


def boxes_at(middles: Tensor, where: Tensor) -> Tensor:
    """Return boxes in pixels, (M, 4), for answers (M, 4) about windows around middles (M, 2).

    The first two answers are how far off the middle is, the others the logarithms of sides, in usual ones.
    """
    middle = middles + where[:, :2] * USUAL
    half = where[:, 2:].clamp(-_LARGEST, _LARGEST).exp() * (USUAL / 2)
    return torch.cat([middle - half, middle + half], dim=1)


def candidates(  # noqa: PLR0913 - a builder has three of every network; this one adds four
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (24, 48, 64),
    count: int = 48,
    hidden: int = 128,
    dropout: float = 0.1,
) -> Candidates:
    """Return a new detector of what differs from a template.

    Args:
        channels: Of the pairs: three layers with as many each.
        classes: K ≥ 1.
        size: Height and width of the input in pixels, multiples of 8.
        widths: Channels of the judging network at 1/4, 1/8 and 1/16.
        count: Places that are judged, P; at most those of a map at 1/8.
        hidden: Numbers that a window is summed up in.
        dropout: Share of them, and of the maps before, that is left out in each step of training.

    Raises:
        UsageError: `other_task`: the channels are not those of pairs.
    """
    if channels % LAYERS:
        raise UsageError(
            f"{channels} channels are no pair: it has {LAYERS} layers with as many each", code="other_task"
        )
    count = min(count, (size[0] // STEP) * (size[1] // STEP))
    return Candidates(
        channels=channels, classes=classes, widths=widths, count=count, hidden=hidden, dropout=dropout
    )
