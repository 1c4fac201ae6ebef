"""From a picture to the model's input, in one place for training, evaluation and serving.

There is no second implementation, and none inside the graph: what the network was trained on is, bit
for bit, what it is given when it runs (docs/decisions/0003-one-preprocess.md).
"""

import hashlib
import json
from functools import cache
from typing import Any, Literal

import numpy as np
import PIL
from PIL import Image
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from foveal.core.errors import UsageError
from foveal.data import stacks, video
from foveal.data.bands import Bands
from foveal.data.clip import Clip
from foveal.data.clips import showing
from foveal.data.dataset import Dataset, UInt8
from foveal.data.decode import picture
from foveal.data.pair import LAYERS, PairPicture
from foveal.data.ranges import ranged

_LATER = ("clip", "width", "pair", "bands")  # entries that earlier versions do not know
_STEP = 32  # pixels: what maps are halved five times from
GREY = 114  # what a letterbox is filled with: neither black nor white, as in Redmon & Farhadi's YOLO


@cache
def decoder() -> str:
    """Return the name and version of the picture decoder."""
    return f"pillow {PIL.__version__}"


class Preprocess(BaseModel):
    """How a picture becomes uint8 (size, width or size, channels); frozen, and the same in JSON.

    With a `clip` it is a film that becomes uint8 (T, size, size, channels): T frames, each as a picture does.

    Attributes:
        size: Side of the model's square input, in pixels; with a `width` its height.
        channels: 1 for grey, 3 for RGB; of a stack as many as it has bands.
        resize: `shorter_side_center_crop`: the shorter side becomes `size`, the middle square is kept.
            `whole`: both sides become `size`; nothing is cut off, and shapes are stretched. `letterbox`: the
            picture as large as it fits in, at the top left, and grey in the rest.
        interpolation: Pillow's bilinear filter, which averages over the source when it shrinks.
        mean, std: Per channel on the 0..1 scale. They are applied inside the graph, not here.
        decoder: What decoded the training pictures.
        clip: Which frames of a film are taken; None: the model's input is a picture.
        width: Of the model's input; None: it is a square.
        pair: `registered`: what comes is a picture with its template, see `data.pair`, whose three layers are
            the channels; None: it is a picture alone.
        bands: What the values of each band mean; None: a picture is one that people look at, or bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    size: int = Field(ge=8, le=4096)
    channels: int = Field(ge=1, le=32)
    resize: Literal["shorter_side_center_crop", "whole", "letterbox"] = "shorter_side_center_crop"
    interpolation: Literal["bilinear"] = "bilinear"
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoder: str = Field(default_factory=decoder)
    clip: Clip | None = None
    width: int | None = Field(default=None, ge=8, le=4096)
    pair: Literal["registered"] | None = None
    bands: Bands | None = None

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave later entries out where they say nothing: bundles of pictures keep their digests."""
        return {name: value for name, value in plain(self).items() if name not in _LATER or value is not None}

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> "Preprocess":
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values, one per channel")
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")
        if self.width is not None and self.resize != "letterbox":
            raise ValueError("only a letterbox has a width of its own")
        if self.pair is not None and (self.channels % LAYERS or self.clip is not None):
            raise ValueError(f"a pair has {LAYERS} layers with as many channels each, and no frames")
        if self.bands is not None and len(self.bands.names) != self.channels:
            raise ValueError(f"{self.channels} channels need as many bands; got {len(self.bands.names)}")
        return self

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the model's input in pixels."""
        return self.size, self.width or self.size

    @property
    def shape(self) -> tuple[int, ...]:
        """The model's input: (height, width, channels), or (T, height, width, channels) for clips."""
        picture = (*self.sides, self.channels)
        return picture if self.clip is None else (self.clip.frames, *picture)

    def sized(self, size: int) -> "Preprocess":
        """Return the same for a square of another side or, of a letterbox, another height.

        Its width follows, as nearly as a multiple of 32 can.
        """
        if self.width is None:
            return self.model_copy(update={"size": size})
        width = max(_STEP, _STEP * round(self.width * size / self.size / _STEP))
        return self.model_copy(update={"size": size, "width": width})

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width that a whole picture of this size has at model size, without the grey.

        What lies at (x, y) of the picture lies at (x · fitted width / width, y · fitted height / height).
        """
        if self.resize != "letterbox":
            return self.sides
        factor = min(self.sides[0] / height, self.sides[1] / width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def __call__(self, pixels: UInt8) -> UInt8:
        """Return a picture, or each frame of a clip, at model size.

        Args:
            pixels: uint8 (H, W, channels), any H and W ≥ 1; for clips (T, H, W, channels).

        Returns:
            uint8 of `shape`, contiguous.

        Raises:
            UsageError: Another dtype, rank, number of channels or of frames.
        """
        if self.clip is None:
            self._check(pixels, "(H, W", rank=3)
            return self.frame(pixels)
        self._check(pixels, f"({self.clip.frames}, H, W", rank=4)
        if len(pixels) != self.clip.frames:
            raise UsageError(
                f"need {self.clip.frames} frames; got {len(pixels)}",
                hint="the frames are evenly spread over the clip, repeated where it has fewer",
            )
        return np.stack([self.frame(one) for one in pixels])

    def frame(self, pixels: UInt8) -> UInt8:
        """Return one picture or frame, uint8 (H, W, channels), at model size."""
        self._check(pixels, "(H, W", rank=3)
        if pixels.shape[:2] == self.sides:
            return np.ascontiguousarray(pixels)
        if self.channels == 3:
            seen = self._resized(Image.fromarray(np.ascontiguousarray(pixels)))
        else:
            planes = [np.ascontiguousarray(pixels[:, :, c]) for c in range(self.channels)]
            seen = np.concatenate([self._resized(Image.fromarray(plane)) for plane in planes], axis=2)
        return seen if self.pair is None else self._same_outside(seen, (pixels.shape[0], pixels.shape[1]))

    def _check(self, pixels: UInt8, sides: str, *, rank: int) -> None:
        good = pixels.dtype == np.uint8 and pixels.ndim == rank and pixels.size
        if not good or pixels.shape[-1] != self.channels:
            raise UsageError(
                f"need uint8 pixels {sides}, {self.channels}); got {pixels.dtype} {pixels.shape}",
                hint="convert to 0..255 uint8, height first, channels last",
            )

    def seeing(self, dataset: Dataset) -> Dataset:
        """Return a data set as a recognizer with this sees it: its frames of clips, its ranges of bands.

        Raises:
            UsageError: `other_task`: it takes clips and these are pictures, or the reverse.
        """
        return ranged(showing(dataset, self.clip, sized=self.frame), self.bands)

    def from_bytes(self, content: bytes) -> UInt8:
        """Return a file's bytes at model size, uint8 of `shape`.

        The same as decoding and calling, without a copy of the pixels in between.

        Raises:
            ImageError: The picture or film cannot be used; its code says why.
            MissingExtraError: It takes a film, and PyAV is not installed.
        """
        return self.measured(content)[0]

    def measured(self, content: bytes) -> tuple[UInt8, tuple[int, int]]:
        """Return a file's bytes at model size, and height and width of the upright picture or frames.

        Raises:
            ImageError, MissingExtraError: As `from_bytes`.
        """
        if self.clip is not None:
            seen = video.sampled(content, self.clip.frames, self.channels, sized=self.frame)
            return seen, self.sides
        if self.pair is not None:
            layers = PairPicture(content).decode(self.channels)
            return self.frame(layers), (layers.shape[0], layers.shape[1])
        if self.bands is not None:
            pixels = self.bands.mapped(stacks.read(content))
            return self.frame(pixels), (pixels.shape[0], pixels.shape[1])
        image = picture(content, self.channels)
        return self._resized(image), (image.height, image.width)

    def _resized(self, image: Image.Image) -> UInt8:
        if self.resize == "letterbox":
            return self._letterboxed(image)
        width, height = image.size
        if (width, height) != (self.size, self.size):
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            middle = (left, top, left + side, top + side)
            box = None if self.resize == "whole" else middle
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        return np.asarray(image).reshape(self.size, self.size, -1)

    def _letterboxed(self, image: Image.Image) -> UInt8:
        height, width = self.fitted(image.height, image.width)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(image).reshape(height, width, -1)
        if (height, width) == self.sides:
            return pixels
        framed = np.full((*self.sides, pixels.shape[2]), GREY, np.uint8)
        framed[:height, :width] = pixels
        return framed

    def _same_outside(self, seen: UInt8, size: tuple[int, int]) -> UInt8:
        """Return a pair of that size at model size, whose layers do not differ in the grey around it."""
        height, width = self.fitted(*size)
        if (height, width) != self.sides:
            differences = seen[:, :, -(self.channels // LAYERS) :]
            differences[height:], differences[:, width:] = 0, 0
        return seen

    @property
    def pixels_digest(self) -> str:
        """The sha256 of all that decides the pixels: everything but mean, std and the spacing in time."""
        told = self.model_dump(exclude={"mean": True, "std": True, "clip": {"spacing_s"}})
        text = json.dumps(told, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
