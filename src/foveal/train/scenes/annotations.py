"""Boxes and outlines of training pictures at model size, found by the row of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ANSWERING = 5.0  # places that answer for an object, in the sum of how much they do
_SHARES = (1e-4, 0.02)


@dataclass(frozen=True)
class Boxes:
    """Objects of several pictures, each with as many rows as the one with most.

    Attributes:
        boxes: In pixels of the network's input, float32 (N, M, 4).
        labels: int64 (N, M).
        weights: 1 for an object, 0 where there is none, -1 for what is there and ignored: inside of it
            nothing is asked about its class; float32 (N, M).
        numbers: By which a map of objects tells them apart, from 1 on, int64 (N, M).
        attributes: Number of the value of each attribute, below 0 where none is learned, int64 (N, M, A).
    """

    boxes: Tensor
    labels: Tensor
    weights: Tensor
    numbers: Tensor
    attributes: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def __post_init__(self) -> None:
        if self.attributes.ndim != 3:  # nobody said any
            object.__setattr__(self, "attributes", self.numbers.new_empty(*self.numbers.shape, 0))

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def most(self) -> int:
        """How many objects a picture has room for, M; no number is higher."""
        return self.boxes.shape[1]

    def rows(self, rows: Tensor) -> "Boxes":
        """Return those of some pictures, int64 (R,), with no more places than they need."""
        return Boxes(*(part[rows] for part in self.parts)).compact()

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """Boxes, labels, weights, numbers and attributes."""
        return self.boxes, self.labels, self.weights, self.numbers, self.attributes

    @classmethod
    def joined(cls, several: "Sequence[Boxes]") -> "Boxes":
        """Return the objects of several pictures that became one, for each of N."""
        return cls(*(torch.cat(part, 1) for part in zip(*(one.parts for one in several), strict=True)))

    def compact(self) -> "Boxes":
        """Return the same with what is there first in each row, and no more places than needed."""
        order = (self.weights == 0).float().argsort(dim=1, stable=True)
        most = max(1, int((self.weights != 0).sum(1).max()))
        order = order[:, :most]
        return Boxes(
            self.boxes.gather(1, order[..., None].expand(-1, -1, 4)),
            self.labels.gather(1, order),
            self.weights.gather(1, order),
            self.numbers.gather(1, order),
            self.attributes.gather(1, order[..., None].expand(-1, -1, self.attributes.shape[2])),
        )

    def shares(self, classes: int, *, places: int) -> list[float]:
        """Return which share of the places of a map answers for each class, about.

        Args:
            classes: How many there are.
            places: Of the map of one picture.
        """
        counted = torch.bincount(self.labels[self.weights > 0], minlength=classes).double()
        shares = counted * _ANSWERING / (len(self) * places)
        return [float(share) for share in shares.clamp(*_SHARES)]

    @classmethod
    def of(
        cls,
        boxes: Sequence[NDArray[np.float32]],
        labels: Sequence[NDArray[np.int64]],
        attributes: Sequence[NDArray[np.int64]] | None = None,
        *,
        ignored: Sequence[NDArray[np.bool_]] | None = None,
    ) -> "Boxes":
        """Return padded tensors of boxes (M_i, 4), labels (M_i,) and attributes (M_i, A) of N pictures.

        Where nobody says which are ignored, bool (M_i,), none is.
        """
        most = max([1, *(len(one) for one in boxes)])
        found = cls(
            torch.zeros(len(boxes), most, 4),
            torch.zeros(len(boxes), most, dtype=torch.int64),
            torch.zeros(len(boxes), most),
            numbers_of(len(boxes), most),
            torch.full((len(boxes), most, attributes[0].shape[1] if attributes else 0), -1),
        )
        for row, said in enumerate(attributes or ()):
            found.attributes[row, : len(said)] = torch.from_numpy(said)
        for row, (some, names) in enumerate(zip(boxes, labels, strict=True)):
            found.boxes[row, : len(some)] = torch.from_numpy(np.asarray(some, np.float32))
            found.labels[row, : len(some)] = torch.from_numpy(np.asarray(names, np.int64))
            found.weights[row, : len(some)] = 1.0
        for row, aside in enumerate(ignored or ()):
            found.weights[row, : len(aside)] = torch.from_numpy(1 - 2 * aside.astype(np.float32))
        return found


class OutlineTruth(NamedTuple):
    """What is stated about N training pictures, by row.

    Attributes:
        boxes: The objects.
        numbers: Theirs at each pixel, 0 where none is, uint16 (N, H, W), usually memory-mapped.
        regions: Classes of the pixels, uint8 (N, H, W), `VOID` where nothing is said; None: these are not
            learned.
    """

    boxes: Boxes
    numbers: NDArray[np.uint16]
    regions: NDArray[np.uint8] | None = None


def numbers_of(pictures: int, most: int) -> Tensor:
    """Return 1, 2, … for the objects of each picture, int64 (N, M)."""
    return torch.arange(1, most + 1).repeat(pictures, 1)
