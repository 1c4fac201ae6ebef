"""From a detector's fixed number of answers to objects in the pixels of the picture that was given."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from foveal.core.errors import BundleError
from foveal.core.types import Detection, Sighting
from foveal.data.preprocess import Preprocess

OUTPUTS = ("boxes", "scores", "labels")
MOST_OBJECTS = 20_000
_MOST_CLASSES = 10**6

Float32 = NDArray[np.float32]
Probability = Annotated[float, Field(ge=0, le=1)]


class ObjectAnswers(NamedTuple):
    """What a graph found on N pictures: K answers each, the most certain first, padded with score 0.

    Attributes:
        boxes: Left, top, right and bottom in pixels of the model's input, float32 (N, K, 4).
        scores: Calibrated, float32 (N, K).
        labels: Indices into the classes, int64 (N, K).
    """

    boxes: Float32
    scores: Float32
    labels: NDArray[np.int64]

    def at(self, rows: Any) -> "ObjectAnswers":
        """Return the answers for some pictures, or for one without the first axis, as NumPy indexes."""
        return ObjectAnswers(self.boxes[rows], self.scores[rows], self.labels[rows])

    @classmethod
    def joined(cls, parts: "Sequence[ObjectAnswers]") -> "ObjectAnswers":
        """Return the answers of several batches, at least one, as of one batch."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.labels for part in parts]),
        )


class ObjectDecision(BaseModel):
    """From answers to objects; it is part of the bundle and of its digest.

    Attributes:
        kind: Tells it from the decision of a classifier.
        thresholds: For each class the score from which on an answer is an object: where F1 was best on the
            calibration pictures.
        objects: K: how many answers the graph gives.
        overlap: Intersection over union above which the less certain of two answers of a class is dropped,
            inside the graph; None: no two answers mean the same object.
        scale, shift: What class logits are multiplied with, and what is added, before they become scores; for
            people, the graph decides. Fitted so that of answers with score s a share s is right.
        n: Calibration pictures that this rests on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: Literal["objects"] = "objects"
    thresholds: tuple[Probability, ...] = Field(min_length=1, max_length=_MOST_CLASSES)
    objects: int = Field(ge=1, le=MOST_OBJECTS)
    overlap: float | None = Field(default=None, gt=0, le=1)
    scale: float = Field(default=1.0, gt=0)
    shift: float = 0.0
    n: int = Field(ge=0)


def checked(answers: Mapping[str, NDArray[Any]], count: int, *, classes: int) -> ObjectAnswers:
    """Return what a graph answered for `count` pictures, after looking at all of it.

    Args:
        answers: Its outputs by name.
        count: How many pictures it was given.
        classes: How many it knows.

    Raises:
        BundleError: `bad_graph`: outputs of other names. `model_output_invalid`: other shapes, no number, a
            score outside of [0, 1], a label that is no class.
    """
    if any(name not in answers for name in OUTPUTS):
        raise BundleError(
            f"the model answers with {', '.join(sorted(answers))} and not with {', '.join(OUTPUTS)}",
            code="bad_graph",
            hint="train or export it again",
        )
    boxes, scores, labels = (np.asarray(answers[name]) for name in OUTPUTS)
    good = boxes.ndim == 3 and boxes.shape == (*scores.shape, 4) and labels.shape == scores.shape
    good = good and len(scores) == count and bool(np.isfinite(boxes).all())
    good = good and bool(((scores >= 0) & (scores <= 1)).all())
    if not good or not ((labels >= 0) & (labels < classes)).all():
        raise BundleError(
            f"the model answered with what are no objects: for {count} pictures, shapes {boxes.shape}, "
            f"{scores.shape} and {labels.shape}, or scores and labels outside their range",
            code="model_output_invalid",
            hint="train or export it again; its weights are not usable",
        )
    return ObjectAnswers(boxes, scores, labels.astype(np.int64))


def original(boxes: Float32, size: tuple[int, int], preprocess: Preprocess) -> Float32:
    """Return boxes (…, 4) of the model's input in the pixels of a picture, cut to it.

    Args:
        boxes: In pixels of the model's input.
        size: Height and width of the picture.
        preprocess: Brought the picture to model size.
    """
    height, width = size
    fitted_height, fitted_width = preprocess.fitted(height, width)
    factor = np.array([width / fitted_width, height / fitted_height] * 2, np.float32)
    limit = np.array([width, height] * 2, np.float32)
    moved: Float32 = np.clip(boxes * factor, 0, limit).astype(np.float32)
    return moved


def decode(
    answers: ObjectAnswers,
    *,
    classes: Sequence[str],
    decision: ObjectDecision,
    preprocess: Preprocess,
    sources: Sequence[str],
    sizes: Sequence[tuple[int, int]],
) -> list[Sighting]:
    """Return what was found on each picture.

    Args:
        answers: Of N pictures.
        classes: K names.
        decision: From answers to objects.
        preprocess: Brought the pictures to model size.
        sources: N names.
        sizes: Height and width of the N pictures.
    """
    limits = np.array(decision.thresholds, np.float32)
    seen = []
    for row, (source, size) in enumerate(zip(sources, sizes, strict=True)):
        scores, labels = answers.scores[row], answers.labels[row]
        kept = np.flatnonzero((scores >= limits[labels]) & (scores > 0))
        boxes = original(answers.boxes[row][kept], size, preprocess).tolist()
        objects = tuple(
            Detection(classes[label], score, (box[0], box[1], box[2], box[3]))
            for label, score, box in zip(labels[kept].tolist(), scores[kept].tolist(), boxes, strict=True)
        )
        seen.append(Sighting(source, width=size[1], height=size[0], objects=objects))
    return seen
