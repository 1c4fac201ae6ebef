"""Do two ways to run a bundle decide alike? Asked of what both answer for the same pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Answers, Float32
from foveal.core.types import Measured
from foveal.data.attributes import UNSURE
from foveal.metrics.box_iou import box_iou
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number
from foveal.tasks.defect.decode import kinds_at
from foveal.tasks.detect.decode import ObjectAnswers, checked, values_of

# What is decided with, by the name of an output. Masks are large, and lie where their boxes do.
_COMPARED = ("probabilities", "boxes", "scores", "labels", "attributes", "regions", "maps")
_SAME = 0.8  # intersection over union of two boxes that mean the same object, as of golden vectors


@dataclass(frozen=True)
class Flips:
    """What is decided otherwise.

    Attributes:
        share: Of all that is decided. Objects or pixels of one picture are not independent: `n` is how many
            independent pictures say as much, in the worst case.
        decided: How many pictures were given a class, objects were shown by either, or pixels have a class;
            of several kinds, of the one that agrees least.
        unit: What is counted: `pictures`, `objects` or `pixels`.
    """

    share: Measured
    decided: int
    unit: str


def compared(answers: Answers) -> Answers:
    """Return what `flips` looks at, which takes less memory than all."""
    return {name: values for name, values in answers.items() if name in _COMPARED}


def flips(manifest: Manifest, reference: Answers, other: Answers, *, others: Manifest | None = None) -> Flips:
    """Return what another way to run a bundle, or another bundle, decides otherwise, on N ≥ 1 pictures.

    A picture is given another label; an object that one shows has no like, of the same class and in the same
    place, among those that the other shows, or only one of which another value is told; a pixel has another
    class, or a place shows another kind of defect. Of what answers with objects and pixels, that which agrees
    less.

    Args:
        manifest: Of the bundle: its thresholds decide what is shown.
        reference: Of `Predictor.ask`, on the reference.
        other: The same of the other way.
        others: Of the other bundle, which has thresholds of its own; None: it is the same bundle.
    """
    found = []
    if "probabilities" in reference:
        wrong = reference["probabilities"].argmax(axis=1) != other["probabilities"].argmax(axis=1)
        found.append(Flips(clopper_pearson(int(wrong.sum()), len(wrong)), len(wrong), "pictures"))
    if "boxes" in reference:
        found.append(_objects((manifest, others or manifest), (reference, other)))
    if "regions" in reference:
        count = len(reference["regions"])
        differ = float((reference["regions"] != other["regions"]).mean())
        found.append(Flips(clopper_pearson(differ * count, count), reference["regions"].size, "pixels"))
    if "maps" in reference:
        found.append(_places((manifest, others or manifest), (reference["maps"], other["maps"])))
    return max(found, key=lambda one: one.share.value)


def _places(manifests: tuple[Manifest, Manifest], both: tuple[Float32, Float32]) -> Flips:
    """Return at which places of maps of defects another kind is shown."""
    here, there = (kinds_at(one.defects.heat(maps)) for one, maps in zip(manifests, both, strict=True))
    count, differ = len(here), float((here != there).mean())
    return Flips(clopper_pearson(differ * count, count), here.size, "pixels")


def _objects(manifests: tuple[Manifest, Manifest], both: tuple[Answers, Answers]) -> Flips:
    """Return which objects only one shows; a picture on which neither shows any counts as one that agrees."""
    count, classes = len(both[0]["scores"]), len(manifests[0].classes)
    pair = [checked(answers, count, classes=classes) for answers in both]
    limits = [np.array(one.objects.thresholds, np.float32) for one in manifests]
    lonely: list[NDArray[np.bool_]] = []
    shown = 0
    for row in range(count):
        one, two = (_shown(answers.at(row), own) for answers, own in zip(pair, limits, strict=True))
        same = _alike(one, two)
        here, there = values_of(one, manifests[0].attributes), values_of(two, manifests[1].attributes)
        for left, right in np.argwhere(same).tolist():
            same[left, right] = _agree(here[left], there[right])
        alone = np.append(~same.any(axis=1), ~same.any(axis=0))
        shown += len(alone)
        lonely.append(alone if len(alone) else np.zeros(1, np.bool_))
    units = np.repeat(np.arange(count), [len(part) for part in lonely])
    independent = independent_number(units, len(units))
    return Flips(clustered_share(np.concatenate(lonely), independent), shown, "objects")


def _shown(answers: ObjectAnswers, limits: NDArray[np.float32]) -> ObjectAnswers:
    return answers.at((answers.scores >= limits[answers.labels]) & (answers.scores > 0))


def _alike(own: ObjectAnswers, other: ObjectAnswers) -> NDArray[np.bool_]:
    """Return which objects of one picture are like which of the other side, (D, E)."""
    like: NDArray[np.bool_] = box_iou(own.boxes, other.boxes) >= _SAME
    like &= own.labels[:, None] == other.labels[None]
    return like


def _agree(own: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether no two different values are told of an object; that none is sure is no other value."""
    return all(UNSURE in (value, other[name]) or value == other[name] for name, value in own.items())
