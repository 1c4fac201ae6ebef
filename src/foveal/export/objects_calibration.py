"""From a detector's graph and pictures with objects to scores that are shares, and thresholds."""

from dataclasses import dataclass, field

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Session
from foveal.calibrate.objects import fit_scores, found_of, thresholds_of, truth_of
from foveal.core.batches import batches
from foveal.data.truths import Stated
from foveal.export.objects_graph import with_scores
from foveal.metrics._found import Found
from foveal.tasks.detect.decode import checked
from foveal.train.examples import Examples


@dataclass(frozen=True)
class CalibratedObjects:
    """What calibration pictures gave.

    Attributes:
        model: The graph with scores that are shares.
        session: The same in ONNX Runtime.
        thresholds: For each class the score from which on an answer is an object.
        scale, shift: From class logits to those of the scores.
    """

    model: bytes = field(repr=False)
    session: Session = field(repr=False)
    thresholds: tuple[float, ...]
    scale: float
    shift: float


def calibrated_objects(
    model: bytes, calib: Examples, stated: Stated, *, classes: int, threads: int
) -> CalibratedObjects:
    """Fit scores and thresholds on what the graph itself answers.

    Args:
        model: As `objects_graph` makes it, or another graph of the same network; its scores are fitted anew.
        calib: Images at model size that were not learned from, N ≥ 1.
        stated: Gives the objects of an image of these by its row.
        classes: How many there are.
        threads: Of the engine.
    """
    plain = with_scores(model, scale=1.0, shift=0.0)
    truths = [truth_of(stated(int(row))) for row in calib.indices]
    found = _found(onnxruntime(plain, threads=threads), calib, classes)
    scale, shift = fit_scores(found, truths, classes=classes)
    fitted = with_scores(plain, scale=scale, shift=shift)
    session = onnxruntime(fitted, threads=threads)
    limits = thresholds_of(_found(session, calib, classes), truths, classes=classes)
    return CalibratedObjects(fitted, session, limits, scale, shift)


def _found(session: Session, examples: Examples, classes: int) -> list[Found]:
    """Return what a session finds on examples."""
    return [
        found
        for batch in batches(examples.images, examples.indices)
        for found in found_of(checked(session.answer(batch), len(batch), classes=classes))
    ]
