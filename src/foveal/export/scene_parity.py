"""Does a sealed file find what its network finds, or what another file does? Asked of real pictures."""

from collections.abc import Sequence

import numpy as np

from foveal.bundle.agreement import compared, flips
from foveal.bundle.manifest import Manifest
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Answers, Session
from foveal.core.batches import batches
from foveal.core.task import OBJECT_TASKS
from foveal.data.dataset import UInt8
from foveal.export.defects_sealing import compare_defects
from foveal.export.objects_sealing import compare_finder
from foveal.export.outputs import spread
from foveal.export.parity import Parity
from foveal.export.regions_sealing import compare_regions
from foveal.tasks.detect.learn import Selection
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

_MOST = 200  # pictures on which two files are compared: each has many objects, and thousands of pixels


def parity_with_network(
    recognizer: Recognizer, session: Session, manifest: Manifest, parts: Sequence[Examples]
) -> Parity:
    """Return how far what a file answers is from what its network answers in float32.

    Args:
        recognizer: The network.
        session: The file in an engine.
        manifest: Of the file: says what is given out, and what is shown.
        parts: Images at model size, at least one.
    """
    if manifest.task == "defect":
        return compare_defects(recognizer, session, manifest.defects, parts)
    if manifest.task not in OBJECT_TASKS:
        return compare_regions(recognizer, session, [part for part in parts if len(part)])
    rule = manifest.objects
    selection = Selection(
        rule.objects,
        rule.overlap,
        scale=rule.scale,
        shift=rule.shift,
        sharpness=tuple(one.scale for one in rule.attributes),
    )
    return compare_finder(recognizer, session, selection, parts, np.array(rule.thresholds, np.float32))


def parity_of_files(before: Predictor, after: Predictor, parts: Sequence[Examples]) -> Parity:
    """Return what a file decides otherwise than another one of the same network, in coarser numbers.

    Args:
        before: The file in float32.
        after: The other one, with thresholds of its own.
        parts: Images at model size, at least one; up to 200 of them, evenly spaced, are compared.
    """
    chosen = [part.images[part.indices] for part in spread([part for part in parts if len(part)])]
    images = np.concatenate([each[: max(1, _MOST * len(each) // sum(map(len, chosen)))] for each in chosen])
    answered = [_answers(predictor, images) for predictor in (before, after)]
    found = flips(before.manifest, *answered, others=after.manifest)
    return Parity(None, found.share, 0, len(images), found.unit)


def _answers(predictor: Predictor, images: UInt8) -> Answers:
    parts = [compared(predictor.ask(batch)) for batch in batches(images)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
