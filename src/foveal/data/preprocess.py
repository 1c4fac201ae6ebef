"""From a picture to the model's input, in one place for training, evaluation and serving.

There is no second implementation, and none inside the graph: what the network was trained on is, bit
for bit, what it is given when it runs (docs/decisions/0003-one-preprocess.md).
"""

import hashlib
import json
from functools import cache
from typing import Literal

import numpy as np
import PIL
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8
from foveal.data.decode import picture


@cache
def decoder() -> str:
    """Return the name and version of the picture decoder."""
    return f"pillow {PIL.__version__}"


class Preprocess(BaseModel):
    """How a picture becomes uint8 (size, size, channels); frozen, and the same in JSON.

    Attributes:
        size: Side of the model's square input, in pixels.
        channels: 1 for grey, 3 for RGB.
        resize: The shorter side becomes `size`, the middle square is kept.
        interpolation: Pillow's bilinear filter, which averages over the source when it shrinks.
        mean, std: Per channel on the 0..1 scale. They are applied inside the graph, not here.
        decoder: What decoded the training pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    size: int = Field(ge=8, le=4096)
    channels: int = Field(ge=1, le=32)
    resize: Literal["shorter_side_center_crop"] = "shorter_side_center_crop"
    interpolation: Literal["bilinear"] = "bilinear"
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoder: str = Field(default_factory=decoder)

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> "Preprocess":
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values, one per channel")
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")
        return self

    def __call__(self, pixels: UInt8) -> UInt8:
        """Return the middle square of a picture at model size.

        Args:
            pixels: uint8 (H, W, channels), any H and W ≥ 1.

        Returns:
            uint8 (size, size, channels), contiguous.

        Raises:
            UsageError: Another dtype, rank or number of channels.
        """
        if (
            pixels.dtype != np.uint8
            or pixels.ndim != 3
            or pixels.shape[2] != self.channels
            or not pixels.size
        ):
            raise UsageError(
                f"need uint8 pixels (H, W, {self.channels}); got {pixels.dtype} {pixels.shape}",
                hint="convert to 0..255 uint8, height first, channels last",
            )
        if pixels.shape[:2] == (self.size, self.size):
            return np.ascontiguousarray(pixels)
        if self.channels == 3:
            return self._square(Image.fromarray(np.ascontiguousarray(pixels)))
        planes = [np.ascontiguousarray(pixels[:, :, c]) for c in range(self.channels)]
        return np.concatenate([self._square(Image.fromarray(plane)) for plane in planes], axis=2)

    def from_bytes(self, content: bytes) -> UInt8:
        """Return a picture file's bytes at model size, uint8 (size, size, channels).

        The same as decoding and calling, without a copy of the pixels in between.

        Raises:
            ImageError: The picture cannot be used; its code says why.
        """
        return self._square(picture(content, self.channels))

    def _square(self, image: Image.Image) -> UInt8:
        width, height = image.size
        if (width, height) != (self.size, self.size):
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        return np.asarray(image).reshape(self.size, self.size, -1)

    @property
    def pixels_digest(self) -> str:
        """The sha256 of all that decides the pixels: everything but mean and std."""
        text = json.dumps(self.model_dump(exclude={"mean", "std"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
