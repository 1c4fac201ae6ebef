"""Golden vectors of a detector: does this engine find the same on a few pictures?

Where doubles are dropped, the last bit of a score decides which of two answers stays. So answers are not
compared one by one: their scores in order have to agree, and each that is clear has to be found again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import golden
from foveal.bundle.session import Float32, Session, UInt8
from foveal.data.preprocess import Preprocess
from foveal.metrics.box_iou import box_iou
from foveal.tasks.detect.decode import OUTPUTS, ObjectAnswers, checked

_CLEAR = 0.5  # of the highest score of a picture: such an answer has to be found again
_SAME = 0.8  # intersection over union of two answers that mean the same


@dataclass(frozen=True)
class GoldenObjects:
    """A few pictures, and what the sealed model found on them.

    Attributes:
        inputs: uint8 (G, H, W, C), 1 ≤ G ≤ 4; synthetic, never a user's picture.
        found: What the model answered.
    """

    inputs: UInt8
    found: ObjectAnswers

    @property
    def members(self) -> dict[str, NDArray[Any]]:
        """The arrays by the name of their file in a bundle."""
        answers = {f"golden_{name}.npy": getattr(self.found, name) for name in OUTPUTS}
        return {"golden_inputs.npy": self.inputs, **answers}

    def row(self, index: int) -> "GoldenObjects":
        """Return one of the pictures."""
        only = slice(index, index + 1)
        return GoldenObjects(self.inputs[only], self.found.at(only))


def measure(session: Session, preprocess: Preprocess, *, classes: int) -> GoldenObjects:
    """Return golden vectors of a detector as its engine runs it here.

    Of twelve synthetic pictures those are kept on which it is surest of something: where it finds nothing, a
    wrong engine would find nothing, too.
    """
    inputs = golden.synthetic(preprocess.sides, preprocess.channels)
    answers = _answers(session, inputs, classes)
    count = max(2, min(golden.COUNT, golden.BYTES // inputs[0].nbytes))
    surest = np.argsort(-answers.scores.max(axis=1), kind="stable")[:count]
    return GoldenObjects(inputs[surest], answers.at(surest))


def verify(session: Session, sealed: GoldenObjects, *, classes: int, graph: str = "fp32") -> None:
    """Compare what the engine finds here with what was found at sealing.

    Args:
        session: The engine.
        sealed: What was measured.
        classes: How many the model knows.
        graph: Precision of the graph: `manifest.model.precision`.

    Raises:
        BundleError: `golden_mismatch`: the scores in order differ by more than the precision allows, or a
            clear answer is not found again.
    """
    allowed = max(golden.TOLERANCES[graph], golden.TOLERANCES[session.precision])
    answers = _answers(session, sealed.inputs, classes)
    if answers.scores.shape != sealed.found.scores.shape:
        raise golden.mismatch(session, f"{answers.scores.shape[1]} answers a picture")
    difference = float(np.abs(answers.scores - sealed.found.scores).max())
    if not difference <= allowed:
        raise golden.mismatch(session, f"a score is off by {difference:.2g}; up to {allowed:g} is allowed")
    for row in range(len(sealed.inputs)):
        if not _again(answers.at(row), sealed.found.at(row), allowed):
            raise golden.mismatch(session, "an object that was found then is not found now")


def _again(here: ObjectAnswers, sealed: ObjectAnswers, allowed: float) -> bool:
    """Return whether each clear answer of one picture is found again."""
    clear = sealed.scores > max(_CLEAR * float(sealed.scores[0]), 2 * allowed)
    near = box_iou(sealed.boxes[clear], here.boxes) >= _SAME
    near &= sealed.labels[clear][:, None] == here.labels[None]
    near &= np.abs(sealed.scores[clear][:, None] - here.scores[None]) <= allowed
    return bool(near.any(axis=1).all())


def from_members(members: Mapping[str, bytes], *, preprocess: Preprocess, answers: int) -> GoldenObjects:
    """Return the golden vectors that `.npy` files hold, which must have the shapes the manifest implies.

    Args:
        members: Content by the name of the file.
        preprocess: Gives the shape of the pictures.
        answers: K, the graph's answers for a picture.

    Raises:
        BundleError: `tampered`: another dtype, shape or length, NaN or infinity.
    """
    counts = range(1, golden.COUNT + 1)
    name = "golden_inputs.npy"
    inputs: UInt8 = golden.stored(members[name], counts, preprocess.shape, np.uint8, name)
    only = range(len(inputs), len(inputs) + 1)
    boxes: Float32 = golden.finite(members["golden_boxes.npy"], len(inputs), (answers, 4), "golden_boxes.npy")
    scores = golden.finite(members["golden_scores.npy"], len(inputs), (answers,), "golden_scores.npy")
    labels = golden.stored(members["golden_labels.npy"], only, (answers,), np.int64, "golden_labels.npy")
    return GoldenObjects(inputs, ObjectAnswers(boxes, scores, labels))


def _answers(session: Session, inputs: UInt8, classes: int) -> ObjectAnswers:
    """Return what is found, one picture a call: a batch would keep its larger buffers for good."""
    parts = [checked(session.answer(inputs[i : i + 1]), 1, classes=classes) for i in range(len(inputs))]
    return ObjectAnswers.joined(parts)
