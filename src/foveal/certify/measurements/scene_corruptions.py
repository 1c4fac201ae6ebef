"""C5: mean average precision or mean overlap of areas under corruptions that leave things where they are.

Source: Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", 2019; Michaelis et al., "Benchmarking Robustness in Object Detection", 2019, for detectors.
What moves things (`perturb.corruptions.MOVING`) is left out: what is stated of the picture holds no longer.
"""

from collections.abc import Mapping, Sequence

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import SceneSubject
from foveal.certify.statement import Statement
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.core.task import SCENE_TASKS
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.corrupted import changed_by
from foveal.metrics._resampled import Resampled
from foveal.perturb import corruptions as folder

_OF = {"map50": "mAP50", "mask_map50": "mask mAP50", "miou": "mean IoU", "pq": "PQ"}
_COMMON = tuple(name for name in folder.IMAGENET_C if name not in folder.MOVING)
_KEPT = Claim(
    "corruption_retention",
    "share of what it is worth on unharmed pictures that corruptions leave",
    "estimate",
)
_SHOWN = 4


def _mean_of(measure: str) -> Claim:
    return Claim(f"corruption_{measure}", f"mean {_OF[measure]} under {len(_COMMON)} corruptions", "estimate")


def _worst_of(measure: str) -> Claim:
    return Claim(
        f"worst_corruption_{measure}",
        f"lowest {_OF[measure]} of a corruption at the highest severity",
        "estimate",
    )


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_KEPT, *(claim(measure) for measure in _OF for claim in (_mean_of, _worst_of)))


def _measure(subject: SceneSubject) -> Section:
    images, places = subject.test.some(subject.level.corrupted)
    try:
        clean = subject.worth([subject.test.done[place] for place in places])
    except UsageError as error:
        if error.code != "empty":
            raise
        own = (_KEPT, _mean_of(subject.measure.name), _worst_of(subject.measure.name))
        why = f"nothing is there on any of the {len(places)} pictures that would be changed"
        return Section(tuple(claim.not_measured(why) for claim in own))
    names = [name for name in catalog.names(folder) if name not in folder.MOVING]
    cells: dict[tuple[str, int], Resampled] = {}
    strips: list[Strip] = []
    told = subject.told("corruptions")
    for place, name in enumerate(names):
        for severity in subject.level.severities:
            rng = stream(subject.seed, "certify", "corruptions", name, severity)
            changed = subject.framed(changed_by(name, images, severity=severity, rng=rng), places)
            cells[name, severity] = subject.worth(subject.look(changed, places))
        strips.append(_strip(f"{catalog.spoken(name)}, severity {severity}", changed))
        told(place + 1, len(names))
    rows = [
        {"corruption": name, "severity": severity, "accuracy": found.measured().as_json()}
        for (name, severity), found in cells.items()
    ]
    return Section(
        _stated(subject, clean, cells),
        tuple(strips),
        {"corruptions": {"of": _OF[subject.measure.name], "clean": clean.value, "rows": rows}},
    )


def _stated(
    subject: SceneSubject, clean: Resampled, cells: Mapping[tuple[str, int], Resampled]
) -> tuple[Statement, ...]:
    """Return mean, share that is left, and the worst; all from the same resamples of pictures."""
    measure, hardest = subject.measure.name, subject.level.severities[-1]
    common = [found for (name, _), found in cells.items() if name in _COMMON]
    mean = Resampled.mean(common)
    note = (
        f"severities {', '.join(map(str, subject.level.severities))}; {len(common)} cells of {clean.images}; "
        f"what moves things is left out"
    )
    ends = {name: found for (name, severity), found in cells.items() if severity == hardest}
    ends = {name: found for name, found in ends.items() if name in _COMMON}
    worst = min(ends, key=lambda name: ends[name].value)
    return (
        _KEPT.estimate(mean.over(clean), note=note, seed=subject.seed),
        _mean_of(measure).estimate(mean.measured(), note=note, seed=subject.seed),
        _worst_of(measure).estimate(
            ends[worst].measured(),
            note=f"{catalog.spoken(worst)}, the worst of {len(ends)} at severity {hardest}",
            seed=subject.seed,
            details={"worst": worst},
            chosen_from=len(ends),
        ),
    )


def _strip(title: str, images: UInt8) -> Strip:
    places = evenly_spaced(len(images), at_most=_SHOWN)
    return Strip(title, tuple(Shown(images[place], "", None) for place in places))


scene_corruptions = Measurement("C5", "Corruptions", _claims, _measure, tasks=SCENE_TASKS)
