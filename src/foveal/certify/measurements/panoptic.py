"""C1: how well pictures are divided into things and stuff, of all classes and of the worst one."""

from collections.abc import Sequence

import numpy as np

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import SceneSubject
from foveal.core.errors import UsageError
from foveal.metrics.panoptic_quality import panoptic_quality

_MEAN = Claim("pq", "mean panoptic quality", "estimate")
_WORST = Claim("worst_class_pq", "panoptic quality of the class that is divided worst", "estimate")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_MEAN, _WORST)


def _measure(subject: SceneSubject) -> Section:
    names, seed = subject.predictor.classes, subject.seed
    things = np.isin(np.arange(len(names)), subject.counted)
    counts = subject.measure.together(subject.test.done)
    found = panoptic_quality(counts, things=things, seed=seed, draws=subject.level.draws)
    if found.all.pq is None:
        raise UsageError("nothing is stated on the pictures that test, and nothing is found", code="empty")
    rows = {name: one.pq for name, one in zip(names, found.per_class, strict=True) if one.pq is not None}
    absent = [name for name in names if name not in rows]
    worst = min(rows, key=lambda name: rows[name].value)
    details = {
        "worst": worst,
        "classes": [{"class": name, "pq": one.as_json()} for name, one in rows.items()],
        "absent": absent,
    }
    mean = _MEAN.estimate(found.all.pq, seed=seed, details={"unreadable": subject.test.unreadable})
    lowest = _WORST.estimate(rows[worst], note=worst, seed=seed, details=details, chosen_from=len(rows))
    if not absent:
        return Section((mean, lowest))
    why = "classes of which nothing is there are not in it"
    return Section(
        (mean.that_cannot_pass(why), lowest.that_cannot_pass(why)),
        says=(f"{len(absent)} of {len(names)} classes are on no picture here: nothing is said about them",),
    )


panoptic = Measurement("C1", "Things and stuff", _claims, _measure, tasks=("panoptic",))
