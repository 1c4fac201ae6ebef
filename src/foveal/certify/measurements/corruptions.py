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
from foveal.certify.subject import Subject
from foveal.core import catalog
from foveal.core.random import stream
from foveal.data.dataset import UInt8
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
_BATCH = 64  # pictures that are corrupted at once
_SHOWN = 8


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_MEAN, _KEPT, _WORST, _ERROR)


def _measure(subject: Subject) -> Section:
    images, labels = subject.test.some(subject.level.corrupted)
    clean = subject.named(images) == labels
    severities, names = subject.level.severities, catalog.names(folder)
    right: dict[tuple[str, int], Bools] = {}
    hardest: list[NDArray[np.float32]] = []
    strips: list[Strip] = []
    told = subject.told("corruptions")
    for place, name in enumerate(names):
        for severity in severities:
            changed = _corrupted(name, images, severity, subject.seed)
            probabilities = subject.answers(changed)[0]
            right[name, severity] = probabilities.argmax(axis=1) == labels
            if severity == severities[-1]:
                strips.append(_strip(subject, name, severity, changed, probabilities, labels))
                if name in folder.IMAGENET_C:
                    hardest.append(probabilities)
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


def _corrupted(name: str, images: UInt8, severity: int, seed: int) -> UInt8:
    corrupt, rng = catalog.find(folder, name), stream(seed, "certify", "corruptions", name, severity)
    parts = [
        corrupt(images[start : start + _BATCH], severity=severity, rng=rng)
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts)


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


def _calibration(
    subject: Subject, probabilities: Sequence[NDArray[np.float32]], labels: NDArray[np.int64]
) -> Statement:
    """Return the calibration error under corruption; each picture is in it 15 times: it decides nothing."""
    found = error_of(
        _ERROR, np.concatenate(probabilities), np.tile(labels, len(probabilities)), seed=subject.seed
    )
    note = "each picture is in it 15 times: the interval is too narrow"
    return replace(found, evidence=None, note=note)


def _strip(
    subject: Subject,
    name: str,
    severity: int,
    images: UInt8,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Strip:
    shown = []
    for place in np.linspace(0, len(images) - 1, min(_SHOWN, len(images))).round().astype(int).tolist():
        answer = int(probabilities[place].argmax())
        caption = f"{subject.predictor.classes[answer]}, {probabilities[place, answer]:.0%}"
        shown.append(Shown(images[place], caption, answer == int(labels[place])))
    return Strip(f"{catalog.spoken(name)}, severity {severity}", tuple(shown))


corruptions = Measurement("C5", "Corruptions", _claims, _measure)
