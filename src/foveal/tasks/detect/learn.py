"""What a detector answers in torch: the reference that the exported graph is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

from foveal.core.batches import at_once
from foveal.data.dataset import UInt8
from foveal.tasks.classify.learn import normalize
from foveal.tasks.detect.decode import MOST_OBJECTS, Float32, ObjectAnswers
from foveal.tasks.detect.masks import INSIDE, STEPS
from foveal.tasks.recognizer import Recognizer

OBJECTS = 300  # answers for a picture, where nobody says more
_CANDIDATES = 1000  # that doubles are looked for among, at least: their number must not depend on the data
FAINTEST = 0.001  # score below which nothing is an answer
THINNEST = 0.1  # pixels of the input: a box with less of a side inside of the picture is no answer


@dataclass(frozen=True)
class Selection:
    """From what all places of a detector answer to the few that are given out.

    Attributes:
        objects: K, how many are given out.
        overlap: Above this intersection over union the less certain of two of a class is dropped; None: none.
        scale, shift: Of class logits, before they become scores.
        sharpness: Of the logits of each attribute, before they become probabilities; (): 1 for all.
    """

    objects: int = OBJECTS
    overlap: float | None = 0.6
    scale: float = 1.0
    shift: float = 0.0
    sharpness: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.objects <= MOST_OBJECTS:
            raise ValueError(f"from 1 to {MOST_OBJECTS} objects; got {self.objects}")

    def candidates(self, places: int, classes: int) -> int:
        """Return among how many answers of all places and classes doubles are looked for."""
        return min(places * classes, max(_CANDIDATES, 2 * self.objects))


@torch.no_grad()
def answers(recognizer: Recognizer, images: UInt8, selection: Selection) -> ObjectAnswers:
    """Return what a detector finds on pictures at model size, uint8 (N, H, W, C), in float32."""
    network: Any = recognizer.network.eval()
    step = at_once(recognizer.preprocess.shape)
    parts = []
    for start in range(0, len(images), step):
        seen = normalize(torch.from_numpy(images[start : start + step]), recognizer.preprocess)
        if recognizer.task == "detect":
            boxes, logits, *said = network.candidates(seen)
            values: tuple[int, ...] = getattr(network, "attributes", ())
            for row, one in enumerate(zip(boxes, logits, strict=True)):
                found, places = _selected(*one, selection, seen)
                if values:
                    told = _attributes(said[0][row][places], values, selection)
                    found = found._replace(attributes=told)
                parts.append(found)
            continue
        whole = network.outlined(seen)
        for boxes, logits, *shapes in zip(*whole, strict=True):
            found, places = _selected(boxes, logits, selection, seen)
            masks = shapes[0][places] if network.drawn else _combined(shapes[0][places], shapes[1])
            parts.append(found._replace(masks=_masks(masks, selection.objects)))
    return ObjectAnswers.joined([one.at(None) for one in parts])


def _selected(
    boxes: Tensor, logits: Tensor, selection: Selection, images: Tensor
) -> tuple[ObjectAnswers, Tensor]:
    """Return the answers for one picture from boxes (P, 4) and logits (P, K) of its places, and which places.

    These are as many as there are answers before the padding.
    """
    height, width = images.shape[2:]
    count, classes = selection.objects, logits.shape[1]
    scores = (logits * selection.scale + selection.shift).sigmoid().flatten()
    top, at = scores.topk(selection.candidates(len(boxes), classes))
    labels = at % classes
    limit = torch.tensor([width, height, width, height], dtype=boxes.dtype)
    found = torch.minimum(boxes[at // classes].clamp(min=0), limit)
    kept = (top > FAINTEST) & ((found[:, 2:] - found[:, :2]).amin(1) > THINNEST)
    if selection.overlap is not None:
        kept &= _without_doubles(found, top, labels, selection.overlap)
    top = torch.where(kept, top, torch.zeros(()))
    best = top.sort(descending=True, stable=True).indices[:count]
    short = count - len(best)
    chosen = ObjectAnswers(
        np.pad(found[best].numpy(), ((0, short), (0, 0))),
        np.pad(top[best].numpy(), (0, short)),
        np.pad(labels[best].numpy(), (0, short)),
    )
    return chosen, at[best] // classes


def _attributes(logits: Tensor, values: Sequence[int], selection: Selection) -> Float32:
    """Return the probability of each value, float32 (count, V), from logits (M, V), M ≤ count."""
    factors = selection.sharpness or (1.0,) * len(values)
    parts = zip(torch.split(logits, list(values), dim=1), factors, strict=True)
    shares = torch.cat([(some * factor).softmax(1) for some, factor in parts], dim=1).numpy()
    return np.pad(shares, ((0, selection.objects - len(shares)), (0, 0)))


def _combined(kernels: Tensor, basis: Tensor) -> Tensor:
    """Return the logits of masks, (M, h, w), that follow from kernels (M, Q) and a basis (Q, h, w)."""
    return (kernels @ basis.flatten(1)).reshape(len(kernels), *basis.shape[1:])


def _masks(logits: Tensor, count: int) -> UInt8:
    """Return masks, uint8 (count, h, w), from logits (M, h, w), M ≤ count."""
    masks = (logits * STEPS + INSIDE).round().clamp(0, 255).to(torch.uint8).numpy()
    return np.pad(masks, ((0, count - len(masks)), (0, 0), (0, 0)))


def _without_doubles(boxes: Tensor, scores: Tensor, labels: Tensor, overlap: float) -> Tensor:
    """Return which of some answers are kept, bool (P,), class by class."""
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for label in set(labels.tolist()):
        mine = (labels == label).nonzero()[:, 0]
        kept[mine[nms(boxes[mine], scores[mine], overlap)]] = True
    return kept
