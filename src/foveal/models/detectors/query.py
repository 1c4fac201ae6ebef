"""Query: the best places of a fine map become queries, which agree among themselves who means what.

    (N, C, H, W) → point → Q best places → layers that look at each other and at the map, halved
                 → class logits (N, Q, K), boxes (N, Q, 4)

A query begins with what `point` answers at its place, so there is little left to learn: which of those that
mean one object stays, and where exactly it is. No doubles are dropped afterwards. Sources: Carion et al.,
"DETR", 2020; queries from the best places, and boxes that each layer corrects: Zhu et al., "Deformable DETR",
2020, appendix A.4; Zhao et al., "RT-DETR", 2023. The attention is the plain one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveal.models import Card, _features
from foveal.models._decoder import Layer, Place, corrected
from foveal.models.detectors.point import Point, boxes_of

CARD = Card(
    family="query",
    kind="network",
    source="foveal; after Carion et al. 2020 (DETR) and Zhao et al. 2023 (RT-DETR)",
    summary="a transformer: one answer for each object, also where objects cover each other",
    idea="The best places of a map become queries, which look at each other and at the picture until each "
    "object is meant by one of them.",
    smallest_size=32,
    task="detect",
)
LEARNS = "queries"
LOOKS = "queries"
SETTINGS = _features.ADAM
SIZES = _features.sizes(48, 64)
_HEADS = 4
_COARSER = 2  # the map that queries look at has so many times fewer places across


class Asked(NamedTuple):
    """What queries answer, after one layer.

    Attributes:
        boxes: In pixels, (N, Q, 4).
        logits: Of classes, (N, Q, K).
    """

    boxes: Tensor
    logits: Tensor


class Query(Point):
    """See the module; built by `query`.

    Attributes:
        queries: Q, at most.
    """

    def __init__(  # noqa: PLR0913 - as `Point`, and how many layers and queries
        self,
        *,
        backbone: nn.Module,
        widths: Sequence[int],
        classes: int,
        stride: int,
        tower: int,
        layers: int,
        queries: int,
    ) -> None:
        super().__init__(backbone=backbone, widths=widths, classes=classes, stride=stride, tower=tower)
        self.queries = queries
        self.start, self.memory = nn.Linear(tower, tower), nn.Linear(tower, tower)
        self.place, self.box = Place(2, tower), Place(4, tower)
        self.layers = nn.ModuleList(Layer(tower, _HEADS) for _ in range(layers))
        self.norm = nn.LayerNorm(tower)
        self.told, self.moved = nn.Linear(tower, classes), nn.Linear(tower, 4)
        for layer in (self.told, self.moved):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The layers that answer: those of `Point`, and of the queries."""
        return *self.answers, self.told, self.moved

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes in pixels, (N, Q, 4), and class logits (N, Q, K), of all queries."""
        maps = self.maps(images)
        *_, last = self.asked(maps, self.what(maps), self.sides(self.where(maps)))
        return last

    def asked(self, maps: Tensor, logits: Tensor, sides: Tensor) -> list[Asked]:
        """Return what the queries answer after each layer.

        Args:
            maps: What the places answered from, (N, D, h, w).
            logits: What they answered of classes, (N, K, h, w): nothing is learned through it, as that is
                what the places themselves are for.
            sides: And of their sides, (N, 4, h, w); likewise.
        """
        height, width = maps.shape[2] * self.stride, maps.shape[3] * self.stride
        picture = torch.tensor([width, height, width, height], dtype=torch.float32)
        scores = logits.detach().float().flatten(2).transpose(1, 2)
        boxes = boxes_of(sides.detach().float(), self.stride).flatten(2).transpose(1, 2)
        best = scores.amax(2).topk(min(self.queries, scores.shape[1]), dim=1).indices[..., None]
        scores = scores.gather(1, best.expand(-1, -1, scores.shape[2]))
        boxes = boxes.gather(1, best.expand(-1, -1, 4))
        tokens = maps.flatten(2).transpose(1, 2)
        queries = self.start(tokens.gather(1, best.expand(-1, -1, tokens.shape[2])))
        memory, keys = self._seen(maps)
        answers = []
        for layer in self.layers:
            queries = layer(queries, self.box(boxes / picture), memory, keys)
            known = self.norm(queries)
            scores = scores + self.told(known).float()
            boxes = corrected(boxes, self.moved(known).float())
            answers.append(Asked(boxes, scores))
            # Each layer answers for its own corrections.
            scores, boxes = scores.detach(), boxes.detach()
        return answers

    def _seen(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map that queries look at, (N, M, D), and the same with where its places are."""
        coarse = F.avg_pool2d(maps, _COARSER)
        rows, columns = coarse.shape[2:]
        down, across = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
        places = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=2).flatten(0, 1)
        memory = self.memory(coarse.flatten(2).transpose(1, 2))
        return memory, memory + self.place(places)


def query(  # noqa: PLR0913 - a builder has three of every network; this one adds seven
    *,
    channels: int,
    classes: int,
    size: Sequence[int],
    widths: Sequence[int] = (32, 64, 128, 192),
    depths: Sequence[int] = (0, 1, 1, 1),
    tower: int = 64,
    stride: int = 8,
    layers: int = 3,
    queries: int = 300,
    backbone: str = _features.DENSE,
) -> Query:
    """Return a new detector.

    Args:
        channels: Of the images, ≥ 1.
        classes: K ≥ 1.
        size: Height and width of the input in pixels; any multiples of twice the stride.
        widths: Channels at 1/4, 1/8, 1/16 and 1/32.
        depths: Residual blocks at each of them.
        tower: Channels of the map that answers, and of the queries; a multiple of 4.
        stride: 8, or 4 for small objects close together.
        layers: In which queries look around.
        queries: How many objects of a picture can be found at most.
        backbone: `dense`, or a classifier whose weights training starts from; then without widths and depths.
    """
    maps, found = _features.backbone(backbone, channels=channels, widths=widths, depths=depths)
    return Query(
        backbone=maps,
        widths=found,
        classes=classes,
        stride=stride,
        tower=tower,
        layers=layers,
        queries=queries,
    )
