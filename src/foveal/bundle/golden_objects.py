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
from foveal.bundle.golden_regions import SHARES
from foveal.bundle.session import Float32, Session, UInt8
from foveal.data.preprocess import Preprocess
from foveal.metrics.box_iou import box_iou
from foveal.tasks.detect.decode import ATTRIBUTES, OUTPUTS, ObjectAnswers, checked
from foveal.tasks.detect.masks import INSIDE
from foveal.tasks.segment.decode import OUTPUTS as REGION_OUTPUTS
from foveal.tasks.segment.decode import checked as check_regions

REGIONS = REGION_OUTPUTS[0]

_CLEAR = 0.5  # of the highest score of a picture: such an answer has to be found again
_COVERED, _LEAST_COVERED = 0.05, 1e-4  # by how much a mask may differ: a share of itself, and of the map
_SAME = 0.8  # intersection over union of two answers that mean the same


@dataclass(frozen=True)
class GoldenObjects:
    """A few pictures, and what the sealed model found on them.

    Attributes:
        inputs: uint8 (G, H, W, C), 1 ≤ G ≤ 4; synthetic, never a user's picture.
        found: What the model answered, without masks.
        covered: Which share of the map the mask of each answer covers, float32 (G, K); None: it gives none.
        regions: The class of each pixel, uint8 (G, H, W); None: pixels have no classes.
    """

    inputs: UInt8
    found: ObjectAnswers
    covered: Float32 | None = None
    regions: UInt8 | None = None

    @property
    def members(self) -> dict[str, NDArray[Any]]:
        """The arrays by the name of their file in a bundle."""
        answers = {name: getattr(self.found, name) for name in OUTPUTS}
        more = {"covered": self.covered, REGIONS: self.regions, ATTRIBUTES: self.found.attributes}
        answers |= {name: array for name, array in more.items() if array is not None}
        return {"golden_inputs.npy": self.inputs, **{f"golden_{name}.npy": answers[name] for name in answers}}

    def row(self, index: int) -> "GoldenObjects":
        """Return one of the pictures."""
        only = slice(index, index + 1)
        return GoldenObjects(
            self.inputs[only],
            self.found.at(only),
            None if self.covered is None else self.covered[only],
            None if self.regions is None else self.regions[only],
        )


def measure(session: Session, preprocess: Preprocess, *, classes: int) -> GoldenObjects:
    """Return golden vectors of a detector as its engine runs it here.

    Of twelve synthetic pictures those are kept on which it is surest of something: where it finds nothing, a
    wrong engine would find nothing, too.
    """
    inputs = golden.synthetic(preprocess.sides, preprocess.channels)
    answered = _answers(session, inputs, classes)
    count = max(2, min(golden.COUNT, golden.BYTES // inputs[0].nbytes))
    surest = np.argsort(-answered.found.scores.max(axis=1), kind="stable")[:count]
    return GoldenObjects(
        inputs[surest],
        answered.found.at(surest),
        None if answered.covered is None else answered.covered[surest],
        None if answered.regions is None else answered.regions[surest],
    )


def verify(session: Session, sealed: GoldenObjects, *, classes: int, graph: str = "fp32") -> None:
    """Compare what the engine finds here with what was found at sealing.

    Args:
        session: The engine.
        sealed: What was measured.
        classes: How many the model knows.
        graph: Precision of the graph: `manifest.model.precision`.

    Raises:
        BundleError: `golden_mismatch`: the scores in order differ by more than the precision allows, a clear
            answer is not found again or covers something else, or pixels have other classes.
    """
    allowed = max(golden.TOLERANCES[graph], golden.TOLERANCES[session.precision])
    here = _answers(session, sealed.inputs, classes)
    if here.found.scores.shape != sealed.found.scores.shape:
        raise golden.mismatch(session, f"{here.found.scores.shape[1]} answers a picture")
    difference = float(np.abs(here.found.scores - sealed.found.scores).max())
    if not difference <= allowed:
        raise golden.mismatch(session, f"a score is off by {difference:.2g}; up to {allowed:g} is allowed")
    if here.members.keys() != sealed.members.keys():
        raise golden.mismatch(session, "masks, attributes or classes of pixels that only one of both gives")
    for row in range(len(sealed.inputs)):
        if not _again(here.row(row), sealed.row(row), allowed):
            raise golden.mismatch(session, "an object that was found then is not found now")
    if here.regions is not None and sealed.regions is not None:
        share = float((here.regions != sealed.regions).mean())
        if share > max(SHARES[graph], SHARES[session.precision]):
            raise golden.mismatch(session, f"{share:.2%} of the pixels have another class")


def _again(here: GoldenObjects, sealed: GoldenObjects, allowed: float) -> bool:
    """Return whether each clear answer of one picture is found again."""
    own, then = here.found.at(0), sealed.found.at(0)
    clear = then.scores > max(_CLEAR * float(then.scores[0]), 2 * allowed)
    near = box_iou(then.boxes[clear], own.boxes) >= _SAME
    near &= then.labels[clear][:, None] == own.labels[None]
    near &= np.abs(then.scores[clear][:, None] - own.scores[None]) <= allowed
    if own.attributes is not None and then.attributes is not None:
        near &= np.abs(then.attributes[clear][:, None] - own.attributes[None]).max(axis=2) <= allowed
    if here.covered is not None and sealed.covered is not None:
        covered = sealed.covered[0][clear][:, None]
        near &= np.abs(covered - here.covered[0][None]) <= (_COVERED + allowed) * covered + _LEAST_COVERED
    return bool(near.any(axis=1).all())


def from_members(
    members: Mapping[str, bytes], *, preprocess: Preprocess, answers: int, values: int = 0
) -> GoldenObjects:
    """Return the golden vectors that `.npy` files hold, which must have the shapes the manifest implies.

    Args:
        members: Content by the name of the file.
        preprocess: Gives the shape of the pictures.
        answers: K, the graph's answers for a picture.
        values: Of all that is told of an object beside its class.

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
    covered = regions = None
    if (name := "golden_covered.npy") in members:
        covered = golden.finite(members[name], len(inputs), (answers,), name)
    if (name := f"golden_{REGIONS}.npy") in members:
        regions = golden.stored(members[name], only, preprocess.sides, np.uint8, name)
    said = None
    if (name := f"golden_{ATTRIBUTES}.npy") in members:
        said = golden.finite(members[name], len(inputs), (answers, values), name)
    return GoldenObjects(inputs, ObjectAnswers(boxes, scores, labels, attributes=said), covered, regions)


def _answers(session: Session, inputs: UInt8, classes: int) -> GoldenObjects:
    """Return what is found, one picture a call: a batch would keep its larger buffers for good."""
    parts, covered, regions = [], [], []
    for row in range(len(inputs)):
        answered = session.answer(inputs[row : row + 1])
        found = checked(answered, 1, classes=classes)
        parts.append(found._replace(masks=None))
        if found.masks is not None:
            covered.append((found.masks >= INSIDE).mean(axis=(2, 3), dtype=np.float32))
        if REGIONS in answered:
            regions.append(check_regions(answered, 1, classes=classes))
    return GoldenObjects(
        inputs,
        ObjectAnswers.joined(parts),
        np.concatenate(covered) if covered else None,
        np.concatenate(regions) if regions else None,
    )
