"""C5: accuracy under the 15 common corruptions, and under faults of sensors.

Source: Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", 2019. The mean is over the 15 of that paper; the others are told beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Shown, Strip
from foveal.certify.measurements.calibration import error_of
from foveal.certify.profile import Profile
from foveal.certify.statement import Statement
from foveal.certify.subject import Float32, Subject
from foveal.core import catalog
from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.corrupted import Corrupted, corrupted
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.perturb import corruptions as folder

Bools = NDArray[np.bool_]
_MEAN = Claim("corruption_accuracy", "mean accuracy under 15 corruptions", "estimate")
_KEPT = Claim(
    "corruption_retention",
    "share of the accuracy on unharmed pictures that corruptions leave",
    "estimate",
)
_WORST = Claim("worst_corruption", "accuracy under the worst corruption, highest severity", "estimate")
_ERROR = Claim(
    "corrupted_calibration_error",
    "expected calibration error under 15 corruptions, highest severity",
    "indicator",
    "at_most",
)
_SHOWN = 8


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_MEAN, _KEPT, _WORST, _ERROR)


def _measure(subject: Subject) -> Section:
    images, labels = subject.test.some(subject.level.corrupted)
    clean = subject.named(images) == labels
    severities, names = subject.level.severities, catalog.names(folder)
    right: dict[tuple[str, int], Bools] = {}
    hardest: list[Float32] = []
    strips: list[Strip] = []
    told = subject.told("corruptions")

    def ask(asked: UInt8) -> Float32:
        return subject.answers(asked)[0]

    for place, name in enumerate(names):
        for severity in severities:
            rng = stream(subject.seed, "certify", "corruptions", name, severity)
            found = corrupted(name, images, labels, severity=severity, rng=rng, ask=ask)
            right[name, severity] = found.right
            if severity == severities[-1]:
                strips.append(_strip(subject, f"{catalog.spoken(name)}, severity {severity}", found))
                if name in folder.IMAGENET_C:
                    hardest.append(found.scores)
        told(place + 1, len(names))
    rows = [
        {
            "corruption": name,
            "severity": severity,
            "accuracy": clopper_pearson(int(r.sum()), len(r)).as_json(),
        }
        for (name, severity), r in right.items()
    ]
    statements = (
        *_means(subject, clean, np.stack([right[name, s] for name in folder.IMAGENET_C for s in severities])),
        _worst(right, severities[-1]),
        _calibration(subject, hardest, labels),
    )
    return Section(statements, tuple(strips), {"corruptions": {"clean": float(clean.mean()), "rows": rows}})


def _means(subject: Subject, clean: Bools, cells: NDArray[np.bool_]) -> tuple[Statement, Statement]:
    """Return mean accuracy and retention; whole pictures are resampled, with all that was done to them."""
    draws, seed = subject.level.draws, subject.seed
    columns = np.stack([cells.mean(axis=0), clean.astype(np.float64)], axis=1)
    mean = bootstrap(columns[:, 0], draws=draws, seed=seed)
    kept = bootstrap(columns, lambda m: m[:, 0] / np.maximum(m[:, 1], 1e-9), draws=draws, seed=seed)
    note = f"severities {', '.join(map(str, subject.level.severities))}; {len(cells)} cells of {len(clean)}"
    return _MEAN.estimate(mean, note=note, seed=seed), _KEPT.estimate(kept, note=note, seed=seed)


def _worst(right: Mapping[tuple[str, int], Bools], severity: int) -> Statement:
    cells = {
        catalog.spoken(name): (int(found.sum()), len(found))
        for (name, s), found in right.items()
        if s == severity and name in folder.IMAGENET_C
    }
    return _WORST.worst(cells, note=f"the worst of {len(cells)} at severity {severity}")


def _calibration(subject: Subject, probabilities: Sequence[Float32], labels: NDArray[np.int64]) -> Statement:
    """Return the calibration error under corruption; each picture is in it 15 times: it decides nothing."""
    found = error_of(
        _ERROR, np.concatenate(probabilities), np.tile(labels, len(probabilities)), seed=subject.seed
    )
    note = "each picture is in it 15 times: the interval is too narrow"
    return replace(found, evidence=None, note=note)


def _strip(subject: Subject, title: str, found: Corrupted) -> Strip:
    shown = []
    for place in evenly_spaced(len(found.right), at_most=_SHOWN):
        answer = int(found.scores[place].argmax())
        caption = f"{subject.predictor.classes[answer]}, {found.scores[place, answer]:.0%}"
        shown.append(Shown(found.images[place], caption, bool(found.right[place])))
    return Strip(title, tuple(shown))


corruptions = Measurement("C5", "Corruptions", _claims, _measure)
