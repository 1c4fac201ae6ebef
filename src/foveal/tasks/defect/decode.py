"""From scores and maps of defects at model size to what is wrong where on the picture that was given."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from foveal.core.errors import BundleError
from foveal.core.types import Sighting
from foveal.data.preprocess import Preprocess
from foveal.tasks.segment.decode import shares_of

OUTPUTS = ("scores", "maps")
MOST_KINDS = 254  # a map of bytes holds these, what is good, and that nothing is said

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Number = Annotated[float, Field(allow_inf_nan=False)]


class DefectAnswers(NamedTuple):
    """What a graph answers for N pictures, of K kinds of defect.

    Attributes:
        scores: How defective each picture is, float32 (N,): larger is worse. A probability where defects were
            learned, a distance where only good pictures were.
        maps: How strongly each place shows each kind, in a unit of its own, float32 (N, K, h, w): the model's
            input, from its top left to its bottom right, in h × w equal cells.
    """

    scores: Float32
    maps: Float32


class DefectDecision(BaseModel):
    """From maps to places that are shown; part of the bundle and of its digest.

    Whether a part is accepted is decided by its score, and not here.

    Attributes:
        kind: Tells it from the decision of a classifier.
        thresholds: For each kind the value of its map from which on a place shows it.
        usual: For each kind the value that good pictures reach: where the heat of a place begins.
        n: Calibration pictures that this rests on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: Literal["defects"] = "defects"
    thresholds: tuple[Number, ...] = Field(min_length=1, max_length=MOST_KINDS)
    usual: tuple[Number, ...] = Field(min_length=1, max_length=MOST_KINDS)
    n: int = Field(ge=0)

    @model_validator(mode="after")
    def _begins_below(self) -> Self:
        if len(self.usual) != len(self.thresholds):
            raise ValueError("each kind has a usual value and a threshold")
        if any(not usual < shown for usual, shown in zip(self.usual, self.thresholds, strict=True)):
            raise ValueError("what is shown lies above what is usual")
        return self

    def heat(self, maps: Float32) -> Float32:
        """Return maps (…, K, h, w) where 0 is usual, or less than that, and 1 is shown; float32."""
        usual, shown = (np.array(each, np.float32)[:, None, None] for each in (self.usual, self.thresholds))
        heat: Float32 = np.maximum((maps - usual) / (shown - usual), np.float32(0))
        return heat


def checked(answers: Mapping[str, NDArray[Any]], count: int, *, kinds: int) -> DefectAnswers:
    """Return what a graph answered for `count` pictures.

    Args:
        answers: Its outputs by name.
        count: How many pictures it was given.
        kinds: How many kinds of defect it knows.

    Raises:
        BundleError: `bad_graph`: outputs of other names. `model_output_invalid`: other shapes, NaN or
            infinity.
    """
    if any(name not in answers for name in OUTPUTS):
        raise BundleError(
            f"the model answers with {', '.join(sorted(answers))} and not with {', '.join(OUTPUTS)}",
            code="bad_graph",
            hint="train or export it again",
        )
    scores, maps = (np.asarray(answers[name]) for name in OUTPUTS)
    good = scores.shape == (count,) and maps.ndim == 4 and maps.shape[:2] == (count, kinds) and maps.size
    good = good and scores.dtype == maps.dtype == np.float32
    if not good or not np.isfinite(scores).all() or not np.isfinite(maps).all():
        raise BundleError(
            f"the model answered with what are no defects: for {count} pictures scores {scores.shape} and "
            f"maps {maps.shape} of {kinds} kinds, or NaN or infinity",
            code="model_output_invalid",
            hint="train or export it again; its weights are not usable",
        )
    return DefectAnswers(scores, maps)


def kinds_at(heat: Float32) -> UInt8:
    """Return what each place shows, uint8 (…, h, w): 0 is good, k + 1 the kind with the highest heat.

    Args:
        heat: Of `DefectDecision.heat`, (…, K, h, w).
    """
    strongest = heat.argmax(axis=-3) + 1
    return np.where(heat.max(axis=-3) >= 1, strongest, 0).astype(np.uint8)


def original(maps: Float32, size: tuple[int, int], preprocess: Preprocess) -> Float32:
    """Return maps of the model's input, (K, h, w), at the size of the picture, (K, height, width).

    Values between the middles of cells are interpolated; what the letterbox filled is cut off.
    """
    (fitted_height, fitted_width), (whole_height, whole_width) = preprocess.fitted(*size), preprocess.sides
    down, across = maps.shape[1] * fitted_height / whole_height, maps.shape[2] * fitted_width / whole_width
    seen = np.ascontiguousarray(maps[:, : math.ceil(down), : math.ceil(across)], np.float32)
    target, box = (size[1], size[0]), (0, 0, across, down)
    resized = [Image.fromarray(one).resize(target, Image.Resampling.BILINEAR, box=box) for one in seen]
    return np.stack([np.asarray(one) for one in resized])


def decode(
    answers: DefectAnswers,
    *,
    classes: Sequence[str],
    decision: DefectDecision,
    preprocess: Preprocess,
    sources: Sequence[str],
    sizes: Sequence[tuple[int, int]],
) -> list[Sighting]:
    """Return what is wrong where on N pictures.

    Args:
        answers: At model size.
        classes: The name of what is good, and K names of kinds.
        decision: What is shown.
        preprocess: Brought the pictures to model size.
        sources: N names.
        sizes: Height and width of the N pictures.
    """
    seen = []
    for score, maps, source, size in zip(*answers, sources, sizes, strict=True):
        heat = original(decision.heat(maps), size, preprocess)
        regions = kinds_at(heat)
        areas = shares_of(regions, classes)
        del areas[classes[0]]
        seen.append(
            Sighting(
                source,
                size[1],
                size[0],
                areas=areas,
                regions=regions,
                with_objects=False,
                score=float(score),
                heat=heat.max(axis=0),
            )
        )
    return seen
