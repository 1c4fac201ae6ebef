"""From a trained detector to a sealed bundle: export, calibrate the file, compare it, seal it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive, golden_objects
from foveal.bundle.session import Session
from foveal.core import files
from foveal.core.batches import batches
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.data.dataset import UInt8
from foveal.data.truths import Stated
from foveal.export.objects_calibration import calibrated_objects
from foveal.export.objects_graph import objects_graph
from foveal.export.objects_parity import compare_objects
from foveal.export.outputs import spread
from foveal.export.parity import Parity, worst
from foveal.export.regions_sealing import compare_regions
from foveal.export.sealing import Exported, Origin, draft_of
from foveal.tasks.detect.decode import ObjectAnswers, ObjectDecision, checked
from foveal.tasks.detect.learn import Selection, answers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


def bundle_objects(  # noqa: PLR0913 - as `sealing.bundle`, and what is stated
    recognizer: Recognizer,
    path: Path,
    *,
    held_out: tuple[Examples, Examples],
    stated: Stated,
    origin: Origin,
    selection: Selection | None = None,
    threads: int | None = None,
) -> Exported:
    """Export a detector, calibrate it on the exported graph's own answers, compare the two, and seal.

    A file that is there is replaced. Where the graph does not find what the network finds, no file is there
    afterwards: an earlier one would be taken for this one.

    Args:
        recognizer: The weights that ship, and the preprocessing they learned with.
        path: The bundle to write.
        held_out: Images at model size that were not learned from: scores and thresholds are fitted on the
            first, N ≥ 1; the others only show that file and network agree.
        stated: Gives the objects of an image of these by its row.
        origin: Where the recognizer comes from.
        selection: Which answers the graph gives out; None: as usual.
        threads: Of the engine; None takes all processors we may use.

    Raises:
        UsageError: No calibration image.
        BundleError, WriteError: It cannot be sealed.
    """
    calib = held_out[0]
    if len(calib) == 0:
        raise UsageError("a detector is calibrated on one image or more; got none", code="empty")
    threads, classes = threads or usable_cpus(), len(recognizer.classes)
    plain = selection or Selection()
    made = calibrated_objects(
        objects_graph(recognizer, plain),
        calib,
        stated,
        classes=classes,
        threads=threads,
        attributes=origin.attributes,
    )
    sharpness = tuple(one.scale for one in made.attributes)
    fitted = replace(plain, scale=made.scale, shift=made.shift, sharpness=sharpness)
    limits = np.array(made.thresholds, np.float32)
    parity = compare_finder(recognizer, made.session, fitted, held_out, limits)
    if parity.gate().verdict != "pass":
        files.remove(path)
        return Exported(parity, None)
    decision = ObjectDecision(
        thresholds=made.thresholds,
        objects=fitted.objects,
        overlap=fitted.overlap,
        scale=made.scale,
        shift=made.shift,
        things=origin.things,
        attributes=made.attributes,
        n=len(calib),
    )
    draft = draft_of(recognizer, decision, origin)
    vectors = golden_objects.measure(made.session, recognizer.preprocess, classes=classes)
    archive.seal(path, draft, model=made.model, golden=vectors, force=True)
    return Exported(parity, path)


def compare_finder(
    recognizer: Recognizer,
    session: Session,
    selection: Selection,
    held_out: Sequence[Examples],
    limits: NDArray[np.float32],
) -> Parity:
    """Return how what the file finds differs from what the network finds; of two kinds the worse one.

    Args:
        recognizer: The network.
        session: The file in an engine.
        selection: Which answers it gives out, with its scores.
        held_out: Images at model size, at least one.
        limits: For each class the score from which on an answer is an object.
    """
    parts = [part for part in held_out if len(part)]
    compared = spread(parts)
    pairs = (
        (answers(recognizer, batch, selection), _asked(session, batch, len(recognizer.classes)))
        for part in compared
        for batch in batches(part.images, part.indices)
    )
    of_objects = compare_objects(pairs, limits)
    if recognizer.task != "panoptic":
        return of_objects
    of_pixels = compare_regions(recognizer, session, parts)
    return worst(of_objects, of_pixels)


def _asked(session: Session, batch: UInt8, classes: int) -> ObjectAnswers:
    """Return what a session answers for pictures at model size."""
    return checked(session.answer(batch), len(batch), classes=classes)
