"""What the values of each band mean: the range that becomes 0 to 255 (docs/decisions/0061-bands.md)."""

from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from foveal.core.errors import ImageError
from foveal.data.dataset import UInt8

Kind = Literal["uint8", "uint16", "int16", "float32"]
KINDS: tuple[Kind, ...] = ("uint8", "uint16", "int16", "float32")
MOST = 32  # bands of a picture


class Bands(BaseModel):
    """The bands of a picture and the radiometric range of each; frozen, and the same in JSON.

    Attributes:
        kind: Type of the stored values. Another one is refused: it would be another unit.
        names: One for each band, in order, all different.
        low, high: Values that become 0 and 255, one of each for a band; what lies beyond becomes that, too.
            In between it is linear, rounded to the nearest whole number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: Kind
    names: tuple[str, ...] = Field(min_length=1, max_length=MOST)
    low: tuple[float, ...]
    high: tuple[float, ...]

    @model_validator(mode="after")
    def _one_range_per_band(self) -> "Bands":
        if len(self.low) != len(self.names) or len(self.high) != len(self.names):
            raise ValueError(f"low and high need {len(self.names)} values, one per band")
        if len(set(self.names)) != len(self.names):
            raise ValueError("two bands have the same name")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("low must be below high in each band")
        return self

    @cached_property
    def is_identity(self) -> bool:
        """Whether values are bytes that stay as they are."""
        return self.kind == "uint8" and set(self.low) == {0.0} and set(self.high) == {255.0}

    def mapped(self, values: NDArray[Any]) -> UInt8:
        """Return the bands as bytes.

        Args:
            values: (H, W, C) of this kind, finite.

        Returns:
            uint8 (H, W, C).

        Raises:
            ImageError: `other_bands`: another number of them, or another type; `not_finite`.
        """
        self._check(values)
        if self.is_identity:
            return np.ascontiguousarray(values)
        if self.kind == "float32":
            return self._scaled(values)
        first = int(np.iinfo(values.dtype).min)
        every = np.arange(first, int(np.iinfo(values.dtype).max) + 1)
        table = self._scaled(np.repeat(every[:, None], len(self.names), axis=1))
        places = values.astype(np.int32) - first  # a look-up is faster than arithmetic, and the same
        return np.stack([table[places[..., c], c] for c in range(len(self.names))], axis=-1)

    def _scaled(self, values: NDArray[Any]) -> UInt8:
        low, high = np.array(self.low), np.array(self.high)
        levels: NDArray[np.float64] = np.rint((values - low) * (255 / (high - low)))
        return levels.clip(0, 255).astype(np.uint8)

    def _check(self, values: NDArray[Any]) -> None:
        if values.dtype != np.dtype(self.kind) or values.shape[-1] != len(self.names):
            raise ImageError(
                f"need {len(self.names)} bands of {self.kind}; got {values.shape[-1]} of {values.dtype}",
                code="other_bands",
                hint=f"give pictures of the same camera: {', '.join(self.names)}",
            )
        if self.kind == "float32" and not np.isfinite(values).all():
            raise not_finite()


def not_finite() -> ImageError:
    """Return the error of values that are no numbers: nothing says what they would become."""
    return ImageError(
        "some values are NaN or infinite", code="not_finite", hint="fill in what the camera did not measure"
    )


def usual_names(count: int) -> tuple[str, ...]:
    """Return what bands are called that nobody named.

    >>> usual_names(2)
    ('band 1', 'band 2')
    """
    return tuple(f"band {number}" for number in range(1, count + 1))
