"""C1: how well the areas of classes are found, of all and of the class that is found worst."""

from collections.abc import Sequence

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import SceneSubject
from foveal.metrics.mean_iou import mean_iou
from foveal.metrics.pixel_accuracy import pixel_accuracy

_MEAN = Claim("miou", "mean overlap of the areas of classes (IoU)", "estimate")
_WORST = Claim("worst_class_iou", "overlap of the class whose area is found worst", "estimate")
_PIXELS = Claim("pixel_accuracy", "share of pixels that are given their class", "estimate")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_MEAN, _WORST, _PIXELS)


def _measure(subject: SceneSubject) -> Section:
    matrices = subject.measure.together(subject.test.done)
    names, seed, draws = subject.predictor.classes, subject.seed, subject.level.draws
    found = mean_iou(matrices, seed=seed, draws=draws)
    there = {name: one for name, one in zip(names, found.per_class, strict=True) if one is not None}
    absent = [name for name in names if name not in there]
    worst = min(there, key=lambda name: there[name].value)
    rows = [{"class": name, "iou": one.as_json()} for name, one in there.items()]
    statements = (
        _MEAN.estimate(found.mean, seed=seed, details={"unreadable": subject.test.unreadable}),
        _WORST.estimate(
            there[worst],
            note=worst,
            seed=seed,
            details={"worst": worst, "classes": rows, "absent": absent},
            chosen_from=len(there),
        ),
        _PIXELS.estimate(pixel_accuracy(matrices, seed=seed, draws=draws), seed=seed),
    )
    if not absent:
        return Section(statements)
    why = "classes without a pixel are not in it"
    mean, lowest, pixels = statements
    return Section(
        (mean.that_cannot_pass(why), lowest.that_cannot_pass(why), pixels),
        says=(f"{len(absent)} of {len(names)} classes are on no picture here: nothing is said about them",),
    )


areas = Measurement("C1", "Areas", _claims, _measure, tasks=("segment",))
