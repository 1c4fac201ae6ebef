"""What pictures looked like when a recognizer was calibrated: what a monitor compares with later."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# What `data.pixels.quality` measures of a picture.
PROPERTIES = ("brightness", "contrast", "sharpness", "clipping", "blockiness")

_MOST_IMAGES = 10**9
MOST_SCORES = 199  # of calibration pictures that a bundle keeps: about 3 kB
_DIGITS = 3
_SUREST = 1e-5


def rounded(score: float) -> float:
    """Return a score with three significant digits, 0 below 1e-12: what is stored and what is compared later.

    It looks at nothing but the score itself, so scores in any order stay in any order: what a monitor says of
    rounded scores is as exact as of others, and needs a memory that does not grow.

    >>> rounded(0.0123456)
    0.0123
    """
    return 0.0 if abs(score) < 1e-12 else float(f"{score:.{_DIGITS}g}")


def doubt(confidence: float) -> float:
    """Return what a monitor notes of an answer: 1 - confidence, rounded, at least 1e-5.

    Below that float32 has few values left, and which of them it is depends on the order in which an engine
    adds: noted as they come, another engine would look like other pictures.
    """
    return rounded(max(1 - confidence, _SUREST))


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rate(_Frozen):
    """How often something was seen.

    Attributes:
        count: In so many pictures.
        n: Of so many independent ones.
    """

    count: int = Field(ge=0, le=_MOST_IMAGES)
    n: int = Field(ge=1, le=_MOST_IMAGES)

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Self:
        if self.count > self.n:
            raise ValueError(f"{self.count} of {self.n} is no share")
        return self


class Range(_Frozen):
    """Where a property of pictures lies as a rule, and how often it does not.

    Attributes:
        low, high: The middle 95 % of the tuning pictures, in the unit of the property.
        below, above: How many proving pictures lay below and above.
        n: How many proving pictures were looked at.
    """

    low: float
    high: float
    below: int = Field(ge=0, le=_MOST_IMAGES)
    above: int = Field(ge=0, le=_MOST_IMAGES)
    n: int = Field(ge=1, le=_MOST_IMAGES)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.low > self.high or self.below + self.above > self.n:
            raise ValueError("low is at most high, and no more pictures lie outside than there are")
        return self


class Reference(_Frozen):
    """What a bundle keeps of its calibration for a monitor; no picture and no label.

    Attributes:
        doubt: `doubt(confidence)` of independent proving pictures, drawn by chance, rising; at most 199.
        unknown: The same of the score for unknown objects, where the bundle has one.
        rejected: Proving pictures that it would not have answered; None where it answers all.
        quality: Where a property of `PROPERTIES` lay, by its name.
    """

    doubt: tuple[float, ...] = Field(max_length=MOST_SCORES)
    unknown: tuple[float, ...] = Field(default=(), max_length=MOST_SCORES)
    rejected: Rate | None = None
    quality: dict[str, Range] = Field(default_factory=dict)

    @field_validator("quality")
    @classmethod
    def _known_properties(cls, quality: dict[str, Range]) -> dict[str, Range]:
        if strange := sorted(set(quality) - set(PROPERTIES)):
            raise ValueError(
                f"no property of a picture: {strange[0][:64]!r}; they are {', '.join(PROPERTIES)}"
            )
        return quality
