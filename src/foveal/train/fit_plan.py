"""The plan of a baseline's fit: everything that a clock decides, written down before it starts."""

import hashlib
import json
from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# Unknown to earlier versions: at their defaults they leave the digest alone.
_LATER = ("head", "weights", "views", "augmentation", "features")


class FitPlan(BaseModel):
    """A complete plan for a baseline, or for the head of a network whose other weights are there.

    A fit that was killed starts anew from it and ends in the same weights.

    Attributes:
        kind: Tells it from the plan of a network that is trained step by step.
        model: Name of the file in `models/`.
        arguments: Its constructor arguments.
        images: Training images that are used.
        of: Training images that there are.
        tuning_images: Of those used, how many cross-validation divides to choose the settings.
        folds: Into how many parts.
        seed: Of every choice among images.
        threads: Of torch; another number gives other last digits.
        seconds: Forecast, at the measured speed.
        head: Of a head: name of the file in `train/classical` that fits it; None: the plan is a baseline's.
        weights: Of a head: sha256 of the file that the other weights are from.
        features: Of a head: the arguments of its layer, besides the number of classes.
        views: Of a head: how many views of each picture it is fitted to; the first is the picture itself.
        augmentation: Of a head: what makes the other views, names of files in `train/augment`, in order.
        reasons: Why each choice was made, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["baseline", "head"] = "baseline"
    model: str
    arguments: dict[str, Any]
    images: int = Field(ge=1)
    of: int = Field(ge=1)
    tuning_images: int = Field(ge=1)
    folds: int = Field(ge=2)
    seed: int
    threads: int = Field(ge=1)
    seconds: float = Field(ge=0)
    head: str | None = None
    weights: str | None = None
    features: dict[str, int] = {}
    views: int = Field(default=1, ge=1)
    augmentation: dict[str, float] = {}
    reasons: dict[str, str] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Name of the plan: equal digests fit the same weights."""
        return digest_of(self, apart={"seconds", "reasons"}, later=_LATER)


def digest_of(plan: BaseModel, *, apart: set[str], later: Collection[str]) -> str:
    """Return the name of a plan, which is the same for all that leads to the same weights.

    Args:
        plan: Its field `augmentation` is an order, too: what comes first changes what comes next.
        apart: Fields that change no weights.
        later: Fields that earlier versions did not know: at their defaults they leave the digest alone.
    """
    told, fields = plan.model_dump(exclude=apart), type(plan).model_fields
    told = {k: v for k, v in told.items() if k not in later or v != fields[k].default}
    if "augmentation" in told:
        told["augmentation"] = list(told["augmentation"].items())
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
