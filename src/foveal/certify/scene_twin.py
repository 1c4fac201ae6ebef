"""What the network that a file was made from shows: the file's own selection and score scale, in torch."""

from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Answers
from foveal.core.task import AREA_TASKS, OBJECT_TASKS
from foveal.data.dataset import UInt8
from foveal.tasks.defect import learn as suspecting
from foveal.tasks.detect import learn as detecting
from foveal.tasks.detect.learn import Selection
from foveal.tasks.recognizer import Recognizer
from foveal.tasks.segment import learn as segmenting


def shown_by(recognizer: Recognizer, images: UInt8, manifest: Manifest) -> Answers:
    """Return what a network answers for pictures, by the names of a graph's outputs.

    Args:
        recognizer: The network.
        images: At model size, uint8 (N, H, W, C).
        manifest: Of its file: which answers are given out, and with which scores.
    """
    found: Answers = {}
    if recognizer.task in OBJECT_TASKS:
        rule = manifest.objects
        sharpness = tuple(one.scale for one in rule.attributes)
        selection = Selection(rule.objects, rule.overlap, rule.scale, rule.shift, sharpness)
        seen = detecting.answers(recognizer, images, selection)
        found |= {"boxes": seen.boxes, "scores": seen.scores, "labels": seen.labels}
        if seen.attributes is not None:
            found["attributes"] = seen.attributes
    if recognizer.task in AREA_TASKS:
        found["regions"] = segmenting.answers(recognizer, images)[0]
    if recognizer.task == "defect":
        found |= suspecting.answers(recognizer, images)._asdict()
    return found
