"""From a detector's fixed number of answers to objects in the pixels of the picture that was given."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from foveal.core.errors import BundleError
from foveal.core.types import Detection, Sighting
from foveal.data.attributes import UNSURE, Attribute
from foveal.data.outline import Runs
from foveal.data.preprocess import Preprocess
from foveal.tasks.detect.masks import masks_of

OUTPUTS = ("boxes", "scores", "labels")
MASKS = "masks"  # the output that is there, too, where outlines are answered
ATTRIBUTES = "attributes"  # and where something is told of objects beside their class
MOST_OBJECTS = 20_000
_MOST_CLASSES = 10**6

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Probability = Annotated[float, Field(ge=0, le=1)]


class ObjectAnswers(NamedTuple):
    """What a graph found on N pictures: K answers each, the most certain first, padded with score 0.

    Attributes:
        boxes: Left, top, right and bottom in pixels of the model's input, float32 (N, K, 4).
        scores: Calibrated, float32 (N, K).
        labels: Indices into the classes, int64 (N, K).
        masks: At every fourth pixel of the input, or of another whole step, whether it is the object's, uint8
            (N, K, h, w): 128 and more is inside, 16 steps are one logit; None: only boxes are answered.
        attributes: Calibrated probability of each value, one attribute after the other, float32 (N, K, V);
            None: nothing is told of objects beside their class.
    """

    boxes: Float32
    scores: Float32
    labels: NDArray[np.int64]
    masks: UInt8 | None = None
    attributes: Float32 | None = None

    def at(self, rows: Any) -> "ObjectAnswers":
        """Return the answers for some pictures, or for one without the first axis, as NumPy indexes."""
        more = (None if part is None else part[rows] for part in (self.masks, self.attributes))
        return ObjectAnswers(self.boxes[rows], self.scores[rows], self.labels[rows], *more)

    @classmethod
    def joined(cls, parts: "Sequence[ObjectAnswers]") -> "ObjectAnswers":
        """Return the answers of several batches, at least one, as of one batch."""
        whole = {name: [getattr(part, name) for part in parts] for name in cls._fields}
        joined: dict[str, Any] = {
            name: None if some[0] is None else np.concatenate(some) for name, some in whole.items()
        }
        return cls(**joined)


class AttributeDecision(Attribute):
    """What is told of an object beside its class; values are in the order of the probabilities.

    Attributes:
        threshold: The probability from which on the most probable value is told; below it is `unknown`. At 1
            nothing ever is: no probability was sure enough.
        scale: What the logits are multiplied with before they become probabilities; for people.
        n: Objects of the calibration pictures that this rests on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    threshold: Probability
    scale: float = Field(gt=0)
    n: int = Field(ge=0)


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
        things: Of a panoptic recognizer, the classes whose objects are counted, by label; the others are only
            there, such as the sky. None: all are counted.
        attributes: What is told of objects beside their class, in the order of the graph's output.
        n: Calibration pictures that this rests on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: Literal["objects"] = "objects"
    thresholds: tuple[Probability, ...] = Field(min_length=1, max_length=_MOST_CLASSES)
    objects: int = Field(ge=1, le=MOST_OBJECTS)
    overlap: float | None = Field(default=None, gt=0, le=1)
    scale: float = Field(default=1.0, gt=0)
    shift: float = 0.0
    things: tuple[int, ...] | None = None
    attributes: tuple[AttributeDecision, ...] = ()
    n: int = Field(ge=0)


def checked(
    answers: Mapping[str, NDArray[Any]], count: int, *, classes: int, outlined: bool = False
) -> ObjectAnswers:
    """Return what a graph answered for `count` pictures, after looking at all of it.

    Args:
        answers: Its outputs by name.
        count: How many pictures it was given.
        classes: How many it knows.
        outlined: Whether masks have to be there.

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
    masks = answers.get(MASKS)
    if outlined and masks is None:
        raise BundleError("the model answers without masks", code="bad_graph", hint="export it again")
    if masks is not None and (masks.shape[:2] != scores.shape or masks.ndim != 4 or masks.dtype != np.uint8):
        raise BundleError(
            f"the model answered with what are no masks: {masks.dtype} {masks.shape}",
            code="model_output_invalid",
            hint="train or export it again",
        )
    said = answers.get(ATTRIBUTES)
    if said is not None and (said.shape[:2] != scores.shape or said.ndim != 3 or not _shares(said)):
        raise BundleError(
            f"the model told of objects what are no probabilities: {said.dtype} {said.shape}",
            code="model_output_invalid",
            hint="train or export it again",
        )
    return ObjectAnswers(boxes, scores, labels.astype(np.int64), masks, said)


def _shares(values: NDArray[Any]) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


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
    seen = []
    for row, (source, size) in enumerate(zip(sources, sizes, strict=True)):
        shown = certain(answers.at(row), decision)
        boxes = original(shown.boxes, size, preprocess)
        outlines: Sequence[Runs | None] = [None] * len(boxes)
        if shown.masks is not None:
            outlines = masks_of(shown.masks, boxes, size, preprocess)
        objects = told(shown, boxes, outlines, classes, decision.attributes)
        seen.append(Sighting(source, width=size[1], height=size[0], objects=objects))
    return seen


def certain(answers: ObjectAnswers, decision: ObjectDecision) -> ObjectAnswers:
    """Return those answers for one picture that are objects, the most certain first."""
    limits = np.array(decision.thresholds, np.float32)
    return answers.at(np.flatnonzero((answers.scores >= limits[answers.labels]) & (answers.scores > 0)))


def told(
    answers: ObjectAnswers,
    boxes: Float32,
    outlines: Sequence[Runs | None],
    classes: Sequence[str],
    attributes: Sequence[AttributeDecision] = (),
) -> tuple[Detection, ...]:
    """Return answers for one picture as objects in its own pixels.

    Args:
        answers: D of them, without padding.
        boxes: Theirs in pixels of the picture, (D, 4).
        outlines: What each covers, D of them.
        classes: Names in label order.
        attributes: What is told beside the class.
    """
    return tuple(
        Detection(
            classes[label],
            score,
            (box[0], box[1], box[2], box[3]),
            None if outline is None else outline.as_json(),
            said,
        )
        for label, score, box, outline, said in zip(
            answers.labels.tolist(),
            answers.scores.tolist(),
            boxes.tolist(),
            outlines,
            values_of(answers, attributes),
            strict=True,
        )
    )


def values_of(answers: ObjectAnswers, attributes: Sequence[AttributeDecision]) -> list[dict[str, str]]:
    """Return what is told of each of D answers for one picture, by the name of the attribute."""
    said: list[dict[str, str]] = [{} for _ in answers.scores]
    for one, shares in zip(attributes, parted(answers, attributes), strict=True):
        best = shares.argmax(axis=1)
        sure = (shares.max(axis=1) >= one.threshold) & (one.threshold < 1)  # rounded shares do reach 1
        for row, (value, clear) in enumerate(zip(best.tolist(), sure.tolist(), strict=True)):
            said[row][one.name] = one.values[value] if clear else UNSURE
    return said


def parted(answers: ObjectAnswers, attributes: Sequence[AttributeDecision]) -> list[Float32]:
    """Return the probabilities of the values of each attribute, (…, D, values)."""
    if answers.attributes is None or not attributes:
        return []
    ends = np.cumsum([len(one.values) for one in attributes])
    return np.split(answers.attributes, ends[:-1], axis=-1)
