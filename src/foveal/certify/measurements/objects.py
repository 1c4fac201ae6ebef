"""C1: how well objects are found, of all classes and of the one that is found worst, and counted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import SceneSubject
from foveal.certify.statement import Statement
from foveal.core.task import OBJECT_TASKS
from foveal.metrics.counting_mae import counting_mae
from foveal.metrics.f1_at_threshold import f1_at_threshold
from foveal.metrics.map_interval import class_intervals, map_interval
from foveal.metrics.match import Matches

_MEANS = {
    "map50": Claim("map50", "mean average precision of boxes at half overlap", "estimate"),
    "mask_map50": Claim("mask_map50", "mean average precision of masks at half overlap", "estimate"),
}
_WORST = Claim("worst_class_ap50", "average precision of the class that is found worst", "estimate")
_COUNTS = Claim("counting_mae", "objects by which a count is off", "estimate", "at_most", "count")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (*_MEANS.values(), _WORST, _COUNTS)


def _measure(subject: SceneSubject) -> Section:
    matches: Matches = subject.objects(subject.test.done)
    limits = np.array(subject.predictor.manifest.objects.thresholds)
    seed, draws = subject.seed, subject.level.draws
    mean = map_interval(matches, seed=seed, draws=draws)
    counts = counting_mae(matches, limits, seed=seed, draws=draws).total
    said = {"unreadable": subject.test.unreadable, "objects": int(matches.truths.sum())}
    worst, absent = _worst(subject, matches, limits)
    whole = _MEANS["map50" if subject.task == "detect" else "mask_map50"].estimate(
        mean, seed=seed, details=said
    )
    if absent:
        whole = whole.that_cannot_pass("classes without an object are not in it")
    return Section(
        (
            whole,
            worst,
            _COUNTS.estimate(
                counts.mae,
                seed=seed,
                note=f"found minus there: {counts.bias.value:+.2f} a picture on average",
            ),
        ),
        says=(f"{len(absent)} classes have no object here: nothing is said about them",) if absent else (),
    )


def _worst(
    subject: SceneSubject, matches: Matches, limits: NDArray[np.float64]
) -> tuple[Statement, list[str]]:
    """Return what is said of the class that is found worst, and the classes of which nothing is there."""
    names, seed, draws = subject.predictor.classes, subject.seed, subject.level.draws
    precisions = class_intervals(matches, seed=seed, draws=draws)
    shown = f1_at_threshold(matches, limits, seed=seed, draws=draws).per_class
    found = {names[label]: precisions[label] for label in subject.counted}
    there = {name: one for name, one in found.items() if one is not None}
    absent = [name for name in found if name not in there]
    rows = [
        {
            "class": name,
            "ap50": there[name].as_json(),
            "precision": None if one.precision is None else one.precision.as_json(),
            "recall": None if one.recall is None else one.recall.as_json(),
        }
        for name, one in zip(names, shown, strict=True)
        if name in there
    ]
    worst = min(there, key=lambda name: there[name].value)
    statement = _WORST.estimate(
        there[worst],
        note=worst,
        seed=seed,
        details={"worst": worst, "classes": rows, "absent": absent},
        chosen_from=len(there),
    )
    return statement.that_cannot_pass("classes without an object") if absent else statement, absent


objects = Measurement("C1", "Objects", _claims, _measure, tasks=OBJECT_TASKS)
