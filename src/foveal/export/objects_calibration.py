"""From a detector's graph and pictures with objects to scores that are shares, and thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Session
from foveal.calibrate.attributes import fit_attributes
from foveal.calibrate.objects import fit_scores, found_of, shown, thresholds_of, truth_of
from foveal.core.batches import batches
from foveal.data.attributes import Attribute
from foveal.data.truths import Stated
from foveal.export.objects_graph import with_scores, with_sharpness
from foveal.metrics._found import Found
from foveal.tasks.detect.decode import AttributeDecision, checked
from foveal.train.examples import Examples


@dataclass(frozen=True)
class CalibratedObjects:
    """What calibration pictures gave.

    Attributes:
        model: The graph with scores that are shares.
        session: The same in ONNX Runtime.
        thresholds: For each class the score from which on an answer is an object.
        scale, shift: From class logits to those of the scores.
        attributes: How what is told of objects beside their class is decided.
    """

    model: bytes = field(repr=False)
    session: Session = field(repr=False)
    thresholds: tuple[float, ...]
    scale: float
    shift: float
    attributes: tuple[AttributeDecision, ...] = ()


def calibrated_objects(
    model: bytes,
    calib: Examples,
    stated: Stated,
    *,
    classes: int,
    threads: int,
    attributes: Sequence[Attribute] = (),
) -> CalibratedObjects:
    """Fit scores and thresholds on what the graph itself answers.

    Args:
        model: As `objects_graph` makes it, or another graph of the same network; its scores are fitted anew.
        calib: Images at model size that were not learned from, N ≥ 1.
        stated: Gives the objects of an image of these by its row.
        classes: How many there are.
        threads: Of the engine.
        attributes: What it tells of objects beside their class.
    """
    plain = with_scores(model, scale=1.0, shift=0.0)
    values = [len(one.values) for one in attributes]
    if attributes:
        plain = with_sharpness(plain, [1.0] * len(values), values)
    truths = [truth_of(stated(int(row)), attributes=attributes) for row in calib.indices]
    found = _found(onnxruntime(plain, threads=threads), calib, classes)
    scale, shift = fit_scores(found, truths, classes=classes)
    fitted = with_scores(plain, scale=scale, shift=shift)
    session = onnxruntime(fitted, threads=threads)
    found = _found(session, calib, classes)
    limits = thresholds_of(found, truths, classes=classes)
    if not attributes:
        return CalibratedObjects(fitted, session, limits, scale, shift)
    told = fit_attributes([shown(one, limits) for one in found], truths, attributes)
    fitted = with_sharpness(fitted, [one.scale for one in told], values)
    session = onnxruntime(fitted, threads=threads)
    return CalibratedObjects(fitted, session, limits, scale, shift, told)


def _found(session: Session, examples: Examples, classes: int) -> list[Found]:
    """Return what a session finds on examples."""
    return [
        found
        for batch in batches(examples.images, examples.indices)
        for found in found_of(checked(session.answer(batch), len(batch), classes=classes))
    ]
