"""Painting things over each other, and knowing of each pixel what is seen there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from foveal.data.outline import Mask, Runs, box_of
from foveal.data.scene import Objects, UInt8

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
_ENOUGH = 0.25  # share of an object that is seen; below that it is ignored: nobody could say what it is


@dataclass(frozen=True, eq=False)
class Thing:
    """Something that is painted onto a picture; it may lie partly, or wholly, outside.

    Attributes:
        pixels: Its colours, uint8 (h, w, 3).
        mask: Which of them are painted, bool (h, w): wholly or not at all, so that its extent is exact.
        left, top: Where its first pixel lies, in pixels of the picture.
        label: Index of its class; None: it is no object, such as a post that stands in front.
        opacity: How much of what is beneath it covers; below 1 it is a shadow, and hides nothing.
        track: The same number for the same object on all pictures of a film.
        attributes: What else is known of it.
    """

    pixels: UInt8 = field(repr=False)
    mask: Mask = field(repr=False)
    left: int
    top: int
    label: int | None = None
    opacity: float = 1.0
    track: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture that is not painted yet.

    Attributes:
        ground: What is there without any thing, uint8 (H, W, 3).
        things: In the order in which they are painted.
        light: What all colours are multiplied by, float32 (H, W).
        noise: Of each pixel and channel: standard deviation in grey levels.
        seed: Of the noise.
    """

    ground: UInt8 = field(repr=False)
    things: tuple[Thing, ...] = field(repr=False)
    light: Float32 = field(repr=False)
    noise: float
    seed: int

    def pixels(self) -> UInt8:
        """Paint it: uint8 (H, W, 3)."""
        canvas = self.ground.astype(np.float32)
        for thing in self.things:
            there, part = self._window(thing)
            mask, colours = thing.mask[part][..., None], thing.pixels[part].astype(np.float32)
            beneath = canvas[there]
            canvas[there] = np.where(mask, beneath + thing.opacity * (colours - beneath), beneath)
        canvas *= self.light[..., None]
        grain = np.random.default_rng(self.seed).standard_normal(canvas.shape, np.float32)
        painted: UInt8 = (canvas + self.noise * grain).round().clip(0, 255).astype(np.uint8)
        return painted

    def seen(self) -> Int32:
        """Return which object is seen at each pixel, by its place among the things from 1 on, int32 (H, W).

        0 is where none is.
        """
        shown = np.zeros(self.ground.shape[:2], np.int32)
        for number, thing in enumerate(self.things, start=1):
            if thing.opacity == 1:
                there, part = self._window(thing)
                shown[there][thing.mask[part]] = 0 if thing.label is None else number
        return shown

    def objects(self) -> Objects:
        """Return the objects of which at least a pixel is seen, in the order in which they are painted.

        A box is the extent of what is seen, an outline covers just that. Ignored is what is mostly hidden.
        """
        rows = self._visible
        if not rows:
            return Objects.none()
        height, width = self.ground.shape[:2]
        boxes = []
        for _, mask, (down, across) in rows:
            left, top, right, bottom = box_of(mask)
            boxes.append((left + across.start, top + down.start, right + across.start, bottom + down.start))
        attributes = tuple(dict(thing.attributes) for thing, _, _ in rows)
        return Objects(
            np.array(boxes, np.float32),
            np.array([thing.label for thing, _, _ in rows], np.int64),
            np.array([mask.sum() < _ENOUGH * thing.mask.sum() for thing, mask, _ in rows], np.bool_),
            tuple(_runs(mask, there, height, width) for _, mask, there in rows),
            attributes if any(attributes) else (),
        )

    def tracks(self) -> list[int]:
        """Return the number in the film of each of the objects."""
        return [thing.track for thing, _, _ in self._visible]

    def regions(self) -> UInt8:
        """Return the class of each pixel, uint8 (H, W): 0 where no object is seen, else its label plus 1."""
        values = [0, *(0 if thing.label is None else thing.label + 1 for thing in self.things)]
        table: UInt8 = np.array(values, np.uint8)
        return table[self.seen()]

    @cached_property
    def _visible(self) -> list[tuple[Thing, Mask, tuple[slice, slice]]]:
        """Return each object of which something is seen, what of it, bool (h, w), and where that lies."""
        shown = self.seen()
        found = []
        for number, thing in enumerate(self.things, start=1):
            if thing.label is not None:
                there, _ = self._window(thing)
                mask = shown[there] == number
                if mask.any():
                    found.append((thing, mask, there))
        return found

    def _window(self, thing: Thing) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the rows and columns of the picture that a thing lies on, and those of the thing."""
        (height, width), (tall, wide) = self.ground.shape[:2], thing.mask.shape
        top, bottom = np.clip((thing.top, thing.top + tall), 0, height).tolist()
        left, right = np.clip((thing.left, thing.left + wide), 0, width).tolist()
        there = slice(top, bottom), slice(left, right)
        return there, (
            slice(top - thing.top, bottom - thing.top),
            slice(left - thing.left, right - thing.left),
        )


def _runs(mask: Mask, there: tuple[slice, slice], height: int, width: int) -> Runs:
    """Return the runs of a mask that lies in a window of a picture, without painting the picture."""
    down, across = there
    edges = np.diff(np.pad(mask, ((1, 1), (0, 0))).astype(np.int8), axis=0).T  # column by column
    column, row = np.nonzero(edges)
    flat = (column + across.start) * height + row + down.start
    # Where a column ends at the bottom and the next begins at the top, they are one run.
    same = np.flatnonzero(np.diff(flat) == 0)
    flat = np.delete(flat, np.concatenate([same, same + 1]))
    counts = np.diff(np.concatenate([[0], flat, [height * width]]))
    if mask.size and flat.size and flat[-1] == height * width:
        counts = counts[:-1]
    return Runs(counts.astype(np.int64), height, width)
